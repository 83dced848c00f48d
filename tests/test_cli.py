"""The command line: one object a line, folders walked, errors named, the exit status."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hff
from hff.cli import main
from hff.config import EMOTIONS, MODALITIES

EXAMPLES = Path(hff.__file__).parent / "examples"
PROMISED = {"file", "emotion", "probabilities", "alpha", "variance", "present", "transcript", "seconds", "warnings"}


def objects(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_object_a_file(capsys):
    status = main(["analyze", str(EXAMPLES / "portrait.jpg"), str(EXAMPLES / "voice.wav"), "--no-transcribe"])
    portrait, voice = objects(capsys)
    assert status == 0
    assert set(portrait) >= PROMISED
    assert portrait["present"] == {"speech": False, "text": False, "vision": True}
    assert voice["present"] == {"speech": True, "text": False, "vision": False}
    assert voice["transcript"] is None
    assert voice["seconds"] > 1


def test_text_alone_and_full(capsys):
    assert main(["analyze", "--text", "What a day!", "--full"]) == 0
    (row,) = objects(capsys)
    assert row["file"] is None
    assert row["timeline"]["modalities"] == list(MODALITIES)
    assert row["attention"]["axes"] == ["layers", "heads", "queries", "keys"]


def test_the_status_of_a_run_that_goes_on_tells_of_the_earlier_errors(tmp_path, capsys):
    (tmp_path / "empty.wav").touch()
    arguments = ["analyze", str(tmp_path / "empty.wav"), "--out", str(tmp_path / "readings.csv")]
    assert main(arguments) == 1
    assert main([*arguments, "--resume"]) == 1
    assert "1 were read before, 1 of them with an error that stays, 0 now." in capsys.readouterr().err


def test_unreadable_files_do_not_stop_the_others(tmp_path, capsys):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.mp4").write_text("this is no video")
    (tmp_path / "b.txt").write_text("I am so glad you came.")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "notes.md").write_text("not asked for")
    shutil.copy(EXAMPLES / "portrait.jpg", tmp_path / "deep" / "c.jpg")
    status = main(["analyze", str(tmp_path), str(tmp_path / "gone.mp4")])
    rows = {Path(row["file"]).name: row for row in objects(capsys)}
    assert status == 1
    assert set(rows) == {"a.mp4", "b.txt", "empty.wav", "c.jpg", "gone.mp4"}
    assert {name for name, row in rows.items() if "error" in row} == {"a.mp4", "empty.wav", "gone.mp4"}
    assert all(name in rows[name]["error"] for name in ("a.mp4", "empty.wav", "gone.mp4"))
    assert rows["b.txt"]["emotion"] in EMOTIONS


def test_csv_to_a_file(tmp_path):
    out = tmp_path / "readings.csv"
    assert (
        main(
            ["analyze", str(EXAMPLES / "portrait.jpg"), str(tmp_path / "no.mp4"), "--format", "csv", "--out", str(out)]
        )
        == 1
    )
    good, bad = csv.DictReader(io.StringIO(out.read_text()))
    assert good["emotion"] in EMOTIONS
    assert sum(float(good[f"p_{label}"]) for label in EMOTIONS) == pytest.approx(1, abs=1e-4)
    assert float(good["alpha_vision"]) == 1
    assert good["variance_speech"] == ""
    assert "no.mp4" in bad["error"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["analyze"], "Nothing to analyse"),
        (["analyze", "--text", "hello", "--device", "abacus"], "abacus"),
        (["analyze", "--text", "hello", "--weights", "nowhere"], "nowhere"),
        (["analyze", "--text", "hello", "--out", "no/such/folder/x.json"], "Cannot write"),
        (["analyze", "--text", "hello", "--format", "srt"], "--out FOLDER"),
    ],
)
def test_what_cannot_work_is_one_clear_line(arguments, says, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert says in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("formats", "says"),
    [
        ("srt,docx", "'docx' is no format; of tables there are json, csv, parquet, of files for each clip srt, vtt, T"),
        ("csv,srt,json", "there is one table, csv or json"),
    ],
)
def test_formats_that_there_are_not_are_told_with_those_that_there_are(formats, says, capsys):
    with pytest.raises(SystemExit):
        main(["analyze", "--text", "hello", "--format", formats])
    assert says in capsys.readouterr().err


def test_a_sentence_alone_has_files_too_and_it_is_said_that_its_words_have_no_times(tmp_path, capsys):
    out = tmp_path / "annotated"
    assert main(["analyze", "--text", "What a day!", "--format", "textgrid,srt,csv", "--out", str(out)]) == 0
    assert "no words with a time in the words typed: its TextGrid, srt hold" in capsys.readouterr().err
    (row,) = csv.DictReader(io.StringIO((out / "readings.csv").read_text()))
    assert row["emotion"] in (out / "reading.TextGrid").read_text()
    assert row["emotion"] in (out / "reading.srt").read_text()


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["analyze", "--help"])
    said = capsys.readouterr().out
    assert "examples:" in said
    assert "--no-transcribe" in said


def test_import_is_quick_and_light():
    code = (
        "import sys, time; t = time.perf_counter(); import hff; d = time.perf_counter() - t;"
        "heavy = {'torch', 'transformers', 'gradio', 'cv2', 'av'} & set(sys.modules); print(d, heavy)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, heavy = said.split(" ", 1)
    assert float(seconds) < 1
    assert heavy.strip() == "set()"


def test_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "hff", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "analyze" in done.stdout
