"""A reading as files that other programs open: subtitles (SubRip, WebVTT), Praat's TextGrid and ELAN's EAF.

Each takes a ``Result`` and gives the file's text. The annotation files have three tiers: ``words`` as they were heard,
``emotion`` (what that step says with those before it, equation (31) step by step) and ``weight`` (the modality
with the largest alpha); a subtitle is a stretch of words with the emotion at its end. Labels are the model's own.
WebVTT and EAF name the speech encoder too; SubRip and TextGrid have no place for it.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from hff.config import MODALITIES
from hff.result import Result, Word

LONGEST_LINE = 42  # characters of a subtitle, as broadcasters have it
SUBTITLE_PAUSE_SECONDS = 0.8  # s without a word, after which a new subtitle begins
LONGEST_SUBTITLE = 6.0  # s


@dataclass(frozen=True)
class Stretch:
    """One annotation: from ``start`` to ``end``, both in seconds of the clip."""

    start: float
    end: float
    text: str


def tiers(result: Result) -> dict[str, list[Stretch]]:
    """Name -> its annotations, in order and without overlap."""
    words = result.transcript.words if result.transcript else []
    return {
        "words": _in_order(Stretch(word.start, word.end, word.text.strip()) for word in words),
        "emotion": _runs(result, _labels_by_step(result)),
        "weight": _runs(result, _heaviest_by_step(result)),
    }


def srt(result: Result) -> str:
    """SubRip subtitles."""
    cues = [
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.text}\n"
        for number, cue in enumerate(subtitles(result), 1)
    ]
    return "\n".join(cues)


def vtt(result: Result) -> str:
    """WebVTT subtitles (W3C)."""
    marks = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    cues = [
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{cue.text.translate(marks)}\n"
        for cue in subtitles(result)
    ]
    return "\n".join(["WEBVTT\n", f"NOTE speech encoder: {result.speech_encoder}\n", *cues])


def textgrid(result: Result) -> str:
    """Praat's long text format: interval tiers that cover the clip, empty where nothing is."""
    end = _end(result)
    all_tiers = tiers(result)
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end}",
        "tiers? <exists>",
    ]
    lines += [f"size = {len(all_tiers)}", "item []:"]
    for number, (name, stretches) in enumerate(all_tiers.items(), 1):
        filled = _filled(stretches, end)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {end}", f"        intervals: size = {len(filled)}"]
        for place, stretch in enumerate(filled, 1):
            lines += [f"        intervals [{place}]:", f"            xmin = {stretch.start}"]
            lines += [f"            xmax = {stretch.end}", f"            text = {_quoted(stretch.text)}"]
    return "\n".join(lines) + "\n"


def eaf(result: Result) -> str:
    """ELAN's annotation format 3.0 (Max Planck Institute for Psycholinguistics)."""
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "HFF",
            "DATE": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    header = ElementTree.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if result.file:
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", {"MEDIA_URL": result.file, "MIME_TYPE": "unknown"})
    ElementTree.SubElement(header, "PROPERTY", {"NAME": "speech_encoder"}).text = result.speech_encoder
    order = ElementTree.SubElement(root, "TIME_ORDER")
    slots, annotations = itertools.count(1), itertools.count(1)

    def slot(seconds: float) -> str:
        name = f"ts{next(slots)}"
        ElementTree.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": name, "TIME_VALUE": str(round(1000 * seconds))})
        return name

    for name, stretches in tiers(result).items():
        tier = ElementTree.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": "default-lt", "TIER_ID": name})
        for stretch in stretches:
            places = {"TIME_SLOT_REF1": slot(stretch.start), "TIME_SLOT_REF2": slot(stretch.end)}
            own = {"ANNOTATION_ID": f"a{next(annotations)}", **places}
            value = ElementTree.SubElement(ElementTree.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", own)
            ElementTree.SubElement(value, "ANNOTATION_VALUE").text = stretch.text
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "default-lt", "TIME_ALIGNABLE": "true"}
    ElementTree.SubElement(root, "LINGUISTIC_TYPE", kind)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


