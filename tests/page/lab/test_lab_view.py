"""The Weighting lab as a teacher uses it, in a real browser, with the trained model behind it."""

from __future__ import annotations

import csv
import io
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from markupsafe import escape
from playwright.sync_api import Error

from hff.config import MODALITIES
from hff.lab.lab import Lab
from hff.lab.lesson_files import load_lessons
from hff.lab.state import Corruption, LabState
from hff.locale import sentence, texts
from hff.page.door.wanted_language import COOKIE
from tests.support.page_browser import browsing, choose_example, outside, real_model

MODEL = real_model  # behind the page of these tests

pytestmark = pytest.mark.browser
LESSONS = load_lessons()
# The photograph and a typed sentence: no recogniser and one face, so that a busy machine keeps up.
QUICK = LabState(source="mixed")


def open_lab(page, state: LabState | None = None, tab: str = texts.LAB_TAB_CORRUPTION) -> None:
    """Open the lab's tab, with what is set up by ``state``'s link."""
    if state is not None:
        go_to(page, f"{page.url.split('?')[0]}?lab={quote(state.to_json())}")
    else:
        page.get_by_role("tab", name=texts.TAB_LAB, exact=True).click()
    page.wait_for_selector("#hff-lab-sentence")
    left(page, tab)


def go_to(page, address: str) -> None:
    """As who types an address, and types it again where a page still being drawn cut the first try off."""
    try:
        page.goto(address)
    except Error as error:
        if "ERR_ABORTED" not in str(error):
            raise
        page.goto(address)


def left(page, tab: str) -> None:
    page.locator("#hff-lab-controls").get_by_role("tab", name=tab, exact=True).click()


def figure(page, modality: str, name: str, when: str = "after") -> str:
    return page.get_attribute(f"#hff-lab-row-{modality} [data-figure={name}] .hff-lab-{when}", "data-value")


def wait_for_figure(page, modality: str, name: str, condition: str) -> None:
    """Until ``condition``, a JavaScript expression of the figure x (NaN where absent), is true."""
    page.wait_for_function(
        f"""() => {{
        const cell = document.querySelector('#hff-lab-row-{modality} [data-figure={name}] .hff-lab-after');
        const x = cell === null ? NaN : parseFloat(cell.dataset.value);
        return {condition};
        }}"""
    )


def slide(page, name: str, steps: int) -> None:
    """Move a slider with the arrow keys, as people do who have no mouse."""
    page.locator(f"{name} input[type=range]").focus()
    for _ in range(abs(steps)):
        page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")


def test_a_lesson_begun_before_the_tab_has_read_its_clip_stays(server):
    """The opening's own reading comes late and must not take the lesson's place."""
    with browsing(server.url) as page:
        page.get_by_role("tab", name=texts.TAB_LAB, exact=True).click()
        left(page, texts.LAB_TAB_LESSONS)
        page.click("#hff-lesson-lights_off")
        page.wait_for_selector("#hff-lab-unknown")
        page.locator("#hff-lesson-guess label").last.click()
        page.click("#hff-lesson-show:not([disabled])")
        page.wait_for_selector("#hff-lab-after")
        page.wait_for_timeout(8000)  # longer than the first reading takes
        assert page.locator("#hff-lab-after").count() == 1
        assert page.get_attribute("#hff-lab-row-vision [data-figure=alpha] .hff-lab-after", "data-value") is not None


