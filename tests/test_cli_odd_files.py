"""The command line among files of every kind: one clear line each, the others are read, nothing hangs."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import hff
from hff import cli
from hff.cli import main
from tests.support.media_fixtures import numbered_frame, tone, write_media, write_picture

EXAMPLES = Path(hff.__file__).parent / "examples"
WAITS = 300  # s that a process may take on a busy machine; it hangs if it takes more


@pytest.fixture(scope="module")
def model():
    return hff.load("cpu")


@pytest.fixture(autouse=True)
def loaded_once(model, monkeypatch):
    monkeypatch.setattr(hff, "load", lambda *_: model)


def analyze(capsys, *arguments) -> tuple[int, dict[str, dict], str]:
    """Status, the objects by file name, what was said on standard error."""
    status = main(["analyze", "--no-transcribe", *map(str, arguments)])
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    return status, {Path(row["file"]).name: row for row in rows}, err


SOUND = {"audio": "pcm_s16le"}
# Those of a container of their own, and those that are another name for one.
MADE = {
    "s.aiff": ("aiff", {"audio": "pcm_s16be"}),
    "s.au": ("au", {"audio": "pcm_s16be"}),
    "s.caf": ("caf", SOUND),
    "s.mka": ("matroska", {"audio": "flac"}),
    "s.wma": ("asf", {"audio": "libmp3lame"}),
    "v.wmv": ("asf", {"video": "wmv2"}),
    "v.mpg": ("mpeg", {"video": "libx264"}),
    "v.ts": ("mpegts", {"video": "mpeg2video"}),
    "v.m2ts": ("mpegts", {"video": "libx264"}),
    "v.flv": ("flv", {"video": "flv"}),
    "v.ogv": ("ogg", {"video": "libvpx"}),
    "v.3gp": ("3gp", {"video": "mpeg4"}),
    "no ending": ("matroska", {"video": "libx264"}),
    "video.bin": ("mp4", {"video": "libx264"}),
}
PICTURES = {"p.jfif": "JPEG", "p.bmp": "BMP", "p.tif": "TIFF", "p.heic": "HEIF", "p.avif": "AVIF", "picture": "PNG"}


def test_of_a_folder_all_is_read_that_can_be(tmp_path, capsys):
    from hff.media import image

    image.register_heif()
    for name, (container, streams) in MADE.items():
        write_media(tmp_path / name, container=container, **streams)
    for name, kind in PICTURES.items():
        write_picture(tmp_path / name, numbered_frame(3), format=kind)
    (tmp_path / "notes.md").write_text("Not a clip. " * 50)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    py_compile.compile(cli.__file__, str(tmp_path / "code.pyc"))
    status, rows, said = analyze(capsys, tmp_path)
    assert set(rows) == set(MADE) | set(PICTURES)
    # Nobody is in them: that is what is said, and not that they could not be read.
    assert all("No voice, no words and no face" in row["error"] for row in rows.values()), rows
    assert status == 1
    passed_over = sorted(line.split(":")[1].split("/")[-1] for line in said.splitlines())
    assert passed_over == ["code.pyc", "notes.md", "table.csv"]


def test_a_jpeg_by_the_name_that_windows_gives_it(tmp_path, capsys):
    shutil.copy(EXAMPLES / "portrait.jpg", tmp_path / "portrait.jfif")
    status, rows, said = analyze(capsys, tmp_path)
    assert (status, said) == (0, "")
    assert rows["portrait.jfif"]["present"]["vision"]


@pytest.mark.parametrize("content", [{}, {"notes.md": b"nothing to see"}, {".DS_Store": bytes(100)}])
def test_a_folder_with_nothing_to_read_ends_with_status_1(content, tmp_path, capsys):
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    status, rows, said = analyze(capsys, tmp_path)
    assert (status, rows) == (1, {})
    assert "no video, sound, picture or text" in said.splitlines()[-1]
    assert all(name in said for name in content)


@pytest.mark.parametrize(
    "arguments", [["analyze", ""], ["analyze", "--out", "", "a.wav"], ["bench", ""], ["export", ""]]
)
def test_an_empty_name_is_not_the_folder_one_is_in(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "the name is empty" in capsys.readouterr().err.splitlines()[-1]


def test_names_pipes_devices_and_loops(tmp_path, capsys):
    good = tmp_path / "good.txt"
    good.write_text("I am so glad you came.")
    os.mkfifo(tmp_path / "pipe.wav")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "no such file")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "up").symlink_to(tmp_path)
    pipes = [tmp_path / name for name in ("pipe.wav", "pipe.txt", "loop.wav")]
    odd = ["x" * 300 + ".wav", *pipes, "/dev/null", "/dev/zero", "nul\0byte.wav"]
    status, rows, said = analyze(capsys, *odd, good)
    assert status == 1
    assert said == ""
    assert "error" not in rows["good.txt"]
    for path in odd:
        row = next(row for name, row in rows.items() if name == cli.printable(Path(path).name))
        assert "\n" not in row["error"]
        assert len(row["error"]) < 600
    status, rows, said = analyze(capsys, tmp_path)
    assert status == 1  # the empty picture
    assert set(rows) == {"good.txt", "empty.jpg"}
    assert all(name in said for name in ("pipe.wav", "pipe.txt", "loop.wav", "gone.wav"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf_8(tmp_path):
    folder = os.fsencode(tmp_path)
    for name in (b"caf\xe9.txt", b"\xff\xfe.wav"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"I am so glad you came.")
    for arguments in (["--format", "json"], ["--format", "csv"]):
        done = subprocess.run(
            [sys.executable, "-m", "hff", "analyze", *arguments, folder], capture_output=True, timeout=WAITS
        )
        text = done.stdout.decode("utf-8")
        assert done.returncode == 1
        assert "caf\\xe9.txt" in text.replace("\\\\", "\\")
        if "json" in arguments:
            rows = [json.loads(line) for line in text.splitlines()]
            assert ["error" in row for row in rows] == [False, True]
        assert b"Traceback" not in done.stderr


def test_any_exception_is_that_files_error(tmp_path, capsys, model, monkeypatch):
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (tmp_path / name).write_text("I am so glad you came.")
    real, troubles = model.infer_clip, iter([ZeroDivisionError("by\nzero"), MemoryError(), RecursionError("deep")])

    def infer_or_fail(*given, **options):
        trouble = next(troubles, None)
        if trouble:
            raise trouble
        return real(*given, **options)

    monkeypatch.setattr(model, "infer_clip", infer_or_fail)
    status, rows, said = analyze(capsys, tmp_path)
    assert (status, said) == (1, "")
    assert [("error" in rows[name]) for name in sorted(rows)] == [True, True, True, False]
    assert "ZeroDivisionError" in rows["a.txt"]["error"]


def test_a_number_that_is_none_is_an_error_and_no_broken_json(tmp_path, capsys, model, monkeypatch):
    (tmp_path / "a.txt").write_text("I am so glad you came.")
    real = model.infer_clip

    def nan(*given, **options):
        result = real(*given, **options)
        result.entropy = float("nan")
        return result

    monkeypatch.setattr(model, "infer_clip", nan)
    status, rows, _ = analyze(capsys, tmp_path)
    assert status == 1
    assert "error" in rows["a.txt"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("how", ["--out", "standard output"])
def test_a_full_disk_is_one_clear_line(how):
    command = [sys.executable, "-m", "hff", "analyze", "--text", "hello"]
    with open("/dev/full", "w") as full:
        out = subprocess.PIPE if how == "--out" else full
        command += ["--out", "/dev/full"] if how == "--out" else []
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, timeout=WAITS)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_goes_away_ends_the_run_quietly(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("hello")
    process = subprocess.Popen(
        [sys.executable, "-m", "hff", "analyze", "--full", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.wait(WAITS) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_pipe_that_nobody_reads_is_refused_as_out(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert main(["analyze", "--text", "hello", "--out", str(tmp_path / "pipe")]) == 1
    assert "Cannot write" in capsys.readouterr().err


def test_out_never_overwrites_what_is_read_and_is_not_read_itself(tmp_path, capsys):
    letter = tmp_path / "letter.txt"
    letter.write_text("I am so glad you came.")
    assert main(["analyze", str(letter), "--out", str(letter)]) == 1
    assert letter.read_text().startswith("I am so glad")
    out = tmp_path / "out.txt"
    assert main(["analyze", str(tmp_path), "--out", str(out)]) == 0
    assert [Path(json.loads(line)["file"]).name for line in out.read_text().splitlines()] == ["letter.txt"]
    capsys.readouterr()


def test_a_folder_one_may_not_open_is_told(tmp_path, capsys, monkeypatch):
    (tmp_path / "a.txt").write_text("I am so glad you came.")
    (tmp_path / "private").mkdir()
    scan = os.scandir

    def refuse(path):
        if os.path.basename(path) == "private":  # root may open any folder, so the refusal is made
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    status, rows, said = analyze(capsys, tmp_path)
    assert status == 1
    assert set(rows) == {"a.txt"}
    assert "private" in said
    assert "Permission denied" in said
    assert len(said.splitlines()) == 1


def test_text_as_windows_writes_it(tmp_path, capsys):
    for name, encoding in (("a.txt", "utf-16"), ("b.txt", "utf-8-sig")):
        (tmp_path / name).write_text("What a wonderful day!", encoding=encoding)
    (tmp_path / "c.txt").write_bytes(b"\0\0\0\0")
    status, rows, _ = analyze(capsys, tmp_path)
    assert status == 1
    assert rows["a.txt"]["transcript"] == rows["b.txt"]["transcript"] == "What a wonderful day!"
    assert "not a text file" in rows["c.txt"]["error"]


def test_files_of_a_system_are_not_taken_for_media(tmp_path, capsys):
    """Programs, archives and tables full of bytes that look like the beginning of an mp3 frame."""
    import zipfile

    import numpy as np

    rng = np.random.default_rng(0)
    for number in range(20):
        (tmp_path / f"noise{number}").write_bytes(rng.bytes(20_000))
    np.savez(tmp_path / "arrays.npz", rng.integers(0, 255, 5000, np.uint8), tone(0.5, 8000))
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("a", rng.bytes(5000))
    shutil.copy(sys.executable, tmp_path / "python")
    os.chmod(tmp_path / "python", stat.S_IRUSR | stat.S_IWUSR)
    status, rows, said = analyze(capsys, tmp_path)
    assert status == 1
    assert rows == {}
    assert len(said.splitlines()) == 24
