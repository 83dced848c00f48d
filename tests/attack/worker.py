"""Reads files in a process of its own: a case a line on standard input, what came of it a line on standard output."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

OUTSIDE = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendto",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.remove",
    "os.rename",
    "os.mkdir",
)
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Watch:
    """What the process does to the world beside reading the given file, as Python's audit events tell it."""

    def __init__(self) -> None:
        self.given: str | None = None
        self.seen: list[str] = []
        self.own = tuple(str(Path(p).resolve()) for p in {sys.prefix, sys.base_prefix, Path.cwd(), "/proc", "/sys"})
        sys.addaudithook(self._event)

    @contextmanager
    def over(self, given: str) -> Iterator[None]:
        """Nothing but ``given`` may be opened within."""
        self.given, self.seen = os.path.realpath(given), []
        try:
            yield
        finally:
            self.given = None

    def _event(self, event: str, arguments: tuple) -> None:
        if self.given is None:
            return
        if event in OUTSIDE:
            self.seen.append(f"{event} {arguments[:2]}")
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path, flags = os.path.realpath(os.fsdecode(arguments[0])), arguments[2] or 0
            writing = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if path != self.given and (writing or not path.startswith(self.own)):
                self.seen.append(f"open {path}{' for writing' if writing else ''}")


def peak() -> int:
    """Bytes of memory at most since ``forget_peak``, 0 where the system does not tell."""
    if not _STATUS.exists():
        return 0
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    if _CLEAR.exists():
        _CLEAR.write_text("5")


@cache
def model():
    import hff

    return hff.load(device="cpu")


def check_recording(material) -> None:
    """Raise ``AssertionError`` if raw material cannot be right."""
    assert np.isfinite(material.seconds), f"{material.seconds} s"
    assert material.seconds > 0
    if material.wave is not None:
        assert material.wave.dtype == np.float32
        assert np.isfinite(material.wave).all()
        assert np.abs(material.wave).max(initial=0) <= 1
    for face in material.faces:
        assert np.isfinite([face.time, *face.box, face.score]).all(), face.box
        assert face.crop.shape == (48, 48)
        assert 0 <= face.time <= material.seconds
    for start, end in material.voiced:
        assert 0 <= start <= end <= material.seconds + 1


def check_result(result) -> None:
    """Raise ``AssertionError`` if an answer cannot be right."""
    chances = list(result.probabilities.values())
    assert np.isfinite(chances).all()
    assert abs(sum(chances) - 1) < 1e-3
    assert abs(sum(result.alpha.values()) - 1) < 1e-3
    json.dumps(result.to_dict(), allow_nan=False)


def attack(case: dict) -> None:
    from hff.pipeline import recording

    given = {case["role"]: case["path"], "transcribe": case["transcribe"]}
    if case["budget"] is not None:
        from hff.cancel import Budget

        given["budget"] = Budget(case["budget"])
    if case["how"] == "read":
        check_recording(recording.read(**given))
    else:
        check_result(model().analyze(**given))


def outcome(case: dict, watch: Watch) -> dict:
    from hff.errors import HFFError

    forget_peak()
    begun = time.perf_counter()
    verdict, detail = "answered", ""
    try:
        with watch.over(case["path"]):
            attack(case)
    except HFFError as error:
        verdict, detail = "clear error", str(error)
    except AssertionError:
        verdict, detail = "wrong answer", traceback.format_exc()
    except BaseException:
        verdict, detail = "foreign error", traceback.format_exc()
    seconds = time.perf_counter() - begun
    if watch.seen:
        verdict, detail = "reached out", "\n".join(watch.seen)
    return {"verdict": verdict, "detail": detail, "seconds": seconds, "peak": peak()}


def main() -> None:
    faulthandler.enable()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not stand among the answers
    watch = Watch()
    for line in sys.stdin:
        print(json.dumps(outcome(json.loads(line), watch)), file=answers, flush=True)


if __name__ == "__main__":
    main()
