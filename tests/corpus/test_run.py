"""Many clips: lists, tables that survive a kill, runs that go on, processes that die."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from hff.config import EMOTIONS
from hff.corpus import growing_table
from hff.corpus.clip_reader import ClipReader
from hff.corpus.rows import ReadOptions
from hff.corpus.run import Order, run
from hff.errors import InputError
from tests.support import quick_model
from tests.support.media_fixtures import write_media

ENDINGS = ("jsonl", "csv", "parquet")


def letters(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / f"{name}.txt").write_text(f"This letter is {name}.")
    return [folder / f"{name}.txt" for name in names]


def order(files: list[Path], out: Path, **changes) -> Order:
    plain = Order(quick_model.load, EMOTIONS, files, out=out, kind=growing_table.kind_of(out))
    return dataclasses.replace(plain, **changes)


def names(out: Path) -> list[str]:
    return [Path(row["file"]).stem for row in growing_table.read(out)]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_kind_of_table_holds_the_same_rows(tmp_path: Path, ending: str):
    out, moments = tmp_path / f"readings.{ending}", tmp_path / f"moments.{ending}"
    files = letters(tmp_path, "first", "refused", 'l\u00e4st, "quoted"')
    outcome = run(order(files, out, timeline=moments), print)
    assert (outcome.read, outcome.failed) == (3, 1)
    rows = list(growing_table.read(out))
    assert names(out) == [path.stem for path in files]
    assert rows[1]["error"] == "This is refused."
    assert rows[0]["emotion"] in EMOTIONS
    if ending == "parquet":
        assert rows[0]["present_text"] is True
        assert rows[0]["variance_speech"] is None
        assert rows[0]["p_happy"] == pytest.approx(
            quick_model.load().analyze("This letter is first.").probabilities["happy"]
        )
    of_first = [row for row in growing_table.read(moments) if Path(row["file"]).stem == "first"]
    assert [float(row["time"]) for row in of_first] == [0.25, 0.75, 1.25, 1.75]
    assert sum(float(of_first[0][f"p_{label}"]) for label in EMOTIONS) == pytest.approx(1)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("lost", [1, 5, 40])
def test_a_run_goes_on_after_a_kill_in_the_middle_of_a_row(tmp_path: Path, ending: str, lost: int):
    out, moments = tmp_path / f"readings.{ending}", tmp_path / "moments.csv"
    files = letters(tmp_path, *"abcd")

    class Killed(BaseException):
        pass

    def kill_at_the_third(reads, count):
        for number, read in enumerate(reads):
            if number == 2:
                raise Killed
            yield read

    with pytest.raises(Killed):
        run(order(files, out, timeline=moments), print, kill_at_the_third)
    growing = out.with_name(out.name + ".part") if ending == "parquet" else out
    growing.write_bytes(growing.read_bytes()[:-lost])  # the last row was not whole on the disk
    outcome = run(order(files, out, timeline=moments, resume=True), print)
    assert (outcome.before, outcome.read) == (1, 3)
    assert sorted(names(out)) == list("abcd")
    assert sorted(names(moments)) == sorted("abcd" * 4)
    before = out.read_bytes()
    outcome = run(order(files, out, timeline=moments, resume=True), print)
    assert (outcome.before, outcome.read) == (4, 0)
    if ending != "parquet":
        assert out.read_bytes() == before
    more = letters(tmp_path, "e")
    assert run(order(files + more, out, timeline=moments, resume=True), print).read == 1
    assert sorted(names(out)) == list("abcde")


def test_a_run_that_goes_on_tells_of_the_earlier_errors(tmp_path: Path):
    out = tmp_path / "readings.csv"
    (tmp_path / "empty.wav").touch()
    files = [*letters(tmp_path, "a"), tmp_path / "empty.wav"]
    first = run(order(files, out), print)
    assert (first.failed, first.failed_before) == (1, 0)
    again = run(order(files, out, resume=True), print)
    assert (again.before, again.read, again.failed, again.failed_before) == (2, 0, 0, 1)


def test_nothing_is_erased(tmp_path: Path):
    out = tmp_path / "readings.csv"
    files = letters(tmp_path, "a")
    run(order(files, out), print)
    before = out.read_bytes()
    with pytest.raises(InputError, match="--resume"):
        run(order(files, out), print)
    letter = files[0].read_bytes()
    for foreign in (b"This is no table", b"a,b\n1,2\nthree", b'{"name": 1}\n{"fi'):
        for name in ("foreign.csv", "foreign.jsonl"):
            (tmp_path / name).write_bytes(foreign)
            with pytest.raises(InputError, match="no readings"):
                run(order(files, tmp_path / name, resume=True), print)
            assert (tmp_path / name).read_bytes() == foreign
    with pytest.raises(InputError, match="one file"):
        run(order(files, out, timeline=out), print)
    assert out.read_bytes() == before
    assert files[0].read_bytes() == letter


def test_shares_divide_the_files_and_keep_stretches_together(tmp_path: Path):
    files = letters(tmp_path, *"abcdefg")
    found = []
    for number in (1, 2, 3):
        run(order(files, tmp_path / f"{number}.jsonl", shard=(number, 3)), print)
        found.append(names(tmp_path / f"{number}.jsonl"))
    assert found == [list("adg"), list("be"), list("cf")]


def test_two_processes_give_the_same_rows_and_one_that_dies_costs_one_clip(tmp_path: Path):
    files = letters(tmp_path, "a", "deadly", "refused", *"bcd")
    outcome = run(order(files, tmp_path / "two.jsonl", jobs=2), print)
    alone = [path for path in files if path.stem != "deadly"]
    run(order(alone, tmp_path / "one.jsonl"), print)
    two, one = ({row["file"]: row for row in growing_table.read(tmp_path / f"{n}.jsonl")} for n in ("two", "one"))
    dead = two.pop(str(tmp_path / "deadly.txt"))
    assert "ended its process (status 9)" in dead["error"]
    assert two == one
    assert (outcome.read, outcome.failed) == (6, 2)


def test_a_process_that_cannot_load_its_model_is_one_error(tmp_path: Path):
    with pytest.raises(InputError, match="no weights"):
        run(dataclasses.replace(order(letters(tmp_path, "a"), tmp_path / "o.csv", jobs=1), load=_no_model), print)


def _no_model():
    raise InputError("no weights")


# ---- manifests ----------------------------------------------------------------------------------------------


def written(folder: Path, *lines: str, name: str = "corpus.csv") -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return folder / name


def test_a_manifest_s_stretches_are_read_of_a_file_decoded_once(tmp_path: Path):
    write_media(tmp_path / "talk.wav", container="wav", audio="pcm_s16le")
    table = written(
        tmp_path,
        "Path,start,end,text,label,speaker",
        "talk.wav,0,4,,joy,ann",
        "talk.wav,4,,Other words,sad,bob",
        ",,,words alone,,",
        "talk.wav,50,60,,happy,",
        "letter.txt,0,1,,,",
    )
    model = quick_model.load()
    out = tmp_path / "readings.jsonl"
    run(Order(lambda: model, EMOTIONS, manifest=table, out=out), print)
    first, second, alone, beyond, letter = growing_table.read(out)
    assert model.decoded == ["talk.wav"]
    assert (first["start"], first["end"], first["label"], first["speaker"]) == (0, 4, "happy", "ann")
    assert first["seconds"] == 4
    whole = model.read("talk.wav").transcript.words
    assert first["transcript"].split() == [word.text for word in whole if (word.start + word.end) / 2 < 4]
    assert (second["transcript"], second["seconds"]) == ("Other words", 6)
    assert (alone["file"], alone["label"]) == (None, None)
    assert "10.0 s long" in beyond["error"]
    assert "video or a sound" in letter["error"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["file,label", "a.wav,sad"], "no column path"),
        (["path,emotion", "a.wav,sad"], "unknown columns: emotion"),
        (["path"], "no lines"),
        (["path,start", "a.wav,soon"], "line 2: start is no number"),
        (["path,start", "a.wav,nan"], "line 2: start is no number"),
        (["path,start,end", "a.wav,1,2", "a.wav,3,2"], "line 3: start 3 is not before end 2"),
        (["path,label", ",sad"], "line 2: neither a path nor a text"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_where(tmp_path: Path, lines: list[str], says: str):
    with pytest.raises(InputError, match=says):
        run(Order(quick_model.load, EMOTIONS, manifest=written(tmp_path, *lines), out=tmp_path / "o.csv"), print)


def test_a_row_of_every_kind_names_its_clip(tmp_path: Path):
    """What is gone on with is told by file, start and end, in CSV written as text."""
    write_media(tmp_path / "talk.wav", container="wav", audio="pcm_s16le")
    table = written(tmp_path, "path,start,end", "talk.wav,0.5,4", "talk.wav,4,", "talk.wav,,")
    for ending in ENDINGS:
        again = order([], tmp_path / f"o.{ending}", manifest=table)
        assert run(again, print).read == 3
        assert run(dataclasses.replace(again, resume=True), print).before == 3


def test_what_is_no_json_is_that_clip_s_error():
    from hff.corpus.clips import Clip

    model = quick_model.load()
    result = model.analyze("a")
    result.entropy = float("nan")
    model.analyze_recording = lambda _: result
    (row,) = [ClipReader(model, ReadOptions()).read(Clip(None, text="a")).row]
    assert "ValueError" in json.loads(json.dumps(row, allow_nan=False))["error"]