@pytest.mark.parametrize("late", ["arrive", "set_up"])
def test_a_lesson_begun_before_the_tab_knows_of_a_new_clip_is_whole(server, late: str):
    """Opening the tab puts the new clip on the bench; a lesson is begun meanwhile, whichever is answered last."""
    with browsing(server.url) as page:
        choose_example(page, "Sentence")
        names = {number: event.fn.__name__ for number, event in server.page.fns.items() if event.fn is not None}
        held, answered = {}, []

        def hold(route) -> None:
            answer, name = route.fetch(), names[route.request.post_data_json["fn_index"]]
            if name in ("arrive", "set_up"):
                held[name] = (route, answer)
            else:
                route.fulfill(response=answer)
                answered.append(name)

        def until(condition) -> None:
            for _ in range(400):
                if condition():
                    return
                page.wait_for_timeout(50)
            raise AssertionError("it never came")

        page.route("**/run/predict", hold)
        page.get_by_role("tab", name=texts.TAB_LAB, exact=True).click()
        page.click("#hff-lesson-lights_off")
        until(lambda: len(held) == 2)
        for name in sorted(held, key=lambda name: name == late):
            route, answer = held[name]
            route.fulfill(response=answer)
            page.wait_for_timeout(500)
        until(lambda: "settle" in answered)
        page.wait_for_timeout(500)
        assert page.locator("[data-lesson=lights_off]").count() == 1
        assert page.is_checked(f"#hff-lesson-on label:has-text('{texts.LESSON_ON_EXAMPLE}') input")
        page.locator("#hff-lesson-guess label").last.click()
        page.click("#hff-lesson-show:not([disabled])")
        page.wait_for_selector("#hff-lab-after")
        assert "I miss my grandmother" in page.inner_text("#hff-lab-evidence-text")  # the example's words


def test_a_link_keeps_the_ear(server):
    with browsing(server.url) as page:
        open_lab(page, LabState(source="voice"), tab=texts.LAB_TAB_MODEL)
        page.locator("#hff-lab-ear").get_by_text("the paper's", exact=True).click()
        page.wait_for_selector(".hff-stacks :text('After · ear: the paper')")
        left(page, texts.LAB_TAB_SHARE)
        page.wait_for_function("() => document.querySelector('#hff-lab-link textarea').value.includes('mfcc-cnn')")
        go_to(page, page.input_value("#hff-lab-link textarea"))
        page.wait_for_selector(".hff-stacks :text('After · ear: the paper')")
        left(page, texts.LAB_TAB_MODEL)
        assert page.locator("#hff-lab-ear label:has-text('paper') input").is_checked()


def test_where_it_looked_stands_before_beside_after(server):
    with browsing(server.url) as page:
        open_lab(page, QUICK.with_severity("vision", 0.5))
        page.check("#hff-lab-explain input")
        page.wait_for_selector("#hff-lab-evidence-vision .hff-lab-after .hff-maps img")
        assert page.locator("#hff-lab-evidence-vision .hff-lab-before .hff-maps img").count() == 1
        assert page.locator("#hff-lab-evidence-text .hff-lab-before mark").count() > 0
        assert texts.EXPLAINED_WORDS in page.inner_text("#hff-lab-shown")
        page.uncheck("#hff-lab-explain input")
        page.wait_for_selector("#hff-lab-shown .hff-maps", state="detached")


def test_every_lesson_asks_first_and_then_shows(server):
    with browsing(server.url) as page:
        open_lab(page, tab=texts.LAB_TAB_LESSONS)
        for number, lesson in enumerate(LESSONS):
            page.click("#hff-lesson-next" if number else f"#hff-lesson-{lesson.key}")
            page.locator("#hff-lesson-card", has_text=lesson.question).wait_for()
            page.locator("#hff-lesson-card", has_text=f"{number + 1} of {len(LESSONS)}").wait_for()
            page.wait_for_selector("#hff-lab-unknown")
            assert page.locator("#hff-lab-after").count() == 0
            assert page.is_disabled("#hff-lesson-show")
            page.locator("#hff-lesson-guess").get_by_text(lesson.choices[0].text, exact=True).click()
            page.click("#hff-lesson-show:not([disabled])")
            page.wait_for_selector("#hff-lesson-answer .hff-lesson-verdict")
            page.wait_for_selector("#hff-lab-after")
            shown = page.inner_text("#hff-lesson-answer")
            assert lesson.watch in shown
            assert lesson.number in shown
            assert texts.LESSON_SURPRISE not in shown
            assert page.inner_text("#hff-lab-sentence") != texts.LAB_SAME
        assert outside(page.requests, server.url) == []


