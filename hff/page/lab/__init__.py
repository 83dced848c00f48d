"""The Weighting lab's view: controls, evidence, before and after, sweep, lessons, worksheet, sharing.

Drawing and events, and what programs call of it. No corruption, no lesson, no state: what the lab does is in
``hff.lab``.
"""
