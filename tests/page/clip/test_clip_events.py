"""What the Clip view does in a real browser, with a made-up model that answers at once."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from hff.cancel import checkpoint
from hff.errors import InputError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.locale import texts
from hff.page.clip import clip_view
from hff.page.clip.attention_map import map_name
from hff.page.clip.inputs import status_line
from tests.support.page_browser import (
    analyse,
    answering,
    browsing,
    choose_example,
    download,
    open_section,
)

pytestmark = pytest.mark.browser


def test_what_was_given_last_is_what_the_page_says_it_will_read(server, model, monkeypatch):
    def slow_for_nothing(inputs, *rest):
        if not any(inputs.values()):
            time.sleep(2)
        return status_line(inputs, *rest)

    monkeypatch.setattr(clip_view, "status_line", slow_for_nothing)
    with browsing(server.url) as page:
        choose_example(page, "Sentence", "Will read: typed words")
        page.wait_for_timeout(3000)  # what came before the example would be answered by then
        assert "Will read: typed words" in page.inner_text("#hff-status")


def test_another_head_is_drawn_without_running_the_model_again(server, model):
    with browsing(server.url) as page:
        choose_example(page, "Clip")
        page.wait_for_selector("#hff-timeline svg")
        open_section(page, "Attention")
        page.locator("#hff-layer").get_by_label("2", exact=True).check()
        page.locator("#hff-head").get_by_label("3", exact=True).check()
        page.wait_for_selector(f'#hff-attention svg[aria-label*="{map_name(1, 2)}"]')
        page.locator("#hff-head").get_by_label(texts.EVERY_HEAD).check()
        page.wait_for_selector(f'#hff-attention svg[aria-label="{texts.EVERY_HEAD}"]')
        assert len(model.calls) == 1


def test_corrected_words_run_the_same_clip_without_recognising_again(server, model):
    with browsing(server.url) as page:
        choose_example(page, "Clip")
        page.wait_for_selector("#hff-timeline svg")
        open_section(page, "Words")
        page.fill("#hff-transcript textarea", "Leave me alone")
        page.click("#hff-rerun")
        page.wait_for_selector(f'text="{texts.TRANSCRIPT_NOTE["typed"]}"')
        (read,) = model.calls
        assert (read["text"], read["transcribe"]) == (None, True)
        first, second = model.analysed
        assert second.transcript.text == "Leave me alone"
        assert second.faces is first.faces
        assert second.wave is first.wave
        kept = json.loads(download(page, "json"))
        assert kept["transcript"]["text"] == "Leave me alone"


def test_words_are_left_out_when_nobody_wants_them_recognised(server, model):
    with browsing(server.url) as page:
        page.uncheck("#hff-transcribe input")
        choose_example(page, "Clip")
        assert model.calls[0]["transcribe"] is False
        assert "absent" in page.inner_text("#hff-gauge-text")
        assert page.get_attribute("#hff-gauge-text", "data-alpha") == "0.0000"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InputError("The file clip.mp4 is empty. Record it again."), "The file clip.mp4 is empty. Record it again."),
        (ZeroDivisionError("secret detail"), texts.UNEXPECTED.format(kind="ZeroDivisionError")),
    ],
)
def test_errors_are_told_in_a_sentence(server, model, error: Exception, message: str):
    model.answer = error
    with browsing(server.url) as page:
        choose_example(page, "Sentence")
        assert message in page.inner_text("#hff-answer [role=alert]")
        assert "secret detail" not in page.content()
        assert not page.is_visible("#hff-sections")


def test_analyse_with_nothing_says_what_to_do(server, model, capfd):
    with browsing(server.url) as page:
        with answering(page):
            page.click("#hff-analyse")
        assert texts.NOTHING_TO_READ in page.inner_text("#hff-answer")
        page.wait_for_timeout(500)
        assert page.locator("[data-testid=toast-body]").count() == 0
        assert model.calls == []
    assert "Traceback" not in capfd.readouterr().err


class Slow:
    """Makes a model's reading last until it is stopped, or until ``over``."""

    def __init__(self, model, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.over = threading.Event(), threading.Event()
        read = model.read

        def slow(**given):
            if not self.over.is_set():
                self.begun.set()
            while not self.over.wait(0.02):
                checkpoint()
            return read(**given)

        monkeypatch.setattr(model, "read", slow)


def test_an_analysis_can_be_stopped(server, model, monkeypatch):
    slow = Slow(model, monkeypatch)
    with browsing(server.url) as page:
        with answering(page):
            page.locator("#hff-examples").get_by_role("button", name="Clip", exact=True).click()
            assert slow.begun.wait(60)
            assert not page.is_visible("#hff-analyse")
            page.click("#hff-stop")
        assert texts.STOPPED_TITLE in page.inner_text("#hff-answer")
        assert page.is_visible("#hff-analyse")
        assert not page.is_visible("#hff-stop")
        slow.over.set()
        assert analyse(page)


def test_the_newest_analysis_asked_for_is_the_one_that_is_shown(server, model, monkeypatch):
    slow = Slow(model, monkeypatch)
    with browsing(server.url) as page:
        page.locator("#hff-examples").get_by_role("button", name="Clip", exact=True).click()
        assert slow.begun.wait(60)
        slow.over.set()
        choose_example(page, "Sentence")
        assert page.inner_text(".hff-source") == texts.REPORT_TYPED
        assert page.locator("[data-testid=toast-body]").count() == 0


def test_a_report_names_its_source_and_is_greyed_when_something_else_is_chosen(server, model):
    with browsing(server.url) as page:
        choose_example(page, "Clip")
        assert "clip.mp4" in page.inner_text(".hff-source")
        assert "6.0 s" in page.inner_text(".hff-source")
        assert page.locator(".hff-source img").count() == 1
        assert page.evaluate(OPACITY) == "1"
        page.uncheck("#hff-transcribe input")  # the same clip, of which no words would be recognised
        wait_until_grey(page)
        page.check("#hff-transcribe input")
        page.wait_for_function(f"{OPACITY} === '1'")
        page.fill("#hff-text textarea", "Something else")
        wait_until_grey(page)
        analyse(page)
        page.wait_for_function(f"{OPACITY} === '1'")
        page.uncheck("#hff-transcribe input")  # nothing is recognised beside typed words
        page.wait_for_timeout(500)
        assert page.evaluate(OPACITY) == "1"


def test_what_is_changed_while_an_analysis_runs_greys_its_report(server, model, monkeypatch):
    slow = Slow(model, monkeypatch)
    with browsing(server.url) as page:
        with answering(page):
            page.locator("#hff-examples").get_by_role("button", name="Clip", exact=True).click()
            assert slow.begun.wait(60)
            page.fill("#hff-text textarea", "Something else")
            page.wait_for_selector("#hff-status :text('video and typed words')")
            assert page.evaluate(OPACITY) == "1"
            slow.over.set()
        wait_until_grey(page)
        assert "video and typed words" in page.inner_text("#hff-status")
        model.answer = InputError("The file clip.mp4 is empty. Record it again.")
        with answering(page):
            page.click("#hff-analyse")
        page.fill("#hff-text textarea", "Once more")
        page.wait_for_selector("#hff-status :text('typed words')")
        page.wait_for_selector(".hff-stale", state="detached")  # there is no report that could be of something else


def test_analyse_waits_for_a_file_that_is_still_on_its_way(server, model):
    with browsing(server.url) as page:
        choose_example(page, "Sentence")
        held = []
        page.route("**/upload*", lambda route: held.append(route))
        page.set_input_files("#hff-video input[type=file]", EXAMPLES_FOLDER / "clip.mp4")
        page.wait_for_selector("#hff-video .uploading")
        with answering(page):
            page.click("#hff-analyse")
            page.wait_for_selector("#hff-analyse[data-held]")
            held[0].continue_()
        assert [Path(call["video"] or "").name for call in model.calls] == ["", "clip.mp4"]


def test_typed_markup_stays_text(server, model):
    with browsing(server.url) as page:
        page.fill("#hff-text textarea", "<img src=x onerror=\"document.title='taken'\">")
        page.wait_for_selector("#hff-status :text('Will read: typed words')")
        analyse(page)
        page.wait_for_selector("#hff-timeline svg")
        assert page.title() == texts.TITLE
        assert page.locator("#hff-report img[src=x]").count() == 0


OPACITY = "getComputedStyle(document.getElementById('hff-report-column')).opacity"


def wait_until_grey(page) -> None:
    page.wait_for_selector(f"#hff-status :text('{texts.STALE}')")
    page.wait_for_function(f"Number({OPACITY}) < 1")
