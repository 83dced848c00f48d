"""Many clips: which there are, reading them in several processes or on a Ray cluster, and the tables that their rows go to.

No training (that is ``train/``), and nothing that only one clip needs.
"""
