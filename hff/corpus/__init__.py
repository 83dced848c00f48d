"""Many clips: lists of them, reading them in processes or on a Ray cluster, and the tables that their rows go to.

No training (that is ``train/``), and nothing that only one clip needs.
"""