def test_sliders_and_switches_act(server):
    with browsing(server.url) as page:
        open_lab(page, QUICK)
        clean = float(figure(page, "vision", "alpha"))
        page.locator("#hff-lab-vision-kind input").click()
        page.get_by_role("option", name=texts.LAB_CORRUPTION_NAMES["dark"]).click()
        slide(page, "#hff-lab-vision-severity", 18)
        # On its way the slider has passed other severities, which may have been answered too.
        page.locator("#hff-lab-evidence-vision", has_text="lights off, 90%").wait_for()
        wait_for_figure(page, "vision", "alpha", f"x < {0.85 * clean}")
        assert float(figure(page, "vision", "variance")) > 1.3 * float(figure(page, "vision", "variance", "before"))
        assert page.inner_text("#hff-lab-sentence").startswith("α of the face falls")
        assert page.locator("#hff-lab-evidence-vision img").count() == 2
        assert page.input_value("#hff-lab-vision-severity input[type=number]") == "90"

        field = page.locator("#hff-lab-vision-severity input[type=number]")
        for typed, taken in (("101", "100"), ("", "0"), ("-5", "0"), ("60", "60")):
            field.press("ControlOrMeta+a")
            field.press("Delete")
            field.press_sequentially(typed, delay=30)
            field.press("Tab")
            page.wait_for_function("([n, v]) => n.value === v", arg=[field.element_handle(), taken])
        page.locator("#hff-lab-evidence-vision", has_text="lights off, 60%").wait_for()
        assert page.locator(".toast-wrap .error, #hff-lab-right .error").count() == 0

        page.check("#hff-lab-vision-mute input")
        wait_for_figure(page, "vision", "alpha", "isNaN(x)")
        wait_for_figure(page, "text", "alpha", "x === 1")
        assert texts.NO_FACE in page.inner_text("#hff-lab-evidence-vision")

        page.fill("#hff-lab-typed :is(textarea, input)", "What a wonderful surprise")
        page.keyboard.press("Enter")
        page.wait_for_selector("#hff-lab-evidence-text :text('wonderful surprise')")

        page.click("#hff-lab-reset")
        wait_for_figure(page, "vision", "alpha", f"Math.abs(x - {clean}) < 0.001")
        assert page.input_value("#hff-lab-vision-severity input[type=range]") == "0"


_WEIGHTS = "() => [...document.querySelectorAll('[id^=hff-lab-alpha-] input[type=range]')].map(x => +x.value)"


def test_three_weights_always_add_up_to_1(server):
    with browsing(server.url) as page:
        open_lab(page, QUICK, texts.LAB_TAB_MODEL)
        assert not page.is_checked("#hff-lab-by-hand input")
        for modality, steps in (("text", 30), ("vision", -20), ("speech", 9), ("text", -60)):
            slide(page, f"#hff-lab-alpha-{modality}", steps)
            page.wait_for_function(f"() => Math.abs(({_WEIGHTS})().reduce((a, b) => a + b) - 1) < 1e-9")
            page.wait_for_function("() => document.querySelector('#hff-lab-by-hand input').checked")  # moving ticks it
        weights = page.evaluate(_WEIGHTS)
        # There is no voice in this example: its weight goes to the two that are there.
        expected = weights[1] / (weights[1] + weights[2])
        wait_for_figure(page, "text", "alpha", f"Math.abs(x - {expected}) < 0.002")
        said = page.inner_text("#hff-lab-compared")
        assert weights[0] == 0 or texts.LAB_HAND_ABSENT.format(modality="Voice") in said
        shown = page.locator(".hff-stack.hff-lab-after [data-alpha]").evaluate_all("x => x.map(p => +p.dataset.alpha)")
        assert sum(round(100 * weight) for weight in shown) == 100
        assert texts.LAB_HAND_LEFT_OUT.split("}")[1] not in said

        page.uncheck("#hff-lab-by-hand input")
        own = float(figure(page, "text", "alpha", "before"))
        wait_for_figure(page, "text", "alpha", f"Math.abs(x - {own}) < 0.002")
        page.locator("#hff-lab-parts").get_by_label(texts.LAB_PART_NAMES["dynamic_weighting"]).uncheck()
        wait_for_figure(page, "text", "alpha", "Math.abs(x - 0.5) < 0.001")
        assert "Honest note" in page.inner_text("#hff-lab-left")


