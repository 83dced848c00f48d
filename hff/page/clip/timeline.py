"""The report's main figure: what was seen, heard and said, and what the model did with it, on one time axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hff import modalities
from hff.config import MODALITIES
from hff.locale import names, texts
from hff.page.clip.series import Series, mel_columns, spans, thinned_columns
from hff.page.shared.amounts import SIGMA_FULL, guess_variance
from hff.page.shared.explained import overlaid
from hff.page.shared.theme import COLOUR_MAP, Palette
from hff.result import FaceSeen, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from hff.saliency.face_map import FaceMap

    Maps = Sequence[tuple[FaceSeen, FaceMap]]

TIMELINE_WIDTH, TIMELINE_HEIGHT = 9.0, 8.2  # inches; the SVG scales, so this only sets how big text is beside the plots
_ROWS = {"faces": 0.72, "words": 0.62, "mel": 1.15, "alpha": 1.35, "variance": 1.25, "beta": 0.75, "emotion": 1.75}
_THUMBNAILS = 10
_WORD_ROWS, _WORD_SIZE = 3, 9.5
_PLOT_POINTS = 450  # the width that is left for the time axis between labels and colour bar
_HIGHEST_HZ = 8_000  # of the mel bands: half of the 16 kHz that sound is read at


def timeline_figure(result: Result, palette: Palette, maps: Maps | None = None) -> Figure:
    """The whole timeline as a figure of its own."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(TIMELINE_WIDTH, TIMELINE_HEIGHT), layout="constrained")
    draw_timeline(figure, result, palette, maps)
    return figure


def draw_timeline(figure: Figure | SubFigure, result: Result, palette: Palette, maps: Maps | None = None) -> None:
    """Draw the seven rows of the timeline into a figure or a part of one; ``maps`` lie on the faces they are of."""
    series = thinned_columns(result)
    axes = figure.subplots(len(_ROWS), 1, sharex=True, height_ratios=list(_ROWS.values()))
    rows = dict(zip(_ROWS, axes, strict=True))
    _faces(rows["faces"], result, series, palette, maps or [])
    _words(rows["words"], result, series, palette)
    _mel(rows["mel"], result, series, palette)
    _alpha(rows["alpha"], series, palette)
    _variance(rows["variance"], series, palette, len(result.probabilities))
    _beta(rows["beta"], series, palette)
    _emotion(rows["emotion"], figure, result, series)
    for name, axis in rows.items():
        if name != "emotion":
            axis.set_ylabel(texts.TIMELINE_ROWS[name], rotation=0, ha="right", va="center", labelpad=8)
    axes[-1].set_xlim(series.edges[0], series.edges[-1])
    axes[-1].set_xlabel(texts.TIME_AXIS)
    rows["emotion"].set_title(texts.TIMELINE_ROWS["emotion"], loc="left", fontsize=10)
    figure.align_ylabels(axes[:-1])


def _absent(axis: Axes, stretches: list[tuple[float, float]], palette: Palette) -> None:
    for start, end in stretches:
        axis.axvspan(start, end, facecolor="none", edgecolor=palette.line, hatch="xxx", linewidth=0)


def _blank(axis: Axes, series: Series, palette: Palette, reason: str) -> None:
    """A row with nothing to show: hatched, with the reason in words."""
    _absent(axis, [(series.edges[0], series.edges[-1])], palette)
    axis.text(
        0.5,
        0.5,
        reason,
        transform=axis.transAxes,
        ha="center",
        va="center",
        bbox={"facecolor": palette.paper, "edgecolor": "none", "pad": 3},
    )
    axis.set_yticks([])


def _bare(axis: Axes) -> None:
    axis.set_yticks([])
    axis.tick_params(axis="x", length=0)
    axis.spines["left"].set_visible(False)


def thumbnails(result: Result) -> list[tuple[float, float, FaceSeen]]:
    """The face nearest to each of some evenly spread places: (start, end) s of the place, and the face."""
    series, faces = thinned_columns(result), result.evidence.faces
    start, end = float(series.edges[0]), float(series.edges[-1])
    times = np.array([face.time for face in faces])
    slot, found = (end - start) / _THUMBNAILS, []
    for k in range(_THUMBNAILS if faces else 0):
        middle = start + (k + 0.5) * slot
        nearest = int(np.abs(times - middle).argmin())
        near = abs(times[nearest] - middle) <= max(slot, result.timeline.step_seconds) / 2
        if (k == 0) if len(faces) == 1 else near:
            found.append((middle - slot * 0.46, middle + slot * 0.46, faces[nearest]))
    return found


def _faces(axis: Axes, result: Result, series: Series, palette: Palette, maps: Maps) -> None:
    axis.set_ylim(0, 1)
    _bare(axis)
    if not result.evidence.faces:
        _blank(axis, series, palette, texts.NO_FACE)
        return
    without = ~result.timeline.present[:, MODALITIES.index("vision")]
    half = result.timeline.step_seconds / 2
    _absent(axis, spans(without, np.append(result.timeline.times - half, result.timeline.times[-1] + half)), palette)
    for start, end, face in thumbnails(result):
        own = next((own for seen, own in maps if seen is face), None)
        axis.imshow(
            face.crop if own is None else overlaid(face.crop, own),
            cmap="gray",
            vmin=0,
            vmax=255,
            aspect="auto",
            zorder=2,
            extent=(start, end, 0.02, 0.98),
        )


