"""Templates: every value escaped, every missing name told, and no line break of theirs in what is shown."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from jinja2 import DictLoader, TemplateSyntaxError, UndefinedError

import hff.page
from hff import modalities
from hff.locale import using
from hff.page.live.layout import page
from hff.page.shared import cards, marks
from hff.page.shared.render import ENVIRONMENT, render
from tests.support.page_fixtures import make_result

PAGE = Path(hff.page.__file__).parent
# Figures come from matplotlib as SVG, and the language's layer changes the page that Gradio wrote.
MADE_OTHERWISE = {"shared/drawing.py", "door/languages.py"}
MADE_OF_TEMPLATES = sorted({path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*.py")} - MADE_OTHERWISE)


@pytest.fixture
def written():
    """A template of our own in the page's environment."""

    def write(text: str) -> str:
        environment = ENVIRONMENT.overlay(loader=DictLoader({"own.html": text}))
        return environment.get_template("own.html").render(value="<b> & 'c'")

    return write


def test_a_templates_own_figures_are_said_in_the_language_of_the_moment(written):
    assert written("{{ 0|decimal }}") == "0.00"
    with using("de"):
        environment = ENVIRONMENT.overlay(loader=DictLoader({"own.html": "{{ 0|decimal }}"}))
        template = environment.get_template("own.html")
        assert template.render() == "0,00"
    assert template.render() == "0.00"


def test_every_template_can_be_read():
    names = ENVIRONMENT.list_templates()
    assert {path.name for path in (PAGE / "templates").iterdir()} == set(names)
    for name in names:
        ENVIRONMENT.get_template(name)


def test_values_are_escaped_and_html_is_not_escaped_twice(written):
    assert written("<p>{{ value }}</p>") == "<p>&lt;b&gt; &amp; &#39;c&#39;</p>"
    note = cards.note("<b>")
    assert cards.text(note) == note
    assert "<b>" + note == "&lt;b&gt;" + str(note)


def test_a_name_that_is_not_there_is_told(written):
    with pytest.raises(UndefinedError, match="nobody"):
        written("{{ nobody }}")
    with pytest.raises(UndefinedError):
        written("{{ texts.NO_SUCH_TEXT }}")
    with pytest.raises(AttributeError, match="no_such"):
        render("cards.html", "no_such")


def test_line_breaks_between_tags_are_not_shown(written):
    assert written("<p>\n  <b>1</b>\n  {{ value|length }}\n</p>\n") == "<p><b>1</b>9</p>"
    assert written("<b>1</b> <b>2</b>") == "<b>1</b> <b>2</b>"
    assert written("a word\nand another") == "a word\nand another"


def test_the_line_of_a_fault_is_the_templates_own(written):
    with pytest.raises(TemplateSyntaxError) as caught:
        written("<p>\n</p>\n\n<p>\n{% nonsense %}\n</p>")
    assert caught.value.lineno == 5


def test_a_template_speaks_the_language_of_the_moment():
    result = make_result(1)
    english = cards.gauges(result)
    with using("de"):
        german = cards.gauges(result)
    assert "Voice" in english
    assert "Stimme" in german
    assert "0," in german


@pytest.mark.parametrize("name", MADE_OF_TEMPLATES)
def test_code_holds_no_html(name: str):
    tree = ast.parse((PAGE / name).read_text(encoding="utf-8"))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in strings if re.search(r"</|<\w+[ />]|^<[a-z]*$", text)] == []


def test_report_and_live_view_have_the_same_dial_and_the_script_none_of_its_own():
    still, live = cards.gauges(make_result(1)), page(12.0)
    for shown in (still, live):
        assert shown.count(f'class="hff-arc-track" d="{marks.DIAL_ARC}"') == 3
        assert shown.count(f'data-length="{marks.DIAL_LENGTH:.2f}"') == 3
    script = (PAGE / "static" / "live.js").read_text(encoding="utf-8")
    for own in ("Math.PI", "* 50", "/ 7", "stroke-dasharray=", "#0072b2"):
        assert own not in script


def test_a_lines_dashes_are_the_same_in_svg_and_matplotlib():
    for modality in modalities.records():
        svg, style = modality.stroke, modality.linestyle
        drawn = () if style == "-" else style[1]
        assert [float(part) for part in svg.split()] == [pytest.approx(modalities.LINE_WIDTH * part) for part in drawn]


def test_a_blind_guess_has_its_mark_whatever_the_number_of_labels():
    assert 'data-full="1.0000" style="--guess:85.71%"' in page(12.0)
    assert 'data-full="1.0000" style="--guess:66.67%"' in page(12.0, ("a", "b", "c"))
