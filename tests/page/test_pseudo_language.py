"""Nothing that a person reads goes past the catalogue: in a made-up language no plain English word is left."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase

import pytest

from hff import weights
from hff.examples.ready import EXAMPLES
from hff.lab.lessons import load_lessons
from hff.lab.state import LabState
from hff.locale import catalogue as catalogues
from hff.locale import say, texts, using
from hff.page.blocks import build_page
from hff.page.clip.report import html_page
from hff.page.lab.worksheet import worksheet
from hff.page.live.hub import LiveHub
from hff.page.model.measured import load_corpora
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.page.shared import cards
from tests.support.page_browser import FakeModel
from tests.support.page_fixtures import SENTENCE, make_result

NAME = "xx"
_CYRILLIC = {
    ord(c) + shift: ord(first) + i
    for first, shift in (("\u0430", 0), ("\u0410", -32))
    for i, c in enumerate(ascii_lowercase)
}
_WORD = re.compile(r"[A-Za-z]{2,}")
_PLACE = re.compile(r"({[^{}]*})")
_ATTRIBUTES = re.compile(r'\b(?:aria-label|alt|title|placeholder|data-hint|data-start|data-stop)="([^"]*)"')
_UNSEEN = re.compile(r"<(style|script|metadata|defs)\b.*?</\1>|<!--.*?-->|<[^>]*>", re.DOTALL)
# Not words of English: units, formats, the file read, names in formulas, the switch's own names.
SYMBOLS = {"kHz", "JSON", "CSV", "mp", "English", "Deutsch", "clip", "exp"}
SHOWN = ("label", "placeholder", "info", "html_template", "says", "nobody", "emotions", "title")


def disguised(value: object) -> object:
    """Every letter as a Cyrillic one, places to be filled in left alone."""
    if isinstance(value, dict):
        return {key: disguised(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(disguised(part) for part in value)
    parts = _PLACE.split(value)
    return "".join(part if _PLACE.fullmatch(part) else _wide(part) for part in parts)


def _wide(text: str) -> str:
    return text.translate(_CYRILLIC)


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    english = catalogues.catalogue("en")
    made = {key: disguised(value) for key, value in english.items() if key != "LANGUAGE_NAME"}
    made["GLOSSARY"] = {_wide(word): disguised(value) for word, value in english["GLOSSARY"].items()}
    catalogues.register(NAME, made)
    with using(NAME):
        yield
    catalogues.register(NAME, {})


def seen(text: str) -> str:
    """What a person sees or hears of a piece of HTML."""
    said = _ATTRIBUTES.findall(text)
    return html.unescape(" ".join([_UNSEEN.sub(" ", text), *said]))


def plain(text: str, known: set[str]) -> set[str]:
    return set(_WORD.findall(seen(text))) - known


def words_of(*sentences: str) -> set[str]:
    return set(_WORD.findall(" ".join(sentences)))


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from strings(part)


def visible(component: dict) -> Iterator[str]:
    props = component["props"]
    for name in SHOWN:
        yield from (text for text in strings(props.get(name)) if text != "${value}")  # an empty template
    yield from (choice[0] for choice in props.get("choices") or [])
    if component["type"] in ("html", "button", "markdown", "downloadbutton", "uploadbutton"):
        yield from strings(props.get("value"))


def test_the_whole_page(tmp_path: Path):
    engine = Engine(FakeModel)
    page = build_page(engine, Sessions(tmp_path), LiveHub(engine), NAME)
    lessons = words_of(*(lesson.title for lesson in load_lessons()))  # these have files of their own
    corpora = words_of(*(corpus[part] for corpus in load_corpora(weights.folder()) for part in ("name", "licence")))
    ours = {"state", "modality", "points"}  # names of what programs send
    found = {}
    for component in page.get_config_file()["components"]:
        if component["props"].get("visible") is False and component["props"].get("elem_id") is None:
            continue
        for text in visible(component):
            if words := plain(text, SYMBOLS | lessons | corpora | ours):
                found[f"{component['type']} {component['props'].get('elem_id')}"] = words
    assert found == {}
    assert page.title == _wide(catalogues.catalogue("en")["TITLE"])


def test_the_report_with_its_warnings():
    result = make_result()
    result.warnings = [say("recording.no_face_video"), say("media.damaged_sound", name="clip.mp4")]
    page = html_page(result)
    assert _wide("No face was found in the video") in page
    assert f'lang="{NAME}"' in page
    assert plain(page, SYMBOLS | words_of(SENTENCE)) == set()


def test_the_cards():
    for there in (("speech", "text", "vision"), ("text",)):
        result = make_result(there=there)
        shown = cards.headline(result) + cards.gauges(result) + cards.empty() + cards.note(texts.GAUGES_NOTE)
        assert plain(shown, SYMBOLS) == set()
    assert plain(cards.alert(texts.ERROR_TITLE, texts.FILE_GONE), SYMBOLS) == set()


def test_the_worksheet():
    lesson = load_lessons()[0]
    page = worksheet(lesson.state, make_result(seed=1), make_result(seed=2), None)
    own = words_of(*(example.text for example in EXAMPLES))
    assert plain(page, SYMBOLS | own) == set()
    assert plain(worksheet(LabState(), make_result(), make_result(seed=3), None), SYMBOLS) == set()
