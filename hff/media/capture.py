"""The machine's own camera (OpenCV) and microphone (PortAudio through sounddevice), without a browser.

A ``Capture`` reads both in threads of their own and hands pictures and sound on as they come, on one clock. A
device that is lost is opened again until it is back.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from hff.errors import DependencyError, DeviceError
from hff.locale import say

log = logging.getLogger(__name__)

CAMERA_WIDTH, CAMERA_HEIGHT = 640, 480  # pixels asked of a camera, here or in a browser
CAPTURE_FPS = 15  # pictures a second: asked of a browser's camera, and handed on of one here at most
BLOCK_SECONDS = 0.05  # s of sound in one chunk
RETRY = 2.0  # s until a lost device is opened again
MAX_CAMERAS = 8  # numbers tried where the system does not tell

AddFrame = Callable[[float, np.ndarray], None]  # s, (H,W,3) uint8 RGB
AddSound = Callable[[float, int, np.ndarray], None]  # s, Hz, (N,) float32


def sound_library():
    """The module ``sounddevice``. Raises ``DependencyError`` where it or PortAudio is not installed."""
    try:
        import sounddevice
    except ImportError as error:
        raise DependencyError(say("capture.no_library")) from error
    except OSError as error:  # this is how sounddevice says that PortAudio is not there
        raise DependencyError(say("capture.no_portaudio")) from error
    return sounddevice


def cameras() -> list[int]:
    """Numbers of the cameras that can be opened."""
    return [number for number in camera_numbers() if _opens(number)]


def camera_numbers() -> list[int]:
    """Numbers worth trying: Linux tells which there are."""
    if sys.platform.startswith("linux"):
        return sorted(int(path.name[5:]) for path in Path("/dev").glob("video*") if path.name[5:].isdigit())
    return list(range(MAX_CAMERAS))


def microphones() -> list[tuple[int, str]]:
    """(number, name) of the devices with an input. Raises ``DependencyError`` without PortAudio."""
    devices = sound_library().query_devices()
    return [(number, device["name"]) for number, device in enumerate(devices) if device["max_input_channels"] > 0]


def describe_devices() -> str:
    """What ``--list-devices`` prints: every camera and microphone by the number that selects it."""
    lines = ["Cameras (--camera NUMBER):"]
    lines += [f"  {number}" for number in cameras()] or ["  none found"]
    lines.append("Microphones (--microphone NUMBER):")
    try:
        lines += [f"  {number}  {name}" for number, name in microphones()] or ["  none found"]
    except DependencyError as error:
        lines.append(f"  {error}")
    return "\n".join(lines)


def check_devices(camera: int | None, microphone: int | None) -> list[str]:
    """One line for each device that cannot be used. Raises ``DeviceError`` if neither can."""
    problems: list[str] = []
    if not _opens(camera or 0):
        problems.append(say("capture.no_camera", number=camera or 0))
    try:
        _check_microphone(microphone)
    except (DependencyError, DeviceError) as error:
        problems.append(error.args[0])
    if len(problems) == 2:
        raise DeviceError(say("capture.neither", problems=tuple(problems)))
    return problems


def _check_microphone(number: int | None) -> None:
    library = sound_library()
    try:
        library.check_input_settings(device=number, channels=1)
    except (library.PortAudioError, ValueError) as error:
        if number is None:
            raise DeviceError(say("capture.no_microphone", reason=str(error))) from error
        raise DeviceError(say("capture.no_such_microphone", number=number, reason=str(error))) from error


def _opens(number: int) -> bool:
    with _quiet():
        camera = cv2.VideoCapture(number)
        opened = camera.isOpened()
        camera.release()
    return opened


@contextmanager
def _quiet():
    """OpenCV writes a page to standard error for a camera that is not there."""
    messages = cv2.utils.logging
    level = messages.getLogLevel()
    messages.setLogLevel(messages.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        messages.setLogLevel(level)


class Capture:
    """Camera and microphone from ``start`` to ``stop``; times count from the start."""

    def __init__(self, camera: int | None = None, microphone: int | None = None) -> None:
        """camera, microphone: numbers as ``describe_devices`` shows; None takes the system's own choice."""
        self.camera, self.microphone = camera or 0, microphone
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._begun = 0.0

    @property
    def now(self) -> float:
        """s since the start."""
        return time.perf_counter() - self._begun

    def start(self, add_frame: AddFrame, add_sound: AddSound) -> None:
        """Begin to hand on pictures and sound, each from its own thread."""
        self.stop()
        self._stop = threading.Event()
        self._begun = time.perf_counter()
        for name, work in (("camera", lambda: self._watch(add_frame)), ("microphone", lambda: self._hear(add_sound))):
            thread = threading.Thread(target=self._keep_trying, args=(name, work, self._stop), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Let go of both devices."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)
        self._threads.clear()

    def _keep_trying(self, name: str, work: Callable[[], None], stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                work()
            except Exception as error:
                # Drivers raise anything; the other device and the page go on, and this one is tried again.
                log.warning("the %s was lost: %s", name, error)
            stop.wait(RETRY)

    def _watch(self, add_frame: AddFrame) -> None:
        stop = self._stop
        with _quiet():
            camera = cv2.VideoCapture(self.camera)
        try:
            if not camera.isOpened():
                raise DeviceError(say("capture.camera_closed", number=self.camera))
            camera.set(cv2.CAP_PROP_FRAME_WIDTH, CAMERA_WIDTH)
            camera.set(cv2.CAP_PROP_FRAME_HEIGHT, CAMERA_HEIGHT)
            camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # not what was seen some frames ago
            last = -1.0
            while not stop.is_set():
                there, image = camera.read()
                if not there:
                    raise DeviceError(say("capture.camera_ended", number=self.camera))
                now = self.now
                if now - last >= 1 / CAPTURE_FPS:
                    last = now
                    add_frame(now, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        finally:
            camera.release()

    def _hear(self, add_sound: AddSound) -> None:
        library, stop = sound_library(), self._stop
        ended = threading.Event()

        def take(samples: np.ndarray, frames: int, _time, status) -> None:
            if status:
                log.info("microphone: %s", status)
            add_sound(max(0.0, self.now - frames / rate), rate, samples[:, 0].copy())

        rate = int(library.query_devices(self.microphone, "input")["default_samplerate"])
        with library.InputStream(
            samplerate=rate,
            blocksize=round(rate * BLOCK_SECONDS),
            device=self.microphone,
            channels=1,
            dtype="float32",
            callback=take,
            finished_callback=ended.set,
        ):
            while not stop.wait(0.1):
                if ended.is_set():
                    raise DeviceError(say("capture.microphone_ended"))
