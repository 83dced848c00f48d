"""Lessons: the shipped ones come true with the shipped weights; a teacher's own file gets clear errors."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from hff.config import MODALITIES
from hff.errors import InputError
from hff.lab.lab import Lab
from hff.lab.lesson import Claim, Lesson
from hff.lab.lesson_files import LESSONS_FOLDER, load_lesson, load_lessons
from hff.lab.own_material import Obstacle, makes_sense, obstacle, there
from hff.lab.state import YOURS
from hff.locale import texts, translate, using
from hff.page.lab.lesson_view import lesson_answer_html
from hff.page.lab.workbench import Workbenches
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from tests.support.page_browser import real_model
from tests.support.page_fixtures import make_result

LESSONS = load_lessons()
NEEDED = {
    "lights_off",
    "radio_on",
    "mumbling_speaker",
    "sarcasm",
    "one_modality_alone",
    "what_attention_adds",
    "can_you_fool_it",
    "stranger",
    "contradiction",
    "two_voices",
}


@cache
def lab(source: str) -> Lab:
    benches = Workbenches(Engine(real_model), Sessions(Path("unused")))
    return Lab(real_model(), benches.example(source))


def readings(lesson: Lesson):
    return lab(lesson.before.source).infer(lesson.before), lab(lesson.state.source).infer(lesson.state)


def test_the_lessons_that_were_promised_are_there():
    assert {lesson.key for lesson in LESSONS} >= NEEDED
    assert [lesson.order for lesson in LESSONS] == sorted(lesson.order for lesson in LESSONS)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.key)
def test_what_a_lesson_expects_comes_true(lesson: Lesson):
    before, after = readings(lesson)
    failed = [claim for claim in lesson.expect if not claim.holds(before, after)]
    assert failed == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.key)
def test_exactly_one_guess_is_right(lesson: Lesson):
    before, after = readings(lesson)
    right = lesson.right(before, after)
    assert sum(right) == 1
    shown = lesson_answer_html(lesson, right.index(True), before, after)
    assert texts.LESSON_RIGHT.format(choice=lesson.choices[right.index(True)].text) in shown
    assert texts.LESSON_SURPRISE not in shown
    assert lesson.number in shown
    wrong = lesson_answer_html(lesson, right.index(False), before, after)
    assert texts.LESSON_WRONG.format(choice=lesson.choices[right.index(True)].text) in wrong


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.key)
def test_a_lesson_changes_something_and_is_short_enough_to_project(lesson: Lesson):
    assert lesson.state != lesson.before
    assert len(lesson.title) <= 24
    assert len(lesson.question) <= 150
    assert len(lesson.question_own) <= 120
    assert len(lesson.watch) + len(lesson.why) <= 330
    assert len(lesson.watch_own) <= 115


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.key)
def test_what_comes_next_can_be_set_up_with_a_button(lesson: Lesson):
    assert bool(lesson.then_state) + bool(lesson.then_sweep) == bool(lesson.then)
    assert lesson.then or lesson.key not in NEEDED
    if lesson.then_state:
        assert lesson.then_state not in (lesson.state, lesson.before)
        assert lab(lesson.then_state.source).infer(lesson.then_state)


def test_a_contradiction_makes_no_answer_surer_than_the_surer_one_alone():
    before, after = readings(next(lesson for lesson in LESSONS if lesson.key == "contradiction"))
    alone = [max(p.values()) for p in after.per_modality.values() if p]
    assert after.probabilities[after.emotion] < max(alone)
    assert after.per_modality["vision"] == pytest.approx(before.per_modality["vision"])


def test_a_lesson_about_the_parts_of_sigma_shows_them():
    lesson = next(lesson for lesson in LESSONS if lesson.key == "stranger")
    before, after = make_result(3), make_result(3)
    before.aleatoric["speech"], before.epistemic["speech"] = 0.12, 0.09
    after.aleatoric["speech"], after.epistemic["speech"] = 0.03, 0.8
    split = "σ² of the voice: 0.12 signal + 0.09 model before, 0.03 signal + 0.80 model after."
    assert split in lesson_answer_html(lesson, 1, before, after)
    other = next(lesson for lesson in LESSONS if lesson.key == "radio_on")
    assert "0.12 signal" not in lesson_answer_html(other, 0, before, after)


# ---- on one's own recording ---------------------------------------------------------------------------------


def by_key(key: str) -> Lesson:
    return next(lesson for lesson in LESSONS if lesson.key == key)


@pytest.mark.parametrize(
    ("key", "present", "expected"),
    [
        ("lights_off", ("vision", "text"), None),
        ("lights_off", ("speech", "text"), Obstacle("lacks", "vision")),
        ("radio_on", ("vision",), Obstacle("lacks", "speech")),
        ("mumbling_speaker", ("speech", "text", "vision"), None),
        ("mumbling_speaker", ("speech", "vision"), None),
        ("mumbling_speaker", ("speech",), Obstacle("alone")),
        ("radio_on", ("speech",), None),
        ("sarcasm", ("speech", "text"), None),
        ("one_modality_alone", ("speech", "vision"), None),
        ("one_modality_alone", ("text", "vision"), Obstacle("lacks", "speech")),
        ("you_are_the_weights", ("text", "vision"), None),
        ("you_are_the_weights", ("speech", "vision"), Obstacle("lacks", "text")),
        ("stranger", MODALITIES, Obstacle("two")),
        ("lights_off", (), Obstacle("lacks", "vision")),
        ("one_modality_alone", ("speech",), Obstacle("alone")),
    ],
)
def test_a_lesson_that_makes_no_sense_on_a_recording_says_why(key, present, expected):
    assert obstacle(by_key(key), present) == expected


@pytest.mark.parametrize(
    "lesson", [lesson for lesson in LESSONS if obstacle(lesson, MODALITIES) is None], ids=lambda lesson: lesson.key
)
def test_a_lesson_on_ones_own_clip_names_only_what_is_there_and_comes_to_an_answer(lesson: Lesson):
    own = lesson.on(YOURS)
    assert (own.state.source, own.before.source) == (YOURS, YOURS)
    assert own.question == (lesson.question_own or lesson.question)
    assert own.watch == (lesson.watch_own or lesson.watch)
    for bench in (lab("actor"), lab("covered")):
        before, after = bench.infer(own.before), bench.infer(own.state)
        assert sum(own.right(before, after)) == 1
    assert lesson.on(lesson.state.source) is lesson


@pytest.mark.parametrize("source", ["actor", "covered", "misread"])
def test_what_to_watch_on_ones_own_clip_is_true_of_any(source: str):
    """What a lesson says of its example need not happen elsewhere: else it has other words for that, or no claim."""
    fitting = [lesson for lesson in LESSONS if obstacle(lesson, MODALITIES) is None]
    same_words = {lesson.key for lesson in fitting if not lesson.watch_own}
    assert same_words == {"radio_on", "one_modality_alone", "you_are_the_weights"}
    bench = lab(source)
    for key in ("one_modality_alone", "you_are_the_weights"):  # "σ² does not change", "σ² stays as it was"
        lesson = by_key(key).on(YOURS)
        before, after = bench.infer(lesson.before), bench.infer(lesson.state)
        for m in MODALITIES:
            if after.present[m]:
                assert after.variance[m] == pytest.approx(before.variance[m], rel=1e-3), (key, m)
        assert key != "one_modality_alone" or after.alpha["speech"] == 1  # "exactly 1"


def test_where_a_face_takes_over_from_a_mumbling_speaker_nobody_is_told_that_nobody_gained():
    lesson = by_key("mumbling_speaker")
    before, after = make_result(3), changed(alpha={"speech": 0.0, "vision": 0.9})
    before.alpha |= {"speech": 0.4, "vision": 0.5}
    (came,) = (choice.text for choice, true in zip(lesson.choices, lesson.right(before, after), strict=True) if true)
    assert came == "The others"


def test_a_guess_about_what_is_not_there_makes_no_sense():
    choices = by_key("stranger").choices[0], by_key("sarcasm").choices[0], by_key("contradiction").choices[0]
    assert [makes_sense(choice, ("speech", "vision")) for choice in choices] == [True, False, True]


def test_what_is_in_a_recording():
    assert there(lab("mixed").recording) == {"text", "vision"}
    assert there(lab("actor").recording) == set(MODALITIES)


# ---- claims -------------------------------------------------------------------------------------------------


def changed(**changes):
    result = make_result(3)
    for name, value in changes.items():
        setattr(result, name, getattr(result, name) | value if isinstance(value, dict) else value)
    return result


@pytest.mark.parametrize(
    ("claim", "changes", "holds"),
    [
        (Claim("alpha", "vision", "falls"), {"alpha": {"vision": 0.01}}, True),
        (Claim("alpha", "vision", "rises"), {"alpha": {"vision": 0.99}}, True),
        (Claim("alpha", "vision", "stays"), {"alpha": {"speech": 0.9}}, True),
        (Claim("alpha", "vision", "stays"), {"alpha": {"vision": 0.99}}, False),
        (Claim("alpha", "vision", "falls", negated=True), {"alpha": {"vision": 0.01}}, False),
        (Claim("alpha", "vision", "falls"), {"present": {"vision": False}, "alpha": {"vision": 0.0}}, True),
        (Claim("variance", "text", "rises"), {"variance": {"text": 5.0}}, True),
        (Claim("variance", "text", "rises"), {"variance": {"text": None}}, False),
        (Claim("emotion", change="changes"), {"emotion": "sad"}, True),
        (Claim("emotion", change="stays"), {}, True),
        (Claim("leader", "text"), {"alpha": {"speech": 0.1, "text": 0.8, "vision": 0.1}}, True),
        (Claim("leader", "vision"), {"alpha": {"speech": 0.1, "text": 0.8, "vision": 0.1}}, False),
        (Claim("alone", "speech", emotion="sad"), {"per_modality": {"speech": {"happy": 0.2, "sad": 0.8}}}, True),
        (Claim("alone", "speech", emotion="sad"), {"per_modality": {"speech": None}}, False),
        (Claim("side", "speech"), {"emotion": "sad", "per_modality": {"speech": {"happy": 0.2, "sad": 0.8}}}, True),
        (Claim("probability", "sad", "rises"), {"probabilities": {"sad": 0.9}}, True),
        (Claim("probability", "answer", "falls"), {"probabilities": dict.fromkeys(("happy", "surprised"), 0.0)}, True),
    ],
)
def test_a_claim_is_judged_by_what_was_measured(claim: Claim, changes: dict, holds: bool):
    assert claim.holds(make_result(3), changed(**changes)) is holds


# ---- a teacher's own file -----------------------------------------------------------------------------------

GOOD = json.loads((LESSONS_FOLDER / "lights_off.json").read_text(encoding="utf-8"))


def write(folder: Path, values: object) -> Path:
    path = folder / "mine.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values), encoding="utf-8")
    return path


def test_a_good_file_is_read(tmp_path: Path):
    lesson = load_lesson(write(tmp_path, GOOD))
    assert (lesson.key, lesson.title) == ("mine", GOOD["title"])
    assert lesson.before == lesson.state.untouched
    assert load_lessons(tmp_path) == [lesson]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": None}, "'title' has to be a text"),
        ({"question": "  "}, "'question' has to be a text"),
        ({"order": "first"}, "'order' has to be a number"),
        ({"colour": "red"}, "colour"),
        ({"choices": GOOD["choices"][:1]}, "'choices' is a list of 2 to 4"),
        ({"choices": [{"text": "a"}, {"text": "b"}]}, "lacks when"),
        ({"choices": [{"text": "a", "when": {"figure": "beauty"}}] * 2}, "beauty"),
        ({"expect": []}, "'expect'"),
        ({"expect": [{"figure": "alpha", "of": "nose", "change": "falls"}]}, "'nose'"),
        ({"expect": [{"figure": "alpha", "of": "vision", "change": "shrinks"}]}, "'shrinks'"),
        ({"expect": [{"figure": "alpha", "of": "vision", "change": "falls", "not": 1}]}, "'not'"),
        ({"expect": [{"figure": ["alpha"]}]}, "'figure'"),
        ({"state": {"source": "yours"}}, "ready examples"),
        ({"state": {"source": "mixed", "damage": {"vision": {"kind": "rain"}}}}, "rain"),
        ({"before": {"source": "nowhere"}}, "ready examples"),
        ({"then_state": {"source": "yours"}}, "ready examples"),
        ({"then_sweep": "nose"}, "'nose'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_faulty_file_is_told_by_name_and_fault(tmp_path: Path, change: dict, message: str):
    with pytest.raises(InputError, match=r"mine\.json") as caught:
        load_lesson(write(tmp_path, GOOD | change))
    assert message in str(caught.value)


def test_lessons_about_emotions_that_a_model_has_not_are_left_out(tmp_path: Path):
    claim = {"figure": "probability", "of": "bored", "change": "rises"}
    path = write(tmp_path, GOOD | {"expect": [claim]})
    with pytest.raises(InputError, match=r"'of' \(expect, 1\) is one of .*; not 'bored'"):
        load_lesson(path)
    assert load_lesson(path, ("bored", "keen")).emotions == {"bored"}
    assert [lesson.key for lesson in load_lessons(tmp_path, ("bored", "keen"))] == ["mine"]
    path.write_text(json.dumps(GOOD | {"expect": [claim | {"of": "happy"}]}), encoding="utf-8")
    assert load_lessons(tmp_path, ("bored", "keen")) == []


def test_a_fault_is_told_in_the_language_of_the_moment(tmp_path: Path):
    with pytest.raises(InputError) as caught:
        load_lesson(write(tmp_path, GOOD | {"expect": [{"figure": "alpha", "of": "vision", "change": 3}]}))
    assert "'change' (expect, 1) has to be a text, not 3." in str(caught.value)
    with using("de"):
        assert "'change' (expect, 1) muss ein Text sein, nicht 3." in translate(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '"lesson"', "{}", "[" * 10_000])
def test_what_is_no_lesson_at_all_is_told(tmp_path: Path, text: str):
    with pytest.raises(InputError, match=r"mine\.json"):
        load_lesson(write(tmp_path, text))


def test_the_documented_example_is_a_valid_lesson(tmp_path: Path):
    guide = (Path(__file__).parents[2] / "docs" / "lessons.md").read_text(encoding="utf-8")
    example = guide.split("```json")[1].split("```")[0]
    lesson = load_lesson(write(tmp_path, example))
    before, after = readings(lesson)
    assert sum(lesson.right(before, after)) == 1
    assert all(claim.holds(before, after) for claim in lesson.expect)


def test_every_word_of_the_format_is_documented():
    from hff.lab.corrupted_material import KINDS
    from hff.lab.state import COMPONENTS

    guide = (Path(__file__).parents[2] / "docs" / "lessons.md").read_text(encoding="utf-8")
    for word in (
        *GOOD,
        "before",
        "then",
        "then_state",
        "then_sweep",
        "question_own",
        "watch_own",
        "aleatoric",
        "epistemic",
        *COMPONENTS,
        *(kind for m in MODALITIES for kind in KINDS[m]),
        "leader",
        "side",
        "alone",
        "probability",
        "emotion",
        "answer",
        "not",
    ):
        assert f"`{word}`" in guide, word
