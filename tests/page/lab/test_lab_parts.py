"""The lab's pieces of HTML - sentence, table, evidence, sweep chart, worksheet - without model or browser."""

from __future__ import annotations

import base64
import io
import itertools
import re
import wave
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree

import gradio as gr
import numpy as np
import pytest
from markupsafe import escape

from hff.config import EMOTIONS, MODALITIES
from hff.errors import InputError
from hff.lab.comparison import clip_means
from hff.lab.corrupted_material import KINDS, NO_KIND
from hff.lab.lab import SweepPoint, corrupted_recording
from hff.lab.lesson_files import load_lessons
from hff.lab.state import COMPONENTS, Corruption, LabState
from hff.locale import texts, using
from hff.page.lab.before_after import alpha0_sentence, change_sentence, comparison, unknown_after
from hff.page.lab.controls import Controls
from hff.page.lab.evidence import corruption_said, evidence, face_crops, wav_bytes, words
from hff.page.lab.lab_view import LabView
from hff.page.lab.lesson_view import LessonPanel
from hff.page.lab.share import state_from_address
from hff.page.lab.sweep_chart import sweep_chart, sweep_sentence
from hff.page.lab.sweep_view import csv_text
from hff.page.lab.worksheet import describe, questions, worksheet, worksheets
from hff.page.session.sessions import Sessions
from hff.page.shared.amounts import in_hundredths
from hff.pipeline.recording import Recording
from hff.result import Transcript
from tests.support.model_fixtures import SHIPPED
from tests.support.page_fixtures import make_result

CLEAN = LabState(source="clip")
BLURRED = CLEAN.with_severity("vision", 0.5)


def after(alpha: dict, variance: dict | None = None, **changes):
    """The made-up reading with some clip means replaced."""
    result = make_result(3, **changes)
    result.alpha = result.alpha | alpha
    result.variance = result.variance | (variance or {})
    return result


def shares(*alpha: float) -> dict[str, float]:
    """Weights of the shipped modalities; any other that is registered is absent."""
    return dict.fromkeys(MODALITIES, 0.0) | dict(zip(SHIPPED, alpha, strict=True))


# ---- one sentence -------------------------------------------------------------------------------------------


def test_the_sentence_names_the_weight_its_reason_and_the_answer():
    before = make_result(3)
    fallen = after({"speech": 0.5, "text": 0.45, "vision": 0.05}, {"vision": 4.0})
    sentence = change_sentence(before, fallen, True)
    assert sentence.startswith(f"α of the face falls from {before.alpha['vision']:.2f} to 0.05 because its σ² rises")
    assert f"the answer stays {before.emotion}" in sentence


def test_no_reason_is_made_up_where_sigma_did_not_move():
    before = make_result(3)
    sentence = change_sentence(before, after({"speech": 0.8, "text": 0.1, "vision": 0.1}), True)
    assert "α of the voice rises" in sentence
    assert "σ²" not in sentence


@pytest.mark.parametrize(
    ("language", "modality", "gone", "back"),
    [
        ("en", "speech", "The voice is gone, so α of the voice falls from", "The voice is there again, and α of the"),
        ("en", "text", "The words are gone, so α of the words falls from", "The words are there again, and α of the"),
        ("en", "vision", "The face is gone, so α of the face falls from", "The face is there again, and α of the"),
        ("de", "speech", "Die Stimme ist weg, deshalb fällt α der Stimme", "Die Stimme ist wieder da, und α"),
        ("de", "text", "Die Worte sind weg, deshalb fällt α der Worte", "Die Worte sind wieder da, und α"),
        ("de", "vision", "Das Gesicht ist weg, deshalb fällt α des Gesichts", "Das Gesicht ist wieder da, und α"),
    ],
)
def test_the_sentence_tells_of_what_is_gone_or_back(language, modality, gone, back):
    whole, without = make_result(3), make_result(3, there=[m for m in SHIPPED if m != modality])
    with using(language):
        assert change_sentence(whole, without, True).startswith(gone)
        assert change_sentence(without, whole, True).startswith(back)


