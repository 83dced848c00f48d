"""Serving the page in a test and driving it with Chromium."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, Playwright, Request, sync_playwright

from hff import weights
from hff.page.serve import Options, Server
from hff.page.session.background_model import Engine
from hff.pipeline.recording import Recording
from hff.result import Result, Transcript
from tests.support.page_fixtures import make_result

SLOW = 180_000  # ms; the machine may be busy
READY = "#hff-analyse"


class FakeModel:
    """Answers at once with a made-up reading of what it is given, and remembers what it was given to read."""

    def __init__(self) -> None:
        self.calls: list[dict] = []  # of ``read``
        self.analysed: list[Recording] = []
        self.answer = None  # a Result or an exception instead of the made-up reading
        self.ear = ""

    def hearing_with(self, speech_encoder: str) -> FakeModel:
        self.ear = speech_encoder
        return self

    def read(self, video=None, audio=None, image=None, text=None, *, transcribe=True, progress=None) -> Recording:
        self.calls.append({"video": video, "audio": audio, "image": image, "text": text, "transcribe": transcribe})
        if progress is not None:
            progress(0.5, "Looking at the face, 2 s")
        if isinstance(self.answer, Exception):
            raise self.answer
        sound = video or audio
        there = {"speech": sound, "text": text or (sound and transcribe), "vision": video or image}
        made = make_result(6 if sound else 0.5, tuple(name for name, given in there.items() if given))
        evidence = made.evidence
        return Recording(
            made.seconds,
            evidence.wave,
            evidence.voiced,
            Transcript(text) if text else made.transcript,
            evidence.faces,
            still=bool(image),
        )

    def analyze_recording(self, recording: Recording, *, progress=None) -> Result:
        self.analysed.append(recording)
        there = {"speech": recording.voiced, "text": recording.transcript, "vision": recording.faces}
        result = make_result(recording.seconds, tuple(name for name, given in there.items() if given))
        result.transcript = recording.transcript
        return self.answer or result


@cache
def real_model():
    """The trained model, loaded once for all tests."""
    import hff

    return hff.load(device="cpu")


@contextmanager
def serving(model) -> Iterator[Server]:
    """The page on a free port, with ``model`` behind it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    engine = Engine(lambda: model, speech_encoders=lambda: weights.speech_encoders(weights.folder()))
    with Server(Options(port=port), engine) as server:
        yield server


class Chromium:
    """One Playwright and one Chromium for each set of flags, started when first asked for and kept until the end.

    Playwright's own event loop must not look like the main thread's running one between two pages: other users of
    asyncio there (Gradio, its client) would refuse to work. So it is hidden except while Playwright is in use.
    """

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._browsers: dict[tuple[str, ...], Browser] = {}

    def browser(self, flags: tuple[str, ...]) -> Browser:
        if self._playwright is None:
            self._playwright = sync_playwright().start()
            atexit.register(self.close)
        browser = self._browsers.get(flags)
        if browser is None or not browser.is_connected():  # a Chromium that died must not fail all later tests
            program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
            assert program, "The browser tests need Chromium: apt-get install chromium"
            browser = self._playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", *flags], timeout=SLOW
            )
            self._browsers[flags] = browser
        return browser

    @contextmanager
    def page(self, flags: tuple[str, ...] = (), **settings) -> Iterator[Page]:
        """An empty page that shares no storage with others. ``page.requests`` holds every request it made."""
        with self._in_use():
            context = self.browser(flags).new_context(accept_downloads=True, **settings)
            try:
                context.set_default_timeout(SLOW)
                requests: list[Request] = []
                context.on("request", lambda request: requests.append(request))
                page = context.new_page()
                page.requests = requests
                yield page
            finally:
                context.close()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        asyncio._set_running_loop(self._loop)
        try:
            yield
        finally:
            self._loop = asyncio._get_running_loop()
            asyncio._set_running_loop(None)

    def close(self) -> None:
        with self._in_use():
            for browser in self._browsers.values():
                if browser.is_connected():
                    browser.close()
            self._browsers.clear()
            self._playwright.stop()


chromium = Chromium()


@contextmanager
def browsing(
    url: str, width: int = 1366, height: int = 768, scheme: str = "light", flags: tuple[str, ...] = ()
) -> Iterator[Page]:
    """The served page as a first visitor sees it, in a Chromium with these ``flags``."""
    with chromium.page(flags, viewport={"width": width, "height": height}, color_scheme=scheme) as page:
        # Gradio runs the events of loading once every component listens; before that nothing reacts.
        with page.expect_request("**/queue/join*"):
            page.goto(url)
        page.wait_for_selector(READY, state="attached")  # a link to the lab hides it at once
        yield page


def outside(requests: list[Request], url: str) -> list[str]:
    """Addresses that are not on the page's own host."""
    return [r.url for r in requests if not r.url.startswith((url.rstrip("/"), "data:", "blob:"))]


