"""The weighting lab: damage, ablation, weights by hand, sweeps, lessons and the state that describes them.

What a lab does and means. How it looks is in ``hff.page.lab``.
"""
