"""Lessons: small JSON files that set the lab up, ask for a guess, and say what to watch. See docs/lessons.md.

No lesson knows how it ends: each choice carries a *claim* about before and after, and what the model really did
decides which choice was right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hff.config import EMOTIONS, MODALITIES
from hff.errors import HFFError, InputError
from hff.examples.ready import EXAMPLES
from hff.lab.comparison import clip_means
from hff.lab.state import LabState
from hff.locale import language
from hff.result import Result

LESSONS_FOLDER = Path(__file__).with_name("lessons") / "en"
FIGURES = ("alpha", "alpha0", "precision", "variance", "shapley")  # of one modality
CHANGES = ("rises", "stays", "falls")
LEAST = {"variance": 0.05, "precision": 0.2}  # of the old value, below which a figure stays
LEAST_SHARE = 0.02  # of a weight or probability
MAX_CHOICES = 4
TRANSLATED = ("title", "question", "watch", "why", "then", "formula")  # parts that a language may say anew
_HELP = "docs/lessons.md says how a lesson is written."


@dataclass(frozen=True)
class Claim:
    """Something that either came true or did not.

    figure: one of ``FIGURES`` or "probability" with a ``change``; "emotion" that "changes" or "stays"; "leader",
    true where ``of`` has the largest alpha afterwards; "alone", true where ``of`` alone says ``emotion`` afterwards;
    "side", true where the answer afterwards is the one that ``of`` alone gives.
    of: the modality, or for "probability" an emotion or "answer", the emotion said before.
    """

    figure: str
    of: str = ""
    change: str = ""
    emotion: str = ""
    negated: bool = False

    def holds(self, before: Result, after: Result) -> bool:
        return self._holds(before, after) is not self.negated

    def _holds(self, before: Result, after: Result) -> bool:
        if self.figure == "emotion":
            return (before.emotion != after.emotion) is (self.change == "changes")
        if self.figure == "leader":
            return after.present[self.of] and self.of == max(MODALITIES, key=after.alpha.get)
        if self.figure in ("alone", "side"):
            alone = after.per_modality[self.of]
            says = alone and max(alone, key=alone.get)
            return says == (self.emotion if self.figure == "alone" else after.emotion)
        if self.figure == "probability":
            label = before.emotion if self.of == "answer" else self.of
            old, new = before.probabilities[label], after.probabilities[label]
        else:
            old, new = (clip_means(result)[self.figure][self.of] for result in (before, after))
            if self.figure == "alpha":  # an absent modality has alpha exactly 0
                old, new = old or 0.0, new or 0.0
            if old is None or new is None:
                return False
        return self.change == direction(old, new, LEAST.get(self.figure, 0.0) * abs(old) or LEAST_SHARE)


def direction(old: float, new: float, least: float) -> str:
    if abs(new - old) < least:
        return "stays"
    return "rises" if new > old else "falls"


@dataclass(frozen=True)
class Choice:
    """One guess of the class."""

    text: str
    claim: Claim


@dataclass(frozen=True)
class Lesson:
    """One lesson. ``before`` is what ``state`` is compared with; ``expect`` holds with the shipped weights."""

    key: str
    title: str
    order: float
    state: LabState
    before: LabState
    question: str
    choices: tuple[Choice, ...]
    expect: tuple[Claim, ...]
    watch: str
    why: str
    number: str  # of the paper's equation, as "(17)"
    formula: str
    then: str = ""  # what to try next

    @property
    def emotions(self) -> set[str]:
        """The emotions that its claims name."""
        claims = (*(choice.claim for choice in self.choices), *self.expect)
        of = {claim.of for claim in claims if claim.figure == "probability"}
        return (of | {claim.emotion for claim in claims}) - {"", "answer"}

    def right(self, before: Result, after: Result) -> list[bool]:
        """Which choices came true."""
        return [choice.claim.holds(before, after) for choice in self.choices]


def load_lessons(folder: Path = LESSONS_FOLDER, labels: Sequence[str] = EMOTIONS) -> list[Lesson]:
    """The lessons of a folder in their order, without those about an emotion that is not among the model's labels.

    Raises ``InputError`` that names the file and the fault.
    """
    lessons = (load_lesson(path, labels) for path in folder.glob("*.json"))
    fitting = [lesson for lesson in lessons if lesson.emotions <= set(labels)]
    return sorted(fitting, key=lambda lesson: (lesson.order, lesson.key))


def load_lesson(path: Path, labels: Sequence[str] = EMOTIONS) -> Lesson:
    """One lesson file about the shipped model's emotions or ``labels``, with its texts in the language of the
    moment where ``../<language>/`` has them.

    Raises ``InputError`` that names the file and the fault.
    """
    translation = path.parent.parent / language() / path.name
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        lesson = _lesson(path.stem, values, (*EMOTIONS, *labels))
        told = translation != path and translation.is_file()
        return _translated(lesson, json.loads(translation.read_text("utf-8"))) if told else lesson
    except OSError as error:
        raise InputError(f"The lesson {path.name} cannot be read ({error.strerror or error}).") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"The lesson {path.name} is not valid JSON: {error}. {_HELP}") from error
    except HFFError as error:
        raise InputError(f"The lesson {path.name}: {error} {_HELP}") from error


def _translated(lesson: Lesson, values: object) -> Lesson:
    """The same lesson in the words of another language; what those lack stays as it is."""
    _check_keys(values, (), (*TRANSLATED, "choices"), "the translation")
    said = values.get("choices", [choice.text for choice in lesson.choices])
    if not isinstance(said, list) or len(said) != len(lesson.choices):
        raise InputError(f"'choices' of the translation is a list of {len(lesson.choices)} texts.")
    choices = tuple(replace(choice, text=text) for choice, text in zip(lesson.choices, said, strict=True))
    return replace(lesson, choices=choices, **{name: values[name] for name in TRANSLATED if name in values})


def _lesson(key: str, values: object, emotions: tuple[str, ...]) -> Lesson:
    texts = ("title", "question", "watch", "why", "number", "formula")
    _check_keys(values, ("order", "state", "choices", "expect", *texts), ("before", "then"), "the lesson")
    for name in (*texts, "then"):
        if not isinstance(values.get(name, ""), str) or (name in texts and not values[name].strip()):
            raise InputError(f"{name!r} has to be a text.")
    order = values["order"]
    if isinstance(order, bool) or not isinstance(order, int | float):
        raise InputError("'order' has to be a number; lessons are shown by it.")
    state = _state(values["state"])
    before = _state(values["before"]) if "before" in values else state.untouched
    if before.source != state.source:
        raise InputError("'before' and 'state' have to take the same source apart.")
    choices = _list(values["choices"], "choices", 2, MAX_CHOICES)
    return Lesson(
        key=key, order=order, state=state, before=before, then=values.get("then", ""),
        choices=tuple(_choice(choice, emotions) for choice in choices),
        expect=tuple(_claim(one, "a part of 'expect'", emotions) for one in _list(values["expect"], "expect", 1, 12)),
        **{name: values[name].strip() for name in texts},
    )  # fmt: skip


def _state(values: object) -> LabState:
    state = LabState.from_dict(values)
    names = [example.key for example in EXAMPLES]
    if state.source not in names:
        raise InputError(f"A lesson's source is one of the ready examples: {', '.join(names)}; not {state.source!r}.")
    return state


def _choice(values: object, emotions: tuple[str, ...]) -> Choice:
    _check_keys(values, ("text", "when"), (), "a choice")
    if not isinstance(values["text"], str) or not values["text"].strip():
        raise InputError("The 'text' of a choice has to be a text.")
    return Choice(values["text"].strip(), _claim(values["when"], "'when'", emotions))


def _claim(values: object, what: str, emotions: tuple[str, ...]) -> Claim:
    _check_keys(values, ("figure",), ("of", "change", "emotion", "not"), what)
    claim = Claim(
        values["figure"], values.get("of", ""), values.get("change", ""), values.get("emotion", ""),
        values.get("not", False),
    )  # fmt: skip
    if claim.figure in FIGURES:
        _one_of(claim.of, MODALITIES, "of", what)
        _one_of(claim.change, CHANGES, "change", what)
    elif claim.figure == "probability":
        _one_of(claim.of, ("answer", *emotions), "of", what)
        _one_of(claim.change, CHANGES, "change", what)
    elif claim.figure == "emotion":
        _one_of(claim.change, ("changes", "stays"), "change", what)
    elif claim.figure in ("leader", "side", "alone"):
        _one_of(claim.of, MODALITIES, "of", what)
        if claim.figure == "alone":
            _one_of(claim.emotion, emotions, "emotion", what)
    else:
        _one_of(claim.figure, (*FIGURES, "probability", "emotion", "leader", "side", "alone"), "figure", what)
    if not isinstance(claim.negated, bool):
        raise InputError(f"'not' in {what} is true or false.")
    return claim


def _one_of(value: object, allowed: Iterable[str], name: str, what: str) -> None:
    if value not in tuple(allowed):
        raise InputError(f"{name!r} in {what} is one of {', '.join(dict.fromkeys(allowed))}; not {value!r}.")


def _list(value: object, name: str, least: int, most: int) -> list:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise InputError(f"{name!r} is a list of {least} to {most}.")
    return value


def _check_keys(values: object, needed: tuple[str, ...], optional: tuple[str, ...], what: str) -> None:
    if not isinstance(values, dict):
        raise InputError(f"{what} is a JSON object, in braces.")
    missing = [name for name in needed if name not in values]
    unknown = sorted(set(values) - {*needed, *optional})
    if missing:
        raise InputError(f"{what} lacks {', '.join(missing)}.")
    if unknown:
        raise InputError(f"{what} has the unknown part {', '.join(unknown)}.")
