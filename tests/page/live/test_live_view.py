"""The Live view: who may watch, what a page gets back, and the whole of it in a browser with a fake camera."""

from __future__ import annotations

import base64
import gc
import re
import time
import wave
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest

from hff.config import MODALITIES
from hff.errors import InputError, WeightsError
from hff.locale import sentence, texts, using
from hff.media import capture
from hff.page.live import hub as live_hub
from hff.page.live import messages
from hff.page.live.hub import LiveHub
from hff.page.live.layout import page
from hff.page.shared.amounts import SIGMA_FULL, percent
from hff.page.shared.ears import ear_name
from tests.support import live_script
from tests.support.live_fixtures import FakeAnalyzer, engine_of, fake, picture  # noqa: F401
from tests.support.media_fixtures import tone
from tests.support.page_browser import browsing, outside, real_model

MODEL = real_model  # behind the page of these tests

RATE = 16_000


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


# ---- the hub ------------------------------------------------------------------------------------------------


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


# ---- in the browser -----------------------------------------------------------------------------------------


def write_film(path: Path, pictures: list[np.ndarray], rate: int = 5) -> None:
    """An uncompressed film for Chromium's fake camera, which plays it again and again."""
    height, width = pictures[0].shape[:2]
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420\n" % (width, height, rate))
        for image in pictures:
            file.write(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes())


def write_sound(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((32767 * samples).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray, speech_wave: np.ndarray):
    """Flags for a camera that is covered half of the time, and a microphone that is silent half of the time."""
    folder = tmp_path_factory.mktemp("devices")
    face = cv2.resize(np.ascontiguousarray(portrait[:300, 60:460]), (320, 240))
    moving = [np.roll(face, shift, axis=1) for shift in (0, 1, 2, 1)] * 15
    write_film(folder / "camera.y4m", moving + [np.zeros_like(face)] * 60)
    speech = np.tile(speech_wave, 4)[: 17 * RATE]
    write_sound(folder / "microphone.wav", np.concatenate([speech, np.zeros(11 * RATE, np.float32)]))
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={folder / 'camera.y4m'}",
        f"--use-file-for-fake-audio-capture={folder / 'microphone.wav'}",
    )


PLACES = """[...document.querySelectorAll('.hff-live section, .hff-live-picture')]
    .map((box) => box.getBoundingClientRect())
    .map((box) => [box.x, box.y, box.right, box.bottom].map(Math.round).join())"""
CUT_OFF = """[...document.querySelectorAll('.hff-live *:not(.hff-heard)')].filter((part) =>
    part.scrollWidth > part.clientWidth + 2 && getComputedStyle(part).overflow === 'hidden').length"""


LARGEST = """[...document.querySelectorAll('.hff-live *')].filter((part) => part.offsetParent)
    .map((part) => [parseFloat(getComputedStyle(part).fontSize), part.dataset.live ?? part.className])
    .sort((a, b) => b[0] - a[0])[0][1]"""
OUT_OF_CARD = """[...document.querySelectorAll('.hff-live :is(.hff-gauge, section)')].flatMap((card) => {
    const own = card.getBoundingClientRect();
    return [...card.querySelectorAll('*:not(svg, svg *)')].filter((part) => {
        const content = document.createRange(); // the words: they may be wider than their box
        content.selectNodeContents(part);
        return [part, content].map((one) => one.getBoundingClientRect()).some(
            (box) => box.width > 0 && (box.left < own.left - 1 || box.right > own.right + 1));
    }).map((part) => part.className);
})"""


# The widest words and figures that a reading may have.
FILLED = """([none, all]) => {
    const bars = [...document.querySelectorAll('[data-live=bar]')];
    for (const bar of bars) bar.querySelector('.hff-value').textContent = none;
    bars.at(-1).classList.add('hff-best');
    bars.at(-1).querySelector('.hff-value').textContent = all;
    for (const gauge of document.querySelectorAll('.hff-live-gauges .hff-gauge')) {
        gauge.classList.remove('hff-absent');
        gauge.querySelector('.hff-alpha').textContent = '0.88';
    }
}"""


def open_live(page) -> None:
    page.get_by_role("tab", name=texts.TAB_LIVE, exact=True).click()
    page.wait_for_selector(".hff-live")


def until(page, condition: str) -> None:
    """Wait until a condition on the view's own figures ``d`` holds."""
    page.wait_for_function(f"(() => {{ const d = document.querySelector('.hff-live').dataset; return {condition} }})()")


