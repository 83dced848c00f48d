"""The Clip view as a person uses it, in a real browser, with the trained model behind it."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hff.config import EMOTIONS, MODALITIES
from hff.examples.ready import EXAMPLES, EXAMPLES_FOLDER
from hff.locale import texts
from hff.pipeline import recording
from tests.support.media_fixtures import write_media
from tests.support.page_browser import (
    analyse,
    answering,
    browsing,
    camera_flags,
    choose_example,
    chromium,
    download,
    eventually,
    files_in,
    open_camera,
    open_section,
    outside,
    real_model,
    wait_for_film,
    wait_for_sound,
)
from tests.support.page_fixtures import alike

MODEL = real_model  # behind the page of these tests

pytestmark = pytest.mark.browser


def test_an_uploaded_clip_becomes_a_report_to_keep(server, tmp_path: Path):
    expected = real_model().analyze(video=str(EXAMPLES_FOLDER / "clip.mp4"))
    with browsing(server.url) as page:
        page.set_input_files("#hff-video input[type=file]", EXAMPLES_FOLDER / "clip.mp4")
        page.wait_for_selector("#hff-status :text('Will read: video')")
        assert analyse(page) == expected.emotion
        for name in MODALITIES:
            shown = float(page.get_attribute(f"#hff-gauge-{name}", "data-alpha"))
            assert shown == pytest.approx(expected.alpha[name], abs=1e-3)
        page.wait_for_selector("#hff-timeline svg")
        assert "Time in the clip (s)" in page.text_content("#hff-timeline svg")

        open_section(page, "Attention")
        page.wait_for_selector("#hff-attention svg")
        open_section(page, "Words")
        assert page.input_value("#hff-transcript textarea") == expected.transcript.text

        kept = json.loads(download(page, "json"))
        wanted = json.loads(json.dumps(expected.to_dict()))
        for varying in ("timings", "file"):
            kept.pop(varying), wanted.pop(varying)
        assert alike(kept, wanted)
        rows = list(csv.DictReader(io.StringIO(download(page, "csv").decode())))
        assert [float(row["alpha_vision"]) for row in rows] == pytest.approx(expected.timeline.alpha[:, 2])
        picture = Image.open(io.BytesIO(download(page, "png")))
        assert picture.format == "PNG"
        assert min(picture.size) > 1000
        (tmp_path / "report.html").write_bytes(download(page, "html"))

    with_nothing_else(tmp_path / "report.html", expected.emotion)


def test_other_words_for_the_same_clip_need_no_file(server, monkeypatch):
    material = real_model().read(video=str(EXAMPLES_FOLDER / "clip.mp4"))
    expected = real_model().analyze_recording(material.with_text("Leave me alone, I hate it"))
    with browsing(server.url) as page:
        choose_example(page, "Clip")
        for decoder in ("read_audio", "read_frames", "probe"):
            monkeypatch.setattr(recording, decoder, None)  # to decode would fail now
        open_section(page, "Words")
        page.fill("#hff-transcript textarea", expected.transcript.text)
        page.click("#hff-rerun")
        page.wait_for_selector(f'text="{texts.TRANSCRIPT_NOTE["typed"]}"')
        kept = json.loads(download(page, "json"))
    assert kept["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    assert kept["alpha"] == pytest.approx(expected.alpha, abs=1e-5)


def test_where_it_looked_and_which_words_counted_can_be_switched_on(server):
    with browsing(server.url) as page:
        choose_example(page, texts.EXAMPLES["mixed"][0])
        page.wait_for_selector("#hff-timeline svg")
        assert page.locator(".hff-explained").count() == 0
        page.check("#hff-explain input")
        page.wait_for_selector("#hff-explained .hff-maps img")
        assert "sad" in page.inner_text("#hff-explained .hff-marked-says")
        assert page.locator("#hff-explained .hff-marked mark").count() > 0
        assert texts.EXPLAINED_FACES in page.inner_text("#hff-explained")
        choose_example(page, texts.EXAMPLES["sentence"][0])  # the layer stays on
        page.wait_for_selector("#hff-explained .hff-word-strong:has-text('scared')")
        assert page.locator("#hff-explained .hff-maps").count() == 0
        page.uncheck("#hff-explain input")
        page.wait_for_selector("#hff-explained .hff-explained", state="detached")
        assert page.locator("#hff-timeline svg").count() == 1


def test_the_other_ear_reads_the_same_clip_again(server):
    with browsing(server.url) as page:
        choose_example(page, texts.EXAMPLES["sarcasm"][0])
        assert "ear: Whisper's" in page.inner_text(".hff-source")
        heard = page.get_attribute("#hff-gauge-speech", "data-alpha")
        with answering(page):
            page.locator("#hff-ear").get_by_text("the paper's", exact=True).click()
        assert "ear: the paper's" in page.inner_text(".hff-source")
        assert page.get_attribute("#hff-gauge-speech", "data-alpha") != heard
        open_section(page, "Keep it")
        page.wait_for_selector("#hff-download-json:not([disabled])")
        with page.expect_download() as waiting:
            page.click("#hff-download-json")
        assert waiting.value.suggested_filename == "sarcasm-mfcc-cnn.json"
        assert json.loads(Path(waiting.value.path()).read_bytes())["speech_encoder"] == "mfcc-cnn"
        with answering(page):  # the ear stays for what is read next
            page.click("#hff-analyse")
        assert "ear: the paper's" in page.inner_text(".hff-source")
        page.get_by_role("tab", name=texts.TAB_LAB, exact=True).click()
        page.wait_for_selector(".hff-stacks :text('After · ear: the paper')")


def with_nothing_else(report: Path, emotion: str) -> None:
    """The report opened from disk shows the reading and asks for nothing but itself."""
    with chromium.page() as page:
        page.goto(report.as_uri())
        assert page.inner_text("#hff-emotion").lower() == emotion
        assert page.locator("svg.hff-figure").count() >= 3
        assert page.locator(".hff-gauge").count() == 3
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert [r.url for r in page.requests if not r.url.startswith("data:")] == [report.as_uri()]


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray, speech_path: Path) -> tuple[str, ...]:
    return camera_flags(tmp_path_factory.mktemp("devices"), portrait, speech_path)


def test_recording_from_webcam_and_microphone(server, devices: tuple[str, ...]):
    with browsing(server.url, flags=devices) as page:
        open_camera(page, "#hff-video")
        record = page.locator("#hff-video .capture-button")
        record.click()
        wait_for_film(page, "#hff-video", 6)
        assert page.inner_text(".hff-clock").endswith("of 2:00")
        assert page.inner_text(".hff-clock") >= "0:05"
        analyse_before_it_has_come(page, record)
        assert "Will read: video" in page.inner_text("#hff-status")
        assert "breaks off" not in page.inner_text("#hff-answer")
        assert page.inner_text("#hff-emotion").lower() in EMOTIONS
        assert float(page.get_attribute("#hff-gauge-vision", "data-alpha")) > 0
        assert float(page.get_attribute("#hff-gauge-speech", "data-alpha")) > 0

        page.click("#hff-clear")
        page.wait_for_selector(".hff-empty")
        page.locator("#hff-media").get_by_role("tab", name="Sound").click()
        sound = page.locator("#hff-audio")
        sound.get_by_role("button", name="Record audio").click()
        sound.locator(".record-button").click()
        wait_for_sound(page, "#hff-audio", 5)
        analyse_before_it_has_come(page, sound.locator(".stop-button"))
        assert "Will read: sound" in page.inner_text("#hff-status")
        assert page.inner_text("#hff-emotion").lower() in EMOTIONS
        assert page.get_attribute("#hff-gauge-vision", "data-alpha") == "0.0000"
        assert "absent" in page.inner_text("#hff-gauge-vision")
        assert float(page.get_attribute("#hff-gauge-speech", "data-alpha")) > 0


def analyse_before_it_has_come(page, end) -> None:
    """Press ``end`` of a recording, and Analyse while the recording is still on its way to the server."""
    held, free = [], threading.Event()
    page.route("**/upload*", lambda route: route.continue_() if free.is_set() else held.append(route))
    with answering(page):
        with page.expect_request("**/upload*"):
            end.click()
        page.click("#hff-analyse")
        page.wait_for_selector("#hff-analyse[data-held]")
        free.set()
        for route in held:
            route.continue_()


def test_a_picture_taken_with_the_webcam(server, devices: tuple[str, ...]):
    with browsing(server.url, flags=devices) as page:
        page.locator("#hff-media").get_by_role("tab", name="Picture").click()
        open_camera(page, "#hff-image")
        page.locator("#hff-image").get_by_role("button", name="capture photo").click()
        page.wait_for_selector("#hff-status :text('Will read: picture')")
        assert analyse(page) in EMOTIONS
        assert page.get_attribute("#hff-gauge-vision", "data-alpha") == "1.0000"


def test_every_ready_example_loads_and_is_read(server):
    with browsing(server.url) as page:
        for example in EXAMPLES:
            assert choose_example(page, example.title) in EMOTIONS
            page.wait_for_selector(f'#hff-status :text("{example.origin}")')
        assert outside(page.requests, server.url) == []


def test_a_long_clip_stops_within_two_seconds(server, tmp_path: Path):
    """Noise of which the face's detector would have to look at every picture, for minutes."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (180, 320, 3), np.uint8) for _ in range(400)]
    film = write_media(
        tmp_path / "long.mp4", video="mpeg4", stamps=[i / 4 for i in range(400)], images=pictures, size=(320, 180)
    )
    with browsing(server.url) as page:
        page.set_input_files("#hff-video input[type=file]", film)
        page.wait_for_selector("#hff-status :text('Will read: video')")
        with answering(page):
            page.click("#hff-analyse")
            page.wait_for_selector("#hff-answer :text('Looking at the face')")
            begun = time.monotonic()
            page.click("#hff-stop")
            page.wait_for_selector("#hff-analyse", state="visible")
            assert time.monotonic() - begun < 2
        assert texts.STOPPED_TITLE in page.inner_text("#hff-answer")
        assert choose_example(page, "Sentence") in EMOTIONS


