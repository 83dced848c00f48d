"""The Clip view: inputs, report, timeline, attention map.

Drawing and events; every number comes from a ``Result``.
"""