def choose_example(page: Page, name: str, status: str = "Will read") -> str:
    """Press an example, which reads it at once, and give what is answered."""
    with answering(page):
        page.locator("#hff-examples").get_by_role("button", name=name, exact=True).click()
    page.wait_for_selector(f"#hff-status :text('{status}')")
    return page.inner_text("#hff-answer :is(#hff-emotion, .hff-error)").lower()


def analyse(page: Page) -> str:
    """Press Analyse and give the emotion that appears."""
    with answering(page):
        page.click(READY)
    page.wait_for_selector("#hff-emotion")
    return page.inner_text("#hff-emotion").lower()


@contextmanager
def answering(page: Page) -> Iterator[None]:
    """Do something that asks for an analysis; afterwards it is answered."""
    asked = page.evaluate("Number(document.body.dataset.hffAsked || 0)")
    yield
    page.wait_for_function(
        "asked => Number(document.body.dataset.hffAsked || 0) > asked && !document.body.dataset.hffWaiting", arg=asked
    )


def open_section(page: Page, name: str) -> None:
    page.locator("#hff-sections").get_by_role("tab", name=name, exact=True).click()


def open_fold(page: Page, part: str) -> None:
    """Unfold a part of the Model view that is for specialists."""
    page.wait_for_selector(f"{part} .hff-note", state="attached")
    page.click(f"{part} summary")
    page.wait_for_selector(f"{part} .hff-note")


def download(page: Page, kind: str) -> bytes:
    """Click a download button, once its file is ready, and read what arrives."""
    open_section(page, "Keep it")
    page.wait_for_selector(f"#hff-download-{kind}:not([disabled])")
    with page.expect_download() as waiting:
        page.click(f"#hff-download-{kind}")
    return Path(waiting.value.path()).read_bytes()


def camera_flags(folder: Path, portrait: np.ndarray, sound: Path) -> tuple[str, ...]:
    """Chromium flags for a camera that shows ``portrait`` moving a little, and a microphone that plays ``sound``."""
    film = folder / "camera.y4m"
    picture = cv2.resize(np.ascontiguousarray(portrait[:300, 60:460]), (640, 480))
    with film.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F15:1 Ip A1:1 C420\n")
        for shift in [0, 1, 2, 3, 2, 1]:
            moved = np.ascontiguousarray(np.roll(picture, shift, axis=1))
            file.write(b"FRAME\n" + cv2.cvtColor(moved, cv2.COLOR_RGB2YUV_I420).tobytes())
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
        f"--use-file-for-fake-audio-capture={sound}",
    )


def open_camera(page: Page, component: str) -> None:
    """Switch a component to its camera and wait for a picture: before the first frame its buttons do nothing."""
    camera = page.locator(component)
    camera.get_by_role("button", name="Capture from camera").click()
    camera.get_by_text("Click to Access Webcam").click()
    page.wait_for_function(
        "selector => [...document.querySelectorAll(`${selector} video`)].some("
        "video => video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && video.videoWidth > 0)",
        arg=component,
    )


def wait_for_film(page: Page, component: str, seconds: float) -> None:
    """Wait until the camera has shown ``seconds`` more, however slow the machine is."""
    shown = "selector => Math.max(...[...document.querySelectorAll(`${selector} video`)].map(v => v.currentTime))"
    begun = page.evaluate(shown, component)
    page.wait_for_function(f"([selector, until]) => ({shown})(selector) >= until", arg=[component, begun + seconds])


def wait_for_sound(page: Page, component: str, seconds: int) -> None:
    """Wait until the recorder's own clock, which it shows as m:ss, has come to ``seconds``."""
    page.wait_for_function(
        """([selector, seconds]) => [...document.querySelectorAll(`${selector} time`)].some(clock => {
            const [minutes, rest] = clock.textContent.trim().split(":").map(Number);
            return 60 * minutes + rest >= seconds;
        })""",
        arg=[component, seconds],
    )


def files_in(folder: Path) -> list[Path]:
    """Every file a visitor could have left in the server's folder, which may go while it is looked at."""
    found = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return [path for path in found if path.is_file() and path.name != "in_use"]


def eventually(condition, seconds: float = 180) -> bool:
    """Whether ``condition()`` becomes true in time."""
    waiting = threading.Event()
    for _ in range(int(seconds * 5)):
        if condition():
            return True
        waiting.wait(0.2)
    return False


def path_in(server: Server, shown: str) -> Path:
    """Where a file lies in truth that a reply shows as ``visit-.../``; nowhere else than in the visits' folder."""
    mark, *parts = Path(shown).parts
    assert mark.startswith("visit-"), shown
    path = server.folder.path.joinpath(*parts).resolve()
    assert server.folder.path.resolve() in path.parents
    return path
