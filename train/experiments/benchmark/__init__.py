"""HFF and its rivals on dialogues, on videos of opinions, or on a file of trimodal features in MMSA's layout.

No reader of such data: those are in ``train.corpora``; and no model: the rivals are in ``train.rivals``.
"""