def test_the_sentence_tells_when_nothing_changed():
    assert change_sentence(make_result(3), make_result(3), False) == texts.LAB_SAME


def test_the_sentence_of_what_changed_without_effect_bids_nobody_move_a_slider():
    sentence = change_sentence(make_result(3), make_result(3), True)
    assert texts.LAB_SAME not in sentence
    assert "moves no weight" in sentence
    assert f"the answer stays {make_result(3).emotion}" in sentence


def test_the_sentence_tells_another_answer():
    before = make_result(3)
    other = next(label for label in EMOTIONS if label != before.emotion)
    changed = after({"speech": 0.8, "text": 0.1, "vision": 0.1}, emotion=other)
    assert f"the answer changes from {before.emotion}" in change_sentence(before, changed, True)


# ---- side by side -------------------------------------------------------------------------------------------


def test_the_table_holds_every_figure_of_both_readings():
    before, now = make_result(3), make_result(3, seed=4)
    shown = ElementTree.fromstring(f"<div>{comparison(before, now, CLEAN, BLURRED)}</div>".replace("&nbsp;", " "))
    for when, result in (("before", before), ("after", now)):
        means = clip_means(result)
        for modality in SHIPPED:
            row = shown.find(f".//tr[@id='hff-lab-row-{modality}']")
            for name in ("variance", "precision", "alpha0", "alpha", "shapley"):
                cell = row.find(f".//td[@data-figure='{name}']/div[@data-value]" + ("" if when == "before" else "[2]"))
                assert float(cell.get("data-value")) == pytest.approx(means[name][modality], abs=1e-4)


def test_what_comes_after_a_guess_is_not_given_away():
    shown = unknown_after(make_result(3))
    assert "hff-lab-unknown" in shown
    assert 'id="hff-lab-after"' not in shown
    assert shown.count(">?<") >= 18


def test_absent_is_a_word_not_a_zero():
    shown = comparison(make_result(3), make_result(3, there=("text",)), CLEAN, BLURRED)
    row = shown.split('id="hff-lab-row-vision"')[1].split("</tr>")[0]
    assert row.count(texts.ABSENT) == 6
    bar = shown.split('class="hff-stack hff-lab-after"')[1].split("</section>")[0]
    assert texts.LAB_STACK_ABSENT.format(modality="Face") in bar
    assert bar.count("data-alpha") == 1


def test_two_bars_show_the_weights_and_the_chain_leads_to_them():
    before, now = make_result(3), after({"speech": 0.5, "text": 0.45, "vision": 0.05}, {"vision": 0.8})
    shown = ElementTree.fromstring(f"<div>{comparison(before, now, CLEAN, BLURRED)}</div>".replace("&nbsp;", " "))
    for when, result in (("before", before), ("after", now)):
        parts = shown.findall(f".//section[@class='hff-stack hff-lab-{when}']//span[@data-alpha]")
        numbers = [float(part.get("data-alpha")) for part in parts]
        assert sum(round(100 * number) for number in numbers) == 100
        assert numbers == pytest.approx([result.alpha[m] for m in SHIPPED], abs=0.011)
        assert [f"{number:.2f}" in "".join(part.itertext()) for number, part in zip(numbers, parts, strict=True)]
    chain = shown.find(".//p[@id='hff-lab-chain']")
    steps = chain.findall("./span")
    assert [step.get("data-figure") for step in steps] == ["variance", "precision", "alpha0", "alpha"]
    assert "Face" in "".join(chain.itertext())
    assert f"{before.alpha['vision']:.2f} → 0.05" in "".join(steps[-1].itertext())
    assert shown.find(".//p[@id='hff-lab-alpha0']").text.startswith("α₀, the first weight,")


