"""A file of subtitles or annotations for each clip: names, kills, runs that go on, words that are not there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hff.annotations import WRITERS
from hff.config import EMOTIONS
from hff.corpus import growing_table
from hff.corpus.annotation_files import file_names, table_and_folder
from hff.corpus.clips import Clip
from hff.corpus.run import Order, run
from hff.errors import InputError
from tests.support import quick_model
from tests.support.media_fixtures import write_media


def order(folder: Path, *files: Path, **changes) -> Order:
    out = folder / "readings.jsonl"
    plain = Order(quick_model.load, EMOTIONS, files, out=out, folder=folder, annotate=("srt", "TextGrid"))
    return dataclasses.replace(plain, **changes)


def made(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """A folder of four texts, one of them in a folder below and one that cannot be read."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a", "b", "refused", "deep/a"):
        (tmp_path / "in" / f"{name}.txt").write_text(f"This letter is {name}.")
    return tmp_path / "in"


def test_each_clip_has_its_files_beside_the_table(tmp_path: Path, letters: Path):
    outcome = run(order(tmp_path / "out", letters), print)
    assert (outcome.read, outcome.failed) == (4, 1)
    named = [f"{name}.{kind}" for name in ("a", "b", "deep/a") for kind in ("TextGrid", "srt")]
    assert made(tmp_path / "out") == sorted([*named, "readings.jsonl"])
    row = next(row for row in growing_table.read(tmp_path / "out" / "readings.jsonl") if row["file"].endswith("b.txt"))
    assert f"[{row['emotion']}]" in (tmp_path / "out" / "b.srt").read_text()


def test_a_killed_run_goes_on_and_leaves_nothing_half_written(tmp_path: Path, letters: Path, monkeypatch):
    out = tmp_path / "out"

    class Killed(BaseException):
        pass

    writing = Path.write_bytes

    def dies_at_the_third(path: Path, data: bytes) -> int:
        if len(made(out)) == 4:  # the table, and three files
            writing(path, data[:5])
            raise Killed
        return writing(path, data)

    monkeypatch.setattr(Path, "write_bytes", dies_at_the_third)
    with pytest.raises(Killed):
        run(order(out, letters), print)
    monkeypatch.undo()
    assert made(out) == ["a.TextGrid", "a.srt", "b.TextGrid.new", "b.srt", "readings.jsonl"]
    kept = (out / "b.srt").stat().st_mtime_ns
    outcome = run(order(out, letters, resume=True), print)
    assert (outcome.before, outcome.read) == (1, 3)
    assert not list(out.rglob("*.new"))
    assert (out / "b.TextGrid").read_text().endswith('text = "text"\n')
    assert (out / "b.srt").stat().st_mtime_ns == kept
    assert run(order(out, letters, resume=True), print).read == 0


def test_going_on_with_another_kind_makes_its_files_and_no_second_row(tmp_path: Path, letters: Path):
    out = tmp_path / "out"
    run(order(out, letters), print)
    table = (out / "readings.jsonl").read_bytes()
    outcome = run(order(out, letters, resume=True, annotate=("srt", "eaf")), print)
    assert (outcome.before, outcome.read) == (1, 3)  # what could not be read is not tried again
    assert {name for name in made(out) if name.endswith(".eaf")} == {"a.eaf", "b.eaf", "deep/a.eaf"}
    assert (out / "readings.jsonl").read_bytes() == table


def test_no_file_is_written_over(tmp_path: Path, letters: Path):
    own = letters / "deep" / "a.TextGrid"
    own.write_text("made by hand")
    with pytest.raises(InputError, match=r"a\.TextGrid is there already: add --resume"):
        run(order(letters, letters), print)
    assert not (letters / "readings.jsonl").exists()
    told: list[str] = []
    run(order(letters, letters, resume=True), told.append)
    assert own.read_text() == "made by hand"
    assert (letters / "deep" / "a.srt").exists()
    assert not told  # files of the kinds that are made are no news


def test_names_tell_clips_apart():
    clips = [
        Clip("in/a.mp4"),
        Clip("in/a.wav"),
        Clip("in/A.MP4"),
        Clip("in/deep/a.mp4", below="deep"),
        Clip("talk.wav", 0.5, 4.0),
        Clip("talk.wav", 4.0),
        Clip(None, text="words"),
        Clip(None, text="more words"),
        Clip(f"{'ä' * 120}.wav", 1.0, 2.0),
    ]
    *names, long = file_names(clips).values()
    assert names == ["a", "a.wav", "A.MP4", "deep/a", "talk-0.5-4", "talk-4-end", "reading", "reading-2"]
    assert len(long.encode("utf-8", "surrogateescape")) == 200
    assert long.endswith("-1-2")


def test_shares_name_them_alike(tmp_path: Path):
    for name in ("a.txt", "b.txt", "a.md.txt"):
        (tmp_path / name).write_text(f"This letter is {name}.")
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for number in (1, 2):
        run(order(tmp_path / "out", *files, out=tmp_path / f"{number}.csv", shard=(number, 2)), print)
    assert made(tmp_path / "out") == ["a.TextGrid", "a.srt", "b.TextGrid", "b.srt"]


def test_stretches_count_from_their_beginning(tmp_path: Path):
    write_media(tmp_path / "talk.wav", container="wav", audio="pcm_s16le")
    (tmp_path / "corpus.csv").write_text("path,start,end,text\ntalk.wav,0,4,\ntalk.wav,4,,Other words\n")
    out = tmp_path / "out"
    outcome = run(order(out, files=(), manifest=tmp_path / "corpus.csv", annotate=("eaf", "vtt")), print)
    assert made(out) == [
        "readings.jsonl",
        *(f"talk-{part}.{kind}" for part in ("0-4", "4-end") for kind in ("eaf", "vtt")),
    ]
    assert "MEDIA_URL" not in (out / "talk-4-end.eaf").read_text()
    assert outcome.without_words == []


def test_where_they_lie(tmp_path: Path):
    assert table_and_folder(tmp_path / "o.CSV", None) == (tmp_path / "o.CSV", tmp_path)
    assert table_and_folder(tmp_path / "new", None) == (tmp_path / "new" / "readings.jsonl", tmp_path / "new")
    assert table_and_folder(tmp_path / "new", "csv") == (tmp_path / "new" / "readings.csv", tmp_path / "new")
    with pytest.raises(InputError, match="say where: --out FOLDER"):
        table_and_folder(None, "csv")
    with pytest.raises(InputError, match="Cannot write"):
        run(order(tmp_path / "no" / "such", tmp_path, annotate=tuple(WRITERS)), print)
