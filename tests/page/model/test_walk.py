"""The walk through the numbers, as HTML: what is shown is true, works out, and says what is absent."""

from __future__ import annotations

import html
import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hff import weights
from hff.config import MODALITIES, HFFConfig
from hff.locale import texts, using
from hff.moment import weightiest
from hff.page.blocks import build_page
from hff.page.live.hub import LiveHub
from hff.page.model.architecture import parts
from hff.page.model.measured import accuracy_sentence, load_measured
from hff.page.model.walk import Story, drawing_html, parts_html
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.result import Result, Transcript
from tests.support.page_browser import FakeModel
from tests.support.page_fixtures import make_result

CONFIG = HFFConfig(speech_encoder="whisper")
SUBSETS = [MODALITIES, ("text", "vision"), ("speech",)]


def story(result: Result, number: int = 0, config: HFFConfig = CONFIG) -> Story:
    return Story(config, result, number)


def shown_part(shown: str, key: str) -> str:
    """What belongs to one part of the drawing."""
    return shown.split(f'data-part="{key}"')[1].split("</section>")[0]


def words_of(shown: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown)))


def sums_in(shown: str) -> list[tuple[str, str]]:
    """(what is worked out, what it gives), of every sum."""
    return re.findall(r"<dd>(.*?) = <strong>(.*?)</strong></dd>", shown)


def worked_out(text: str) -> Decimal:
    """A sum as it is printed: "0.79 × 3.2", "1 / (0.30 + 0.01)", "0.14 − 0.02"."""
    if found := re.fullmatch(r"(\S+) / \((.*)\)", text):
        return Decimal(found[1]) / worked_out(found[2])
    if found := re.fullmatch(r"(\S+) ([/×]) (\S+)", text):
        one, other = Decimal(found[1]), Decimal(found[3])
        return one / other if found[2] == "/" else one * other
    total = Decimal(0)
    for sign, figure in re.findall(r"([+−]?)\s*(\d+(?:\.\d+)?)", text):
        total += -Decimal(figure) if sign == "−" else Decimal(figure)
    return total


@pytest.mark.parametrize("there", SUBSETS, ids="+".join)
def test_every_sum_on_the_page_works_out(there: tuple[str, ...]):
    result = make_result(8, there)
    for number in range(len(result.timeline.times)):
        shown = parts_html(CONFIG, story(result, number))
        sums = sums_in(shown)
        count = int(result.timeline.present[number].sum())
        assert len(sums) >= count * (3 + 2 + 1)  # the weights, the uncertainty, the attention
        for text, gives in sums:
            figure = Decimal(gives)
            assert worked_out(text).quantize(figure, ROUND_HALF_UP) == figure, text


def test_the_weights_are_those_of_the_reading():
    result = make_result(8)
    shown = shown_part(parts_html(CONFIG, story(result, 5)), "weights")
    for card, alpha in zip(shown.split("data-card=")[1:], result.timeline.alpha[5], strict=True):
        said = Decimal(re.search(r"α ([\d.]+)</span>", card)[1])
        assert abs(said - Decimal(float(alpha))) <= Decimal("0.51").scaleb(said.as_tuple().exponent)
        assert sums_in(card)[-1][1] == str(said)
    told = words_of(shown)
    assert texts.WEIGHTS_STRANGE in told
    assert texts.WEIGHTS_STRANGE not in words_of(
        parts_html(HFFConfig(bounded=False), story(result, 5, HFFConfig(bounded=False)))
    )


def test_what_is_absent_is_drawn_as_absent_and_not_as_nothing():
    result = make_result(8, ("text", "vision"))
    shown, drawn = parts_html(CONFIG, story(result, 2)), drawing_html(CONFIG, story(result, 2))
    for key in ("align", "uncertainty", "weights", "attention"):
        card = shown_part(shown, key).split('data-card="speech"')[1].split("data-card=")[0]
        assert texts.WALK_ABSENT_HERE in words_of(card), key
        assert sums_in(card) == []
    assert texts.WALK_ABSENT_HERE in words_of(shown_part(shown, "speech"))
    assert f">{texts.WALK_WEIGHT_ABSENT.format(modality='Voice')}<" in drawn
    assert "hff-block-absent" in drawn.split('data-block="speech"')[0].rsplit("<g", 1)[1]
    assert re.findall(r'hff-band ([\w -]*hff-speech)"', drawn) == []
    assert drawn.count("hff-band hff-nothing") == 2 * 2  # in both drawings: to the alignment, and from the weights


