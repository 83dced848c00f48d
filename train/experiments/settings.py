"""The small search that every model of a comparison gets: as many tries of the same settings, chosen on validation.

A setting is a learning rate, a width and a dropout. The first is the usual one, the others are drawn from a grid around
it, the same for every model.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hff.config import HFFConfig

RATES = (1 / 3, 1.0, 3.0)  # of the usual learning rate
WIDTHS = (0.5, 1.0, 1.5)  # of the usual d_model
DROPOUTS = (0.1, 0.3, 0.5)
CLASSIFIER_MORE = 0.2  # of dropout in a classifier than elsewhere, as in the paper
GRID_SEED = 0


@dataclass(frozen=True)
class Setting:
    """What is searched for."""

    learning_rate: float = 3e-4
    width: int = 128
    dropout: float = 0.1

    def config(self, base: HFFConfig) -> HFFConfig:
        """``base`` of this width and dropout."""
        return dataclasses.replace(
            base,
            d_model=self.width,
            dropout=self.dropout,
            classifier_dropout=round(self.dropout + CLASSIFIER_MORE, 3),
        )

    def cells(self) -> list:
        """For a table, as ``SETTING_COLUMNS``."""
        return [f"{self.learning_rate:g}", self.width, f"{self.dropout:g}"]


SETTING_COLUMNS = ["learning rate", "width", "dropout"]


def settings(usual: Setting, tries: int) -> list[Setting]:
    """The usual one, then others of the grid in an order that is drawn once: more tries begin with those of fewer."""
    grid = [
        Setting(float(f"{rate * usual.learning_rate:.2g}"), max(8, round(width * usual.width)), dropout)
        for rate, width, dropout in itertools.product(RATES, WIDTHS, DROPOUTS)
    ]
    others = [setting for setting in grid if setting != usual]
    order = np.random.default_rng(GRID_SEED).permutation(len(others))
    return [usual, *(others[i] for i in order)][:tries]


def search_note(usual: Setting, tries: int, how: str) -> str:
    """A sentence on the search, for a table's note; ``how`` the setting was chosen."""
    if tries < 2:
        return "Each model with the same learning rate, width and dropout."
    tried = settings(usual, tries)
    rates, widths, dropouts = (
        " / ".join(f"{value:g}" for value in sorted({getattr(setting, name) for setting in tried}))
        for name in ("learning_rate", "width", "dropout")
    )
    return (
        f"Each model's own of the same {tries} settings, {how}: learning rate {rates}, "
        f"width {widths}, dropout {dropouts}."
    )


def chosen_table(title: str, note: str, command: str, chosen: Mapping[str, tuple[Setting, Sequence[float]]]) -> dict:
    """What was chosen for each model: its setting and the validation scores of all tries."""
    return {
        "title": title,
        "note": note,
        "command": command,
        "columns": ["model", *SETTING_COLUMNS, "validation score", "worst of the tries"],
        "rows": [[name, *setting.cells(), max(scores), min(scores)] for name, (setting, scores) in chosen.items()],
    }
