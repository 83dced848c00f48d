"""One clip as one row: a JSON object, or its flat form for CSV and Parquet."""

from __future__ import annotations

from dataclasses import dataclass

from hff.config import MODALITIES
from hff.corpus.clips import Clip
from hff.media.files import printable
from hff.pipeline.shapley import subsets
from hff.result import Result

PER_MODALITY = ("alpha", "alone_seconds", "variance", "present")  # columns of a table of readings
SHORT = (
    "emotion",
    "probabilities",
    "entropy",
    "alpha",
    "alone_seconds",
    "variance",
    "present",
    "seconds",
    "warnings",
)
KNOWN = ("start", "end", "speaker", "label")  # what a manifest says of a clip, beside its file


@dataclass(frozen=True)
class ReadOptions:
    """How each clip is read; as in ``Analyzer.analyze``."""

    transcribe: bool = True
    detect_faces: bool = True
    full: bool = False  # with the timeline, every subset and attention
    moments: bool = False  # with a row for each moment beside the clip's
    files_only: bool = True  # a row names the file alone, not where in it and what is known of it
    annotate: tuple[str, ...] = ()  # kinds of ``WRITERS`` that are written too


def short_row(result: Result) -> dict:
    """A reading in one row, without what there is for each moment and each subset."""
    whole, words = result.to_dict(), result.transcript and result.transcript.text
    return {key: whole[key] for key in SHORT} | {"transcript": words}


def named_by(clip: Clip, options: ReadOptions) -> dict:
    """The columns that tell one clip's rows from another's, and what is known of it."""
    name = None if clip.path is None else printable(clip.path)
    if options.files_only:
        return {"file": name}
    return {"file": name} | {column: getattr(clip, column) for column in KNOWN}


def failed(clip: Clip, options: ReadOptions, why: str) -> dict:
    return named_by(clip, options) | {"error": printable(why)}


def row_columns(labels: tuple[str, ...], options: ReadOptions, scored: bool) -> list[str]:
    """Of a flat row; ``scored``: the labels of the clips are known, so what each subset says stands there too."""
    names = ["+".join(m for m in MODALITIES if m in subset) for subset in subsets(MODALITIES)[1:]]
    return [
        "file",
        *(() if options.files_only else KNOWN),
        "emotion",
        *(f"p_{label}" for label in labels),
        "entropy",
        *(f"{name}_{m}" for name in PER_MODALITY for m in MODALITIES),
        *(f"{what}_{name}" for name in names for what in ("said", "sure") if scored),
        "transcript",
        "seconds",
        "warnings",
        "error",
    ]


def moment_columns(labels: tuple[str, ...], options: ReadOptions) -> list[str]:
    """Of a row of ``Timeline.rows``, behind what tells whose it is."""
    figures = ("present", "alpha0", "precision", "alpha", "aleatoric", "epistemic", "variance")
    return [
        "file",
        *(() if options.files_only else KNOWN),
        "time",
        "beta",
        *(f"{name}_{m}" for name in figures for m in MODALITIES),
        *(f"p_{label}" for label in labels),
    ]


def flat(row: dict) -> dict:
    """A JSON object as one row of a table."""
    plain = {key: row.get(key) for key in ("file", *KNOWN, "emotion", "entropy", "transcript", "seconds", "error")}
    plain |= {f"p_{label}": p for label, p in row.get("probabilities", {}).items()}
    for name in PER_MODALITY:
        plain |= {f"{name}_{m}": value for m, value in row.get(name, {}).items()}
    for name, (label, p) in row.get("subset_emotions", {}).items():
        plain |= {f"said_{name}": label, f"sure_{name}": p}
    return plain | {"warnings": "; ".join(row.get("warnings", []))}


def said_by(result: Result) -> dict[str, list]:
    """Of each subset of the modalities the emotion it gives and how sure it is."""
    best = {name: max(p.items(), key=lambda pair: pair[1]) for name, p in result.subsets.items()}
    return {name: [label, round(p, 6)] for name, (label, p) in best.items()}
