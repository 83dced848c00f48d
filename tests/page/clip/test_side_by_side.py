"""Two readings side by side: what is said of them, what is kept, and both in a real browser, with a made-up model."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from hff.config import EMOTIONS, MODALITIES
from hff.locale import texts, using
from hff.page.clip.side_by_side import difference_in_words, for_comparison, side_by_side_html
from hff.page.session.sessions import Sessions
from hff.result import Result
from tests.support.page_browser import browsing, choose_example
from tests.support.page_fixtures import make_result


def reading(alpha: tuple[float, ...], emotion: str = "sad", sure: float = 0.6, **changes) -> Result:
    rest = {label: (1 - sure) / (len(EMOTIONS) - 1) for label in EMOTIONS}
    result = make_result(6, [m for m, share in zip(MODALITIES, alpha, strict=True) if share], **changes)
    result.emotion, result.probabilities = emotion, rest | {emotion: sure}
    result.alpha = dict(zip(MODALITIES, alpha, strict=True))
    return result


ALL = (0.5, 0.3, 0.2)


@pytest.mark.parametrize(
    ("kept", "now", "says"),
    [
        (
            reading(ALL),
            reading((0.52, 0.1, 0.38), sure=0.7),
            (
                "The model reads sad in both: 60% in the kept one, 70% now. "
                "No weight α differs more than that of the words: 0.30 in the kept one, 0.10 now."
            ),
        ),
        (
            reading(ALL),
            reading((0.505, 0.305, 0.19), "angry"),
            "The model reads sad (60%) in the kept one and angry (60%) now. No weight α differs by 0.02 or more.",
        ),
        (
            reading((0, 1, 0)),
            reading((0.6, 0, 0.4)),
            (
                "The model reads sad in both: 60% in the kept one, 60% now. Only the kept one has the words. "
                "Only the one read now has the voice and the face."
            ),
        ),
    ],
)
def test_what_differs_is_said_and_true(kept: Result, now: Result, says: str):
    assert difference_in_words(kept, now) == says


def test_it_is_said_in_german():
    with using("de"):
        assert difference_in_words(reading(ALL), reading((0.2, 0, 0.8))).endswith("Nur im Gemerkten gibt es die Worte.")


def test_both_stand_in_the_same_rows_on_one_scale_whatever_their_labels_and_parts():
    kept, now = for_comparison(reading(ALL)), reading((0, 1, 0))
    now.probabilities = {"sad": 0.7, "calm": 0.3}  # of weights with other labels
    now.spread = dict.fromkeys(now.probabilities, 0.1)
    shown = ElementTree.fromstring(re.sub("(<img[^>]*)>", r"\1/>", side_by_side_html(kept, now)))
    one, other = shown.findall(".//article")
    assert [one.get("aria-label"), other.get("aria-label")] == [texts.COMPARE_KEPT, texts.COMPARE_NOW]
    assert len(one) == len(other) == 5 + len(MODALITIES)
    assert [len(part.findall(".//*[@role='row']")) for part in (one, other)] == [len(EMOTIONS), 2]
    assert [part.get("data-alpha") for part in one.findall(".//*[@data-alpha]")] == ["0.50", "0.30", "0.20"]
    assert [part.get("data-alpha") for part in other.findall(".//*[@data-alpha]")] == ["1.00"]
    bars = one.findall(".//*[@data-full]") + other.findall(".//*[@data-full]")
    assert {bar.get("data-full") for bar in bars} == {"1.0000"}
    marks = [re.search("guess:(.+)%", bar.get("style"))[1] for bar in bars]
    assert marks == ["85.71"] * 3 + ["50.00"]
    assert len(other.findall(".//*[@class='hff-side-absent']")) == 2


def test_what_is_kept_has_no_sound_and_one_face():
    whole = reading(ALL)
    kept = for_comparison(whole)
    assert kept.attention is kept.evidence.wave is kept.evidence.mel is None
    assert len(kept.evidence.faces) == 1
    assert len(whole.evidence.faces) > 1
    assert difference_in_words(kept, whole) == difference_in_words(whole, whole)


def test_it_goes_with_the_visit(tmp_path):
    sessions = Sessions(tmp_path)
    session = sessions.of("page")
    sessions.keep_for_comparison(session, for_comparison(whole := reading(ALL)), whole)
    assert session.kept_of() is whole
    sessions.end("page")
    assert session.kept is None
    assert sessions.of("page").kept is None


@pytest.mark.browser
def test_a_kept_clip_stands_beside_the_next_and_goes_with_clear(server):
    with browsing(server.url, width=390, height=844) as page:
        choose_example(page, "Clip")
        page.focus("#hff-keep")
        page.keyboard.press("Enter")
        page.wait_for_selector("#hff-side-by-side :text('Kept for comparison: clip.mp4')")
        page.wait_for_function("document.activeElement.id === 'hff-release'")
        assert page.locator("#hff-keep").count() == 0  # it is kept
        choose_example(page, "Sentence")
        page.wait_for_selector(".hff-side-one")
        kept, now = (box(page, f".hff-side-one >> nth={which}") for which in (0, 1))
        assert kept["y"] + kept["height"] <= now["y"]  # under each other
        assert max(one["x"] + one["width"] for one in (kept, now)) <= 390
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert "Only the kept one has the voice and the face." in page.inner_text(".hff-side-says")
        assert "clip.mp4" in page.inner_text(".hff-side-one >> nth=0")

        page.set_viewport_size({"width": 1366, "height": 768})
        kept, now = (box(page, f".hff-side-one >> nth={which}") for which in (0, 1))
        assert kept["x"] + kept["width"] <= now["x"]
        for part in (".hff-stack-bar", ".hff-bars", ".hff-side-sigma >> nth=2"):
            assert (
                box(page, f".hff-side-one >> nth=0 >> {part}")["y"]
                == box(page, f".hff-side-one >> nth=1 >> {part}")["y"]
            )

        page.click("#hff-release")
        page.wait_for_selector(".hff-side", state="detached")
        page.click("#hff-keep")
        page.wait_for_selector("#hff-release")
        (session,) = [server.sessions.of(key) for key in server.sessions.open]
        assert session.kept is not None
        page.click("#hff-clear")
        page.wait_for_selector(".hff-empty")
        assert page.locator("#hff-keep, #hff-release, .hff-kept-note").count() == 0
        assert session.kept is None


def box(page, selector: str) -> dict:
    return page.locator(selector).bounding_box()
