"""The paper's model: a module for each group of its equations, ``hff`` puts them together.

Tensors in, tensors out. Nothing here reads a file, knows an encoder, or imports more of hff than the config.
"""
