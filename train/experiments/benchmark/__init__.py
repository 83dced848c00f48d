"""HFF and its rivals on a file of trimodal utterance features, such as CMU-MOSI's.

No reader of such files: those are in ``train.corpora``; and no model: the rivals are in ``train.rivals``.
"""
