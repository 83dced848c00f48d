"""Nothing that an upload contains makes the process open another file or address."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import av
import pytest

from tests.support.media_fixtures import write_media, write_picture

from .canary import Listener, WatchedFolder
from .cases import ROLES, Case
from .links import FRAMES, TARGET, links, write_outside_mov
from .seeds import pictures

pytestmark = [
    pytest.mark.attack,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which files of a folder are opened"),
]


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a film, and pictures numbered as a film of pictures is."""
    write_media(tmp_path / TARGET, video="mpeg4", audio="aac")
    for number, picture in enumerate(pictures()[:3]):
        write_picture(tmp_path / (FRAMES % number), picture)
    return tmp_path


def written(folder: Path, port: int) -> list[Path]:
    """Every file that names another, in ``folder``."""
    paths = [write_outside_mov(folder / "outside.mov", folder / TARGET)]
    for name, content in links(folder / TARGET, f"://127.0.0.1:{port}/film.ts", port).items():
        paths.append(folder / name)
        paths[-1].write_bytes(content)
    return paths


def test_no_file_makes_another_be_opened(folder, listener, workers, table):
    paths = written(folder, listener.port)
    assert len(paths) > 90
    watched = WatchedFolder(folder)
    wrong = []
    for number, path in enumerate(paths):
        watched.touched()
        for role in ROLES if number % 8 == 0 else ROLES[:1]:
            outcome = workers[0].run(Case(path.name, path, role))
            table.add("links", outcome)
            others = watched.touched() - {path.name}
            if others or listener.visits or outcome.verdict != "clear error":
                wrong.append(f"{outcome}\nopened: {others}, {listener.visits}")
            listener.visits.clear()
    watched.close()
    assert not wrong, "\n\n".join(wrong)


def test_the_watch_sees_what_is_opened(folder, listener):
    """FFmpeg as it comes follows these: the test above is not empty."""
    paths = {path.name: path for path in written(folder, listener.port)}
    watched = WatchedFolder(folder)
    follow = {"allowed_extensions": "ALL", "extension_picky": "0", "safe": "0", "enable_drefs": "1"}
    for name, told in (
        ("hls path.m3u8", TARGET),
        ("concat name.mp4", TARGET),
        ("outside.mov", TARGET),
        (FRAMES, FRAMES % 0),
    ):
        watched.touched()
        _open(str(paths[name]), follow)
        assert told in watched.touched(), name
    follow["protocol_whitelist"] = "file,http,tcp"
    for name in ("hls http.m3u8", "concat http.mp4"):
        listener.visits.clear()
        _open(str(paths[name]), follow)
        assert listener.visits, name
    watched.close()


def _open(path: str, options: dict[str, str]) -> None:
    """By a thread of its own: some demuxers of FFmpeg try an address for long."""

    def read() -> None:
        try:
            with av.open(path, options=options, timeout=20) as container:
                next(container.decode(video=0), None)
        except (av.FFmpegError, IndexError):
            pass

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(60)


@pytest.mark.parametrize(
    "name",
    ["concat:{}", "file:{}", "subfile,,start,0,end,0,,:{}", "crypto:{}", "cache:{}", "async:{}", "{}|{}", "glob:{}"],
)
def test_a_name_is_never_an_address(name, folder, workers):
    """The path itself is a file's, whatever scheme it looks like."""
    target = folder / TARGET
    outcome = workers[0].run(Case(name, Path(name.format(target, target)), "video"))
    assert outcome.verdict == "clear error", outcome
