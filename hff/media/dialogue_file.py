"""A dialogue as a file: a table of who says what (CSV), or lines of "NAME: words"."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from dataclasses import dataclass

from hff.errors import InputError
from hff.locale import say
from hff.media.files import name_of, open_file

MAX_TURNS = 200  # of one dialogue; those of the corpora have 33 at most, a long scene of a play 100
MAX_DIALOGUE_BYTES = 1 << 20
# The columns as they are called here, in MELD and in EmoryNLP, in small letters.
TURN_COLUMNS = {
    "speaker": ("speaker", "name", "who"),
    "text": ("text", "utterance", "words", "sentence"),
    "start": ("start", "starttime", "start_time"),
    "end": ("end", "endtime", "end_time"),
    "label": ("label", "emotion"),
    "dialogue": ("dialogue", "dialogue_id", "scene_id"),
}
_CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,9}(?:[.,]\d{1,9})?)")
_SPEAKER = re.compile(r"\s*([^:：]{1,60})[:：]\s*(.*)")


@dataclass(frozen=True)
class DialogueTurn:
    """What one person says at a stretch."""

    speaker: str  # "" where nobody is named
    text: str  # "" where only the stretch of a clip is given
    start: float | None = None  # s into a clip
    end: float | None = None  # s
    label: str = ""  # the emotion that it is known to show, as the file has it


def read_dialogue(path: str | os.PathLike) -> list[DialogueTurn]:
    """The turns of a dialogue, in order: of the first one, where a table holds several.

    A file whose first line names a column of words is a table, with commas, semicolons or tabs; start and end are
    seconds or clock times. Any other file is lines of "NAME: words"; a line without a name goes on with the one before.
    Raises ``InputError`` for what cannot be read, with the line.
    """
    name = name_of(path)
    with open_file(path) as file:
        data = file.read(MAX_DIALOGUE_BYTES + 1)
    if len(data) > MAX_DIALOGUE_BYTES or b"\0" in data:
        raise InputError(say("dialogue.no_text", name=name))
    text = data.decode("utf-8-sig", errors="replace")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    columns = _columns(next(csv.reader([first], delimiter=delimiter), []))
    turns = _table(text, delimiter, name) if "text" in columns else _lines(text)
    if not turns:
        raise InputError(say("dialogue.nothing", name=name))
    if len(turns) > MAX_TURNS:
        raise InputError(say("dialogue.too_long", name=name, count=len(turns), most=MAX_TURNS))
    return turns


def _columns(head: list[str]) -> dict[str, int]:
    """What a table's head names -> its place."""
    names = [name.strip().lower() for name in head]
    found = {}
    for what, known in TURN_COLUMNS.items():
        found[what] = next((names.index(alias) for alias in known if alias in names), None)
    return {what: place for what, place in found.items() if place is not None}


def _table(text: str, delimiter: str, name: str) -> list[DialogueTurn]:
    rows = csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter)
    columns = _columns(next(rows))
    turns, dialogue = [], None
    for row in rows:
        given = {what: row[place].strip() if place < len(row) else "" for what, place in columns.items()}
        if not any(given.values()):
            continue
        dialogue = given.get("dialogue") if dialogue is None else dialogue
        if given.get("dialogue") != dialogue:
            break
        start, end = (_seconds(given.get(what, ""), name, rows.line_num) for what in ("start", "end"))
        if start is not None and end is not None and start >= end:
            raise InputError(say("dialogue.backwards", name=name, line=rows.line_num))
        if not given["text"] and start is None:
            raise InputError(say("dialogue.no_words", name=name, line=rows.line_num))
        turns.append(DialogueTurn(given.get("speaker", ""), given["text"], start, end, given.get("label", "")))
    return turns


def _seconds(given: str, name: str, line: int) -> float | None:
    """Seconds, or hours:minutes:seconds with a point or a comma."""
    if not given:
        return None
    found = _CLOCK.fullmatch(given)
    if found is None:
        raise InputError(say("dialogue.no_time", name=name, line=line, given=given[:40]))
    hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in found.groups())
    return math.fsum((3600 * hours, 60 * minutes, seconds))


def _lines(text: str) -> list[DialogueTurn]:
    turns: list[DialogueTurn] = []
    for line in text.splitlines():
        named = _SPEAKER.fullmatch(line)
        if named is not None and named[2].strip():
            turns.append(DialogueTurn(named[1].strip(), named[2].strip()))
        elif line.strip() and turns:
            last = turns.pop()
            turns.append(DialogueTurn(last.speaker, f"{last.text} {line.strip()}"))
        elif line.strip():
            turns.append(DialogueTurn("", line.strip()))
    return turns
