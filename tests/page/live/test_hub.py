"""The Live view's hub: who may watch, what a page gets back, and what of it stands on the page."""

from __future__ import annotations

import base64
import gc
import re
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from hff.errors import InputError, WeightsError
from hff.locale import sentence, texts
from hff.media import capture
from hff.page.live import hub as live_hub
from hff.page.live import messages
from hff.page.live.hub import LiveHub
from hff.page.live.layout import page
from hff.page.shared.ears import ear_name
from tests.support import live_script
from tests.support.live_fixtures import FakeAnalyzer, engine_of, fake, picture  # noqa: F401
from tests.support.media_fixtures import tone

RATE = 16_000  # Hz


def message(ticket: str, time: float, brightness: int = 120) -> dict:
    """What a page sends after each quarter of a second."""
    sound = (32767 * tone(0.25, RATE)).astype("<i2").tobytes()
    return {
        "ticket": ticket,
        "frame": {"time": time, "data": messages.jpeg(picture(brightness))},
        "sound": {"time": time, "rate": RATE, "data": base64.b64encode(sound).decode()},
    }


def watch(hub: LiveHub, ticket: str, seconds: float = 2.0, **kind) -> dict:
    return [hub.feed(message(ticket, quarter / 4, **kind)) for quarter in range(round(4 * seconds))][-1]


def test_a_page_gets_what_it_needs_to_draw(fake: FakeAnalyzer):  # noqa: F811
    hub = LiveHub(engine_of(fake))
    answer = watch(hub, hub.enter("a")[0])
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-3)
    assert len(answer["spread"]) == len(answer["probabilities"])
    assert sum(answer["alpha"]) == pytest.approx(1, abs=1e-3)
    assert answer["alpha"][1] == 0
    assert answer["aleatoric"][1] is None
    assert np.array(answer["attention"]).shape == (4, 4)
    assert np.sum(answer["attention"]) == pytest.approx(1, abs=1e-2)
    left, top, width, height = answer["face"]["box"]
    assert (left, top) == pytest.approx((10 / 64, 10 / 48), abs=1e-3)
    assert (width, height) == pytest.approx((30 / 64, 30 / 48), abs=1e-3)
    assert answer["notes"] == []


def test_how_long_the_window_is_stands_over_the_attention_and_below_it():
    drawn = str(page(5.0))
    assert "Where it looks, last 5 seconds" in drawn
    assert texts.LIVE_AXIS_PAST.format(seconds=5) in drawn


def test_typed_words_are_part_of_what_is_sent(fake: FakeAnalyzer):  # noqa: F811
    hub = LiveHub(engine_of(fake))
    answer = hub.feed({"ticket": hub.enter("a")[0], "text": "good morning"})
    assert answer["typed"] == "good morning"
    assert answer["alpha"][1] == 1


def test_each_page_has_its_own_ear(fake: FakeAnalyzer):  # noqa: F811
    hub = LiveHub(engine_of(fake, others={"whisper": fake.hearing_with("whisper")}))
    one, other = hub.enter("a")[0], hub.enter("b")[0]
    assert hub.feed(message(one, 0.0) | {"ear": "whisper"})["ear"] == "whisper"
    answers = [watch(hub, ticket) for ticket in (one, other)]
    assert [answer["ear"] for answer in answers] == ["whisper", "mfcc-cnn"]
    assert answers[0]["probabilities"] != answers[1]["probabilities"]
    assert hub.feed({"ticket": one, "ear": "of an elephant"})["ear"] == "whisper"  # which there is none of
    assert hub.feed({"ticket": one, "ear": "mfcc-cnn"})["probabilities"] == pytest.approx(
        answers[1]["probabilities"], abs=1e-3
    )


def test_a_browsers_camera_is_asked_for_what_the_servers_own_gives(tmp_path: Path):
    asked = {"width": capture.CAMERA_WIDTH, "height": capture.CAMERA_HEIGHT, "frameRate": capture.CAPTURE_FPS}
    assert live_script.given(tmp_path)["props"]["camera"] == asked