@pytest.mark.browser
def test_alpha_leaves_a_covered_camera_and_a_silent_microphone_and_comes_back(server, devices):
    with browsing(server.url, flags=devices) as page:
        open_live(page)
        still = page.evaluate(PLACES)
        page.click("[data-live=start]")
        until(page, "d.state === 'running' && +d.alphaVision > 0.02 && +d.count > 3")
        assert float(page.get_attribute(".hff-live", "data-age")) >= 0
        until(page, "+d.alphaVision === 0 && d.varianceVision === '' && d.notes.includes('dark')")
        assert texts.LIVE_SAYS["dark"] in page.inner_text("[data-live=status]")
        assert texts.ABSENT in page.inner_text("[data-live=gauge-vision]")
        until(page, "+d.alphaVision > 0.02 && !d.notes.includes('dark')")
        until(page, "+d.alphaSpeech > 0.001")
        until(page, "+d.alphaSpeech === 0 && /silent|no_voice/.test(d.notes)")
        until(page, "+d.alphaSpeech > 0.001")
        assert page.evaluate(PLACES) == still  # nothing has moved
        shares = [float(page.get_attribute(".hff-live", f"data-alpha-{m}")) for m in MODALITIES]
        assert sum(shares) == pytest.approx(1, abs=0.01)
        page.fill("[data-live=text]", "I am so happy")
        until(page, "+d.alphaText > 0")
        page.click("[data-live=send]")
        page.get_by_role("tab", name=texts.TAB_LAB, exact=True, selected=True).wait_for()  # the page leads there itself
        page.get_by_role("tab", name=texts.TAB_LIVE, exact=True).click()
        page.click("[data-live=start]")
        until(page, "d.state === 'stopped'")
        assert page.get_attribute("[data-live=video]", "poster").startswith("data:image/jpeg")  # the picture stays
        assert page.inner_text("[data-live=emotion]") != texts.LIVE_NOTHING
        assert page.is_enabled("[data-live=send]")
        assert not outside(page.requests, server.url)


MEASURES = """() => {
    const gauge = document.querySelector("[data-live=gauge-text]"), dial = gauge.querySelector(".hff-dial").dataset;
    const line = document.querySelector("[data-live=line-alpha-text]"), plot = line.ownerSVGElement.dataset;
    const bar = gauge.querySelector(".hff-sigma-bar");
    return {
        arc: gauge.querySelector(".hff-arc").getAttribute("stroke-dasharray").split(" ").map(Number),
        length: +dial.length, gap: +dial.gap, full: +bar.dataset.full,
        filled: [...bar.children].reduce((sum, part) => sum + parseFloat(part.style.width) / 100, 0),
        end: line.getAttribute("d").split(/[ML]/).at(-1).split(" ").map(Number),
        width: +plot.width, top: +plot.top, bottom: +plot.bottom,
    };
}"""


@pytest.mark.browser
def test_arc_bar_and_line_are_drawn_by_the_measures_on_the_markup(server):
    with browsing(server.url, flags=("--use-fake-device-for-media-stream", "--deny-permission-prompts")) as page:
        open_live(page)
        page.click("[data-live=start]")
        page.fill("[data-live=text]", "I am so happy")
        until(page, "+d.alphaText > 0")
        page.click("[data-live=start]")
        until(page, "d.state === 'stopped'")
        said = {name: float(page.get_attribute(".hff-live", f"data-{name}-text")) for name in ("alpha", "variance")}
        drawn = page.evaluate(MEASURES)
        assert drawn["arc"] == pytest.approx([said["alpha"] * drawn["length"], drawn["gap"]], abs=0.02)
        assert drawn["full"] == SIGMA_FULL
        assert drawn["filled"] == pytest.approx(said["variance"] / drawn["full"], abs=0.01)
        assert drawn["end"][0] == pytest.approx(drawn["width"], abs=0.1)
        height = drawn["bottom"] - (drawn["bottom"] - drawn["top"]) * said["alpha"]
        assert drawn["end"][1] == pytest.approx(height, abs=0.1)


@pytest.mark.browser
def test_without_permission_it_says_so_and_still_reads_typed_words(server):
    with browsing(server.url, flags=("--use-fake-device-for-media-stream", "--deny-permission-prompts")) as page:
        open_live(page)
        page.fill("[data-live=text]", "What a wonderful day")
        page.click("[data-live=start]")
        until(page, "+d.alphaText === 1")
        said = page.inner_text("[data-live=status]")
        assert "camera and microphone" in said
        assert said.startswith(("The browser did not allow", "There is no"))


@pytest.mark.browser
def test_everything_fits_the_screen(server):
    with browsing(server.url) as page:
        open_live(page)
        for _ in range(2):  # then on the big screen
            for width, height in ((1366, 650), (1280, 720), (1920, 1080)):
                page.set_viewport_size({"width": width, "height": height})
                assert page.evaluate("document.documentElement.scrollHeight") <= height
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert page.evaluate(CUT_OFF) == 0
            assert page.evaluate(LARGEST) == "emotion", "the answer is the largest thing on the page"
            page.set_viewport_size({"width": 390, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert page.evaluate(OUT_OF_CARD) == []
            page.click("[data-live=big]")


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_widest_figures_stay_in_their_cards(server, language: str):
    with browsing(server.url + ("" if language == "en" else f"{language}/")) as page, using(language):
        open_live(page)
        page.evaluate(FILLED, [percent(0.001), percent(0.999)])
        for _ in range(2):  # then on the big screen
            for width, height in ((1366, 650), (390, 844)):
                page.set_viewport_size({"width": width, "height": height})
                assert page.evaluate(OUT_OF_CARD) == []
            page.click("[data-live=big]")
        page.evaluate("document.querySelector('[data-live=video]').poster = 'data:image/png;base64,'")  # as after Stop
        assert not page.is_visible(".hff-live-hint")


@pytest.mark.browser
def test_the_big_screen_leaves_out_what_the_back_of_the_room_cannot_read(server):
    with browsing(server.url) as page:
        open_live(page)
        parts = [".hff-live-attention", ".hff-live-timeline-variance", ".hff-live-small"]
        assert all(page.is_visible(part) for part in parts)
        page.click("[data-live=big]")
        assert not any(page.is_visible(part) for part in parts)
        assert page.is_visible(".hff-live-timeline-alpha")
