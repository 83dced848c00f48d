"""From templates to HTML: every value escaped, every name that is missing an error.

A template under ``hff/page/templates`` holds macros, one for each piece of HTML, and may import another's. What comes
out is ``Markup``: text that says of itself that it is HTML, and escapes whatever is added to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context
from markupsafe import Markup

from hff import modalities
from hff.locale import language, names, texts, translate
from hff.locale.lists import listed
from hff.page.shared import amounts, marks

_BREAK = re.compile(r"(?<=[>}])[ \t]*\n\s*(?=[<{])")


class CloseLines(Extension):
    """Leaves out a template's line breaks between tags, since a browser would show some of them as spaces."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        # A comment in the break's place: nothing is written, and the lines of an error's place are still right.
        return _BREAK.sub(lambda found: "{#" + "\n" * found[0].count("\n") + "#}", source)


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("hff.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[CloseLines],
    )
    made.filters["best"] = lambda probabilities: max(probabilities, key=probabilities.get)
    spoken: dict[str, Callable] = {
        "weights": amounts.weight_figures,
        "percent": amounts.percent,
        "variance": amounts.never_none,
        "variance_parts": amounts.variance_parts,
        "decimal": amounts.decimal,
        "points": amounts.signed_points,
        "figure": amounts.figure,
        "emotion": names.emotion,
        "modality": names.modality,
        "said": translate,
        "listed": listed,
    }
    made.filters |= {name: _at_its_time(say) for name, say in spoken.items()}
    made.filters["subscripts"] = _subscripts
    made.globals |= {
        "texts": texts,
        "language": language,
        "record": modalities.of,
        "DIAL_ARC": marks.DIAL_ARC,
        "DIAL_LENGTH": marks.DIAL_LENGTH,
        "DIAL_GAP": marks.DIAL_GAP,
    }
    return made


def _subscripts(formula: str) -> list[str]:
    """An equation in parts: every second one stands below the line, as the m of "f_m"."""
    return re.split(r"_(\w)", formula)


def _at_its_time(say: Callable) -> Callable:
    """A filter that Jinja does not apply to a constant once and for all, in the language that is spoken first."""

    @pass_context
    def said(_: Context, value: object, *more: object) -> object:
        return say(value, *more)

    return said


ENVIRONMENT = _environment()


def render(template: str, macro: str, *args: object, **values: object) -> Markup:
    """What a template's macro makes of the values. Raises ``jinja2.UndefinedError`` for a name that is not there."""
    return getattr(ENVIRONMENT.get_template(template).module, macro)(*args, **values)
