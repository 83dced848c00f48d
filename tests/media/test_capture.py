"""The machine's own camera and microphone, played by fakes."""

from __future__ import annotations

import builtins
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hff.errors import DependencyError, DeviceError
from hff.media import capture
from hff.media.capture import Capture, check_devices, describe_devices
from hff.page.live.hub import NativeHub
from tests.support.live_fixtures import engine_of, fake  # noqa: F401
from tests.support.page_browser import eventually


class FakeCamera:
    """``cv2.VideoCapture``: camera 0 is there, and breaks off once after ``breaks_after`` pictures."""

    opened: int = 0
    breaks_after: int | None = None

    def __init__(self, number: int) -> None:
        self.number, self.given = number, 0
        FakeCamera.opened += 1

    def isOpened(self) -> bool:
        return self.number == 0

    def set(self, name: int, value: float) -> bool:
        return True

    def read(self):
        threading.Event().wait(0.002)
        self.given += 1
        if FakeCamera.breaks_after is not None and self.given > FakeCamera.breaks_after:
            FakeCamera.breaks_after = None
            return False, None
        image = np.zeros((48, 64, 3), np.uint8)
        image[..., 2] = 200  # red, in OpenCV's order
        return True, image

    def release(self) -> None:
        pass


class FakeStream:
    """``sounddevice.InputStream``: calls back from a thread until it is left."""

    def __init__(self, samplerate, blocksize, device, channels, dtype, callback, finished_callback) -> None:
        self.callback, self.blocksize, self.left = callback, blocksize, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self.left.wait(0.01):
            self.callback(np.full((self.blocksize, 1), 0.25, np.float32), self.blocksize, None, "")

    def __enter__(self) -> FakeStream:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.left.set()
        self.thread.join(10)


class PortAudioError(Exception):
    pass


def query_devices(device=None, kind=None):
    devices = [
        {"name": "Speakers", "max_input_channels": 0, "default_samplerate": 48_000.0},
        {"name": "Desk microphone", "max_input_channels": 1, "default_samplerate": 44_100.0},
    ]
    return devices if kind is None else devices[1]


def check_input_settings(device=None, channels=None) -> None:
    if device not in (None, 1):
        raise PortAudioError(f"Error querying device {device}")


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """One camera, number 0, and one microphone, number 1."""
    FakeCamera.opened, FakeCamera.breaks_after = 0, None
    library = SimpleNamespace(
        query_devices=query_devices,
        check_input_settings=check_input_settings,
        InputStream=FakeStream,
        PortAudioError=PortAudioError,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    monkeypatch.setattr(capture, "RETRY", 0.01)
    monkeypatch.setattr(capture, "camera_numbers", lambda: [0, 1])


def without_portaudio(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest, **more):
        if name == "sounddevice":
            raise error
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)


def test_the_devices_are_listed_by_number(devices: None):
    lines = describe_devices().splitlines()
    assert lines == ["Cameras (--camera NUMBER):", "  0", "Microphones (--microphone NUMBER):", "  1  Desk microphone"]


def test_pictures_and_sound_come_on_one_clock_and_stop(devices: None):
    frames, chunks = [], []
    source = Capture()
    source.start(lambda time, image: frames.append((time, image)), lambda *chunk: chunks.append(chunk))
    assert eventually(lambda: len(frames) >= 3 and len(chunks) >= 3)
    source.stop()
    assert frames[0][1][0, 0].tolist() == [200, 0, 0]  # RGB
    times = [time for time, _ in frames]
    assert times == sorted(times)
    assert np.diff(times).min() >= 0.9 / capture.CAPTURE_FPS
    assert all(rate == 44_100 and samples.ndim == 1 and time >= 0 for time, rate, samples in chunks)
    assert all(time <= source.now for time, _, _ in chunks)
    count = len(frames), len(chunks)
    threading.Event().wait(0.1)
    assert (len(frames), len(chunks)) == count


def test_a_camera_that_breaks_off_is_opened_again(devices: None):
    frames: list[float] = []
    FakeCamera.breaks_after = 2
    source = Capture()
    source.start(lambda time, image: frames.append(time), lambda *_: None)
    try:
        assert eventually(lambda: FakeCamera.opened >= 2 and len(frames) >= 3)
    finally:
        source.stop()


@pytest.mark.parametrize(
    ("camera", "microphone", "said"),
    [(5, None, "no camera 5"), (None, 7, "no microphone 7"), (None, None, None)],
)
def test_one_missing_device_is_told_and_the_other_still_used(devices: None, camera, microphone, said: str | None):
    problems = check_devices(camera, microphone)
    assert len(problems) == (said is not None)
    if said:
        assert said in problems[0]
        assert "--list-devices" in problems[0]
        assert "\n" not in problems[0]


def test_neither_device_is_one_error(devices: None):
    with pytest.raises(DeviceError, match=r"no camera 5.*no microphone 7"):
        check_devices(5, 7)


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError("PortAudio library not found"), "libportaudio2"), (ImportError("no"), "pip install sounddevice")],
)
def test_without_portaudio_the_way_out_is_told(devices: None, monkeypatch: pytest.MonkeyPatch, error, said: str):
    without_portaudio(monkeypatch, error)
    with pytest.raises(DependencyError, match=said):
        capture.microphones()
    assert said in describe_devices()
    assert said in check_devices(0, None)[0]


def test_the_program_lists_devices_and_refuses_what_is_not_there():
    """On any machine: a list without an error; and cameras and microphones that nobody has are one line."""
    program = [sys.executable, str(Path(capture.__file__).parents[2] / "app.py")]
    listed = subprocess.run([*program, "--list-devices"], capture_output=True, text=True, timeout=180, check=True)
    assert listed.stdout.startswith("Cameras")
    assert "Traceback" not in listed.stderr
    refused = subprocess.run(
        [*program, "--capture", "native", "--camera", "99", "--microphone", "99", "--port", "7999"],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "no camera 99" in refused.stderr


def test_all_pages_watch_the_same_devices_only_while_somebody_looks(devices: None, fake):  # noqa: F811
    hub = NativeHub(engine_of(fake), Capture())
    first, second = hub.enter("a")[0], hub.enter("b")[0]
    assert eventually(lambda: hub.feed({"ticket": first}).get("picture"))
    answer = hub.feed({"ticket": second})
    assert answer["picture"].startswith("data:image/jpeg;base64,")
    assert answer["age"] is not None
    hub.leave("a")
    assert hub.feed({"ticket": second}).get("error") is None
    assert FakeCamera.opened == 1
    hub.leave("b")
    assert not any(thread.name == "camera" for thread in threading.enumerate())
    hub.close()
