"""The way of a clip: recording (raw material) -> features (on the time grid) -> analyzer (a ``Result``).

The one path that page, command line, lab and training share; a dialogue takes it turn by turn. Nothing that only Live
or only the lab needs.
"""
