"""Many clips: which there are, reading them in several processes, and the tables that their rows go to.

No training (that is ``train/``), and nothing that only one clip needs.
"""
