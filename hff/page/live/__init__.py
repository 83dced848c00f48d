"""The Live view: who may watch, what a browser sends and gets, and the markup the script fills.

No reading: the rolling window and its pace are in ``hff.live``, the script itself in ``hff/page/static``.
"""
