"""The weighting lab: corruption, ablation, weights by hand, sweeps, lessons and the state that describes them.

What a lab does and means. Nothing of how it looks, which is in ``hff.page.lab``; the kinds of corruption are in
``hff.corruption``.
"""
