"""The Live view: who may watch, what a browser sends and gets, and the markup the script fills.

The reading itself is in ``hff.live``.
"""
