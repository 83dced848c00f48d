"""A walk through the numbers: what each part of the model did at one moment of a clip, with the arithmetic, as HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np
from markupsafe import Markup

from hff.config import MODALITIES, HFFConfig
from hff.locale import names, sentence, texts
from hff.locale.lists import paragraph
from hff.moment import Moment, Shown, answer_shown, moment_of, shown_of
from hff.page.model.architecture import FIRST_PART, architecture_html, parts
from hff.page.shared.amounts import SIGMA_FULL, decimal, exact, guess_variance, percent, visible_decimal
from hff.page.shared.drawing import mel_colours, picture_address
from hff.page.shared.render import render
from hff.pipeline.time_grid import said_most
from hff.pipeline.utterances import groups_of, utterances
from hff.result import Result

MOST_FACES = 4  # of a moment that are shown
_MINUS_SIGN = "−"


@dataclass(frozen=True)
class Sum:
    """One line of arithmetic: what it gives, and how."""

    what: str
    worked_out: str  # "0.79 × 3.2"
    gives: str

    @property
    def said(self) -> str:
        return f"{self.worked_out} = {self.gives}"


@dataclass(frozen=True)
class Story:
    """A moment and the clip that it is of."""

    config: HFFConfig
    result: Result
    number: int  # of the moment, from 0

    @cached_property
    def moment(self) -> Moment:
        return moment_of(self.result, self.number, self.config)

    @cached_property
    def shown(self) -> dict[str, Shown]:
        return shown_of(self.moment)


def drawing_html(config: HFFConfig, story: Story | None = None) -> Markup:
    """The sentence about the moment and the drawing; without a story the drawing alone."""
    if story is None:
        return architecture_html(config)
    return render("walk.html", "now", _now(story)) + architecture_html(config, story.moment, story.shown)


def parts_html(config: HFFConfig, story: Story | None = None) -> Markup:
    """What belongs to each part of the drawing, of which one is shown at a time."""
    told = [(part, _CONTENT.get(part.key, _encoder(part.key))(story) if story else Markup()) for part in parts(config)]
    return render("walk.html", "parts", told, FIRST_PART)


def _now(story: Story) -> str:
    moment, line = story.moment, story.result.timeline
    place = texts.WALK_NOW.format(
        number=story.number + 1,
        count=len(line.times),
        start=decimal(moment.start, 1),
        end=decimal(moment.end, 1),
    )
    if not moment.weighings:
        return paragraph(place, texts.WALK_EMPTY)
    answer = texts.WALK_ANSWER.format(
        emotion=names.emotion(moment.emotion), percent=percent(moment.probabilities[moment.emotion])
    )
    return paragraph(place, answer)


# ---- level 1: the weights ------------------------------------------------------------------------------------


def _by_modality(
    story: Story, sums: Callable[[str], list[Sum]], about: Callable[[str], str], bar: bool = False
) -> Markup:
    """A card for each modality of the model: what it is ``about``, the sums that lead there, and a bar of sigma^2."""
    cards = []
    for m in story.config.dims:
        there = m in story.shown
        lines, title = (sums(m), about(m)) if there else ([], "")
        cards.append((m, title, lines, story.moment.weighings[m] if there and bar else None))
    return render("walk.html", "weighings", cards, SIGMA_FULL, guess_variance(len(story.result.probabilities)))


def _weights(story: Story) -> Markup:
    config, moment = story.config, story.moment
    if not moment.weighings:
        return _note(texts.WALK_EMPTY)
    if not moment.by_precision:
        told = texts.WEIGHTS_EQUAL.format(count=len(moment.weighings))
        return _note(told) + _by_modality(story, _equal(story), _alpha_of(story))
    every = " + ".join(exact(one.weighted) for one in story.shown.values())

    def sums(m: str) -> list[Sum]:
        one = story.shown[m]
        return [
            _precision(one, moment),
            Sum("α₀ · w", f"{exact(one.alpha0)} × {exact(one.precision)}", exact(one.weighted)),
            Sum("α", _fraction(exact(one.weighted), every, len(story.shown)), exact(one.alpha)),
        ]

    told = _note(texts.WEIGHTS_NOTE, texts.WEIGHTS_STRANGE if config.bounded else "", _alone(story))
    return _by_modality(story, sums, _alpha_of(story)) + told


def _alpha_of(story: Story) -> Callable[[str], str]:
    return lambda m: f"α {exact(story.shown[m].alpha)}"


def _equal(story: Story) -> Callable[[str], list[Sum]]:
    def sums(m: str) -> list[Sum]:
        return [Sum("α", f"1 / {len(story.shown)}", exact(story.shown[m].alpha))]

    return sums


def _alone(story: Story) -> str:
    if len(story.moment.weighings) != 1:
        return ""
    return texts.WALK_ONLY.format(the=names.modality(next(iter(story.moment.weighings)), "the"))


def _fraction(own: str, every: str, count: int) -> str:
    return f"{own} / ({every})" if count > 1 else f"{own} / {every}"


def _precision(one: Shown, moment: Moment) -> Sum:
    eps = exact(Decimal(repr(moment.eps)))
    return Sum("w", f"1 / ({exact(one.variance)} + {eps})", exact(one.precision))


def _uncertainty(story: Story) -> Markup:
    def sums(m: str) -> list[Sum]:
        one = story.shown[m]
        parts_said = f"{exact(one.aleatoric)} + {exact(one.epistemic)}"
        return [Sum("σ²", parts_said, exact(one.variance)), _precision(one, story.moment)]

    if not story.moment.weighings:
        return _note(texts.WALK_EMPTY)
    guess = decimal(guess_variance(len(story.result.probabilities)))
    scaled = texts.UNCERTAINTY_SCALED.format(guess=guess) if story.config.bounded else ""
    told = _note(texts.UNCERTAINTY_NOTE, scaled)
    return _by_modality(story, sums, lambda m: f"σ² {exact(story.shown[m].variance)}", bar=True) + told


# ---- levels 2 and 3, and the answer --------------------------------------------------------------------------


def _attention(story: Story) -> Markup:
    if story.result.attention is None:
        return _note(texts.ATTENTION_NONE)
    if not story.moment.weighings:
        return _note(texts.WALK_EMPTY)
    largest = max(story.shown.values(), key=lambda one: one.shared).shared

    def sums(m: str) -> list[Sum]:
        one = story.shown[m]
        return [Sum(texts.WALK_TOKEN, f"{exact(one.shared)} / {exact(largest)}", exact(one.share))]

    looks = story.moment.looks
    if looks is None:
        bars, told = Markup(), texts.ATTENTION_NOT_KEPT
    else:
        known = {kind: share for kind, share in looks.items() if kind not in MODALITIES or kind in story.config.dims}
        bars = render("walk.html", "looks", known)
        told = texts.LOOKS_NOTE.format(layers=story.config.layers, heads=story.config.heads)
    return _note(told) + bars + _note(texts.SHARE_NOTE) + _by_modality(story, sums, _alpha_of(story))


def _time(story: Story) -> Markup:
    moment, result = story.moment, story.result
    if not moment.weighings:
        return _note(texts.WALK_EMPTY)
    count = len(result.timeline.times)
    even = texts.TIME_EVEN.format(count=count, even=visible_decimal(1 / count)) if count > 1 else ""
    told = _note(texts.TIME_BETA.format(beta=visible_decimal(moment.beta)), even)
    if not moment.counted:
        return told + _note(texts.TIME_NO_CHOICE)

    def sums(m: str) -> list[Sum]:
        one = story.shown[m]
        return [Sum(texts.WALK_ADDED, f"{exact(one.counted)} × {exact(one.counting)}", exact(one.added))]

    def of_clip(m: str) -> str:
        return texts.WALK_CLIP_ALPHA.format(alpha=visible_decimal(result.alpha[m]))

    choice = result.timeline.present.sum(1).max() > 1
    counted = exact(next(iter(story.shown.values())).counted)
    counts = (texts.TIME_COUNTED if choice else texts.TIME_ALL_COUNT).format(counted=counted)
    return told + _note(counts) + _by_modality(story, sums, of_clip)


def _classifier(story: Story) -> Markup:
    moment, result = story.moment, story.result
    guess, moved, answer = answer_shown(result)
    terms = [exact(guess)]
    for m, value in moved.items():
        sign = _MINUS_SIGN if value < 0 else "+"
        terms.append(f"{sign} {exact(abs(value))} ({names.modality(m)})")
    worked_out = Sum(texts.ANSWER_SUM.format(emotion=names.emotion(result.emotion)), " ".join(terms), exact(answer))
    here = moment.probabilities if moment.weighings else None
    drawn = render("walk.html", "answers", here, result.probabilities, worked_out)
    return drawn + _note(texts.CLASSIFIER_NOTE if story.config.bounded else texts.CLASSIFIER_PLAIN)


# ---- what goes in --------------------------------------------------------------------------------------------


def _encoder(modality: str) -> Callable[[Story], Markup]:
    def told(story: Story) -> Markup:
        size = story.config.dims[modality]
        if modality not in story.moment.weighings:
            return _note(texts.WALK_ABSENT_HERE)
        given = _GIVEN[modality](story) if modality in _GIVEN else Markup()
        own = story.result.per_modality[modality]
        says = ""
        if own is not None:
            label = max(own, key=own.__getitem__)
            says = texts.WALK_OWN.format(emotion=names.emotion(label), percent=percent(own[label]))
        return given + _note(texts.WALK_OUT.format(count=size), says)

    return told


def _voice(story: Story) -> Markup:
    evidence, moment = story.result.evidence, story.moment
    voiced = sum(max(0.0, min(b, moment.end) - max(a, moment.start)) for a, b in evidence.voiced)
    told = texts.WALK_VOICED.format(seconds=decimal(voiced, 1), length=decimal(story.result.timeline.step_seconds, 1))
    picture = Markup()
    if evidence.mel is not None and evidence.mel_hop > 0:
        first, last = (round(time / evidence.mel_hop) for time in (moment.start, moment.end))
        here = evidence.mel[:, first:last]
        if here.size:
            address = picture_address(mel_colours(here, float(evidence.mel.max())))
            picture = render("walk.html", "pictures", [address], texts.WALK_MEL, "hff-walk-mel")
    return _note(told) + picture


def _words(story: Story) -> Markup:
    transcript = story.result.transcript
    if transcript is None:
        return Markup()
    if not transcript.words:
        return _note(texts.WALK_TYPED) + render("walk.html", "quoted", [(False, transcript.text)])
    utterance = said_most(utterances(transcript.words), len(story.result.timeline.times))[story.number]
    said = groups_of(transcript.words)[utterance] if utterance >= 0 else []
    here = [(story.moment.start < word.end and word.start < story.moment.end, word.text.strip()) for word in said]
    return _note(texts.WALK_SAID) + render("walk.html", "quoted", here)


def _faces(story: Story) -> Markup:
    seen, line = story.result.evidence.faces, story.result.timeline
    steps = [min(len(line.times) - 1, int(face.time / line.step_seconds)) for face in seen]
    still = set(np.flatnonzero(line.present[:, MODALITIES.index("vision")])) > set(steps)
    here = seen if still else [face for face, step in zip(seen, steps, strict=True) if step == story.number]
    told = texts.WALK_STILL if still else sentence("WALK_FACES", count=len(here))
    addresses = [picture_address(np.repeat(face.crop[..., None], 3, 2)) for face in here[:MOST_FACES]]
    return _note(told) + render("walk.html", "pictures", addresses, texts.WALK_FACE, "hff-walk-face")


def _align(story: Story) -> Markup:
    wide = story.config.d_model
    rows = [(m, f"{size} → {wide}" if m in story.moment.weighings else None) for m, size in story.config.dims.items()]
    return render("walk.html", "aligned", rows) + _note(texts.ALIGN_NOTE.format(count=wide))


def _note(*sentences: str) -> Markup:
    told = paragraph(*sentences)
    return render("walk.html", "note", told) if told else Markup()


_CONTENT: dict[str, Callable[[Story], Markup]] = {
    "align": _align,
    "uncertainty": _uncertainty,
    "weights": _weights,
    "attention": _attention,
    "time": _time,
    "classifier": _classifier,
}
_GIVEN: dict[str, Callable[[Story], Markup]] = {"speech": _voice, "text": _words, "vision": _faces}
