"""The page's looks in a real browser, and what it shows of the model, with a made-up model that answers at once."""

from __future__ import annotations

import pytest

from hff.config import SPEECH_ENCODERS, HFFConfig
from hff.locale import texts
from hff.moment import moment_of, shown_of, weightiest
from hff.page.clip.attention_map import map_name
from hff.result import Result
from hff.weights import preferred_config
from tests.support.page_browser import (
    answering,
    browsing,
    choose_example,
    open_fold,
    open_section,
    outside,
)
from tests.support.page_fixtures import make_result

pytestmark = pytest.mark.browser


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


def test_the_timeline_is_seen_whole_at_twice_the_size(server, model):
    """200 % zoom of a laptop's screen; on a phone it scrolls in its own box."""
    with browsing(server.url, width=683, height=325) as page:
        choose_example(page, "Clip")
        page.wait_for_selector("#hff-timeline svg")
        assert page.evaluate(
            "(b => b.scrollWidth <= b.clientWidth)(document.querySelector('#hff-timeline .hff-scroll'))"
        )
        assert no_sideways_scrolling(page)


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
