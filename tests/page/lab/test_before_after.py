"""What changed in one sentence, and before and after side by side, without model or browser."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from hff.config import EMOTIONS, MODALITIES, STEP_SECONDS
from hff.lab.comparison import clip_means
from hff.lab.state import LabState
from hff.locale import texts, using
from hff.page.lab.before_after import alpha0_sentence, change_sentence, comparison, unknown_after
from hff.page.shared.amounts import weight_figures
from tests.support.lab_fixtures import BLURRED, CLEAN, after, shares
from tests.support.model_fixtures import SHIPPED
from tests.support.page_fixtures import make_result


def test_the_sentence_names_the_weight_its_reason_and_the_answer():
    before = make_result(3)
    fallen = after({"speech": 0.5, "text": 0.45, "vision": 0.05}, {"vision": 4.0})
    sentence = change_sentence(before, fallen, True)
    assert sentence.startswith(f"α of the face falls from {before.alpha['vision']:.2f} to 0.05 because its σ² rises")
    share = f"{before.probabilities[before.emotion]:.0%}"
    assert sentence.endswith(f"the answer stays {before.emotion} ({share}).")  # one number where it is the same


@pytest.mark.parametrize(
    ("language", "why"), [("en", "but above all its α₀ falls from"), ("de", "vor allem aber fällt α₀ von")]
)
def test_the_sentence_names_alpha0_where_that_did_more_than_sigma(language, why):
    fallen = after({"speech": 0.5, "text": 0.45, "vision": 0.05}, {"vision": 4.0})
    fallen.timeline.alpha0[:, MODALITIES.index("vision")] /= 100
    with using(language):
        assert why in change_sentence(make_result(3), fallen, True)


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


def test_where_nothing_moved_the_chain_is_of_something_that_is_there():
    reading = make_result(3, there=("text", "vision"))
    shown = str(comparison(reading, reading, CLEAN, CLEAN))
    chain = shown[shown.index('id="hff-lab-chain"') :].split("</p>")[0]
    assert texts.ABSENT not in chain
    heaviest = max(reading.alpha, key=reading.alpha.get)
    assert f'hff-chain hff-{heaviest}"' in shown


def test_a_small_weight_is_not_written_as_that_of_an_absent_modality():
    small = {"speech": 0.004, "text": 0.0, "vision": 0.996}
    assert list(weight_figures(small).values()) == ["<\u00a00.01", "0.00", "1.00"]
    with using("de"):
        assert weight_figures(small)["speech"] == "<\u00a00,01"
    before, now = make_result(3), after({"speech": 0.004, "text": 0.496, "vision": 0.5}, {"speech": 0.9})
    shown = str(comparison(before, now, CLEAN, BLURRED))
    row = shown.split('id="hff-lab-row-speech"')[1].split("</tr>")[0]
    said = [shown.split(f'id="{place}"')[1].split("</p>")[0] for place in ("hff-lab-chain", "hff-lab-sentence")]
    for part in (row, *said):
        assert "&lt;\u00a00.01" in part


def test_w_of_a_clip_is_what_the_equation_makes_of_the_sigma_beside_it():
    result = make_result(12)
    means = clip_means(result)
    for modality in SHIPPED:
        assert means["precision"][modality] == pytest.approx(1 / (means["variance"][modality] + 1e-2))
    gone = clip_means(make_result(3, there=("text",)))["precision"]
    assert gone["vision"] is None
    assert gone["text"] > 0


@pytest.mark.parametrize(("seconds", "head"), [(STEP_SECONDS, "LAB_COLUMNS"), (3, "LAB_ALPHA_OF_MOMENTS")])
def test_the_table_says_where_alpha_is_worked_out_moment_by_moment(seconds: float, head: str):
    shown = comparison(make_result(seconds), make_result(seconds, seed=4), CLEAN, BLURRED)
    one, many = texts.LAB_COLUMNS["alpha"][1], texts.LAB_ALPHA_OF_MOMENTS
    assert f"<span>{one if head == 'LAB_COLUMNS' else many}</span>" in shown
