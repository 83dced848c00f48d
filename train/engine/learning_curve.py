"""The learning curve, drawn from a run's log."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from hff import modalities
from train.engine.record import read_log
from train.engine.whole_files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curve(folder: Path) -> None:
    """``curve.png`` from ``log.csv``."""
    image = io.BytesIO()
    learning_curve(read_log(folder), folder.name).savefig(image, dpi=120)
    write_whole(folder / "curve.png", image.getvalue())


def learning_curve(rows: list[dict[str, str]], title: str) -> Figure:
    """Training loss above, validation score below, over epochs; the best epoch is marked."""
    from matplotlib.figure import Figure

    # Two of the colours that people with the common kinds of colour blindness tell apart.
    blue, orange = modalities.of("speech").colour, modalities.of("text").colour
    epochs = [int(row["epoch"]) for row in rows]
    figure = Figure(figsize=(7, 5), layout="constrained")
    loss, score = figure.subplots(2, 1, sharex=True)
    loss.plot(epochs, [float(row["loss"]) for row in rows], ".-", color="#555555")
    loss.set(title=title, ylabel="training loss")
    scores = [float(row["score"]) for row in rows]
    score.plot(epochs, scores, ".-", color=blue)
    best = max(range(len(rows)), key=scores.__getitem__, default=None)
    if best is not None:
        score.plot(epochs[best], scores[best], "o", color=orange, label=f"best: {scores[best]:.4f}")
        score.legend(loc="lower right")
    score.set(xlabel="epoch", ylabel="validation score")
    score.xaxis.get_major_locator().set_params(integer=True)
    for axes in (loss, score):
        axes.grid(alpha=0.3)
    return figure
