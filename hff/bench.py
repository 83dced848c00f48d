"""How long each stage takes: ``python -m hff bench``.

The default clip is 10 s of 1280x720 at 30 frames a second with the portrait and the voice of the page's
examples, made anew each time and deleted after.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from hff import load
from hff.config import SAMPLE_RATE
from hff.detectors import asr
from hff.examples.ready import EXAMPLES_FOLDER
from hff.media.audio import read_audio
from hff.media.image import read_image

SECONDS, BENCH_WIDTH, BENCH_HEIGHT, RATE = 10, 1280, 720, 30


def make_clip(path: Path) -> None:
    """Write the 10 s 720p clip: the portrait drifting across a grey room, the voice over and over."""
    portrait = read_image(EXAMPLES_FOLDER / "portrait.jpg")
    high, wide = portrait.shape[:2]
    voice = np.resize(read_audio(EXAMPLES_FOLDER / "voice.wav"), SECONDS * SAMPLE_RATE)
    rng = np.random.default_rng(0)
    room = rng.integers(90, 130, (BENCH_HEIGHT, BENCH_WIDTH, 3), dtype=np.uint8)
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = BENCH_WIDTH, BENCH_HEIGHT, "yuv420p"
        audio = file.add_stream("aac", rate=SAMPLE_RATE)
        for n in range(SECONDS * RATE):
            picture = room.copy()
            left, top = 300 + round(80 * np.sin(n / 40)), (BENCH_HEIGHT - high) // 2
            picture[max(top, 0) : top + high, left : left + wide] = portrait[max(-top, 0) : BENCH_HEIGHT - min(top, 0)][
                : BENCH_HEIGHT - max(top, 0)
            ]
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sound = av.AudioFrame.from_ndarray((voice[None] * 32767).astype(np.int16), format="s16", layout="mono")
        sound.sample_rate, sound.time_base, sound.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), 0
        file.mux(audio.encode(sound))
        for stream in (video, audio):
            file.mux(stream.encode(None))


def bench(file: Path | None, device: str, repeat: int) -> dict[str, float]:
    """Print and return the seconds of each stage (median over ``repeat`` runs after a first one)."""
    begun = time.perf_counter()
    model = load(device)
    loading = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        if file is None:
            file = Path(folder) / "bench.mp4"
            make_clip(file)
        runs = []
        for _ in range(max(1, repeat) + 1):
            begun = time.perf_counter()
            result = model.analyze(video=file)
            runs.append(result.timings | {"total": time.perf_counter() - begun})
    first, later = runs[0], runs[1:]
    median = {name: statistics.median(run[name] for run in later) for name in first}
    print(f"{file.name}: {result.seconds:.1f} s long, on {model.device}")
    if model.device.type == "cuda":
        words = asr.recogniser(str(model.device)).model.device
        print(f"{torch.cuda.get_device_name(model.device)}; words are recognised on {words}")
    print(f"loading {loading:.2f} s, first run {first['total']:.2f} s; then, median of {len(later)}:")
    print(f"{'stage':<18}{'seconds':>9}{'x length':>10}")
    for name, seconds in median.items():
        print(f"{name:<18}{seconds:>9.3f}{seconds / result.seconds:>10.3f}")
    on_gpu = f", of the GPU {gpu_memory(model.device) / 2**20:.0f} MiB" if model.device.type == "cuda" else ""
    print(f"peak memory {peak_memory() / 2**20:.0f} MiB{on_gpu}")
    return median


def gpu_memory(device: torch.device) -> int:
    """The most of a GPU's memory that PyTorch had at once, bytes; CTranslate2, which recognises words, has its own."""
    return torch.cuda.max_memory_allocated(device)


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes; 0 on Windows, which has no such count."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
