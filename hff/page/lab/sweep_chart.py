"""The sweep drawn as light SVG while it runs: alpha, sigma^2 and probabilities against severity."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hff import modalities
from hff.config import MODALITIES
from hff.locale import names, sentence, texts
from hff.page.shared.amounts import decimal, percent
from hff.page.shared.cards import text

if TYPE_CHECKING:
    from hff.lab.lab import SweepPoint

WIDTH, HEIGHT = 400, 360  # of one panel, in units of the drawing
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 104, 34, 50  # margins; names of the lines stand on the right
_EMOTION_DASHES = ("", "9 4", "2 4")
_LEADING = 3  # emotions drawn boldly
_LINE_GAP = 19  # least distance of two names
Line = list[tuple[float, float | None]]


def sweep_chart(points: Sequence[SweepPoint], modality: str) -> str:
    """Three panels on one severity axis; empty axes as long as there is no point."""
    weights: dict[str, Line] = {m: [(p.severity, p.alpha[m]) for p in points] for m in MODALITIES}
    variances: dict[str, Line] = {m: [(p.severity, p.variance[m]) for p in points] for m in MODALITIES}
    highest = max((v for line in variances.values() for _, v in line if v is not None), default=0.0)
    panels = (
        _panel(texts.SWEEP_ALPHA, 1.0, _modality_lines(weights, 1.0), modality, 0),
        _panel(texts.SWEEP_VARIANCE, _round_up(highest), _modality_lines(variances, _round_up(highest)), modality, 1),
        _panel(texts.SWEEP_PROBABILITY, 1.0, _emotion_lines(points), modality, 2),
    )
    label = sentence("SWEEP_LABEL", the=names.modality(modality, "the"))
    return (
        f'<svg class="hff-sweep" viewBox="0 0 {3 * WIDTH} {HEIGHT}" role="img" aria-label="{text(label)}" '
        f'data-points="{len(points)}">{"".join(panels)}</svg>'
    )


def sweep_sentence(points: Sequence[SweepPoint], modality: str) -> str:
    """What the sweep has shown so far."""
    if len(points) < 2:
        return texts.SWEEP_WAITING
    first, last = points[0], points[-1]
    told = {
        "severity": percent(last.severity), "of": names.modality(modality, "of"),
        "before": decimal(first.alpha[modality]), "after": decimal(last.alpha[modality]),
    }  # fmt: skip
    turn = next((p for p in points if p.emotion != first.emotion), None)
    if turn is None:
        return sentence("SWEEP_SENTENCE_same", emotion=names.emotion(first.emotion), **told)
    old, new = names.emotion(first.emotion), names.emotion(turn.emotion)
    return sentence("SWEEP_SENTENCE_turn", old=old, new=new, turn=percent(turn.severity), **told)


def _round_up(value: float) -> float:
    """A tidy top of an axis."""
    return next((top for top in (0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0) if value <= top), value)


def _modality_lines(lines: dict[str, Line], top: float) -> str:
    drawn = [
        (
            names.modality(m),
            line,
            f'class="hff-{m} hff-sweep-line" stroke-dasharray="{modalities.of(m).stroke}"',
            f"hff-{m}",
        )
        for m, line in lines.items()
    ]
    return _lines(drawn, top)


def _emotion_lines(points: Sequence[SweepPoint]) -> str:
    if not points:
        return ""
    labels = sorted(points[0].probabilities, key=lambda label: -max(p.probabilities[label] for p in points))
    drawn = []
    for rank, label in enumerate(labels):
        line: Line = [(p.severity, p.probabilities[label]) for p in points]
        if rank < _LEADING:
            style = f'class="hff-sweep-line" stroke-dasharray="{_EMOTION_DASHES[rank]}"'
            drawn.append((names.emotion(label), line, style, ""))
        else:
            drawn.append(("", line, 'class="hff-sweep-line hff-sweep-faint"', ""))
    return _lines(drawn, 1.0)


def _lines(drawn: list[tuple[str, Line, str, str]], top: float) -> str:
    parts, names = [], []
    for name, line, style, kind in drawn:
        known = [(x, y) for x, y in line if y is not None]
        if not known:
            continue
        parts.append(f'<path {style} d="{_path(line, top)}"/>')
        x, y = known[-1]
        parts.append(
            f'<circle class="{kind} hff-sweep-dot" cx="{_x(x):.1f}" cy="{_y(y, top):.1f}" r="4"/>' if name else ""
        )
        if name:
            names.append([_y(y, top), _x(x), name, kind])
    return "".join(parts) + _names(names)


def _names(names: list[list]) -> str:
    """Names at the lines' ends, moved apart where they would overlap."""
    names.sort(key=lambda n: n[0])
    for above, below in itertools.pairwise(names):
        below[0] = max(below[0], above[0] + _LINE_GAP)
    excess = max(0.0, names[-1][0] - (HEIGHT - _BOTTOM)) if names else 0.0
    return "".join(
        f'<text class="{kind} hff-sweep-name" x="{x + 10:.1f}" y="{y - excess + 5:.1f}">{text(name)}</text>'
        for y, x, name, kind in names
    )


def _path(line: Line, top: float) -> str:
    """The line is broken where the modality is absent."""
    steps, pen = [], "M"
    for x, y in line:
        if y is None:
            pen = "M"
            continue
        steps.append(f"{pen}{_x(x):.1f} {_y(y, top):.1f}")
        pen = "L"
    return "".join(steps)


def _panel(title: str, top: float, lines: str, modality: str, place: int) -> str:
    ticks = [top * share for share in (0, 0.5, 1)]
    digits = 1 if top >= 1 else 2
    grid = "".join(
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{_y(v, top):.1f}" y2="{_y(v, top):.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{_y(v, top) + 5:.1f}" text-anchor="end">{decimal(v, digits)}</text>'
        for v in ticks
    )
    axis = "".join(
        f'<text x="{_x(v):.1f}" y="{HEIGHT - _BOTTOM + 20}" text-anchor="middle">{decimal(v, digits)}</text>'
        for v, digits in ((0, 0), (0.5, 1), (1, 0))
    )
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    below = sentence("SWEEP_AXIS", the=names.modality(modality, "the"))
    return (
        f'<g transform="translate({place * WIDTH} 0)">'
        f'<text class="hff-sweep-title" x="{_LEFT}" y="20">{text(title)}</text>'
        f'<g class="hff-sweep-grid">{grid}{axis}'
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{text(below)}</text></g>{lines}</g>'
    )


def _x(severity: float) -> float:
    return _LEFT + severity * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM)
