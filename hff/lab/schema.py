"""What the parts of a JSON file or link have to be, as pydantic models whose faults are sentences for a teacher.

A model subclasses ``JsonObject``, and ``validated`` makes one of plain values; whatever is wrong comes out as one
``InputError`` that names the part and what would work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from hff.clean_text import clean
from hff.errors import InputError
from hff.locale import say
from hff.numbers import shown

MOST_NAMED = 5  # unknown parts in one sentence
_NO_NUMBER = ("int_type", "int_from_float", "float_type", "finite_number", "int_parsing_size")


class JsonObject(BaseModel):
    """A JSON object of known parts and strict types: no text counts as a number, no number as true or false."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)
    WHAT: ClassVar[str]  # key of what it is called in a sentence

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, values: Any) -> Any:
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        what = say(cls.WHAT)
        check_names(values, fields, what)
        if missing := [name for name, field in fields.items() if field.is_required() and name not in values]:
            raise InputError(say("SCHEMA_LACKS", what=what, names=", ".join(missing)))
        return values


def _cleaned(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


Cleaned = BeforeValidator(_cleaned)  # a text that a person wrote: of half a character the validator makes nothing

_Validated = TypeVar("_Validated", bound=JsonObject)


def validated(model: type[_Validated], values: object, **known: object) -> _Validated:
    """``values``, as JSON gives them, as that model. Raises ``InputError`` for the first thing that is wrong.

    ``known`` is what the model's validators find as the context.
    """
    try:
        return model.model_validate(values, context=known)
    except ValidationError as error:
        raise InputError(_sentence(error.errors(include_url=False)[0])) from error


def check_names(values: object, known: Iterable[str], what: str) -> None:
    """Raise ``InputError`` unless ``values`` is a dictionary of no other than the known parts."""
    if not isinstance(values, dict):
        raise InputError(say("SCHEMA_NO_OBJECT", what=what, value=shown(values)))
    known = tuple(known)
    if unknown := sorted(shown(name).strip("'") for name in values if name not in known):
        names = ", ".join(unknown[:MOST_NAMED])
        raise InputError(say("SCHEMA_UNKNOWN", what=what, names=names, known=", ".join(known)))


def one_of(value: object, allowed: Iterable[str], *place: str) -> None:
    """For a validator: refuses a ``value`` that is none of the words; ``place`` is where it is in what is validated."""
    allowed = tuple(dict.fromkeys(allowed))
    if value not in allowed:
        context = {"place": place, "allowed": ", ".join(allowed), "value": shown(value)}
        raise PydanticCustomError("one_of", "", context)


# ---- what pydantic's own types do not say -------------------------------------------------------------------


def between(least: float, most: float) -> AfterValidator:
    """For ``Annotated``: a number from ``least`` to ``most``; both are named where it is another."""
    return AfterValidator(partial(_between, least, most))


def long(least: int, most: int) -> AfterValidator:
    """For ``Annotated``: a list of ``least`` to ``most``."""
    return AfterValidator(partial(_long, least, most))


def _rounded(value: Any) -> Any:
    return round(value) if isinstance(value, float) and math.isfinite(value) else value


Rounded = BeforeValidator(_rounded)  # for a whole number: JSON of another program may say 8.0


def _between(least: float, most: float, value: float) -> float:
    if not least <= value <= most:
        raise PydanticCustomError("between", "", {"least": least, "most": most})
    return value


def _long(least: int, most: int, value: list) -> list:
    if not least <= len(value) <= most:
        raise PydanticCustomError("long", "", {"least": least, "most": most})
    return value


# ---- sentences ----------------------------------------------------------------------------------------------


def _sentence(fault: ErrorDetails) -> str:
    context = dict(fault.get("ctx", {}))
    place, value = (*fault["loc"], *context.pop("place", ())), shown(fault["input"])
    part = _named(place, "'")
    kind = "number" if fault["type"] in _NO_NUMBER else fault["type"]
    sentences: dict[str, Callable[[], str]] = {
        "number": lambda: say("SCHEMA_NUMBER", part=part, value=value),
        "between": lambda: say("SCHEMA_BETWEEN", part=_named(place), value=value, **context),
        "long": lambda: say("SCHEMA_LONG", part=part, **context),
        "one_of": lambda: say("SCHEMA_ONE_OF", part=part, **context),
        "list_type": lambda: say("SCHEMA_LIST", part=part, value=value),
        "dict_type": lambda: say("SCHEMA_NO_OBJECT", what=part, value=value),
        "bool_type": lambda: say("SCHEMA_SWITCH", part=part, value=value),
        "string_type": lambda: say("SCHEMA_TEXT", part=part, value=value),
        "string_too_short": lambda: say("SCHEMA_TEXT", part=part, value=value),
        "string_too_long": lambda: say(
            "SCHEMA_TOO_LONG", part=part, count=len(fault["input"]), most=context["max_length"]
        ),
    }
    return sentences.get(kind, lambda: say("SCHEMA_WRONG", part=part, value=value))()


def _named(place: tuple[int | str, ...], quote: str = "") -> str:
    """The name of a part, and where it is, as "severity (damage, vision)"; lists count from 1."""
    names = [str(step + 1) if isinstance(step, int) else step for step in place]
    last = next((number for number in range(len(place) - 1, -1, -1) if isinstance(place[number], str)), 0)
    around = [*names[:last], *names[last + 1 :]]
    name = f"{quote}{names[last]}{quote}" if names else ""
    return f"{name} ({', '.join(around)})" if around else name
