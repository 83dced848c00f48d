"""Which lessons and guesses make sense on a recording of one's own: facts; the page says the reasons."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hff.config import MODALITIES
from hff.lab.lesson import Choice, Lesson

if TYPE_CHECKING:  # the page is there before PyTorch is
    from hff.pipeline.recording import Recording


@dataclass(frozen=True)
class Obstacle:
    """Why a lesson makes no sense on a recording.

    ``kind``: "two" (it compares two ready recordings), "lacks" ``modality``, or "alone" (nothing to weigh against).
    """

    kind: str
    modality: str = ""


def there(recording: Recording) -> frozenset[str]:
    """The modalities of which a recording has raw material."""
    known = {
        "speech": bool(recording.voiced),
        "text": recording.transcript is not None,
        "vision": bool(recording.faces),
    }
    return frozenset(m for m in MODALITIES if known.get(m, m in recording.more))


def obstacle(lesson: Lesson, present: Collection[str]) -> Obstacle | None:
    """What keeps a lesson from a recording with these modalities; ``None`` where it fits."""
    if lesson.before.source != lesson.state.source:
        return Obstacle("two")
    muted = [m for m in MODALITIES if lesson.state.corruption[m].muted]
    needed = [m for m in MODALITIES if _touched(lesson, m) and m not in muted]
    for m in needed:
        if m not in present:
            return Obstacle("lacks", m)
    kept = [m for m in present if m not in muted]
    if not kept:
        return Obstacle("lacks", next(m for m in MODALITIES if m not in muted))
    weighs = all(choice.claim.figure == "alpha" for choice in lesson.choices)
    if len(present) < 2 and (weighs or not needed):
        return Obstacle("alone")
    possible = [choice for choice in lesson.choices if makes_sense(choice, present)]
    if len(possible) < 2:
        lacking = next(c.claim.of for c in lesson.choices if not makes_sense(c, present))
        return Obstacle("lacks", lacking)
    return None


def makes_sense(choice: Choice, present: Collection[str]) -> bool:
    """Whether a guess is about something that is there."""
    return choice.claim.of not in MODALITIES or choice.claim.of in present


def _touched(lesson: Lesson, modality: str) -> bool:
    """Whether a lesson does something to a modality, or hears it only afterwards."""
    place = MODALITIES.index(modality)
    weighed = lesson.state.alpha is not None and lesson.state.alpha[place] > 0
    return weighed or lesson.before.corruption[modality] != lesson.state.corruption[modality]
