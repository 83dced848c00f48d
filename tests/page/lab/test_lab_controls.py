"""The lab's controls and links: what they hold, and that all has a name."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest

from hff.arithmetic import in_hundredths
from hff.config import MODALITIES
from hff.errors import InputError
from hff.lab.corrupted_material import KINDS, NO_KIND
from hff.lab.state import COMPONENTS, LabState
from hff.locale import texts
from hff.page.lab.controls import Controls
from hff.page.lab.share import state_from_address
from tests.support.lab_fixtures import CLEAN


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


@pytest.mark.parametrize("severity", [0.0, 0.05, 0.35, 1 / 3, 0.9, 1.0])
def test_a_severity_is_shown_in_percent_and_stays_the_same(severity: float):
    with gr.Blocks(), gr.Tabs():
        controls = Controls()
    state = CLEAN.with_severity("vision", severity)
    values = controls.show(state)
    assert 100 * severity == pytest.approx(values[controls.values.index(controls.corruption["vision"].severity)])
    assert controls.state(tuple(values)).corruption["vision"].severity == pytest.approx(severity, abs=1e-9)


@pytest.mark.parametrize("weights", [(1 / 3, 1 / 3, 1 / 3), (0.005, 0.005, 0.99), (0.0, 0.0, 1.0), (0.125, 0.375, 0.5)])
def test_rounded_weights_still_add_up(weights):
    shown = in_hundredths(weights)
    assert sum(round(100 * w) for w in shown) == 100
    assert shown == pytest.approx(weights, abs=0.011)


def test_every_kind_and_part_has_a_name_on_the_page():
    assert set(texts.LAB_CORRUPTION_NAMES) == {kind for m in MODALITIES for kind in KINDS[m] if kind != NO_KIND}
    assert set(texts.LAB_PART_NAMES) == set(COMPONENTS)
