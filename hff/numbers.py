"""Numbers that came from outside: a link, a file, another program, a call."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from hff.errors import InputError
from hff.locale import say

LONGEST_SHOWN = 40  # characters of a wrong value in a message


def whole(value: object, what: str, least: int, most: int) -> int:
    """``value``, rounded, if it is a number from ``least`` to ``most``. Raises ``InputError``.

    True and False are no numbers, nor are texts; an int may have any number of digits.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not _is_finite(value):
        raise InputError(say("number.kind", what=what, least=least, most=most, value=shown(value)))
    given: Any = value  # a real number of any kind
    if not least <= given <= most:
        raise InputError(say("number.range", what=what, value=shown(value), least=least, most=most))
    return value if isinstance(value, int) else round(float(given))


def shown(value: object) -> str:
    """``value`` as a message may show it: short, and in characters that any output takes."""
    try:
        text = ascii(value) if not isinstance(value, str) or not value.isprintable() else repr(value)
    except (ValueError, RecursionError):  # an int of more digits than Python writes down
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def _is_finite(value: Real) -> bool:
    return isinstance(value, int) or math.isfinite(value)