WRITERS: dict[str, Callable[[Result], str]] = {"srt": srt, "vtt": vtt, "TextGrid": textgrid, "eaf": eaf}


def subtitles(result: Result) -> list[Stretch]:
    """Words by the line, each with the emotion at its end; of a clip without timed words, its emotions alone."""
    words = result.transcript.words if result.transcript else []
    if not words:
        return [Stretch(run.start, run.end, f"[{run.text}]") for run in _runs(result, _labels_by_step(result))]
    lines: list[list[Word]] = []
    for word in words:
        if lines and _belongs(word, lines[-1]):
            lines[-1].append(word)
        else:
            lines.append([word])
    cues = [Stretch(line[0].start, line[-1].end, _said(line)) for line in lines]
    return [Stretch(c.start, c.end, f"[{_label_at(result, c.end)}] {c.text}") for c in _in_order(cues)]


def _belongs(word: Word, line: list[Word]) -> bool:
    near = word.start - line[-1].end < SUBTITLE_PAUSE_SECONDS and word.end - line[0].start < LONGEST_SUBTITLE
    return near and len(_said([*line, word])) <= LONGEST_LINE


def _said(words: Iterable[Word]) -> str:
    return " ".join(word.text.strip() for word in words)


def _labels_by_step(result: Result) -> list[str]:
    labels = list(result.probabilities)
    return [labels[place] for place in result.timeline.probabilities.argmax(1)]


def _heaviest_by_step(result: Result) -> list[str]:
    line = result.timeline
    return [
        MODALITIES[row.argmax()] if there.any() else "" for row, there in zip(line.alpha, line.present, strict=True)
    ]


def _label_at(result: Result, seconds: float) -> str:
    step = int(np.clip(np.searchsorted(result.timeline.times, seconds) - 1, 0, len(result.timeline.times) - 1))
    return _labels_by_step(result)[step]


def _runs(result: Result, values: list[str]) -> list[Stretch]:
    """Steps of equal value as one annotation; none where the value is empty."""
    line, end = result.timeline, _end(result)
    found, at = [], 0
    for value, group in itertools.groupby(values):
        until = at + len(list(group))
        start = max(0.0, float(line.times[at]) - line.step_seconds / 2)
        stop = end if until == len(values) else float(line.times[until]) - line.step_seconds / 2
        if value and stop > start:
            found.append(Stretch(round(start, 3), round(min(stop, end), 3), value))
        at = until
    return found


def _end(result: Result) -> float:
    """s; never nothing, which Praat does not open."""
    return round(max(result.seconds, float(result.timeline.times[-1]) + result.timeline.step_seconds / 2, 0.001), 3)


def _in_order(stretches: Iterable[Stretch]) -> list[Stretch]:
    """By time, each beginning where the one before has ended; what is empty is left out."""
    found: list[Stretch] = []
    for one in sorted(stretches, key=lambda stretch: stretch.start):
        start = max(0.0, one.start, found[-1].end if found else 0.0)
        if one.text and one.end > start:
            found.append(Stretch(round(start, 3), round(one.end, 3), one.text))
    return found


def _filled(stretches: list[Stretch], end: float) -> list[Stretch]:
    """The same with empty ones between, so that they cover the clip up to ``end``."""
    found, at = [], 0.0
    for one in stretches:
        if one.start >= end:
            break
        if one.start > at:
            found.append(Stretch(at, one.start, ""))
        found.append(Stretch(one.start, min(one.end, end), one.text))
        at = found[-1].end
    return found if at >= end else [*found, Stretch(at, end, "")]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""').replace("\n", " ") + '"'


def _clock(seconds: float, comma: str) -> str:
    whole = round(1000 * seconds)
    hours, rest = divmod(whole, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{comma}{rest % 1000:03}"
