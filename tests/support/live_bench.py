"""How fast and how fresh the live view is on this machine. Run by hand:

    python -m tests.support.live_bench engine    # the streaming engine, fed in real time, without a browser
    python -m tests.support.live_bench cost      # processor time of a reading at each level of effort, no clock
    python -m tests.support.live_bench page      # the same clip through the page in Chromium: the page's figures

Beside updates a second and age it prints the processor time of a reading, which does not depend on what else the
machine is doing, and the load, so that figures from a busy machine can be told from those of an idle one.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

import hff
from hff.config import SAMPLE_RATE
from hff.examples.ready import EXAMPLES_FOLDER
from hff.live.pace import EFFORTS, Pace
from hff.live.recogniser import Recogniser
from hff.live.session import LiveSession
from hff.media.audio import read_audio
from hff.media.video import read_frames

FRAME_RATE = 15  # Hz
CHUNK_SECONDS = 0.05
PERIOD = 0.085  # s between two readings at least, as the page asks
WARM_UP = 5.0  # s that are not counted
CLIP = EXAMPLES_FOLDER / "clip.mp4"


def pictures() -> list[np.ndarray]:
    """The example's frames in the shape of a webcam's."""
    shaped = []
    for frame in read_frames(str(CLIP), FRAME_RATE):
        image = np.full((480, 640, 3), 60, np.uint8)
        image[:, 80:560] = cv2.resize(frame.image, (480, 480))
        shaped.append(image)
    return shaped


def feed(session: LiveSession, frames: list[np.ndarray], sound: np.ndarray, clock, stop: threading.Event) -> None:
    """Play the clip again and again into the session, in real time."""
    chunk = round(CHUNK_SECONDS * SAMPLE_RATE)
    shown = heard = 0
    while not stop.wait(0.005):
        now = clock()
        if now * FRAME_RATE >= shown:
            shown = int(now * FRAME_RATE)
            session.add_frame(shown / FRAME_RATE, frames[shown % len(frames)])
            shown += 1
        while (heard + 1) * CHUNK_SECONDS <= now:
            at = heard * chunk % (len(sound) - chunk)
            session.add_sound(heard * CHUNK_SECONDS, SAMPLE_RATE, sound[at : at + chunk])
            heard += 1


def bench_engine(seconds: float) -> None:
    model, recogniser = hff.load(device="cpu"), Recogniser()
    session = LiveSession(model, recogniser)
    begun, stop = time.perf_counter(), threading.Event()

    def clock() -> float:
        return time.perf_counter() - begun

    thread = threading.Thread(target=feed, args=(session, pictures(), read_audio(str(CLIP)), clock, stop))
    thread.start()
    ages, costs, stamps, levels = [], [], [], []
    try:
        while clock() < seconds + WARM_UP:
            asked, used = clock(), time.process_time()
            reading = session.infer()
            known = [at for at in (reading.looked, reading.heard) if at is not None]
            if clock() > WARM_UP and known:
                ages.append(clock() - min(known))
                costs.append(time.process_time() - used)
                stamps.append(clock())
                levels.append(session.pace.level)
            time.sleep(max(0.0, PERIOD - (clock() - asked)))
    finally:
        stop.set()
        thread.join()
        recogniser.close()
    report("engine", (len(stamps) - 1) / (stamps[-1] - stamps[0]), ages, levels)
    cost = statistics.median(costs)
    print(f"  processor time of a reading, feeding and recogniser included: {1000 * cost:.0f} ms (median)")
    print(f"  so {1 / cost:.1f} updates a second would keep one core busy")


def bench_cost(seconds: float) -> None:
    """Eight readings a second of material time, as fast as they go: what one costs where nothing waits."""
    model, frames, sound = hff.load(device="cpu"), pictures(), read_audio(str(CLIP))
    for level in range(len(EFFORTS)):
        pace = Pace()
        pace.level = level
        pace.spent = lambda _: None
        session, costs, step = LiveSession(model, pace=pace), [], 1 / 8
        session.set_text("Good morning everyone, I am so happy to see you all")
        for number in range(round(seconds / step)):
            start, size = round(number * step * SAMPLE_RATE) % len(sound), round(step * SAMPLE_RATE)
            session.add_frame(number * step, frames[round(number * step * FRAME_RATE) % len(frames)])
            session.add_sound(number * step, SAMPLE_RATE, np.resize(sound[start:], size))
            used = time.process_time()
            session.infer()
            costs.append(time.process_time() - used)
        cost = statistics.mean(costs[len(costs) // 3 :])
        print(f"level {level}: {1000 * cost:.0f} ms of processor time a reading, {1 / cost:.1f} a second on one core")


def bench_page(seconds: float) -> None:
    from tests.support.page_browser import browsing, serving

    with tempfile.TemporaryDirectory() as folder, serving(hff.load(device="cpu")) as server:
        flags = tuple(devices(Path(folder)))
        with browsing(server.url, flags=flags) as page:
            page.get_by_role("tab", name="Live", exact=True).click()
            page.click("[data-live=start]")
            page.wait_for_selector(".hff-live[data-state=running]")
            page.wait_for_timeout(1000 * WARM_UP)
            rates, ages, levels = [], [], []
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                page.wait_for_timeout(500)
                shown = page.evaluate("({...document.querySelector('.hff-live').dataset})")
                rates.append(float(shown["updates"]))
                levels.append(int(shown["effort"]))
                if shown["age"]:
                    ages.append(float(shown["age"]))
    report("page", statistics.median(rates), ages, levels)


def devices(folder: Path) -> Iterator[str]:
    """Chromium's flags for a camera and a microphone that play the example."""
    yield from ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    film, sound = folder / "camera.y4m", folder / "microphone.wav"
    with film.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F%d:1 Ip A1:1 C420\n" % FRAME_RATE)
        for image in pictures():
            file.write(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes())
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((32767 * read_audio(str(CLIP))).astype("<i2").tobytes())
    yield f"--use-file-for-fake-video-capture={film}"
    yield f"--use-file-for-fake-audio-capture={sound}"


def report(what: str, rate: float, ages: list[float], levels: list[int]) -> None:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what}: {rate:.1f} updates a second; what is shown is {statistics.median(ages):.2f} s old (median)")
    print(f"  95 % are at most {np.percentile(ages, 95):.2f} s old; effort level {statistics.mean(levels):.1f} of 4")
    print(f"  load {load:.1f} on {os.cpu_count()} cores; largest memory {memory:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("engine", "cost", "page"))
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    {"engine": bench_engine, "cost": bench_cost, "page": bench_page}[options.what](options.seconds)


if __name__ == "__main__":
    main()
