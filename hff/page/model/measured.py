"""The measured figures beside the weights, read for the Model view. No figure is typed by hand.

``weights/metrics.json`` is written by ``python -m train evaluate``:
``{"generated_by": command, "tables": [{"title", "note", "command", "columns": [..], "rows": [[..]]}],
"confusion": {"title", "labels": [..], "matrix": [[..]]}, "reliability": {"bins": [[confidence, accuracy, count]],
"ece": x}, "joint_clips": [{"truth", "emotion", ..}]}``. Every part may be missing; what is there is shown.
"""

from __future__ import annotations

import itertools
import json
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from hff.locale import language, names, number_format, texts
from hff.locale.lists import paragraph
from hff.page.model.recorded import said
from hff.page.shared import cards
from hff.page.shared.amounts import decimal
from hff.page.shared.drawing import svg
from hff.page.shared.render import render
from hff.page.shared.theme import COLOUR_MAP, Palette
from hff.weights import CORPORA_FILE, MEASURED_FILE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)


def load_measured(folder: Path) -> dict:
    """The measured figures, or an empty dictionary where there are none that can be read."""
    found = _load(folder / MEASURED_FILE)
    return found if isinstance(found, dict) else {}


def load_corpora(folder: Path) -> list[dict]:
    """What the weights were made from, as ``train.corpora.described`` gives it; empty where it cannot be read."""
    found = _load(folder / CORPORA_FILE)
    return (
        [corpus for corpus in found if isinstance(corpus, dict) and "name" in corpus] if isinstance(found, list) else []
    )


def _load(path: Path) -> object:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read: %s", path, error)
        return None


def accuracy_sentence(metrics: dict) -> str:
    """How often it is right, in one sentence; empty where the file does not say.

    On clean clips from the confusion matrix, on mixed ones from the reliability diagram, on filmed ones one by one.
    """
    counts = np.asarray((metrics.get("confusion") or {}).get("matrix") or [], float)
    bins = np.asarray((metrics.get("reliability") or {}).get("bins") or [], float)
    if counts.ndim != 2 or not counts.sum() or bins.ndim != 2 or not bins[:, 2].sum():
        return ""
    told = {
        "clean": _of_hundred(np.trace(counts) / counts.sum()),
        "mixed": _of_hundred(bins[:, 1] @ bins[:, 2] / bins[:, 2].sum()),
        "guess": _of_hundred(1 / len(counts)),
    }
    filmed = metrics.get("joint_clips") or []
    if not filmed:
        return texts.ACCURACY.format(**told)
    right = sum(clip["emotion"] == clip["truth"] for clip in filmed)
    return texts.ACCURACY_JOINT.format(**told, right=right, count=len(filmed))


def _of_hundred(share: float) -> int:
    """Whole ones of a hundred; what is not quite all of them never reads as all."""
    return min(round(100 * share), 99 if share < 1 else 100)


def metrics_html(metrics: dict) -> Markup:
    """Tables, confusion matrix and reliability diagram."""
    tables = [_table(table) for table in metrics.get("tables") or [] if table.get("rows")]
    plots = [_confusion(metrics["confusion"])] if (metrics.get("confusion") or {}).get("matrix") else []
    if (metrics.get("reliability") or {}).get("bins"):
        plots.append(_reliability(metrics["reliability"]))
    if not tables and not plots:
        return cards.note(texts.NO_METRICS)
    command = metrics.get("generated_by")
    made = texts.MEASURED_BY.format(command=command) if command else ""
    return render("model.html", "metrics", made, tables, plots)


def _cell(value: object) -> tuple[str, bool]:
    """A value of a table as text, and whether it is a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else said(str(value)), False
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return number_format.localised(shown, language()), True


def _table(table: dict) -> dict:
    numeric = [any(isinstance(value, int | float) for value in column) for column in zip(*table["rows"], strict=False)]
    titles = [said(title) for title in table.get("columns") or []]
    columns = zip(titles, itertools.chain(numeric, itertools.repeat(False)), strict=False)
    return {
        "title": said(table.get("title", "")),
        "note": said(table.get("note") or ""),
        "command": table.get("command"),
        "columns": list(columns),
        "rows": [[_cell(value) for value in row] for row in table["rows"]],
    }


def _confusion(confusion: dict) -> tuple[str, str, Markup]:
    """Title, note and drawing."""
    title = said(confusion.get("title") or "") or texts.CONFUSION_TITLE
    return title, texts.CONFUSION_NOTE, svg(partial(confusion_figure, confusion), title)


def confusion_figure(confusion: dict, palette: Palette) -> Figure:
    """Rows are what it was, columns what the model said; colour is the share of the row, the number a count."""
    from matplotlib.figure import Figure

    counts = np.asarray(confusion["matrix"], float)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    labels = [names.emotion(label) for label in confusion.get("labels") or map(str, range(1, len(counts) + 1))]
    figure = Figure(figsize=(5.6, 5.0), layout="constrained")
    axis = figure.subplots()
    picture = axis.imshow(share, cmap=COLOUR_MAP, vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(labels)), labels)
    axis.set(xlabel=texts.CONFUSION_SAID, ylabel=texts.CONFUSION_WAS)
    for row in range(len(counts)):
        for column in range(len(counts)):
            # cividis is bright above its middle: dark figures there, white ones below
            colour = "#000000" if share[row, column] > 0.55 else "#ffffff"
            axis.text(column, row, f"{counts[row, column]:g}", ha="center", va="center", fontsize=9, color=colour)
    bar = figure.colorbar(picture, ax=axis, fraction=0.04, ticks=[0, 0.5, 1])
    bar.set_label(texts.CONFUSION_SHARE)
    bar.outline.set_visible(False)
    return figure


def _reliability(reliability: dict) -> tuple[str, str, Markup]:
    """Title, note and drawing."""
    known = reliability.get("ece") is not None
    ece = texts.RELIABILITY_ECE.format(ece=decimal(reliability["ece"], 3)) if known else ""
    sentence = paragraph(texts.RELIABILITY_NOTE, ece)
    return texts.RELIABILITY_TITLE, sentence, svg(partial(reliability_figure, reliability), texts.RELIABILITY_TITLE)


def reliability_figure(reliability: dict, palette: Palette) -> Figure:
    """How often the model is right against how sure it says it is; dots grow with the number of clips."""
    from matplotlib.figure import Figure

    bins = np.asarray(reliability["bins"], float)
    bins = bins[bins[:, 2] > 0]
    figure = Figure(figsize=(5.6, 5.0), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color=palette.muted, linestyle="--", linewidth=1.2)
    axis.text(0.97, 0.04, texts.RELIABILITY_PERFECT, color=palette.muted, ha="right")
    size = 30 + 270 * bins[:, 2] / max(bins[:, 2].max(), 1)
    axis.plot(bins[:, 0], bins[:, 1], color=palette.ink, linewidth=1.4)
    axis.scatter(bins[:, 0], bins[:, 1], s=size, color=palette.ink, alpha=0.75)
    axis.set(xlim=(0, 1), ylim=(0, 1), xlabel=texts.RELIABILITY_SAYS, ylabel=texts.RELIABILITY_IS)
    axis.grid()
    return figure
