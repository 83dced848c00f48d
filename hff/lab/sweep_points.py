"""At which severities a sweep stops, from what was asked for."""

from __future__ import annotations

from hff.config import MODALITIES
from hff.errors import InputError
from hff.locale import say
from hff.numbers import shown, whole

POINTS, MAX_POINTS = 21, 101  # if no number is given, and at most


def severities(modality: object, points: object) -> list[float]:
    """``points`` severities from 0 to 1. Raises ``InputError`` for what is no modality or no such number."""
    if modality not in MODALITIES:
        raise InputError(say("sweep.modality", modalities=", ".join(MODALITIES), modality=shown(modality)))
    try:
        last = whole(points, "points", 2, MAX_POINTS) - 1
    except InputError as error:
        raise InputError(say("sweep.points", most=MAX_POINTS, points=shown(points))) from error
    return [step / last for step in range(last + 1)]
