"""The whole Live view in a browser with a fake camera."""

from __future__ import annotations

import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from hff.config import MODALITIES
from hff.locale import texts, using
from hff.page.shared.amounts import SIGMA_FULL, percent
from tests.support.page_browser import browsing, outside, real_model

MODEL = real_model  # behind the page of these tests
RATE = 16_000  # Hz


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


EAR_OVER_NAME = """() => {
    const gauge = document.querySelector("[data-live=gauge-speech]");
    const [name, ear] = ["h3", ".hff-live-ear"].map((part) => gauge.querySelector(part));
    const words = document.createRange();
    words.selectNodeContents(name);
    const [one, other] = [words, ear].map((part) => part.getBoundingClientRect());
    return one.right > other.left && other.top < one.bottom;
}"""


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
            for width, height in ((390, 844), (1000, 700)):
                page.set_viewport_size({"width": width, "height": height})
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert page.evaluate(OUT_OF_CARD) == []
            assert not page.evaluate(EAR_OVER_NAME)
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
