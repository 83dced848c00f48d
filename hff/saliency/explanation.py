"""Faces and words of one clip with what each has to do with the answer: all that is shown of saliency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hff.cancel import Budget, Cancel, current_budget, watching
from hff.pipeline.analyzer import Analyzer
from hff.result import FaceSeen, Transcript
from hff.saliency.face_map import FaceMap, face_maps
from hff.saliency.word_effect import UtteranceEffect, word_effects


@dataclass(frozen=True)
class Explanation:
    """Empty where there is no face, or no words."""

    faces: tuple[tuple[FaceSeen, FaceMap], ...] = ()
    words: tuple[UtteranceEffect, ...] = ()


def explain(
    analyzer: Analyzer,
    faces: Iterable[FaceSeen] = (),
    transcript: Transcript | None = None,
    *,
    cancel: Cancel | None = None,
    budget: Budget | None = None,
) -> Explanation:
    """The maps of ``faces`` (each costs two passes forth and back) and the effects of a transcript's words.

    ``cancel`` and ``budget`` as in ``Analyzer.analyze``. Raises ``Cancelled``.
    """
    seen = tuple(faces)
    with watching(cancel, budget or current_budget()):
        maps = face_maps(analyzer, [face.crop for face in seen])
        return Explanation(tuple(zip(seen, maps, strict=True)), tuple(word_effects(analyzer, transcript)))
