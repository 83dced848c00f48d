"""Dialogues as files: tables as people and corpora write them, lines of text, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hff.errors import InputError
from hff.media.dialogue_file import MAX_DIALOGUE_BYTES, MAX_TURNS, DialogueTurn, read_dialogue


def written(folder: Path, text: str | bytes, name: str = "talk.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table(tmp_path: Path, delimiter: str):
    lines = [
        ["Speaker", "Text", "Start", "End"],
        ["Anna", "I am so glad", "0", "1.5"],
        ["Ben", "Why?", "0:01:02,5", ""],
    ]
    path = written(tmp_path, "\ufeff" + "\r\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines))
    assert read_dialogue(path) == [
        DialogueTurn("Anna", "I am so glad", 0.0, 1.5),
        DialogueTurn("Ben", "Why?", 62.5, None),
    ]


def test_melds_table_gives_its_first_dialogue(tmp_path: Path):
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
    rows = [
        '1,"Oh, no.",Phoebe,sadness,negative,7,0,4,7,"00:20:57,256","00:21:00,049"',
        '2,What?,Monica,surprise,negative,7,1,4,7,"00:21:01,927","00:21:03,261"',
        '3,Push!,Joey,joy,positive,8,0,1,23,"0:10:44,769","0:10:46,146"',
    ]
    turns = read_dialogue(written(tmp_path, "\n".join([head, *rows])))
    assert [(turn.speaker, turn.text, turn.label) for turn in turns] == [
        ("Phoebe", "Oh, no.", "sadness"),
        ("Monica", "What?", "surprise"),
    ]
    assert turns[0].start == pytest.approx(20 * 60 + 57.256)
    assert turns[1].end == pytest.approx(21 * 60 + 3.261)


def test_lines_of_text(tmp_path: Path):
    text = "Once upon a time\nAnna: I am so glad,\nreally glad\n\nBen: Why?\nEmpty:\n"
    assert read_dialogue(written(tmp_path, text, "talk.txt")) == [
        DialogueTurn("", "Once upon a time"),
        DialogueTurn("Anna", "I am so glad, really glad"),
        DialogueTurn("Ben", "Why? Empty:"),
    ]


def test_a_stretch_without_words_is_a_turn(tmp_path: Path):
    turns = read_dialogue(written(tmp_path, "text,start,end\n,1,2\n"))
    assert turns == [DialogueTurn("", "", 1.0, 2.0)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("speaker,text\n", "holds no turns"),
        ("\n \n", "holds no turns"),
        ("text,start\nhello,soon\n", "line 2: “soon” is no time"),
        ("text,start,end\nhello,3,2\n", "line 2: the turn ends before it begins"),
        ("speaker,text,start\nAnna,,\n", "line 2: neither words nor a start"),
        ("text\n" + "hello\n" * (MAX_TURNS + 1), f"holds {MAX_TURNS + 1} turns and at most {MAX_TURNS}"),
        (b"RIFF\0\0\0\0WAVE", "is no dialogue"),
        (b"a" * (MAX_DIALOGUE_BYTES + 1), "is no dialogue"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(tmp_path: Path, content: str | bytes, says: str):
    with pytest.raises(InputError, match=says):
        read_dialogue(written(tmp_path, content))


@pytest.mark.parametrize("content", [b"\xff\xfe", b'text\n"open quote', b"text,text\n\xe9,b", b":", b'"'])
def test_odd_bytes_are_read_as_well_as_they_can_be(tmp_path: Path, content: bytes):
    assert read_dialogue(written(tmp_path, content))