def _words(axis: Axes, result: Result, series: Series, palette: Palette) -> None:
    """Words at their times, in the first of a few rows that has room for them."""
    axis.set_ylim(0, 1)
    _bare(axis)
    if result.transcript is None or not result.transcript.text.strip():
        _blank(axis, series, palette, texts.NO_WORDS)
        return
    start, end = float(series.edges[0]), float(series.edges[-1])
    if not result.transcript.words:
        text = result.transcript.text.strip()
        shown = text if len(text) <= 90 else text[:88].rstrip() + " …"
        axis.text((start + end) / 2, 0.5, texts.QUOTED.format(words=shown), ha="center", va="center")
        return
    point = (end - start) / _PLOT_POINTS  # s
    free = [start] * _WORD_ROWS
    for word in result.transcript.words:
        text = word.text.strip()
        width = point * _width(text)
        row = next((r for r, room in enumerate(free) if word.start >= room), None)
        if row is None or word.start + width > end + 8 * point:
            continue  # no room; the whole transcript can be read under "Words"
        height = 1 - (row + 0.5) / _WORD_ROWS
        colour = modalities.of("text").colour
        axis.plot([word.start, word.end], [height - 0.15] * 2, color=colour, linewidth=1.2, solid_capstyle="butt")
        axis.text(word.start, height, text, ha="left", va="center", fontsize=_WORD_SIZE)
        free[row] = word.start + width + 4 * point


def _width(text: str) -> float:
    """Points that a word takes in the font figures are measured in."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="sans-serif", size=_WORD_SIZE)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]


def _mel(axis: Axes, result: Result, series: Series, palette: Palette) -> None:
    evidence = result.evidence
    if evidence.mel is None or not evidence.mel.size:
        _blank(axis, series, palette, texts.NO_SOUND)
        return
    bands, frames = evidence.mel.shape
    length = frames * evidence.mel_hop if evidence.mel_hop else result.seconds
    picture = mel_columns(evidence)
    top = float(np.nanmax(picture))
    axis.imshow(
        picture, cmap=COLOUR_MAP, origin="lower", aspect="auto", vmin=top - 60, vmax=top, extent=(0, length, 0, bands)
    )
    axis.set_yticks([bands * _mel_of(hz) / _mel_of(_HIGHEST_HZ) for hz in (0, 1000, 8000)], ["0", "1", "8"])
    for start, end in evidence.voiced:
        axis.plot(
            [start, end],
            [bands * 1.06] * 2,
            color=modalities.of("speech").colour,
            linewidth=3,
            clip_on=False,
            solid_capstyle="butt",
        )


def _mel_of(hz: float) -> float:
    """Equation (2)."""
    return 2595 * math.log10(1 + hz / 700)


def _alpha(axis: Axes, series: Series, palette: Palette) -> None:
    """The weights stacked to one."""
    below = np.zeros(len(series.alpha))
    for m, name in enumerate(MODALITIES):
        share = np.nan_to_num(series.alpha[:, m])
        axis.stairs(
            below + share,
            series.edges,
            baseline=below,
            fill=True,
            facecolor=modalities.of(name).colour,
            hatch=modalities.of(name).hatch,
            edgecolor=palette.paper,
            linewidth=0,
            label=names.modality(name),
        )
        below = below + share
    _absent(axis, series.nothing, palette)
    axis.set_ylim(0, 1)
    axis.set_yticks([0, 0.5, 1])
    axis.legend(ncols=len(MODALITIES), loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.1, handlelength=1.6)


def _variance(axis: Axes, series: Series, palette: Palette, labels: int) -> None:
    for m, name in enumerate(MODALITIES):
        axis.stairs(
            series.variance[:, m],
            series.edges,
            baseline=None,
            color=modalities.of(name).colour,
            linestyle=modalities.of(name).linestyle,
            linewidth=2.2,
            label=names.modality(name),
        )
    _absent(axis, series.nothing, palette)
    axis.set_ylim(0, SIGMA_FULL)
    axis.set_yticks([0, SIGMA_FULL / 2, SIGMA_FULL])
    axis.axhline(guess_variance(labels), color=palette.muted, linewidth=1, linestyle=(0, (1, 2)))  # a blind guess
    _above(axis, series)
    axis.grid(axis="y")


def _above(axis: Axes, series: Series) -> None:
    """An arrow at the top where a line leaves the scale."""
    middles = (series.edges[:-1] + series.edges[1:]) / 2
    for m, name in enumerate(MODALITIES):
        high = middles[np.nan_to_num(series.variance[:, m]) > SIGMA_FULL]
        if len(high):  # an empty line would still ask the layout for room
            axis.plot(high, np.full(len(high), 0.94 * SIGMA_FULL), "^", color=modalities.of(name).colour)


def _beta(axis: Axes, series: Series, palette: Palette) -> None:
    axis.stairs(series.beta, series.edges, fill=True, facecolor=palette.muted)
    axis.set_ylim(0, float(series.beta.max()) * 1.2 or 1)
    axis.locator_params(axis="y", nbins=2)


def _emotion(axis: Axes, figure: Figure | SubFigure, result: Result, series: Series) -> None:
    labels = list(result.probabilities)
    mesh = axis.pcolormesh(
        series.edges,
        np.arange(len(labels) + 1),
        series.probabilities.T,
        cmap=COLOUR_MAP,
        vmin=0,
        vmax=1,
        rasterized=True,
    )
    axis.set_yticks(np.arange(len(labels)) + 0.5, [names.emotion(label) for label in labels])
    axis.invert_yaxis()
    for tick, label in zip(axis.get_yticklabels(), labels, strict=True):
        tick.set_fontweight("bold" if label == result.emotion else "normal")
    bar = figure.colorbar(mesh, ax=axis, pad=0.01, fraction=0.03, ticks=[0, 0.5, 1])
    bar.set_label(texts.PROBABILITY_AXIS)
    bar.outline.set_visible(False)
