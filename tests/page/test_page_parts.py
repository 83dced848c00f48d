"""What the page draws and keeps, without a browser: fragments, figures, report files, sessions, engine."""

from __future__ import annotations

import io
import json
import re
import threading
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hff.config import EMOTIONS, MODALITIES, HFFConfig
from hff.examples.make import ACTOR_CLIPS
from hff.examples.ready import EXAMPLES, EXAMPLES_FOLDER
from hff.locale import languages, texts, using
from hff.page.blocks import build_page
from hff.page.clip import report
from hff.page.clip.attention_map import chosen_map
from hff.page.clip.series import MAX_COLUMNS, spans, thinned_columns
from hff.page.clip.timeline import timeline_figure
from hff.page.live.hub import LiveHub
from hff.page.model.architecture import architecture_html
from hff.page.model.measured import load_measured, metrics_html
from hff.page.model.recorded import said
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.page.shared import cards, effects
from hff.page.shared.amounts import SIGMA_FULL, percent
from hff.page.shared.drawing import svg
from hff.page.shared.theme import PRINT
from hff.result import Transcript
from tests.support.page_browser import FakeModel
from tests.support.page_fixtures import make_result


class _Balance(HTMLParser):
    """Fails on tags that are not closed in order."""

    VOID = frozenset({"meta", "br", "img", "input", "link", "path", "rect", "line", "image", "use"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def words_of(markup: str) -> str:
    parser = _Balance()
    parser.feed(str(markup))  # Markup would escape what is added to it
    assert parser.open == []
    return parser.text.replace("\u00a0", " ")


SITUATIONS = {
    "all": {},
    "only words": {"seconds": 0.5, "there": ("text",)},
    "only a face": {"seconds": 0.5, "there": ("vision",)},
    "only a voice": {"there": ("speech",)},
    "twenty minutes": {"seconds": 1200.0},
}


@pytest.fixture(scope="module", params=SITUATIONS)
def result(request):
    situation = SITUATIONS[request.param]
    return make_result(**situation)


def test_the_headline_and_gauges_say_what_the_result_says(result):
    shown = words_of(cards.headline(result) + cards.gauges(result))
    assert result.emotion in shown
    assert f"{100 * result.probabilities[result.emotion]:.0f}%" in shown
    for name in MODALITIES:
        gauge = re.sub("<[^>]*>", " ", cards.gauges(result).split(f'id="hff-gauge-{name}"')[1].split("hff-gauge ")[0])
        if result.present[name]:
            assert f"{result.alpha[name]:.2f}" in gauge
            assert f"σ² {result.variance[name]:.2f}" in gauge
        else:
            assert texts.ABSENT in gauge
            assert texts.ABSENT_REASON[name] in gauge


def test_the_report_page_needs_nothing_but_itself(result):
    page = report.html_page(result)
    assert result.emotion in words_of(page)
    assert "<script" not in page
    asked = re.findall(r"""(?:src|href)\s*=\s*["']([^"'#]+)|url\(["']?([^"')#]+)""", page)
    assert [a or b for a, b in asked if not (a or b).startswith("data:")] == []
    assert "@import" not in page
    references = set(re.findall(r'(?:href="|url\()#([\w-]+)', page))
    names = re.findall(r' id="([\w-]+)"', page)
    assert references <= set(names)
    assert len(names) == len(set(names)), "two things on one page have the same name"
    assert len(page) < 6_000_000


def test_the_files_to_keep_hold_the_result(result):
    assert json.loads(report.json_text(result))["probabilities"] == pytest.approx(result.probabilities)
    picture = Image.open(io.BytesIO(report.png_bytes(result)))
    assert min(picture.size) > 1000
    corner = picture.convert("RGB").getpixel((2, 2))
    assert corner == (255, 255, 255)


def test_hostile_words_are_shown_as_text():
    hostile = "<script>alert(1)</script><b>"
    made = make_result(6, warnings=[hostile], transcript=Transcript(hostile, []), file=f"{hostile}.mp4")
    page = report.html_page(made)
    assert "<script" not in page
    assert hostile in words_of(page)


def test_the_sentence_about_uncertainty_follows_the_figures():
    sure = make_result(2, probabilities=dict.fromkeys(EMOTIONS, 0.01) | {"sad": 0.94}, emotion="sad")
    sure.spread = dict.fromkeys(EMOTIONS, 0.001)
    assert "quite sure: sad 94%, give or take less than a point" in words_of(cards.uncertainty_sentence(sure))
    lost = make_result(2, probabilities=dict.fromkeys(EMOTIONS, 0.14) | {"sad": 0.16}, emotion="sad")
    lost.spread = dict.fromkeys(EMOTIONS, 0.031)
    assert "close to guessing: sad 16%, give or take 3 points" in words_of(cards.uncertainty_sentence(lost))
    assert [words_of(percent(p)) for p in (0, 0.001, 0.5, 0.999, 1)] == [
        "0%",
        "under 1%",
        "50%",
        "over 99%",
        "100%",
    ]


def test_shapley_values_add_up_to_the_answer_and_keep_their_sign():
    made = make_result(4, emotion="happy", shapley={"speech": 0.31, "text": -0.08, "vision": None})
    made.present["vision"] = False
    shown = words_of(effects.shapley(made))
    assert "+31.0 points" in shown
    assert "−8.0 points" in shown
    assert "14.3% for a blind guess + 23.0 = 37.3% for happy" in shown


def test_figures_follow_light_and_dark_and_can_stand_side_by_side():
    made = make_result(5)
    first, second = (svg(partial(timeline_figure, made), "timeline") for _ in range(2))
    assert "var(--hff-ink" in first
    assert "#0102" not in first
    assert not re.search(r"https?://(?!www\.w3\.org/)", first)
    own = [set(re.findall(r' id="([\w-]+)"', drawing)) for drawing in (first, second)]
    assert own[0]
    assert not own[0] & own[1]
    for needed in (texts.TIME_AXIS, texts.PROBABILITY_AXIS, "frequency (kHz)", "Weight α", "wonderful"):
        assert needed in first


def test_figures_write_numbers_by_the_language():
    made = make_result(5)
    figures = (partial(timeline_figure, made), partial(report.attention_figure, made, None, None))
    for figure in figures:
        english = svg(figure, "figure")
        with using("de"):
            german = svg(figure, "figure")
        numbers = [re.findall(r">(\d+[.,]\d+)</text>", drawing) for drawing in (english, german)]
        assert len(numbers[0]) > 2
        assert [number.replace(".", ",") for number in numbers[0]] == numbers[1]


def test_what_was_measured_is_said_in_the_language_of_the_moment():
    note = "Chance is 1/7. clean: ahead of MulT, +0.8 (+0.1 to +1.5); something new: behind LMF, -1.0 (-1.8 to -0.2)."
    assert said(note) == note.replace("-", "−")
    with using("de"):
        assert said("accuracy, broken, unseen") == "Genauigkeit, gestört, neu"
        assert said("0.928 ± 0.001") == "0,928 ± 0,001"
        assert said("speech + text + vision") == "Stimme + Worte + Gesicht"
        assert said(note) == (
            "Raten ergibt 1/7. ungestört: vorn (+0,8 (+0,1 bis +1,5), verglichen: MulT); "
            "something new: zurück (−1,0 (−1,8 bis −0,2), verglichen: LMF)."
        )
        assert said("Nobody knows, clean or not. <b>") == "Nobody knows, clean or not. <b>"


def test_figures_may_be_drawn_by_many_threads():
    made, drawings = make_result(3), []
    threads = [
        threading.Thread(target=lambda: drawings.append(svg(partial(timeline_figure, made), "x"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawings) == 4
    assert len({re.sub(r'(id="|#)[\w-]+', "", drawing) for drawing in drawings}) == 1


@pytest.mark.parametrize("above", [False, True])
def test_every_row_of_the_timeline_has_its_room_and_uncertainty_one_scale(above: bool):
    made = make_result(6)
    if above:
        made.timeline.aleatoric[1] = 3.0
    figure = timeline_figure(made, PRINT)
    figure.draw_without_rendering()
    heights = [axis.get_position().height for axis in figure.axes]
    assert sum(heights) > 0.6
    assert min(heights) > 0.03
    (uncertain,) = (axis for axis in figure.axes if axis.get_ylabel() == texts.TIMELINE_ROWS["variance"])
    assert uncertain.get_ylim() == (0, SIGMA_FULL)
    arrows = [line for line in uncertain.get_lines() if line.get_marker() == "^"]
    assert len(arrows) == (len(MODALITIES) if above else 0)


def test_the_same_uncertainty_fills_the_same_bar_whatever_stands_beside_it():
    made = make_result(3)
    made.variance["speech"] = made.aleatoric["speech"] = 0.3
    made.epistemic["speech"] = 0.0
    for other in (0.1, 0.8):
        made.variance["vision"] = made.aleatoric["vision"] = other
        shown = cards.gauges(made).split('id="hff-gauge-speech"')[1]
        assert re.search(r'hff-sigma-bar[^>]*--guess:85.71%[^>]*><b style="width:30.00%">', shown), shown[:900]


def test_a_long_clip_is_averaged_without_losing_weight():
    made = make_result(1200)
    series = thinned_columns(made)
    assert len(series.beta) <= MAX_COLUMNS
    assert series.beta.sum() == pytest.approx(1)
    np.testing.assert_allclose(series.alpha.sum(1), 1, atol=1e-6)
    assert series.edges[0] == 0
    assert series.edges[-1] == pytest.approx(1200)
    made.timeline.present[:] = False
    assert thinned_columns(made).nothing == [(0.0, pytest.approx(1200))]
    assert spans(np.array([True, True, False, True]), np.arange(5.0)) == [(0, 2), (3, 4)]


def test_a_map_of_one_head_is_that_head():
    attention = make_result(4).attention
    steps = len(attention.query_times)
    one = chosen_map(attention, 2, 5)
    np.testing.assert_allclose(one.reshape(steps, -1), attention.values[2, 5], rtol=1e-6)
    np.testing.assert_allclose(chosen_map(attention, None, None).sum((1, 2)), 1, rtol=1e-5)


def test_weights_that_are_shown_add_up_to_1_in_every_place():
    result = make_result(6, alpha={"speech": 0.0049, "text": 0.3349, "vision": 0.6602})
    gauges = re.findall(r'<p class="hff-alpha">([\d.]+)</p>', str(cards.gauges(result)))
    table = re.findall(r'<span class="hff-value">([\d.]+)</span>', str(effects.shapley(result)))
    assert gauges == table
    assert sum(round(100 * float(weight)) for weight in gauges) == 100


def test_the_drawing_takes_its_sizes_from_the_config():
    shown = words_of(architecture_html(HFFConfig(layers=3, heads=6, speech_dim=99, labels=("a", "b"))))
    for figure in ("3 layers × 6 heads", "99 values", "2 emotions"):
        assert figure in shown


def test_the_drawing_names_the_speech_encoder_that_is_loaded():
    for language, ours, theirs in (
        ("en", "Voice: MFCC, CNN", "Voice: Whisper base, first three layers"),
        ("de", "Stimme: MFCC, CNN", "Stimme: Whisper base, erste drei Schichten"),
    ):
        with using(language):
            paper, whisper = (architecture_html(HFFConfig(speech_encoder=e)) for e in ("mfcc-cnn", "whisper"))
        assert f'aria-label="{ours}, (1)–(8)"' in paper
        assert f'aria-label="{theirs}"' in whisper
        assert "MFCC" not in whisper
        assert "(1)–(8)" in paper
        assert "(1)–(8)" not in whisper  # the paper's equations are not what is computed


METRICS = {
    "generated_by": "python -m train evaluate",
    "tables": [
        {
            "title": "Every subset",
            "note": "Test.",
            "command": "python -m train evaluate --subsets",
            "columns": ["with", "accuracy", "clips"],
            "rows": [["speech", 0.6123, 1400], ["<b>", None, 7]],
        },
        {"title": "Empty", "rows": []},
    ],
    "confusion": {"labels": ["happy", "sad"], "matrix": [[8, 2], [1, 9]], "title": "Confusion of the fusion"},
    "reliability": {"bins": [[0.15, 0.2, 10], [0.85, 0.8, 90], [0.5, 0, 0]], "ece": 0.0417},
}


def test_measured_figures_are_shown_as_they_were_measured(tmp_path: Path):
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    shown = words_of(metrics_html(load_measured(tmp_path)))
    for part in (
        "Every subset",
        "0.612",
        "1,400",
        "<b>",
        "python -m train evaluate --subsets",
        "0.042",
        "as sure as right",
    ):
        assert part in shown, part
    assert "Empty" not in shown


@pytest.mark.parametrize("content", [None, "{", "[]", '{"tables": []}', '{"confusion": {}, "reliability": null}'])
def test_missing_measurements_are_said_to_be_missing(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "metrics.json").write_text(content)
    assert words_of(metrics_html(load_measured(tmp_path))) == texts.NO_METRICS


def test_every_example_is_there_named_and_small():
    used = {getattr(example, kind) for example in EXAMPLES for kind in ("video", "audio", "image")} - {None}
    readme = (EXAMPLES_FOLDER / "README.md").read_text(encoding="utf-8")
    assert all((EXAMPLES_FOLDER / name).is_file() and f"`{name}`" in readme for name in used)
    beside = [path for path in EXAMPLES_FOLDER.iterdir() if path.is_file() and path.suffix != ".py"]
    assert {path.name for path in beside} == used | {"README.md"}
    assert sum(path.stat().st_size for path in beside) < 1_500_000
    assert {example.key for example in EXAMPLES} == set(texts.EXAMPLES)


def test_the_clips_of_an_actor_name_their_source_and_terms_wherever_they_are_named():
    actors = {example.key: example.video for example in EXAMPLES if (example.video or "").startswith("actor")}
    assert set(ACTOR_CLIPS) == set(actors.values())
    readme = (EXAMPLES_FOLDER / "README.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in readme.splitlines() if line.startswith("| `actor")}
    assert {name: rows[name].split("`")[3] for name in rows} == {name: clip for name, (clip, _) in ACTOR_CLIPS.items()}
    for language in languages():
        with using(language):
            assert all(
                "RAVDESS" in texts.EXAMPLES[key][1] and "CC BY-NC-SA 4.0" in texts.EXAMPLES[key][1] for key in actors
            )
    for name in ACTOR_CLIPS:  # small enough for a repository
        assert (EXAMPLES_FOLDER / name).stat().st_size < 400_000


def test_no_answer_sets_back_what_a_person_has_chosen_meanwhile(tmp_path):
    """An event that has its own trigger among its outputs takes a second press back with the answer to the first."""
    engine = Engine(FakeModel)
    page = build_page(engine, Sessions(tmp_path), LiveHub(engine), "en")
    found = [
        (event.fn.__name__, component)
        for event in page.fns.values()
        for component, trigger in event.targets
        if event.fn is not None and trigger == "input" and component in {output._id for output in event.outputs}
    ]
    assert found == []
