"""How a modality is drawn, wherever it is: its icon, the dashes of its line, and the dial that shows its weight."""

from __future__ import annotations

import math

# Drawn on a 24x24 grid: sound waves, a speech bubble, a face.
_ICONS = {
    "speech": "M4 10v4M8 7v10M12 3v18M16 7v10M20 10v4",
    "text": "M4 4h16v12H11l-5 4v-4H4zM8 8.5h8M8 12h5",
    "vision": "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M9 9.5v.5M15 9.5v.5M8.5 14.5c2 2.4 5 2.4 7 0",
}
_DASHES = {"speech": (), "text": (4.5, 2.0), "vision": (1.25, 1.5)}  # widths of the line: drawn, left out
SVG_LINE_WIDTH = 2.0  # pixels of a line in an SVG, by which its dashes are measured

DIAL_RADIUS = 50  # units of its drawing
DIAL_ARC = f"M10 60A{DIAL_RADIUS} {DIAL_RADIUS} 0 0 1 110 60"  # half a circle
DIAL_LENGTH = math.pi * DIAL_RADIUS  # of the arc: what a weight of 1 fills
DIAL_GAP = 400  # units left out after the filled part, more than the arc is long


def icon_path(modality: str) -> str:
    """The ``d`` of an SVG path."""
    return _ICONS[modality]


def dash(modality: str) -> tuple[float, ...]:
    """What is drawn and left out in turn, in widths of the line; nothing for a whole line."""
    return _DASHES[modality]


def svg_dash(modality: str) -> str:
    """The same as SVG's ``stroke-dasharray``."""
    return " ".join(f"{SVG_LINE_WIDTH * part:g}" for part in dash(modality))


def line_style(modality: str) -> str | tuple[int, tuple[float, ...]]:
    """The same as matplotlib's ``linestyle``."""
    return (0, dash(modality)) if dash(modality) else "-"
