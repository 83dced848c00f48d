"""Nothing that a person reads goes past the catalogue: in a made-up language no plain English word is left."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase
from types import SimpleNamespace

import gradio as gr
import pytest

from hff import weights
from hff.errors import InputError
from hff.examples.ready import EXAMPLES, EXAMPLES_FOLDER
from hff.lab.lesson_files import load_lessons
from hff.lab.state import YOURS, LabState
from hff.locale import catalogue as catalogues
from hff.locale import languages, say, texts, translate, using
from hff.page.blocks import build_page
from hff.page.clip.report import html_page
from hff.page.lab.worksheet import worksheet
from hff.page.live.hub import LiveHub
from hff.page.model.measured import load_corpora, load_measured, metrics_html
from hff.page.model.recorded import said
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.page.shared import cards
from hff.pipeline.recording import Recording
from tests.support.live_fixtures import FakeAnalyzer, engine_of, fake  # noqa: F401
from tests.support.page_browser import FakeModel
from tests.support.page_fixtures import SENTENCE, make_explanation, make_result
from train.rivals import RIVALS

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
# Not words of English: units, formats, the file read, names in formulas; "and" comes from the rules of a language for
# lists, of which a made-up one has none.
SYMBOLS = {"kHz", "JSON", "CSV", "mp", "clip", "exp", "and"}
SYMBOLS |= {  # what each language calls itself, in the switch
    word for name in languages() for word in _WORD.findall(catalogues.catalogue(name).get("LANGUAGE_NAME", ""))
}
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
    catalogues.register_language(NAME, made)
    with using(NAME):
        yield
    catalogues.register_language(NAME, {})


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


def told(output: object) -> Iterator[str]:
    """What an event's answer shows: HTML, sentences, and what a component's new settings say."""
    if isinstance(output, str):
        yield output
    elif isinstance(output, list | tuple):
        for part in output:
            yield from told(part)
    elif isinstance(output, gr.components.Component) and not isinstance(output, gr.DownloadButton):
        changed = output._constructor_args[0]  # an update holds what was given and leaves the rest
        for name in ("label", "placeholder", "info", "value"):
            yield from strings(changed.get(name))
        yield from (choice[0] for choice in changed.get("choices") or [])


class Visit:
    """A page in the made-up language and one visitor, whose events are called as Gradio would."""

    def __init__(self, engine: object, folder: Path) -> None:
        self.sessions = Sessions(folder)
        self.page = build_page(engine, self.sessions, LiveHub(engine), NAME)
        self.events = {event.fn.__name__: event for event in self.page.fns.values() if event.fn is not None}
        url = SimpleNamespace(scheme="http")
        self.request = SimpleNamespace(session_hash="visit", request=SimpleNamespace(url=url), headers={})

    def ask(self, name: str, *given: object) -> object:
        """An event that takes the visitor's request last."""
        return self.events[name].fn(*given, self.request)

    def in_lab(self, name: str, lesson: str = "", *first: object, **changes: object) -> object:
        """An event of the lab with what is set up by default, ``changes`` by the controls' names."""
        values = [changes.get(component.elem_id or "", component.value) for component in self.events["run"].inputs[1:]]
        return self.events[name].fn(self.request, *first, lesson, *values)


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


def test_a_clips_results_and_what_goes_wrong(tmp_path: Path):
    model = FakeModel()
    engine = Engine(lambda: model)
    engine.explain = lambda faces, transcript, ear: make_explanation(make_result())
    visit = Visit(engine, tmp_path)
    video = str(EXAMPLES_FOLDER / "clip.mp4")
    shown = [
        visit.ask("_analyse", None, None, None, "", True, ""),
        visit.ask("_show_status", None, None, None, "", True),
        visit.ask("_show_status", video, video, video, SENTENCE, True),
        visit.ask("_attention", "", ""),
        visit.ask("_analyse", "/gone.mp4", None, None, "", True, ""),
        visit.ask("_analyse", video, None, None, SENTENCE, True, ""),
        visit.ask("_draw", False),
        visit.ask("_explain", True),
        [visit.ask("_attention", layer, head) for layer, head in (("", ""), ("1", "2"), ("0", "every"))],
        visit.ask("_keep"),
        visit.ask("_rerun", SENTENCE, ""),
        visit.ask("_release"),
    ]
    model.answer = InputError(say("media.unreadable", name="clip.mp4", reason="1"))
    shown.append(visit.ask("_analyse", video, None, None, "", True, ""))
    own = words_of(SENTENCE, "so very sad yes", "wav", "gif mov webm mkv avi mp3 flac ogg opus")
    assert {text: found for text in told(shown) if (found := plain(text, SYMBOLS | own))} == {}
    assert any("<svg" in text for text in told(shown))