def test_a_broken_file_gets_a_sentence_and_the_page_goes_on(server, tmp_path: Path):
    broken = tmp_path / "holiday.mp4"
    broken.write_text("this is no video")
    with browsing(server.url) as page:
        page.set_input_files("#hff-video input[type=file]", broken)
        page.wait_for_selector("#hff-status :text('Will read: video')")
        page.click("#hff-analyse")
        page.wait_for_selector("#hff-answer [role=alert]")
        message = page.inner_text("#hff-answer [role=alert]")
        assert "holiday.mp4" in message
        assert "Traceback" not in page.content()
        page.click("#hff-clear")
        page.wait_for_selector(".hff-empty")
        assert choose_example(page, "Sentence") in EMOTIONS


@pytest.mark.parametrize("name", ["Sentence", "Clip"])
def test_what_follows_a_slow_clear_is_read_and_stays(server, monkeypatch, name: str):
    end, ended = server.sessions.end, []

    def slowly(key: str) -> None:
        time.sleep(2)
        end(key)
        ended.append(key)

    with browsing(server.url) as page:
        choose_example(page, "Sentence")
        with monkeypatch.context() as patch, answering(page):
            patch.setattr(server.sessions, "end", slowly)
            page.click("#hff-clear")
            page.locator("#hff-examples").get_by_role("button", name=name, exact=True).click()
            assert eventually(lambda: ended)
        page.wait_for_selector("#hff-timeline svg")
        assert page.inner_text("#hff-emotion").lower() in EMOTIONS
        page.wait_for_selector("#hff-status :text('Will read')")


