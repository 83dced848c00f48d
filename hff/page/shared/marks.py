"""The dial that shows a modality's weight, wherever it is; what is a modality's own stands in ``hff.modalities``."""

from __future__ import annotations

import math

DIAL_RADIUS = 50  # units of its drawing
DIAL_ARC = f"M10 60A{DIAL_RADIUS} {DIAL_RADIUS} 0 0 1 110 60"  # half a circle
DIAL_LENGTH = math.pi * DIAL_RADIUS  # of the arc: what a weight of 1 fills
DIAL_GAP = 400  # units left out after the filled part, more than the arc is long
