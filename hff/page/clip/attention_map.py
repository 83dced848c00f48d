"""Attention by layer and head: from each moment of the clip to every modality and moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hff import modalities
from hff.config import MODALITIES
from hff.locale import names, texts
from hff.page.shared.amounts import percent
from hff.page.shared.theme import COLOUR_MAP, Palette
from hff.result import Attention, Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def chosen_map(attention: Attention, layer: int | None, head: int | None) -> np.ndarray:
    """The map (queries, kinds, steps) of one layer and head; ``None`` takes the mean over them.

    Counting from 0. Rows of a step that attends to nothing (padding) are zero.
    """
    values = np.asarray(attention.by_kind(), float)
    values = values.mean(0) if layer is None else values[layer]
    return values.mean(0) if head is None else values[head]


def map_name(layer: int | None, head: int | None) -> str:
    """Which map it is, in words."""
    if layer is None:
        return texts.WHAT_ALL if head is None else texts.WHAT_HEAD.format(head=head + 1)
    if head is None:
        return texts.WHAT_LAYER.format(layer=layer + 1)
    return texts.WHAT_LAYER_HEAD.format(layer=layer + 1, head=head + 1)


def _maps_of(result: Result) -> Attention:
    if result.attention is None:
        raise ValueError("the model works without attention: there are no maps to draw")
    return result.attention


def attention_figure(result: Result, layer: int | None, head: int | None, palette: Palette) -> Figure:
    """Four panels, one for each kind of key, over the same two time axes; colours share one scale."""
    from matplotlib.figure import Figure

    attention = _maps_of(result)
    values = chosen_map(attention, layer, head)
    shares = values.sum(2).mean(0)
    times, half = attention.query_times, result.timeline.step_seconds / 2
    extent = (times[0] - half, times[-1] + half, times[-1] + half, times[0] - half)
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots(1, len(attention.key_kinds), sharey=True)
    picture = None
    for kind, name in enumerate(attention.key_kinds):
        axis = axes[kind]
        picture = axis.imshow(
            values[:, kind],
            cmap=COLOUR_MAP,
            aspect="auto",
            vmin=0,
            vmax=values.max() or 1,
            extent=extent,
            interpolation="none",
        )
        title = names.modality(name) if name in MODALITIES else texts.KIND_FUSED
        axis.set_title(f"{title}\n{percent(shares[kind])}", pad=9)
        axis.locator_params(nbins=5)
        if name in MODALITIES:
            axis.plot(
                [0, 1],
                [1.03, 1.03],
                transform=axis.transAxes,
                color=modalities.of(name).colour,
                linewidth=4,
                clip_on=False,
                solid_capstyle="butt",
            )
    axes[0].set_ylabel(texts.ATTENTION_QUERY)
    figure.supxlabel(texts.ATTENTION_KEY, fontsize=10)
    bar = figure.colorbar(picture, ax=axes, pad=0.01, fraction=0.03)
    bar.set_label(texts.ATTENTION_SHARE)
    bar.outline.set_visible(False)
    bar.locator.set_params(nbins=4)
    return figure


def grid_figure(result: Result, palette: Palette) -> Figure:
    """Every head of every layer in small, each on its own colour scale."""
    from matplotlib.figure import Figure

    attention = _maps_of(result)
    values = np.asarray(attention.values, float)
    layers, heads = values.shape[:2]
    kinds = len(attention.key_kinds)
    figure = Figure(figsize=(10, 0.9 + 1.15 * layers), layout="constrained")
    axes = figure.subplots(layers, heads, squeeze=False)
    for layer in range(layers):
        for head in range(heads):
            axis = axes[layer, head]
            axis.imshow(values[layer, head], cmap=COLOUR_MAP, aspect="auto", interpolation="none")
            for kind in range(1, kinds):
                axis.axvline(kind * values.shape[3] / kinds - 0.5, color="white", linewidth=0.8)
            axis.set(xticks=[], yticks=[])
            if layer == 0:
                axis.set_title(texts.HEAD_NUMBER.format(number=head + 1), fontsize=10)
        axes[layer, 0].set_ylabel(texts.LAYER_NUMBER.format(number=layer + 1))
    return figure