@pytest.mark.parametrize(
    ("state", "start"),
    [
        (CLEAN.but(alpha=(0.2, 0.3, 0.5)), "α is set by hand"),
        (CLEAN.but(without=("dynamic_weighting",)), "The dynamic weights are switched off"),
    ],
)
def test_what_alpha0_did_is_said_as_it_is(state: LabState, start: str):
    assert alpha0_sentence(state, make_result(3), "vision").startswith(start)
    gone = alpha0_sentence(CLEAN, make_result(3, there=("text",)), "vision")
    assert gone.startswith("What is absent has no α₀")


def test_alpha0_is_weighed_against_what_w_alone_would_give():
    result = make_result(3)
    line = result.timeline
    line.precision[:] = np.resize([1.0, 1.0, 2.0], len(MODALITIES)) * line.present
    result.alpha = shares(0.25, 0.25, 0.5)
    assert "hardly mattered: from w alone α of the face would be 0.50" in alpha0_sentence(CLEAN, result, "vision")
    result.alpha = shares(0.1, 0.1, 0.8)
    assert "added to it" in alpha0_sentence(CLEAN, result, "vision")
    result.alpha = shares(0.5, 0.4, 0.1)
    assert "took from it" in alpha0_sentence(CLEAN, result, "vision")


# ---- hear, read, see ----------------------------------------------------------------------------------------


def test_what_is_played_is_what_the_model_gets_and_never_too_loud():
    sound = (3 * np.sin(np.arange(8000) / 10)).astype(np.float32)
    with wave.open(io.BytesIO(wav_bytes(sound))) as file:
        played = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    assert file.getframerate() == 16_000
    np.testing.assert_allclose(played, sound * 0.3, atol=1e-3)
    quiet = 0.1 * sound
    with wave.open(io.BytesIO(wav_bytes(quiet))) as file:
        np.testing.assert_allclose(np.frombuffer(file.readframes(9000), "<i2") / 32767, quiet, atol=1e-3)


def test_lost_words_are_struck_out_and_new_ones_marked():
    shown = words(Transcript("I am so happy today"), Transcript("I am [MASK] today <b>"))
    assert "<mark>[MASK]</mark>" in shown
    assert "&lt;b&gt;" in shown
    assert "<del>so happy</del>" in words(Transcript("I am so happy today"), Transcript("I am today"))
    assert words(None, None) == words(None, None)
    assert texts.NO_WORDS in words(None, None)


def test_faces_are_shown_from_the_first_to_the_last():
    from PIL import Image

    seen = make_result(6).evidence.faces
    strip = face_crops(seen, texts.LAB_AFTER)
    data = base64.b64decode(re.search(r"base64,([^\"]+)", strip)[1])
    picture = np.asarray(Image.open(io.BytesIO(data)))
    assert picture.shape == (48, 5 * 48)
    np.testing.assert_array_equal(picture[:, :48], seen[0].crop)
    np.testing.assert_array_equal(picture[:, -48:], seen[-1].crop)


def test_before_stands_beside_after_and_the_corruption_is_named_with_its_severity():
    wave = np.sin(np.arange(16_000) / 20).astype(np.float32)
    seen = make_result(6).evidence.faces
    clean = Recording(1.0, wave, [(0.0, 1.0)], Transcript("I am so happy"), seen)
    state = LabState(source="clip", corruption=CLEAN.corruption | {"speech": Corruption("white noise", 0.8)})
    shown = evidence(clean, corrupted_recording(clean, state), CLEAN, state)
    assert shown.count("<audio") == 2
    assert "hiss (white noise), 80%" in shown
    assert shown.count(texts.LAB_AS_BEFORE) == len(MODALITIES) - 1
    state = LabState(
        source="clip", corruption=CLEAN.corruption | {"vision": Corruption("blur", 0.5)}, text="Not at all"
    )
    shown = evidence(clean, corrupted_recording(clean, state), CLEAN, state)
    assert shown.count("hff-lab-faces-5") == 2
    assert shown.count('class="hff-lab-words"') == 2
    assert "<mark>Not at all</mark>" in shown
    assert "out of focus, 50%" in shown