SHARED = QUICK.but(
    corruption={**QUICK.corruption, "vision": Corruption("cover", 0.6)},
    alpha=(0.0, 0.7, 0.3),
    without=("attention",),
    text="Nobody came to my party",
    samples=8,
)


def test_a_link_and_a_file_open_the_same_state_elsewhere(server, tmp_path: Path):
    with browsing(server.url) as page:
        open_lab(page, SHARED, texts.LAB_TAB_SHARE)
        sentence = page.inner_text("#hff-lab-sentence")
        assert page.input_value("#hff-lab-link textarea") == f"{server.url}?lab={quote(SHARED.to_json(), safe='')}"
        with page.expect_download() as waiting:
            page.click("#hff-lab-save:not([disabled])")
        kept = Path(waiting.value.path()).read_text(encoding="utf-8")
        assert LabState.from_json(kept) == SHARED
        with page.expect_download() as waiting:
            page.click("#hff-lab-worksheet:not([disabled])")
        sheet = Path(waiting.value.path()).read_text(encoding="utf-8")
        assert "Nobody came to my party" in sheet
        assert "src=" not in sheet
        assert "http" not in sheet
        address = page.input_value("#hff-lab-link textarea")

    (tmp_path / "state.json").write_text(kept, encoding="utf-8")
    with browsing(address) as page:
        page.wait_for_selector("#hff-lab-sentence")
        assert page.inner_text("#hff-lab-sentence") == sentence
        assert page.input_value("#hff-lab-vision-severity input[type=range]") == "60"
        page.click("#hff-lab-reset")
        page.wait_for_function("s => document.getElementById('hff-lab-sentence').innerText !== s", arg=sentence)
        left(page, texts.LAB_TAB_SHARE)
        with page.expect_file_chooser() as choosing:
            page.click("#hff-lab-open")
        choosing.value.set_files(tmp_path / "state.json")
        page.wait_for_function("s => document.getElementById('hff-lab-sentence').innerText === s", arg=sentence)


def test_a_bad_link_and_a_missing_clip_are_told(server):
    with browsing(server.url) as page:
        go_to(page, f"{server.url}?lab={quote('{}x')}")
        page.wait_for_selector("#hff-lab-compared :text('not readable')")
        go_to(page, f"{server.url}?lab={quote(LabState().to_json())}")
        page.locator("#hff-lab-compared", has_text=texts.LAB_NO_CLIP).wait_for()


def test_a_clip_that_was_read_lies_on_the_bench(server):
    with browsing(server.url) as page:
        page.get_by_role("tab", name=texts.TAB_CLIP, exact=True).click()
        emotion = choose_example(page, "Sentence")
        page.get_by_role("tab", name=texts.TAB_LAB, exact=True).click()
        page.wait_for_selector("#hff-lab-sentence")
        assert page.inner_text("#hff-lab-before").lower() == emotion
        left(page, texts.LAB_TAB_SHARE)
        assert page.input_value("#hff-lab-link textarea") == texts.SHARE_NO_LINK


def test_a_sweep_draws_as_it_goes_stops_and_keeps_its_data(server, monkeypatch):
    sweep, stopped = Lab.sweep, threading.Event()

    def unfinished(*given):
        for number, point in enumerate(sweep(*given)):
            if number == 5:
                stopped.wait(120)  # a page that is slow to draw must find something to stop
            yield point

    monkeypatch.setattr(Lab, "sweep", unfinished)
    with browsing(server.url) as page:
        open_lab(page, QUICK.but(samples=128))
        page.locator("#hff-lab-views").get_by_role("tab", name=texts.LAB_TAB_SWEEP).click()
        page.click("#hff-sweep-start")
        page.wait_for_function("() => +document.querySelector('.hff-sweep').dataset.points >= 3")
        page.click("#hff-sweep-stop")
        page.wait_for_selector("#hff-sweep-data:not([disabled])")
        stopped.set()
        drawn = int(page.get_attribute(".hff-sweep", "data-points"))
        assert drawn >= 3
        with page.expect_download() as waiting:
            page.click("#hff-sweep-data")
        rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8"))))
        assert abs(len(rows) - drawn) <= 1  # one may be on its way when Stop is pressed
        assert {"severity", "alpha_vision", "variance_vision", "p_happy"} <= set(rows[0])
        assert [float(row["severity"]) for row in rows] == pytest.approx([0.05 * i for i in range(len(rows))])
        for row in rows:
            assert sum(float(row[f"alpha_{m}"]) for m in MODALITIES) == pytest.approx(1, abs=1e-5)


