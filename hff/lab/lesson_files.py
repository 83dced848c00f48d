"""Lessons as files: small JSON that sets the lab up, asks for a guess, and says what to watch. See docs/lessons.md.

The files of ``lessons/en/`` hold whole lessons; those of another language, of the same names, only the sentences.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from hff.config import EMOTIONS, MODALITIES
from hff.errors import HFFError, InputError
from hff.examples.ready import EXAMPLES
from hff.lab.lesson import CHANGES, FIGURES, Choice, Claim, Lesson
from hff.lab.schema import JsonObject, long, one_of, validated
from hff.lab.state import LabState
from hff.locale import language, say
from hff.numbers import shown

LESSONS_FOLDER = Path(__file__).with_name("lessons") / "en"
MAX_CHOICES = 4
MAX_EXPECTED = 12


def load_lessons(folder: Path = LESSONS_FOLDER, labels: Sequence[str] = EMOTIONS) -> list[Lesson]:
    """The lessons of a folder in their order, without those about an emotion that is not among the model's labels.

    Raises ``InputError`` that names the file and the fault.
    """
    lessons = (load_lesson(path, labels) for path in folder.glob("*.json"))
    fitting = [lesson for lesson in lessons if lesson.emotions <= set(labels)]
    return sorted(fitting, key=lambda lesson: (lesson.order, lesson.key))


def load_lesson(path: Path, labels: Sequence[str] = EMOTIONS) -> Lesson:
    """One lesson file about the shipped model's emotions or ``labels``.

    Its texts are in the language of the moment where ``../<language>/`` has them.

    Raises ``InputError`` that names the file and the fault.
    """
    translation = path.parent.parent / language() / path.name
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        lesson = validated(LessonPart, values, emotions=(*EMOTIONS, *labels)).lesson(path.stem)
        told = translation != path and translation.is_file()
        return _translated(lesson, json.loads(translation.read_text("utf-8"))) if told else lesson
    except OSError as error:
        raise InputError(say("LESSON_UNREADABLE", name=path.name, fault=error.strerror or str(error))) from error
    except (ValueError, RecursionError) as error:
        raise InputError(say("LESSON_NO_JSON", name=path.name, fault=str(error))) from error
    except HFFError as error:
        raise InputError(say("LESSON_FAULT", name=path.name, fault=error.args[0])) from error


def _translated(lesson: Lesson, values: object) -> Lesson:
    """The same lesson in the words of another language; what those lack stays as it is."""
    given = validated(TranslationPart, values)
    said = [choice.text for choice in lesson.choices] if given.choices is None else given.choices
    if len(said) != len(lesson.choices):
        raise InputError(say("LESSON_TRANSLATED_CHOICES", count=len(lesson.choices)))
    choices = tuple(replace(choice, text=text) for choice, text in zip(lesson.choices, said, strict=True))
    return replace(lesson, choices=choices, **given.model_dump(exclude={"choices"}, exclude_none=True))


# ---- the schema of the JSON ---------------------------------------------------------------------------------

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ClaimPart(JsonObject):
    """A claim; which of its parts it needs, its figure decides."""

    WHAT = "SCHEMA_CLAIM"
    figure: str
    of: str = ""
    change: str = ""
    emotion: str = ""
    negated: bool = Field(default=False, alias="not")

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> ClaimPart:
        context: Any = info.context
        emotions = context["emotions"]
        one_of(self.figure, (*FIGURES, "probability", "emotion", "leader", "side", "alone"), "figure")
        if self.figure == "probability":
            one_of(self.of, ("answer", *emotions), "of")
        elif self.figure != "emotion":
            one_of(self.of, MODALITIES, "of")
        if self.figure in (*FIGURES, "probability"):
            one_of(self.change, CHANGES, "change")
        elif self.figure == "emotion":
            one_of(self.change, ("changes", "stays"), "change")
        elif self.figure == "alone":
            one_of(self.emotion, emotions, "emotion")
        return self

    def claim(self) -> Claim:
        return Claim(self.figure, self.of, self.change, self.emotion, self.negated)


class ChoicePart(JsonObject):
    """One guess and when it is right."""

    WHAT = "SCHEMA_CHOICE"
    text: _Text
    when: ClaimPart


class LessonPart(JsonObject):
    """A whole lesson file."""

    WHAT = "SCHEMA_LESSON"
    title: _Text
    order: float
    state: Any
    before: Any = None
    question: _Text
    choices: Annotated[list[ChoicePart], long(2, MAX_CHOICES)]
    expect: Annotated[list[ClaimPart], long(1, MAX_EXPECTED)]
    watch: _Text
    why: _Text
    number: _Text
    formula: _Text
    then: str = ""
    then_state: Any = None
    then_sweep: str = ""
    question_own: str = ""
    watch_own: str = ""

    @field_validator("then_sweep")
    @classmethod
    def _a_modality(cls, value: str) -> str:
        if value:
            one_of(value, MODALITIES)
        return value

    @field_validator("state", "before", "then_state")
    @classmethod
    def _of_an_example(cls, values: Any) -> LabState:
        state = LabState.from_dict(values)
        names = [example.key for example in EXAMPLES]
        if state.source not in names:
            raise InputError(say("LESSON_SOURCE", names=", ".join(names), source=shown(state.source)))
        return state

    def lesson(self, key: str) -> Lesson:
        """The lesson under its name."""
        before = self.state.untouched if self.before is None else self.before
        return Lesson(
            key=key,
            order=self.order,
            state=self.state,
            before=before,
            title=self.title,
            question=self.question,
            choices=tuple(Choice(choice.text, choice.when.claim()) for choice in self.choices),
            expect=tuple(claim.claim() for claim in self.expect),
            watch=self.watch,
            why=self.why,
            number=self.number,
            formula=self.formula,
            then=self.then,
            then_state=self.then_state,
            then_sweep=self.then_sweep,
            question_own=self.question_own,
            watch_own=self.watch_own,
        )


class TranslationPart(JsonObject):
    """What another language says anew; everything may be missing."""

    WHAT = "SCHEMA_TRANSLATION"
    title: _Text | None = None
    question: _Text | None = None
    question_own: _Text | None = None
    choices: list[_Text] | None = None
    watch: _Text | None = None
    watch_own: _Text | None = None
    why: _Text | None = None
    then: _Text | None = None
    formula: _Text | None = None