def test_another_ear_is_named_before_and_after():
    before, now = make_result(3, speech_encoder="whisper"), make_result(3, seed=4, speech_encoder="mfcc-cnn")
    state = CLEAN.but(speech_encoder="mfcc-cnn")
    shown = comparison(before, now, CLEAN, state)
    assert "Before · ear: Whisper" in shown
    assert "After · ear: the paper" in shown
    assert "ear:" not in comparison(before, before, CLEAN, CLEAN)
    clean = Recording(1.0, np.ones(16_000, np.float32), [(0.0, 1.0)], Transcript("I am so happy"))
    assert evidence(clean, clean, CLEAN, CLEAN).count(texts.LAB_AS_BEFORE) == len(MODALITIES)
    assert corruption_said("speech", state) == "ear: the paper's"
    assert corruption_said("speech", state.with_severity("speech", 0.5)).endswith("50%; ear: the paper's")
    assert corruption_said("vision", state) == ""
    assert "The voice is heard with another ear: the paper's." in describe(state)


def asking(state: LabState) -> SimpleNamespace:
    return SimpleNamespace(query_params={"lab": state.to_json()})


def test_a_link_to_another_ear_needs_its_weights():
    state = CLEAN.but(speech_encoder="mfcc-cnn")
    assert state_from_address(asking(state), ("whisper", "mfcc-cnn")) == state
    with pytest.raises(InputError, match=r"the paper's.*Whisper's"):
        state_from_address(asking(state), ("whisper",))


def test_the_controls_keep_the_ear():
    with gr.Blocks(), gr.Tabs():
        controls, alone = Controls(("whisper", "mfcc-cnn")), Controls(("whisper",))
    for state in (CLEAN, CLEAN.but(speech_encoder="mfcc-cnn")):
        assert controls.state(tuple(controls.show(state))) == state
    assert controls.show(CLEAN)[-1] == "whisper"
    assert controls.state(tuple(controls.show(CLEAN.but(speech_encoder="whisper")))) == CLEAN
    assert alone.state(tuple(alone.show(CLEAN))) == CLEAN


def test_nothing_at_all_can_be_shown():
    shown = evidence(Recording(1.0), Recording(1.0), CLEAN, BLURRED)
    for sentence in (texts.NO_SOUND, texts.NO_WORDS, texts.NO_FACE):
        assert sentence in shown


# ---- sweep --------------------------------------------------------------------------------------------------


def sweep_points(count: int = 5) -> list[SweepPoint]:
    rest, absent, unknown = dict.fromkeys(EMOTIONS, 0.02), dict.fromkeys(MODALITIES, 0.0), dict.fromkeys(MODALITIES)
    return [
        SweepPoint(
            s,
            "happy" if s < 0.5 else "sad",
            absent | {"speech": s / 2, "text": s / 2, "vision": 1 - s},
            unknown | {"speech": 0.3, "text": None if s > 0.6 else 0.4, "vision": 0.1 + s},
            rest | {"happy": 0.9 - 0.8 * s, "sad": 0.1 + 0.8 * s},
        )
        for s in np.linspace(0, 1, count)
    ]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_chart_is_sound_svg_at_every_moment(count: int):
    points = sweep_points(5)[:count]
    drawn = ElementTree.fromstring(sweep_chart(points, "vision"))
    assert drawn.get("data-points") == str(count)
    assert len(drawn.findall(".//path")) == (0 if count == 0 else len(EMOTIONS) + len(SHIPPED) + len(MODALITIES))
    shown = "".join(drawn.itertext())
    for word in (texts.SWEEP_ALPHA, texts.SWEEP_VARIANCE, texts.SWEEP_PROBABILITY, "Face: severity of the damage"):
        assert word in shown


def test_the_chart_puts_figures_where_they_belong():
    drawn = ElementTree.fromstring(sweep_chart(sweep_points(), "vision"))
    alpha = drawn.findall("./g")[0]
    line = next(path.get("d") for path in alpha.findall(".//path") if "hff-vision" in path.get("class"))
    x, y = np.array([[float(v) for v in point.split()] for point in re.findall(r"[\d.]+ [\d.]+", line)]).T
    np.testing.assert_allclose(np.diff(x), np.diff(x)[0], atol=0.2)
    np.testing.assert_allclose((y - y[0]) / (y[-1] - y[0]), np.linspace(0, 1, 5), atol=0.01)
    assert y[-1] > y[0]  # alpha falls: further down


