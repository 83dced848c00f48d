"""The page's behaviour and looks in a real browser, with a made-up model that answers at once."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from hff.cancel import checkpoint
from hff.config import SPEECH_ENCODERS, HFFConfig
from hff.errors import InputError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.locale import texts
from hff.moment import moment_of, shown_of, weightiest
from hff.page.clip import clip_view
from hff.page.clip.attention_map import map_name
from hff.page.clip.inputs import status_line
from hff.result import Result
from hff.weights import preferred_config
from tests.support.page_browser import (
    FakeModel,
    analyse,
    answering,
    browsing,
    choose_example,
    download,
    open_fold,
    open_section,
    outside,
)
from tests.support.page_fixtures import make_result

pytestmark = pytest.mark.browser


@pytest.fixture
def model(server) -> FakeModel:
    model = server.engine.model()
    model.calls.clear()
    model.analysed.clear()
    model.answer = None
    return model


def test_the_answer_is_seen_without_scrolling_on_a_small_laptop(server, model):
    model.answer = make_result(6, warnings=["Several faces are in the picture; the largest one is followed."])
    with browsing(server.url) as page:
        assert bottom(page, "#hff-analyse") <= 768
        choose_example(page, "Clip")
        page.wait_for_selector("#hff-timeline svg")
        assert page.evaluate("scrollY") == 0
        for part in ("#hff-emotion", "#hff-gauge-speech", "#hff-gauge-text", "#hff-gauge-vision"):
            assert bottom(page, part) <= 768, part
        assert page.evaluate("parseFloat(getComputedStyle(document.getElementById('hff-emotion')).fontSize)") >= 48
        assert no_sideways_scrolling(page)
        assert model.answer.warnings[0] in page.inner_text("#hff-answer")


def test_a_phone_shows_everything_in_its_width(server, model):
    with browsing(server.url, width=390, height=844) as page:
        choose_example(page, "Clip")
        page.wait_for_selector("#hff-timeline svg")
        assert page.evaluate("document.getElementById('hff-answer').getBoundingClientRect().top") < 844
        assert no_sideways_scrolling(page)
        for name in ("Attention", "Each one alone", "Words", "Keep it"):
            open_section_anyhow(page, name)
            assert no_sideways_scrolling(page), name
        page.get_by_role("tab", name="Model", exact=True).click()
        page.wait_for_selector(".hff-walk-now")
        assert page.is_visible(".hff-narrow")
        assert not page.is_visible(".hff-wide")
        for block in ("speech", "weights", "attention", "classifier"):
            page.click(f".hff-narrow [data-block={block}]")
            assert page.is_visible(f"#hff-part-{block}")
            assert no_sideways_scrolling(page), block


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_in_light_and_dark(server, model, scheme: str):
    with browsing(server.url, scheme=scheme) as page:
        choose_example(page, "Clip")
        page.wait_for_selector("#hff-timeline svg")
        assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
        for part in (
            "#hff-emotion",
            ".hff-sentence",
            ".hff-caution",
            ".hff-note",
            ".hff-sigma span",
            "#hff-analyse",
            "#hff-status p",
            "#hff-timeline svg text",
            "#hff-clear",
            "#hff-title p",
        ):
            assert contrast(page, part) >= 4.5, part
        for part in ("#hff-gauge-speech .hff-arc", "#hff-gauge-text .hff-arc", "#hff-gauge-vision .hff-arc"):
            assert contrast(page, part) >= 3, part


def test_the_button_switches_between_light_and_dark(server, model):
    with browsing(server.url) as page:
        before = page.evaluate("getComputedStyle(document.getElementById('hff-inputs')).backgroundColor")
        page.click("#hff-theme")
        page.wait_for_function(
            "before => getComputedStyle(document.getElementById('hff-inputs')).backgroundColor !== before", arg=before
        )


def test_everything_works_with_the_keyboard(server, model):
    with browsing(server.url) as page:
        press_until(page, "Sentence")
        page.keyboard.press("Enter")
        page.wait_for_selector("#hff-status :text('Will read: typed words')")
        press_until(page, texts.ANALYSE)
        assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
        page.keyboard.press("Enter")
        page.wait_for_selector("#hff-emotion")
        page.wait_for_selector("#hff-timeline svg")
        press_until(page, texts.SECTION_ATTENTION)
        page.keyboard.press("Enter")
        page.wait_for_selector("#hff-layer input")
        press_until(page, None, "#hff-layer input[value='0']")
        page.keyboard.press("Space")
        page.wait_for_selector(f'#hff-attention svg[aria-label*="{map_name(0, None)}"]')


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


def test_the_page_asks_nobody_else_for_anything(server, model):
    with browsing(server.url) as page:
        choose_example(page, "Clip")
        page.wait_for_selector("#hff-timeline svg")
        for name in ("Attention", "Each one alone", "Words", "Keep it"):
            open_section(page, name)
        page.get_by_role("tab", name="Model", exact=True).click()
        page.wait_for_selector(".hff-walk-now")
        open_fold(page, "#hff-measured")
        assert len(page.requests) > 20
        assert outside(page.requests, server.url) == []


def test_the_model_view_draws_the_paper_and_says_its_limits(server, model):
    with browsing(server.url) as page:
        page.get_by_role("tab", name="Model", exact=True).click()
        drawing = page.text_content(".hff-architecture")
        for equations in (
            "(9)–(12)",
            "(13)–(15)",
            "(16)",
            "(17), (18)",
            "(19), (20)",
            "(21)–(23)",
            "(24)–(28)",
            "(29)–(31)",
        ):
            assert equations in drawing
        shipped = preferred_config().speech_encoder
        assert ("(1)–(8)" in drawing) == (shipped == SPEECH_ENCODERS[0])
        title, *_ = texts.BLOCKS.get(f"speech {shipped}") or texts.BLOCKS["speech"]
        assert title.split("\n")[-1] in drawing
        assert "Not for decisions about people" in page.inner_text("#hff-limits")
        assert bottom(page, "#hff-limits") < bottom(page, "#hff-walk")
        assert page.evaluate("document.documentElement.scrollHeight") < 2000, "the tables are folded"
        for part, said in (("#hff-measured", "Calibration"), ("#hff-data", "RAVDESS")):
            assert said not in page.inner_text(part)
            open_fold(page, part)
            assert said in page.inner_text(part)
        page.get_by_role("tab", name="Clip", exact=True).click()
        page.get_by_role("tab", name="Model", exact=True).click()
        page.wait_for_timeout(1000)
        assert "Calibration" in page.inner_text("#hff-measured"), "what was unfolded stays so"


def test_a_walk_through_the_numbers_of_an_example(server, model):
    model.answer = result = make_result(6)
    with browsing(server.url, height=650) as page:
        page.get_by_role("tab", name="Model", exact=True).click()
        assert texts.WALK_NONE.format(clip=texts.TAB_CLIP) in page.inner_text("#hff-walk")
        with answering(page):
            page.click("#hff-walk-example")
        page.wait_for_selector(".hff-walk-now")
        assert "clip.mp4" in page.inner_text("#hff-walk-source")
        assert not page.is_visible("#hff-walk-example")
        at = weightiest(result)
        wanted = weights_at(result, at)
        assert page.locator("#hff-part-weights [data-card] .hff-says").all_inner_texts() == wanted
        # the drawing, the slider and the numbers are on one screen
        page.evaluate("document.getElementById('hff-walk-drawing').scrollIntoView()")
        assert bottom(page, "#hff-part-weights .hff-walk-cards") <= 650
        for block in ("speech", "text", "vision", "align", "uncertainty", "weights", "attention", "time", "classifier"):
            page.click(f".hff-wide [data-block={block}]")
            assert page.locator("[data-part] >> visible=true").evaluate_all("all => all.map(one => one.id)") == [
                f"hff-part-{block}"
            ]
            assert page.get_attribute(f".hff-wide [data-block={block}]", "aria-pressed") == "true"
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        assert page.is_visible("#hff-part-text")
        assert page.evaluate("document.activeElement.dataset.block") == "text"
        ring = "getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth"
        assert page.evaluate(ring) == "6px"
        # another moment: the numbers are its own, and the part that was chosen stays
        page.click(".hff-wide [data-block=weights]")
        page.focus("#hff-moment input[type=range]")
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector(f".hff-walk-now:has-text('Moment {at} of 12')")
        assert page.locator("#hff-part-weights [data-card] .hff-says").all_inner_texts() == weights_at(result, at - 1)
        assert page.is_visible("#hff-part-weights")
        assert no_sideways_scrolling(page)
        page.get_by_role("tab", name="Clip", exact=True).click()
        assert page.inner_text("#hff-emotion").lower() == result.emotion
        assert len(model.calls) == 1


def weights_at(result: Result, number: int) -> list[str]:
    """What the cards of the walk say of the weights, with every modality present."""
    shown = shown_of(moment_of(result, number, HFFConfig()))
    return [f"α {one.alpha}" for one in shown.values()]


OPACITY = "getComputedStyle(document.getElementById('hff-report-column')).opacity"


def wait_until_grey(page) -> None:
    page.wait_for_selector(f"#hff-status :text('{texts.STALE}')")
    page.wait_for_function(f"Number({OPACITY}) < 1")


# ---- measuring ----------------------------------------------------------------------------------------------


def bottom(page, selector: str) -> float:
    return page.evaluate("s => document.querySelector(s).getBoundingClientRect().bottom", selector)


def no_sideways_scrolling(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def open_section_anyhow(page, name: str) -> None:
    """On a narrow screen some tabs are in the overflow menu."""
    tab = page.locator("#hff-sections").get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():
        page.locator("#hff-sections .overflow-menu > button").click()
        tab = page.locator("#hff-sections .overflow-dropdown").get_by_text(name, exact=True)
    tab.click()


def press_until(page, name: str | None, selector: str = "button, [role=tab]") -> None:
    """Press Tab until the focus is on what has this name."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(
            "([name, selector]) => document.activeElement.matches(selector) && "
            "(name === null || document.activeElement.innerText.trim() === name)",
            [name, selector],
        ):
            return
    raise AssertionError(f"the Tab key never reached {name or selector}")


def contrast(page, selector: str) -> float:
    """WCAG contrast of an element's text, fill or stroke with what is painted behind it."""
    return page.evaluate(
        """selector => {
        const rgb = text => { const c = text.match(/[\\d.]+/g).map(Number); return c.length < 4 ? [...c, 1] : c };
        const light = ([r, g, b]) => { const f = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
            return .2126 * f(r) + .7152 * f(g) + .0722 * f(b) };
        const element = document.querySelector(selector), style = getComputedStyle(element);
        const drawn = element instanceof SVGElement;
        const front = rgb(!drawn ? style.color : style.stroke !== 'none' ? style.stroke : style.fill);
        let back = null;
        for (let e = element; e && !back; e = e.parentElement) {
            const c = rgb(getComputedStyle(e).backgroundColor);
            if (c[3] > .9) back = c;
        }
        const [a, b] = [light(front), light(back || [255, 255, 255])].sort((x, y) => y - x);
        return (a + .05) / (b + .05);
        }""",
        selector,
    )
