"""Where on the face the network looked, and which words counted, drawn for Clip and lab: HTML and pictures.

Nothing is said by colour alone: the hottest part of a face has an outline, and a word's line is thick, thin or dotted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import cv2
import numpy as np
from markupsafe import Markup

from hff.locale import names, texts
from hff.page.shared.amounts import decimal, percent
from hff.page.shared.drawing import picture_address
from hff.page.shared.render import render
from hff.result import FaceSeen

if TYPE_CHECKING:  # the page is there before PyTorch is
    from hff.saliency.explanation import Explanation
    from hff.saliency.face_map import FaceMap
    from hff.saliency.word_effect import UtteranceEffect

STRONG, SOME = 0.10, 0.02  # of probability that leaving a word out takes or adds: its line is thick, or thin and dotted
_ENLARGED = 4  # times, a face with its map on it
_HOT = np.array([254, 232, 56])  # the bright end of the page's colour map
_MOST_COVERED = 0.6  # of a face's grey that the hottest place hides


def explained(explanation: Explanation) -> Markup:
    """Faces with their maps, words with their lines, what both mean in a sentence, and the legend."""
    return render("explained.html", "explained", face_strip(explanation.faces), marked(explanation.words), legend())


def meaning() -> Markup:
    """What the marks on faces and words mean, for where these stand in lines of their own."""
    return render("explained.html", "meaning", legend())


def legend() -> Markup:
    """What the lines under words mean."""
    points = {"strong": round(100 * STRONG), "some": round(100 * SOME)}
    kinds = [(kind, said.format(**points)) for kind, said in texts.EXPLAINED_LEGEND.items()]
    return render("explained.html", "legend", kinds)


def face_strip(faces: Iterable[tuple[FaceSeen, FaceMap]]) -> Markup:
    """Each face with its map on it, and below it the moment and what the face says there; nothing without a face."""
    figures = [
        (picture_address(overlaid(face.crop, own)), decimal(face.time, 1), own.emotion, own.probability)
        for face, own in faces
    ]
    return render("explained.html", "faces", figures) if figures else Markup()


def overlaid(crop: np.ndarray, own: FaceMap) -> np.ndarray:
    """(48,48) uint8 and its map -> (192,192,3) uint8: yellow where it is hot, the hottest fifth with an outline."""
    side = (_ENLARGED * crop.shape[1], _ENLARGED * crop.shape[0])
    grey = cv2.resize(crop, side, interpolation=cv2.INTER_CUBIC).astype(np.float32)[..., None]
    heat = np.clip(cv2.resize(own.heat, side, interpolation=cv2.INTER_LINEAR), 0, 1)[..., None]
    picture = np.clip(grey + _MOST_COVERED * heat * (_HOT - grey), 0, 255).astype(np.uint8)
    ring = cv2.resize(own.hottest.astype(np.uint8), side, interpolation=cv2.INTER_NEAREST)
    lines, _ = cv2.findContours(cv2.medianBlur(ring, 2 * _ENLARGED + 1), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    for colour, width in (((0, 0, 0), 5), ((255, 255, 255), 2)):
        cv2.drawContours(picture, lines, -1, colour, width)
    return picture


def marked(utterances: Iterable[UtteranceEffect]) -> Markup:
    """Each utterance with a line under the words that moved its answer; nothing without words."""
    lines = [
        (
            utterance.emotion,
            utterance.probability,
            [(word.text, grade(word.effect), _said(utterance, word.effect)) for word in utterance.words],
        )
        for utterance in utterances
    ]
    return render("explained.html", "words", lines) if lines else Markup()


def grade(effect: float) -> str:
    """How a word is marked: "strong" or "some" for the answer, "against" it, or "" for hardly anything."""
    if effect <= -SOME:
        return "against"
    return "strong" if effect >= STRONG else "some" if effect >= SOME else ""


def _said(utterance: UtteranceEffect, effect: float) -> str:
    """What leaving a word out does, in a sentence."""
    return texts.EXPLAINED_WORD.format(
        emotion=names.emotion(utterance.emotion),
        before=percent(utterance.probability),
        after=percent(utterance.probability - effect),
    )