def lesson_shown(page, key: str, hands: tuple[int, ...] = ()) -> None:
    """Guess the last choice, or enter the hands of a class, and show what happens."""
    page.locator(f"[data-lesson={key}]").wait_for()
    page.wait_for_selector("#hff-lab-unknown")
    for number, count in enumerate(hands):
        if not number:
            page.locator("#hff-lesson-tally button").first.click()
        page.fill(f"#hff-lesson-hands-{number} input", str(count))
        page.keyboard.press("Tab")
    if not hands:
        page.locator("#hff-lesson-guess label").last.click()
    page.click("#hff-lesson-show:not([disabled])")
    page.wait_for_selector("#hff-lab-after")


def test_a_lesson_has_an_address_counts_hands_and_leads_on(server):
    with browsing(f"{server.url}?lesson=lights_off") as page:
        page.wait_for_selector("#hff-lab-unknown")
        assert page.locator("#hff-lab-after").count() == 0
        lesson_shown(page, "lights_off", hands=(3, 0, 9))
        votes = page.locator(".hff-lesson-votes [data-hands]")
        assert votes.evaluate_all("x => x.map(vote => +vote.dataset.hands)") == [3, 0, 9]
        assert "✓" in votes.last.inner_text()
        page.wait_for_function("() => document.activeElement.id === 'hff-lab-sentence'")

        page.click("#hff-lesson-next")  # the next one waits for a guess, whatever was shown before
        page.locator("[data-lesson=radio_on]").wait_for()
        page.wait_for_selector("#hff-lab-unknown")
        page.wait_for_function("() => location.search === '?lesson=radio_on'")
        page.go_back()
        page.locator("[data-lesson=lights_off]").wait_for()
        page.wait_for_selector("#hff-lab-unknown")
        page.get_by_role("tab", name=texts.TAB_MODEL, exact=True).first.click()
        page.wait_for_function("() => location.hash === '#model'")
        page.reload()
        page.wait_for_selector("#hff-views [role=tab][data-tab-id=model][aria-selected=true]")
        page.go_back()
        page.locator("[data-lesson=lights_off]").wait_for()
        page.wait_for_selector("#hff-views [role=tab][data-tab-id=lab][aria-selected=true]")

        lesson_shown(page, "lights_off")
        page.click("#hff-lesson-then-sweep")
        page.wait_for_function("() => +document.querySelector('.hff-sweep')?.dataset.points >= 2")


