"""Nothing is executed from any text: names of files, words, sentences of errors, what is typed into the lab."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from gradio_client.utils import strip_invalid_filename_characters

from hff.errors import InputError
from hff.lab.state import LabState
from hff.locale import texts
from hff.page.clip import report
from hff.page.clip.inputs import status_line
from hff.page.lab import before_after, worksheet
from hff.page.shared import cards
from hff.result import Transcript, Word
from tests.support.page_browser import READY, SLOW, FakeModel, browsing, open_section, outside, serving
from tests.support.page_fixtures import make_result

pytestmark = pytest.mark.attack
PAYLOADS = (
    "<script>window.evil=1</script>",
    "<img src=x onerror=window.evil=1>",
    '"><svg onload=window.evil=1>',
    "'><b onmouseover='window.evil=1'>",
    "</title></style></textarea></script><script>window.evil=1</script>",
    "<iframe src=javascript:parent.evil=1></iframe>",
    "[link](javascript:window.evil=1) ![x](http://192.0.2.1/evil.png)",
    "<a href='javascript:window.evil=1'>click</a>",
    "${window.evil=1} {{window.evil=1}} <%= window.evil=1 %> {evil} {0.__class__} %s %n",
    "<style>@import url(http://192.0.2.1/evil.css)</style>",
    "&lt;script&gt;window.evil=1&lt;/script&gt; &#60;script&#62;",
    "$\\input{/etc/passwd}$ $\\frac{$ \\write18{touch evil}",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.evil=1>",
    '=HYPERLINK("http://192.0.2.1/evil")',
    "\x1b]0;evil\x07\x1b[31m \u202e txt.exe",
)
every_payload = pytest.mark.parametrize("payload", PAYLOADS)


class Parts(HTMLParser):
    """The elements and attributes of a page as a browser takes it apart, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        for name, value in attrs:
            assert not name.startswith("on"), f"<{tag} {name}={value}>"
            assert not (value or "").strip().lower().startswith("javascript:"), f"<{tag} {name}={value}>"

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def reading(text: str, file: str = "clip.mp4"):
    """A reading whose every text is ``text``."""
    words = [Word(text, 0.2 * i, 0.2 * i + 0.1, 0.9) for i in range(3)]
    return make_result(3.0, transcript=Transcript(text, words, "recognised"), warnings=[text], file=file)


def pages(text: str) -> dict[str, str]:
    """Every place of the page and of what is kept, but for drawings, into which a stranger's text can come."""
    one = reading(text, file=text)
    state = LabState(source="yours", text=text)
    return {
        "alone": report.alone_html(one),
        "headline": cards.headline(one) + cards.gauges(one),
        "alert": cards.alert(text, text),
        "warnings": cards.warnings([text]),
        "status": status_line({"text": text, "video": text}, text),
        "worksheet": worksheet.worksheet(state, one, one),
        "changed": cards.note(before_after.change_sentence(one, one, False)),
    }


@every_payload
def test_a_text_adds_no_element_to_any_page(payload):
    """The same elements and attributes as with a harmless text: it is shown, not obeyed."""
    hostile, harmless = pages(payload), pages("quiet words")
    for name, page in hostile.items():
        assert Parts(page).elements == Parts(harmless[name]).elements, name
    for name in ("alert", "warnings", "worksheet"):
        assert _words(payload) in _words("".join(Parts(hostile[name]).words)), name


def _words(text: str) -> str:
    return " ".join(text.split())


def test_a_text_adds_no_element_to_a_report():
    """All of them at once, in the page to keep with its drawings."""
    payload = " ".join(PAYLOADS)
    quiet = re.sub(r"\S", "a", payload)  # as long, for the drawings leave out what has no room
    hostile, harmless = (Parts(report.html_page(reading(text, file=text))) for text in (payload, quiet))
    assert hostile.elements == harmless.elements
    assert _words(payload) in _words("".join(hostile.words))


@every_payload
def test_the_json_of_a_report_holds_the_text_as_it_is(payload):
    assert json.loads(report.json_text(reading(payload)))["transcript"]["text"] == payload


def test_figures_are_drawn_whatever_is_said():
    payload = " ".join(PAYLOADS)
    assert report.png_bytes(reading(payload, file=payload)).startswith(b"\x89PNG")


def test_nothing_runs_in_a_browser(tmp_path: Path):
    """The page with a hostile name, hostile words and a hostile sentence, and the report it gives to keep."""
    model = FakeModel()
    payload = " ".join(PAYLOADS[:10])
    voice = tmp_path / "<img src=x onerror=window.evil=1>.wav"
    voice.write_bytes(b"RIFF")
    assert strip_invalid_filename_characters(voice.name)
    with serving(model) as server, browsing(server.url) as page:
        asked = []
        page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))

        def quiet() -> None:
            page.wait_for_timeout(500)
            assert page.evaluate("window.evil === undefined")
            assert not asked
            assert not outside(page.requests, server.url)

        page.fill("#hff-text textarea", payload)
        model.answer = InputError(payload)
        page.click(READY)
        page.get_by_text("onerror=window.evil=1").first.wait_for(timeout=SLOW)
        quiet()
        model.answer = None
        model.analyze_recording = lambda recording, progress=None: dataclasses.replace(
            reading(payload, file=voice.name), emotion="happy"
        )
        page.click(READY)
        page.wait_for_selector("#hff-emotion")
        for section in (texts.SECTION_WORDS, texts.SECTION_TIME, texts.SECTION_ALONE):
            open_section(page, section)
            quiet()
        page.set_content(report.html_page(reading(payload, file=voice.name)))
        quiet()
