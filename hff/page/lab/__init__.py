"""The Weighting lab's view: controls, evidence, before and after, sweep, lessons, worksheet, sharing.

The lab itself is in ``hff.lab``.
"""
