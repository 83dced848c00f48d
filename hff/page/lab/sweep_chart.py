"""The sweep drawn as light SVG while it runs: alpha, sigma^2 and probabilities against severity."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from hff import modalities
from hff.config import MODALITIES
from hff.locale import names, sentence, texts
from hff.page.shared.amounts import SIGMA_FULL, decimal, percent, weight_figures
from hff.page.shared.render import render

if TYPE_CHECKING:
    from hff.lab.lab import SweepPoint


class Plot(NamedTuple):
    """A panel's edges, in units of the drawing; names of the lines stand on the right of the plot."""

    width: int = 400
    height: int = 360
    left: int = 46
    right: int = 296
    top: int = 34
    bottom: int = 310

    def x(self, severity: float) -> float:
        return self.left + severity * (self.right - self.left)

    def y(self, share: float) -> float:
        """``share`` of the axis' top."""
        return self.bottom - share * (self.bottom - self.top)


PLOT = Plot()
_LEADING = len(modalities.DASHES)  # emotions drawn boldly, each with a dash of its own
_LINE_GAP = 19  # least distance of two names


@dataclass
class Line:
    """One figure against severity, in units of the drawing; ``x`` and ``y`` are where it ends."""

    path: str
    x: float
    y: float
    name: str = ""
    kind: str = ""  # a modality's class, or none
    dashes: str = ""
    faint: bool = False


class Name(NamedTuple):
    """A line's name beside its end."""

    text: str
    kind: str
    x: float
    y: float


@dataclass
class Panel:
    title: str
    below: str
    heights: list[tuple[float, str]]  # what stands at the left axis: place and figure
    severities: list[tuple[float, str]]  # the same below
    lines: list[Line]
    names: list[Name]


def sweep_chart(points: Sequence[SweepPoint], modality: str) -> Markup:
    """Three panels on one severity axis; empty axes as long as there is no point."""
    panels = [
        _panel(texts.SWEEP_ALPHA, 1.0, _modality_lines(points, "alpha", 1.0), modality),
        _panel(texts.SWEEP_VARIANCE, SIGMA_FULL, _modality_lines(points, "variance", SIGMA_FULL), modality),
        _panel(texts.SWEEP_PROBABILITY, 1.0, _emotion_lines(points), modality),
    ]
    label = sentence("SWEEP_LABEL", modality=names.modality(modality))
    return render("sweep.html", "chart", label, len(points), panels, PLOT)


def sweep_sentence(points: Sequence[SweepPoint], modality: str) -> str:
    """What the sweep has shown so far."""
    if len(points) < 2:
        return texts.SWEEP_WAITING
    first, last = points[0], points[-1]
    if first.variance[modality] is None:
        return sentence("SWEEP_SENTENCE_absent", modality=names.modality(modality))
    told = {
        "severity": percent(last.severity),
        "of": names.modality(modality, "of"),
        "before": weight_figures(first.alpha)[modality],
        "after": weight_figures(last.alpha)[modality],
    }
    turn = next((p for p in points if p.emotion != first.emotion), None)
    if turn is None:
        return sentence("SWEEP_SENTENCE_same", emotion=names.emotion(first.emotion), **told)
    old, new = names.emotion(first.emotion), names.emotion(turn.emotion)
    return sentence("SWEEP_SENTENCE_turn", old=old, new=new, turn=percent(turn.severity), **told)


def _modality_lines(points: Sequence[SweepPoint], figure: str, top: float) -> list[Line]:
    """``figure`` ("alpha" or "variance") of each modality."""
    drawn = []
    for m in MODALITIES:
        line = _line([(p.severity, getattr(p, figure)[m]) for p in points], top)
        if line is not None:
            line.name, line.kind, line.dashes = names.modality(m), f"hff-{m}", modalities.of(m).stroke
            drawn.append(line)
    return drawn


def _emotion_lines(points: Sequence[SweepPoint]) -> list[Line]:
    """The leading ones with a name, the others faint."""
    if not points:
        return []
    labels = sorted(points[0].probabilities, key=lambda label: -max(p.probabilities[label] for p in points))
    drawn = []
    for rank, label in enumerate(labels):
        line = _line([(p.severity, p.probabilities[label]) for p in points], 1.0)
        assert line is not None, "a probability is never absent"
        if rank < _LEADING:
            line.name, line.dashes = names.emotion(label), modalities.stroke(modalities.DASHES[rank])
        line.faint = rank >= _LEADING
        drawn.append(line)
    return drawn


def _line(values: Iterable[tuple[float, float | None]], top: float) -> Line | None:
    """Figures by severity as a line, broken where the modality is absent; none if it always is."""
    steps, pen, last = [], "M", None
    for severity, value in values:
        if value is None:
            pen = "M"
            continue
        last = PLOT.x(severity), PLOT.y(min(1.0, value / top))
        steps.append(f"{pen}{last[0]:.1f} {last[1]:.1f}")
        pen = "L"
    return None if last is None else Line("".join(steps), *last)


def _names(lines: list[Line]) -> list[Name]:
    """Names at the lines' ends, moved apart where they would overlap."""
    named = sorted((line for line in lines if line.name), key=lambda line: line.y)
    heights = [line.y for line in named]
    for above, below in itertools.pairwise(range(len(heights))):
        heights[below] = max(heights[below], heights[above] + _LINE_GAP)
    # Those that this has moved below the axis go up again, and with them only whom they meet.
    lowest: float = PLOT.bottom
    for place in reversed(range(len(heights))):
        heights[place] = min(heights[place], lowest)
        lowest = heights[place] - _LINE_GAP
    return [Name(line.name, line.kind, line.x, y) for line, y in zip(named, heights, strict=True)]


def _panel(title: str, top: float, lines: list[Line], modality: str) -> Panel:
    digits = 1 if top >= 1 else 2
    return Panel(
        title=title,
        below=sentence("SWEEP_AXIS", modality=names.modality(modality)),
        heights=[(PLOT.y(share), decimal(top * share, digits)) for share in (0, 0.5, 1)],
        severities=[(PLOT.x(at), decimal(at, places)) for at, places in ((0, 0), (0.5, 1), (1, 0))],
        lines=lines,
        names=_names(lines),
    )
