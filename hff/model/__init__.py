"""The paper's model: a module for each group of its equations, ``hff`` puts them together.

Tensors in, tensors out. Nothing here knows an encoder or a recording. Of the rest of hff the equations import only
``config`` and, so that a reading nobody waits for ends, ``cancel``; ``hff`` alone reads and writes its weights.
"""