def test_bands_are_as_wide_as_the_weight():
    result = make_result(8)
    for kind, along in (("wide", 1), ("narrow", 0)):
        drawing = drawing_html(CONFIG, story(result, 5)).split(f"hff-{kind}")[1].split("</svg>")[0]
        widths = {}
        for style, path in re.findall(r'<path class="hff-band ([\w-]+)" d="(M[^"]*Z)"', drawing):
            places = [float(part) for part in re.findall(r"-?[\d.]+", path)]
            widths.setdefault(style, []).append(abs(places[-2 + along] - places[along]))
        full = widths["hff-others"][0]
        alphas = [widths[f"hff-{m}"][0] / full for m in MODALITIES]
        np.testing.assert_allclose(alphas, result.timeline.alpha[5], atol=0.004)
        assert widths["hff-flow"][0] == full
        assert widths["hff-flow"][1] / full == pytest.approx(result.timeline.beta[5], abs=0.004)


def test_every_block_is_a_button_and_has_its_part():
    result = make_result(8)
    for told in (None, story(result, 3)):
        drawings = drawing_html(CONFIG, told).split("<svg")[1:]
        shown = parts_html(CONFIG, told)
        keys = [part.key for part in parts(CONFIG)]
        for drawing in drawings:
            blocks = re.findall(r'<g class="hff-block[^>]*role="button"[^>]*data-block="(\w+)"[^>]*>', drawing)
            assert blocks == keys
            assert drawing.count('aria-pressed="true"') == drawing.count('tabindex="0"') == 1
            assert re.findall(r'aria-controls="hff-part-(\w+)"', drawing) == keys
        assert re.findall(r'id="hff-part-(\w+)"', shown) == keys
        assert shown.count("<section") - shown.count(" hidden>") == 1


def test_a_sentence_says_where_one_is():
    result = make_result(8)
    drawn = drawing_html(CONFIG, story(result, 4))
    assert re.search(r'role="status">Moment 5 of 16, from 2.0 s to 2.5 s\. With what came before', drawn)
    for values in (result.timeline.present, result.timeline.alpha):
        values[4] = 0
    empty = story(result, 4)
    assert texts.WALK_EMPTY in words_of(drawing_html(CONFIG, empty))
    assert texts.WALK_EMPTY in words_of(shown_part(parts_html(CONFIG, empty), "weights"))
    assert sums_in(parts_html(CONFIG, empty)) == []


def test_what_goes_in_is_what_was_there_at_the_moment():
    result = make_result(8)
    shown = parts_html(CONFIG, story(result, 4))
    marked = re.findall(r"<mark>(\w+)</mark>", shown_part(shown, "text"))
    assert marked == [w.text for w in result.transcript.words if w.start < 2.5 and w.end > 2]
    faces = [face for face in result.evidence.faces if 2 <= face.time < 2.5]
    assert shown_part(shown, "vision").count("<img") == len(faces)
    assert texts.WALK_VOICED.format(seconds="0.5", length="0.5") in words_of(shown_part(shown, "speech"))
    for key, size in CONFIG.dims.items():
        assert texts.WALK_OUT.format(count=size) in words_of(shown_part(shown, key))


def test_typed_words_and_a_still_picture_belong_to_every_moment():
    result = make_result(3)
    result.transcript = Transcript("I am glad")
    result.timeline.present[:] = True
    result.evidence.faces = result.evidence.faces[:1]
    shown = parts_html(CONFIG, story(result, 5))
    assert texts.WALK_TYPED in words_of(shown_part(shown, "text"))
    assert texts.WALK_STILL in words_of(shown_part(shown, "vision"))
    assert shown_part(shown, "vision").count("<img") == 1


def test_other_weights_than_the_shipped_ones():
    result = make_result(4)
    even = HFFConfig(use_dynamic_weighting=False)
    result.timeline.alpha[:] = result.timeline.alpha0[:] = np.where(result.timeline.present, 1, 0) / np.maximum(
        result.timeline.present.sum(1, keepdims=True), 1
    )
    shown = shown_part(parts_html(even, story(result, 7, even)), "weights")
    assert sums_in(shown) == [("1 / 3", "0.33")] * 3
    assert texts.WEIGHTS_EQUAL.format(count=3) in words_of(shown)
    result.attention = None
    assert texts.ATTENTION_NONE in words_of(shown_part(parts_html(CONFIG, story(result)), "attention"))


