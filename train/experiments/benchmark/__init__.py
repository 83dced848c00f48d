"""HFF and its rivals on a file of trimodal utterance features, such as CMU-MOSI's.

Readers of such files are in ``train.corpora``.
"""