def test_there_is_a_choice_of_ears_only_where_there_are_several():
    assert 'data-live="ear"' not in str(page(8.0, ears=("mfcc-cnn",)))
    drawn = str(page(8.0, ears=("whisper", "mfcc-cnn")))
    assert re.findall(r'<option value="([^"]+)">([^<]+)', drawn.replace("&#39;", "'")) == [
        (ear, ear_name(ear)) for ear in ("whisper", "mfcc-cnn")
    ]


def test_who_comes_too_late_is_told_and_may_enter_when_one_leaves(fake: FakeAnalyzer):  # noqa: F811
    hub = LiveHub(engine_of(fake), limit=4)
    tickets = [hub.enter(owner)[0] for owner in "abcd"]
    assert hub.enter("e") == (None, sentence("LIVE_FULL", count=4))
    assert hub.enter("a")[0] not in (None, *tickets)  # a page that starts again takes its own place
    hub.leave("b")
    assert hub.enter("e")[0] is not None
    assert hub.viewers == 4


@pytest.mark.parametrize(
    "sent",
    [
        {"frame": 3},
        {"frame": "data:image/jpeg;base64,AAAA"},
        {"frame": [1, 2]},
        {"frame": {}},
        {"frame": {"time": "now", "data": "AAAA"}},
        {"frame": {"time": None, "data": "AAAA"}},
        {"frame": {"time": 10**400, "data": "AAAA"}},
        {"frame": {"time": float("nan"), "data": "AAAA"}},
        {"frame": {"time": True, "data": "AAAA"}},
        {"frame": {"time": 1.0, "data": 7}},
        {"sound": {"time": 1.0, "rate": "fast", "data": ""}},
        {"sound": {"time": 1.0, "rate": float("inf"), "data": ""}},
        {"sound": {"time": 1.0, "data": ""}},
        {"sound": [{"time": 1.0}]},
        {"text": 5},
        {"text": ["angry"]},
    ],
    ids=repr,
)
def test_a_message_of_another_shape_is_ignored_with_a_line(sent, fake: FakeAnalyzer, caplog):  # noqa: F811
    caplog.set_level("DEBUG", logger="hff")
    hub = LiveHub(engine_of(fake))
    ticket = hub.enter("a")[0]
    before = hub.feed({"ticket": ticket})
    caplog.clear()
    answer = hub.feed({"ticket": ticket} | sent)
    assert "error" not in answer
    assert answer.keys() == before.keys()
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
    assert len(caplog.text) < 200
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize(
    "sent", [None, 5, "ticket", ["ticket"], [], True, {"ticket": ["a"]}, {"ticket": {}}, {}], ids=repr
)
def test_a_message_that_is_no_object_is_nobodys(sent, fake: FakeAnalyzer, caplog):  # noqa: F811
    caplog.set_level("DEBUG", logger="hff")
    assert LiveHub(engine_of(fake)).feed(sent) == {"error": texts.LIVE_GONE, "gone": True}
    assert {record.levelname for record in caplog.records} <= {"DEBUG"}
    assert all(record.exc_info is None for record in caplog.records)


def test_one_address_cannot_keep_every_place(fake: FakeAnalyzer):  # noqa: F811
    hub = LiveHub(engine_of(fake))
    greedy = [hub.enter(owner, "10.0.0.1")[0] for owner in "abcd"]
    assert hub.enter("e", "10.0.0.1") == (None, sentence("LIVE_FULL", count=4))
    other, _ = hub.enter("f", "10.0.0.2")
    assert other is not None
    assert [hub.feed({"ticket": ticket}).get("gone", False) for ticket in greedy] == [False, False, False, True]
    assert "gone" not in hub.feed({"ticket": other})
    assert hub.enter("g", "10.0.0.2")[0] is not None
    assert hub.enter("h", "10.0.0.2")[0] is None  # two and two is fair


