"""The Live view's fixed markup, from ``templates/live.html``; what the script needs to fill it stands on the places."""

from __future__ import annotations

from markupsafe import Markup

from hff.config import EMOTIONS, MAX_TEXT, MODALITIES, STEP_SECONDS
from hff.locale import names, texts
from hff.page.shared.amounts import SIGMA_FULL, guess_variance
from hff.page.shared.ears import ear_name
from hff.page.shared.render import render

HISTORY_SECONDS = 30  # s that the timelines go back
_PLOT = {"width": 400, "height": 100, "top": 1, "bottom": 99}  # units of a timeline's drawing, stretched to its box


def page(window: float, labels: tuple[str, ...] = EMOTIONS, native: bool = False, ears: tuple[str, ...] = ()) -> Markup:
    """The whole view; ``window`` s is what a reading rests on, and of several ``ears`` one can be chosen."""
    return render(
        "live.html",
        "page",
        native=native,
        typed=MAX_TEXT,
        labels=labels,
        modalities=MODALITIES,
        ears=[(ear, ear_name(ear)) for ear in ears] if len(ears) > 1 else [],
        kinds=_kinds(),
        window=round(window),
        columns=round(window / STEP_SECONDS),
        history=HISTORY_SECONDS,
        plot=_PLOT,
        full=SIGMA_FULL,
        guess=guess_variance(len(labels)),
    )


def _kinds() -> list[tuple[str, str]]:
    """The rows of the attention map: key and name."""
    return [("fused", texts.LIVE_FUSED), *((m, names.modality(m)) for m in MODALITIES)]