def test_lessons_on_ones_own_clip_ask_only_about_what_is_there(server):
    with browsing(server.url) as page:
        open_lab(page, tab=texts.LAB_TAB_LESSONS)
        page.locator("#hff-lesson-on").get_by_text(texts.LESSON_ON_CLIP, exact=True).click()
        page.locator("#hff-lesson-card", has_text=texts.LAB_NO_CLIP).wait_for()
        assert page.is_disabled("#hff-lesson-lights_off")
        page.get_by_role("tab", name=texts.TAB_CLIP, exact=True).first.click()
        choose_example(page, texts.EXAMPLES["mixed"][0])
        page.get_by_role("tab", name=texts.TAB_LAB, exact=True).first.click()
        page.locator(".hff-lesson-reasons").wait_for()
        left(page, texts.LAB_TAB_LESSONS)
        assert page.is_disabled("#hff-lesson-radio_on")  # there is no voice in it
        needs = sentence("LESSON_OBSTACLE_lacks", title="Radio on", the="the voice")
        assert needs in page.inner_text("#hff-lesson-card")
        page.click("#hff-lesson-lights_off:not([disabled])")
        lesson = next(lesson for lesson in LESSONS if lesson.key == "lights_off")
        page.locator("#hff-lesson-card", has_text=lesson.question_own).wait_for()
        page.wait_for_selector("#hff-lab-unknown")
        page.locator("#hff-lesson-on").get_by_text(texts.LESSON_ON_EXAMPLE, exact=True).click()
        page.locator("#hff-lesson-card", has_text=lesson.question).wait_for()
        page.wait_for_timeout(1000)
        assert page.locator("#hff-lab-after").count() == 0  # another source, still no guess
        page.locator("#hff-lesson-on").get_by_text(texts.LESSON_ON_CLIP, exact=True).click()
        page.locator("#hff-lesson-card", has_text=lesson.question_own).wait_for()
        lesson_shown(page, "lights_off")
        on = page.locator("#hff-lesson-on")
        for choice in (texts.LESSON_ON_EXAMPLE, texts.LESSON_ON_CLIP, texts.LESSON_ON_EXAMPLE):
            on.get_by_text(choice, exact=True).click()
        page.locator("#hff-lesson-card", has_text=lesson.question).wait_for()
        page.wait_for_timeout(1000)
        assert on.get_by_label(texts.LESSON_ON_EXAMPLE, exact=True).is_checked()  # the last press counts


def test_all_worksheets_come_in_one_file(server):
    with browsing(server.url) as page:
        open_lab(page, tab=texts.LAB_TAB_SHARE)
        with page.expect_download() as waiting:
            page.click("#hff-lab-all")
        sheet = Path(waiting.value.path()).read_text(encoding="utf-8")
        for lesson in LESSONS:
            assert sheet.count(f"<h1>{escape(lesson.title)}</h1>") == 1
        assert sheet.count('class="answers"') == len(LESSONS)


@pytest.mark.parametrize(("width", "height"), [(1366, 650), (1280, 720), (1920, 1080)])
def test_a_lesson_is_seen_without_scrolling(server, width: int, height: int):
    with browsing(f"{server.url}?lesson=stranger", width, height) as page:
        lesson_shown(page, "stranger")
        for part in (
            "#hff-lab-sentence",
            ".hff-stack.hff-lab-after",
            "#hff-lab-chain",
            "#hff-lab-row-vision",
            "#hff-lab-evidence-vision",
            "#hff-lesson-then",
        ):
            bottom = page.evaluate("s => document.querySelector(s).getBoundingClientRect().bottom", part)
            assert bottom <= height, part
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.click("#hff-lesson-next")  # the one that says most
        page.wait_for_selector("#hff-lab-unknown")
        edges = "(({left, right}) => [left, right])(document.getElementById('hff-lab').getBoundingClientRect())"
        asked = page.evaluate(edges)
        lesson_shown(page, "contradiction")
        assert page.evaluate("document.documentElement.scrollHeight") <= height
        assert page.evaluate(edges) == asked, "nothing jumps aside as the answer comes"


def test_a_lesson_fits_a_low_screen_in_german(server):
    """Its sentences are longer: the one with the longest about what changed."""
    with browsing(server.url, 1366, 650) as page:
        page.context.add_cookies([{"name": COOKIE, "value": "de", "url": server.url}])
        go_to(page, f"{server.url}?lesson=stranger")
        lesson_shown(page, "stranger")
        assert page.get_attribute("html", "lang") == "de"
        assert page.evaluate("document.documentElement.scrollHeight") <= 650


def test_a_lesson_on_ones_own_clip_fits_a_low_screen_and_says_what_to_look_at(server):
    lesson = next(lesson for lesson in LESSONS if lesson.key == "can_you_fool_it")
    with browsing(server.url, 1366, 650) as page:
        choose_example(page, texts.EXAMPLES["covered"][0])
        page.get_by_role("tab", name=texts.TAB_LAB, exact=True).first.click()
        page.wait_for_selector("#hff-lesson-on label:nth-child(2).selected")
        page.click("#hff-lesson-can_you_fool_it:not([disabled])")
        lesson_shown(page, "can_you_fool_it")
        assert page.evaluate("document.documentElement.scrollHeight") <= 650
        told = page.inner_text("#hff-lesson-answer")
        assert lesson.watch_own in told
        assert lesson.watch not in told
        assert page.locator(".hff-lesson-equation sub").all_inner_texts() == ["t", "t"]
        # the switch that stands beside the tabs is over nothing
        page.check("#hff-lab-explain input")
        page.wait_for_selector("#hff-lab-evidence-vision .hff-maps img")