def test_the_lab_after_a_change_a_guess_and_a_sweep(tmp_path: Path, fake: FakeAnalyzer):  # noqa: F811
    visit = Visit(Engine(lambda: fake), tmp_path)
    made = make_result(3)
    visit.sessions.of("visit").recording = Recording(
        made.seconds, made.evidence.wave, made.evidence.voiced, made.transcript, made.evidence.faces
    )
    lesson = load_lessons()[0]
    yours = {"hff-lab-source": YOURS}
    changed = visit.in_lab("run", **yours, **{"hff-lab-vision-mute": True, "hff-lab-speech-severity": 50})
    swept = list(visit.in_lab("_sweep", "vision", **yours))
    shown = [
        changed,
        visit.in_lab("_pose", lesson.key, **yours),
        visit.in_lab("_reveal", lesson.key, 0, 2, 0, 5, 0, **yours),
        swept,
        visit.in_lab("run", **{"hff-lab-source": "nothing-of-that-name"}),
    ]
    assert "hff-lab-row-vision" in changed[0]
    assert 'data-points="0"' not in swept[-1][0]
    own = words_of(*(text for lesson in load_lessons() for text in vars(lesson).values() if isinstance(text, str)))
    own |= words_of(
        *(choice.text for choice in lesson.choices), SENTENCE, "nothing-of-that-name", *(e.key for e in EXAMPLES)
    )
    assert {text[:80]: found for text in told(shown) if (found := plain(text, SYMBOLS | own))} == {}


def test_the_walk_through_the_numbers(tmp_path: Path):
    visit = Visit(Engine(FakeModel), tmp_path)
    shown = [visit.ask("_arrive")]
    session = visit.sessions.of("visit")
    for result in (make_result(4), make_result(70), make_result(0.5, ("text",)), make_result(0.5, ("vision",))):
        session.result, session.clip_turn = result, object()
        shown += [visit.ask("_arrive"), visit.ask("_show", 140)]
    assert sum("hff-walk-now" in text for text in told(shown)) == 8
    assert {text[:80]: found for text in told(shown) if (found := plain(text, SYMBOLS | words_of(SENTENCE)))} == {}


def test_the_measured_figures():
    """Of the shipped weights: whoever adds a table says its words in ``MEASURED_TEXTS`` of every language."""
    shown = re.sub("<code>.*?</code>", "", metrics_html(load_measured(weights.folder())))
    commands = words_of("python -m train evaluate ablate compare app.py --speech-encoder --data DIR --out DIR")
    rivals = words_of("HFF", *(name for name in RIVALS if name != name.lower()))
    corpora = words_of("ASED", *(corpus["name"] for corpus in load_corpora(weights.folder())))
    assert "<svg" in shown
    assert plain(shown, SYMBOLS | commands | rivals | corpora | {"faces", "mfcc", "cnn", "whisper"}) == set()
    terms = [said(corpus["licence"]) for corpus in load_corpora(weights.folder())]
    assert words_of(*terms) <= words_of("CC BY NC SA GPL Apache")


def test_live_and_what_goes_wrong_there(fake: FakeAnalyzer):  # noqa: F811
    engine = engine_of(fake)
    hub = LiveHub(engine, limit=1)
    ticket, _ = hub.enter("first")
    texts_shown = [hub.enter("second")[1], hub.feed({"ticket": "none"})["error"]]
    texts_shown.append(hub.feed({"ticket": ticket, "frame": {"time": 0.0, "data": "data:,%%"}})["error"])
    with pytest.raises(InputError) as nothing:
        hub.snapshot("nobody")
    texts_shown.append(translate(nothing.value))
    hub.close()
    assert {text: plain(text, SYMBOLS) for text in texts_shown if plain(text, SYMBOLS)} == {}
    assert all(texts_shown)