def test_who_sends_nothing_gives_the_place_to_who_wants_it(fake: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    hub = LiveHub(engine_of(fake), limit=1)
    idle, _ = hub.enter("a")
    assert hub.enter("b")[0] is None
    monkeypatch.setattr("hff.page.live.hub.FORGOTTEN_AFTER", 0.2)
    for _ in range(5):
        hub.feed({"ticket": idle, "frame": None, "sound": None})
        time.sleep(0.1)
    assert hub.enter("b")[0] is not None
    assert hub.feed({"ticket": idle})["gone"]


def test_one_that_leaves_or_fails_does_not_disturb_the_others(fake: FakeAnalyzer):  # noqa: F811
    hub = LiveHub(engine_of(fake))
    first, second = hub.enter("a")[0], hub.enter("b")[0]
    watch(hub, first)
    before = watch(hub, second)
    for broken in (
        {"frame": {"time": 1.0, "data": "data:image/jpeg;base64,AAAA"}},
        {"frame": {"time": 1.0, "data": "é"}},
        {"sound": {"time": 1.0, "rate": RATE, "data": "AAAA"}},
        {"sound": {"time": 1.0, "rate": 1, "data": ""}},
    ):
        assert hub.feed({"ticket": first} | broken)["error"]
    hub.feed({"ticket": first, "leave": True})
    assert hub.feed({"ticket": first})["gone"]
    assert hub.feed({"ticket": second})["alpha"] == before["alpha"]


def test_leaving_frees_the_state(fake: FakeAnalyzer):  # noqa: F811
    hub = LiveHub(engine_of(fake))
    ticket = hub.enter("a")[0]
    watch(hub, ticket)
    session = weakref.ref(hub.session_of(ticket))
    hub.leave("a")
    gc.collect()
    assert session() is None


@pytest.mark.parametrize("ticket", [None, "", "guessed", 3])
def test_nobody_gets_in_without_a_ticket(fake: FakeAnalyzer, ticket):  # noqa: F811
    assert LiveHub(engine_of(fake)).feed({"ticket": ticket})["gone"]


def test_a_page_that_says_nothing_is_forgotten(fake: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    hub = LiveHub(engine_of(fake))
    ticket = hub.enter("a")[0]
    monkeypatch.setattr(live_hub, "FORGOTTEN_AFTER", -1.0)
    assert hub.viewers == 0
    assert hub.feed({"ticket": ticket})["gone"]


def test_a_model_that_cannot_be_loaded_is_told():
    def fail():
        raise WeightsError("No weights here.")

    engine = engine_of(None)
    engine.model = fail
    assert LiveHub(engine).enter("a") == (None, "No weights here.")


def test_a_snapshot_is_the_page_s_own(fake: FakeAnalyzer):  # noqa: F811
    hub = LiveHub(engine_of(fake))
    watch(hub, hub.enter("a")[0], 3.0)
    hub.enter("b")
    assert hub.snapshot("a").seconds == pytest.approx(3.0)
    for owner in ("b", "c"):
        with pytest.raises(InputError, match="Start the camera"):
            hub.snapshot(owner)


def test_the_last_seconds_can_be_sent_after_stop_until_the_visit_starts_anew_or_ends(fake: FakeAnalyzer):  # noqa: F811
    hub = LiveHub(engine_of(fake))
    for goes in (lambda: hub.enter("a"), lambda: hub.leave("a")):
        ticket, _ = hub.enter("a")
        watch(hub, ticket, 3.0)
        assert hub.feed({"ticket": ticket, "leave": True}) == {}
        assert hub.viewers == 0  # the place is free
        assert hub.snapshot("a").seconds == pytest.approx(3.0)
        with pytest.raises(InputError, match="Start the camera"):
            hub.snapshot("b")
        goes()
        with pytest.raises(InputError, match="Start the camera"):
            hub.snapshot("a")
