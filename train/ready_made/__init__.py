"""The ready-made models that others trained: read from the pip packages they come in, made smaller for ``weights/``.

No corpus, no training. What is shipped of them lies in ``weights/pretrained/``; only training asks for a package.
"""