def test_of_a_long_clip_only_a_part_of_the_attention_is_there():
    result = make_result(70)
    shown = shown_part(parts_html(CONFIG, story(result, 139)), "attention")
    assert texts.ATTENTION_NOT_KEPT in words_of(shown)
    assert len(sums_in(shown)) == 3


def test_the_answer_is_put_together_from_a_guess_and_the_shapley_values():
    result = make_result(8)
    shown = words_of(shown_part(parts_html(CONFIG, story(result, 3)), "classifier"))
    (said,) = re.findall(r"values\), make the probability of \w+: (.*?) = ([\d.]+)", shown)
    figure = Decimal(said[1])
    assert worked_out(re.sub(r"\(\w+\)", "", said[0])).quantize(figure, ROUND_HALF_UP) == figure
    assert float(figure) == pytest.approx(result.probabilities[result.emotion], abs=0.005)


def test_german_says_it_with_german_numbers():
    with using("de"):
        shown = parts_html(CONFIG, story(make_result(8), 3))
        drawn = drawing_html(CONFIG, story(make_result(8), 3))
    sums = sums_in(shown)
    assert sums
    assert all(re.fullmatch(r"[\d,]+", gives) and "." not in text for text, gives in sums)
    assert re.search(r">Worte 0,\d\d+<", drawn)


def test_the_sentence_on_accuracy_is_the_files():
    metrics = load_measured(weights.folder())
    said = accuracy_sentence(metrics)
    counts = np.array(metrics["confusion"]["matrix"])
    assert f" {100 * np.trace(counts) / counts.sum():.0f} of 100 test clips" in said
    mixed = next(table for table in metrics["tables"] if table["title"] == "Calibration")["rows"][1][1]
    told = re.search(r" (\d+) of 100 where", said)
    assert told
    assert float(told[1]) == pytest.approx(100 * mixed, abs=0.5 + 1e-9)  # a half may be rounded either way
    filmed = metrics["joint_clips"]
    assert f" {sum(clip['truth'] == clip['emotion'] for clip in filmed)} of {len(filmed)} filmed" in said
    assert "filmed" not in accuracy_sentence(metrics | {"joint_clips": []})
    assert accuracy_sentence({}) == accuracy_sentence({"confusion": {}, "reliability": {"bins": []}}) == ""


class Visit:
    """A visitor whose events of the Model view are called as Gradio would."""

    def __init__(self, folder: Path) -> None:
        self.sessions = Sessions(folder)
        engine = Engine(FakeModel)
        page = build_page(engine, self.sessions, LiveHub(engine))
        self.events = {event.fn.__name__: event.fn for event in page.fns.values() if event.fn is not None}
        self.session = self.sessions.of("visit")

    def arrive(self) -> tuple:
        return self.events["_arrive"](SimpleNamespace(session_hash="visit"))

    def show(self, number: float) -> tuple:
        return self.events["_show"](number, SimpleNamespace(session_hash="visit"))

    def analysed(self, seconds: float) -> Result:
        self.session.result, self.session.clip_turn = make_result(seconds), object()
        return self.session.result


def test_the_walk_begins_at_the_weightiest_moment_and_stays_where_it_was(tmp_path: Path):
    visit = Visit(tmp_path)
    source, example, slider, drawing, below = visit.arrive()
    assert texts.WALK_NONE.format(clip=texts.TAB_CLIP) in html.unescape(source)
    assert (example.visible, slider.visible) == (True, False)
    assert sums_in(below) == []
    first = visit.analysed(8)
    source, example, slider, drawing, below = visit.arrive()
    assert "clip.mp4" in source
    assert (example.visible, slider.visible, slider.maximum) == (False, True, 16)
    assert slider.value == weightiest(first) + 1
    assert f"Moment {slider.value} of 16" in drawing
    drawing, below = visit.show(7)
    assert "Moment 7 of 16" in drawing
    assert visit.arrive()[2].value == 7, "the tab was left and opened again"
    second = visit.analysed(4)
    slider = visit.arrive()[2]
    assert (slider.value, slider.maximum) == (weightiest(second) + 1, 8)
    assert "Moment 8 of 8" in visit.show(16)[0], "what is beyond the end is the end"


def test_a_clip_of_one_moment_needs_no_slider(tmp_path: Path):
    visit = Visit(tmp_path)
    visit.analysed(0.5)
    _, _, slider, drawing, _ = visit.arrive()
    assert slider.visible is False
    assert "Moment 1 of 1" in drawing
