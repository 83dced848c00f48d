"""The Clip view: inputs, report, timeline, attention map, two readings side by side, the turns of a dialogue.

Drawing and events; every number comes from a ``Result``: no arithmetic of its own but what a drawing needs.
"""
