"""From a drawing function to a crisp SVG for the page or a PNG to keep.

A drawing function takes a ``Palette`` and gives a ``matplotlib.figure.Figure``; it never touches pyplot, whose
figures are global. ``rcParams`` are global too, so one lock lets one figure be drawn at a time.
"""

from __future__ import annotations

import base64
import io
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from hff.locale import language, number_format
from hff.page.shared.theme import COLOUR_MAP, PAGE, PRINT, Palette, css_fonts, page_variables

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

_DRAWING = threading.Lock()
_MEASURED_FONT = "DejaVu Sans"  # comes with matplotlib and is wide: text set in another font never takes more room
PNG_DPI = 150
_MEL_RANGE = 80.0  # dB below the loudest that a spectrogram shows


def _style(palette: Palette) -> dict:
    return {
        "svg.fonttype": "none",
        "text.parse_math": False,  # a word that was heard may hold dollar signs
        "svg.hashsalt": None,  # a new salt for every figure: their clip paths may not be mixed up on one page
        "font.family": "sans-serif",
        "font.sans-serif": [_MEASURED_FONT],
        "font.size": 10,
        "axes.labelsize": 10,
        "axes.titlesize": 11,
        "xtick.labelsize": 9.5,
        "ytick.labelsize": 9.5,
        "legend.fontsize": 10,
        "text.color": palette.ink,
        "axes.labelcolor": palette.ink,
        "axes.edgecolor": palette.line,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": palette.line,
        "ytick.color": palette.line,
        "xtick.labelcolor": palette.ink,
        "ytick.labelcolor": palette.ink,
        "grid.color": palette.line,
        "grid.linewidth": 0.6,
        "hatch.linewidth": 0.6,
        "figure.facecolor": "none",
        "legend.frameon": False,
    }


def mel_colours(mel: np.ndarray, loudest: float) -> np.ndarray:
    """A mel spectrogram (n_mels, frames) in dB -> its picture (n_mels, frames, 3) uint8, low tones at the bottom."""
    import matplotlib
    import numpy as np

    shown = np.clip((np.asarray(mel, float) - loudest) / _MEL_RANGE + 1, 0, 1)[::-1]
    return (matplotlib.colormaps[COLOUR_MAP](shown)[..., :3] * 255).astype(np.uint8)


def picture_address(picture: np.ndarray) -> str:
    """(H,W,3) uint8 -> a ``data:`` address of it as PNG."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def svg(draw: Callable[[Palette], Figure], label: str) -> Markup:
    """An ``<svg>`` to put straight into HTML: it scales, follows light and dark, and is read out as ``label``."""
    import matplotlib

    text = io.StringIO()
    with _DRAWING, matplotlib.rc_context(_style(PAGE)):
        # No metadata: it names outside addresses, and the date would make every file differ.
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        _with_numbers(draw(PAGE)).savefig(text, format="svg", transparent=True, metadata=nothing)
    return _inline(text.getvalue(), label)


def png(draw: Callable[[Palette], Figure]) -> bytes:
    """The same figure as PNG on white paper."""
    import matplotlib

    data = io.BytesIO()
    with _DRAWING, matplotlib.rc_context(_style(PRINT)):
        _with_numbers(draw(PRINT)).savefig(data, format="png", dpi=PNG_DPI, facecolor=PRINT.paper)
    return data.getvalue()


def _with_numbers(figure: Figure) -> Figure:
    """The numbers on the figure's axes by the rules of the language of the moment."""
    from matplotlib.ticker import ScalarFormatter

    spoken = language()

    class Numbers(ScalarFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return number_format.localised(super().__call__(x, pos), spoken)

    for axes in figure.get_axes():
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), ScalarFormatter):
                axis.set_major_formatter(Numbers(useOffset=False))
    return figure


def _inline(text: str, label: str) -> Markup:
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    # Several figures stand on one page: only names that something refers to may stay.
    used = set(re.findall(r"#([\w-]+)", text))
    text = re.sub(r' id="([\w-]+)"', lambda m: m[0] if m[1] in used else "", text)
    for mark, variable in page_variables().items():
        text = text.replace(mark, variable)
    text = re.sub(rf"'?{_MEASURED_FONT}'?(?:, [\w' -]+)*", css_fonts(), text)
    head = f'<svg role="img" aria-label="{escape(label)}" class="hff-figure"'
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return Markup(text.replace("<svg", head, 1))