@pytest.mark.parametrize("width", [683, 990, 1000, 1100])  # 683 is 200 % zoom of a laptop's screen
def test_the_table_is_no_wider_than_its_card(server, width: int):
    with browsing(f"{server.url}?lesson=radio_on", width, 700) as page:
        lesson_shown(page, "radio_on")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        right = "s => document.querySelector(s).getBoundingClientRect().right"
        last = ".hff-lab-table th[scope=col]:last-child"
        assert page.evaluate(right, last) <= page.evaluate(right, "#hff-lab-compared") - 8
        for bar in page.locator(".hff-stack-bar").all():
            widest = bar.locator(".hff-stack-part").evaluate_all(
                "all => all.reduce((a, b) => a.dataset.alpha - b.dataset.alpha > 0 ? a : b).dataset.alpha"
            )
            assert name_seen(bar.locator(f"[data-alpha='{widest}']").first), (
                "where there is room its name is in the bar"
            )


def name_seen(part) -> bool:
    return part.evaluate(
        "part => { const name = part.querySelector('i').getBoundingClientRect(), own = part.getBoundingClientRect();"
        " return name.width > 0 && name.top >= own.top && name.bottom <= own.bottom && name.right <= own.right }"
    )


@pytest.mark.parametrize(("width", "height"), [(390, 844), (683, 325), (900, 700)])  # a phone; 200 % zoom; a tablet
def test_the_lab_is_no_wider_than_the_screen(server, width: int, height: int):
    with browsing(f"{server.url}?lesson=radio_on", width, height) as page:
        lesson_shown(page, "radio_on")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        wide = page.locator("#hff-lab *:visible").evaluate_all(
            "all => all.filter(e => !e.closest('.hff-lab-table')"
            " && e.getBoundingClientRect().right > innerWidth + 1).length"
        )
        assert wide == 0


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_the_table_is_seen_without_scrolling(server, width: int, height: int):
    with browsing(server.url, width, height) as page:
        open_lab(page, QUICK.with_severity("vision", 0.8))
        for part in (
            "#hff-lab-sentence",
            "#hff-lab-row-vision",
            "#hff-lab-vision-severity",
            "#hff-lab-evidence-vision",
        ):
            bottom = page.evaluate("s => document.querySelector(s).getBoundingClientRect().bottom", part)
            assert bottom <= height, part
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_address_of_what_there_is_not_says_so(server):
    with browsing(f"{server.url}?lesson=nonsense") as page:
        for asked in ("?lesson=nonsense", "?lab=xyz"):
            go_to(page, f"{server.url}{asked}")
            page.wait_for_selector("#hff-lab-compared .hff-error")
            page.wait_for_timeout(2000)  # in which the tab's own first reading would have come
            assert page.is_visible("#hff-lab-compared .hff-error")


def test_a_question_that_nobody_asks_any_more_is_not_left_standing(server):
    with browsing(f"{server.url}?lesson=lights_off") as page:
        page.wait_for_selector("#hff-lab-unknown")
        assert page.evaluate("document.activeElement.id") in ("", "hff-lesson-question")
        page.locator("#hff-lesson-on label").nth(1).click()  # there is no clip of the visitor's
        page.wait_for_selector("#hff-lab-unknown", state="detached")
        assert texts.LAB_EMPTY in page.inner_text("#hff-lab-compared")
        page.locator("#hff-lesson-on label").nth(0).click()
        button = page.locator("#hff-lesson-lights_off:not([disabled])")
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#hff-lab-unknown")
        page.wait_for_function("document.activeElement.id === 'hff-lesson-question'")