def test_names_of_lines_do_not_overlap():
    drawn = ElementTree.fromstring(sweep_chart(sweep_points(), "vision"))
    for panel in drawn.findall("./g"):
        heights = sorted(float(t.get("y")) for t in panel.findall(".//text") if "sweep-name" in t.get("class", ""))
        assert all(b - a >= 18 for a, b in itertools.pairwise(heights))


def test_the_sweep_in_a_sentence():
    assert sweep_sentence([], "vision") == texts.SWEEP_WAITING
    sentence = sweep_sentence(sweep_points(), "vision")
    assert "α of the face goes from 1.00 to 0.00" in sentence
    assert "turns from happy to sad" in sentence


def test_a_sweep_of_what_is_not_there_says_so():
    points = [replace(point, variance=point.variance | {"text": None}) for point in sweep_points()]
    assert sweep_sentence(points, "text").startswith("Words: not there to begin with")


def test_where_nothing_moved_the_chain_is_of_something_that_is_there():
    reading = make_result(3, there=("text", "vision"))
    shown = str(comparison(reading, reading, CLEAN, CLEAN))
    chain = shown[shown.index('id="hff-lab-chain"') :].split("</p>")[0]
    assert texts.ABSENT not in chain
    heaviest = max(reading.alpha, key=reading.alpha.get)
    assert f'hff-chain hff-{heaviest}"' in shown


def test_the_data_of_a_sweep_leaves_absent_figures_empty():
    lines = csv_text(sweep_points()).splitlines()
    assert len(lines) == 6
    head, last = lines[0].split(","), lines[-1].split(",")
    assert last[head.index("variance_text")] == ""
    assert float(last[head.index("severity")]) == 1


# ---- controls and worksheet ---------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1 / 3, 1 / 3, 1 / 3), (0.005, 0.005, 0.99), (0.0, 0.0, 1.0), (0.125, 0.375, 0.5)])
def test_rounded_weights_still_add_up(weights):
    shown = in_hundredths(weights)
    assert sum(round(100 * w) for w in shown) == 100
    assert shown == pytest.approx(weights, abs=0.011)


def test_every_kind_and_part_has_a_name_on_the_page():
    assert set(texts.LAB_CORRUPTION_NAMES) == {kind for m in MODALITIES for kind in KINDS[m] if kind != NO_KIND}
    assert set(texts.LAB_PART_NAMES) == set(COMPONENTS)


def test_the_worksheet_says_what_is_set_up_and_asks_about_it():
    state = LabState(
        source="clip",
        corruption=CLEAN.corruption
        | {
            "speech": Corruption("babble", 0.4),
            "text": Corruption("dropped words", 0, muted=True),
            "vision": Corruption("blur", 0.0),
        },
        alpha=tuple(shares(0.5, 0.25, 0.25).values()),
        without=("temporal",),
        text="Oh <i>no</i>",
    )
    lines = " ".join(describe(state))
    for part in ("Clip", "a room full of talk", "40", "Words: taken away", "Voice 0.50", "Time: GRU", "Oh <i>no</i>"):
        assert part in lines
    assert "Face" not in lines.split("by hand")[0]
    assert len(questions(state)) == 6
    assert len(questions(LabState(source="clip"))) == 2


def test_the_worksheet_asks_for_w_with_the_models_own_epsilon():
    lesson, reading = load_lessons()[0], make_result(3)
    assert "w about 1 / (σ² + 0.05)?" in worksheet(lesson.state, reading, reading, lesson, eps=0.05)
    assert "w about 1 / (σ² + 0.05)?" in worksheets([(lesson, reading, reading)], eps=0.05)
    with using("de"):
        assert "1 / (σ² + 0,05)" in worksheet(lesson.state, reading, reading, eps=0.05)