def test_nothing_is_kept_when_the_page_is_closed(server):
    assert eventually(lambda: files_in(server.folder.path) == [])
    with browsing(server.url) as page:
        page.set_input_files("#hff-video input[type=file]", EXAMPLES_FOLDER / "clip.mp4")
        page.wait_for_selector("#hff-status :text('Will read: video')")
        analyse(page)
        download(page, "html")
        assert {path.suffix for path in files_in(server.folder.path)} >= {".mp4", ".json", ".csv", ".png", ".html"}
    assert eventually(lambda: files_in(server.folder.path) == [])
    assert eventually(lambda: server.sessions.open == set())


def test_a_dialogue_is_read_turn_by_turn(server, tmp_path: Path):
    talk = tmp_path / "talk.csv"
    talk.write_text("speaker,text,start,end\nAnna,I am so happy and glad!,0,1.5\nBen,This makes me furious.,60,61\n")
    with browsing(server.url) as page:
        page.click("#hff-dialogue > button")
        page.click("#hff-dialogue-read")
        page.wait_for_selector(f"#hff-dialogue-shown :text('{texts.DIALOGUE_NO_FILE}')")
        page.set_input_files("#hff-dialogue-file input[type=file]", talk)
        page.wait_for_selector("#hff-dialogue-file :text('talk')")
        page.click("#hff-dialogue-read")
        page.wait_for_selector("#hff-dialogue-shown tbody tr:nth-child(2)")
        assert page.locator("#hff-dialogue-shown td b[data-emotion]").evaluate_all(
            "cells => cells.map(cell => cell.dataset.emotion)"
        ) == ["happy", "angry"]
        with page.expect_download() as kept:
            page.click("#hff-dialogue-download")
        rows = list(csv.DictReader(io.StringIO(Path(kept.value.path()).read_text(encoding="utf-8"))))
        assert [row["speaker"] for row in rows] == ["Anna", "Ben"]

        page.get_by_role("tab", name="Sound").click()
        page.set_input_files("#hff-audio input[type=file]", EXAMPLES_FOLDER / "voice.wav")
        page.wait_for_selector("#hff-status :text('Will read: sound')")
        analyse(page)
        page.check("#hff-dialogue-with-clip input")
        page.click("#hff-dialogue-read")
        page.wait_for_selector("#hff-dialogue-shown .hff-fault")
        assert page.locator("#hff-dialogue-shown .hff-stack-part.hff-speech").count() == 1, (
            "Ben's turn is not in the clip"
        )