def test_the_worksheet_keeps_the_answers_for_its_last_page():
    lesson = load_lessons()[0]
    before, now = make_result(3), after({"speech": 0.8, "text": 0.15, "vision": 0.05}, {"vision": 4.321})
    sheet = worksheet(lesson.state, before, now, lesson)
    questions_page, answers = sheet.split('<section class="answers">')
    assert lesson.question in questions_page
    assert "4.32" not in questions_page
    assert "4.32" in answers
    assert f"{before.variance['text']:.2f}" in questions_page
    assert lesson.formula in answers
    assert "break-before: page" in sheet
    assert "<script" not in sheet
    assert "<i>no</i>" not in worksheet(LabState(text="<i>no</i>"), before, now)


@pytest.mark.parametrize("language", ["en", "de"])
def test_why_a_lesson_does_not_fit_is_said_in_sentences_that_name_it(language: str):
    with using(language), gr.Blocks():
        lessons = LessonPanel(load_lessons())
        _, card, *_ = lessons.nothing(present=frozenset({"text"}))
        _, question, *_ = lessons.pose("mumbling_speaker", "yours", present=frozenset({"speech", "vision"}))
        titles = [lesson.title for lesson in lessons.lessons.values()]
    reasons = re.findall(r"<li>(.+?)</li>", card)
    assert len(reasons) >= 5
    for reason in reasons:
        assert reason[0] in "“„"
        assert reason[-1] == "."
        assert any(f"{escape(title)}{end}" in reason for title in titles for end in "”“")
    out = re.findall(r"<p class=\"hff-lesson-out\"[^>]*><s>.+?</s> (.+?)</p>", question)
    assert out
    assert all(why[0].isupper() and why[-1] == "." for why in out)


def test_an_older_reading_does_not_paint_over_a_newer_one(tmp_path):
    """The first reading takes seconds; a lesson begun meanwhile was lost when it came."""
    view = LabView.__new__(LabView)
    view.sessions, view.lessons = Sessions(tmp_path), SimpleNamespace(lessons={})
    view.controls = SimpleNamespace(state=lambda values: LabState())
    view.benches = SimpleNamespace(lab=lambda key, source: None)
    view.engine = SimpleNamespace(guest=nullcontext)
    page, other = (SimpleNamespace(session_hash=name) for name in ("page", "other"))

    def slow(lab, lesson, state) -> list[str]:
        assert view.answer(page, ("",), lambda *_: ["newer"]) == ["newer"]
        return ["older", "older"]

    assert view.answer(page, ("",), slow) == [gr.skip()] * 2

    def beside_another_page(lab, lesson, state) -> list[str]:
        assert view.answer(other, ("",), lambda *_: ["theirs"]) == ["theirs"]
        return ["ours"]

    assert view.answer(page, ("",), beside_another_page) == ["ours"]


def test_a_lesson_begun_while_the_tab_opens_is_not_painted_over_by_the_opening(tmp_path):
    view = LabView.__new__(LabView)
    view.sessions, view.benches = Sessions(tmp_path), SimpleNamespace(new_source=lambda key: "")
    lessons = {lesson.key: lesson for lesson in load_lessons()}
    view.lessons = SimpleNamespace(lessons=lessons, outputs=[], pose=lambda key, source, present: [])
    view.controls = SimpleNamespace(values=[], show=lambda state: [])
    view.compared = view.shown = None
    view.controls.own_alpha = view.controls.parts_note = None
    view.share = SimpleNamespace(outputs=[])
    view.run = lambda request, *values: ["read"]
    page = SimpleNamespace(session_hash="page")
    view.arrive(page)
    assert view.run_first(page, "") == ["read"]
    view.arrive(page)
    view.setting_up("lights_off")(page, "example")
    assert view.run_first(page, "") == [gr.skip()] * 4
    view.arrive(page)  # the tab is opened again
    assert view.run_first(page, "") == ["read"]
