"""Really joint data: one test actor of RAVDESS, face and voice of one person, through the app's whole pipeline."""

from __future__ import annotations

from pathlib import Path

from hff.errors import HFFError
from hff.pipeline.analyzer import Analyzer
from train.corpora import ravdess
from train.evaluation.robustness import COMMAND


def evaluate_joint(analyzer: Analyzer, data: Path) -> dict | None:
    """A table of accuracy, and every clip's reading; None where the clips are not under ``data``."""
    with ravdess.filmed(data) as paths:
        clips = [_infer(analyzer, path) for path in paths]
    if not clips:
        return None
    rows = []
    kinds = sorted({clip["kind"] for clip in clips})
    for kind in (*kinds, "all"):
        chosen = [clip for clip in clips if kind in ("all", clip["kind"])]
        row: list = [kind, len(chosen)]
        for heard in ("", "speech", "vision", "text", "speech+vision"):
            said = [clip["emotion"] if not heard else clip["subsets"].get(heard) for clip in chosen]
            row.append(sum(s == clip["truth"] for s, clip in zip(said, chosen, strict=True)) / len(chosen))
        rows.append(row)
    return {
        "clips": clips,
        "table": {
            "title": f"Really joint clips: {ravdess.NAME} actor {ravdess.FILMED_ACTOR:02} (a test speaker), face and "
            "voice of one person",
            "note": "Share of clips read right, through the whole pipeline; the words (two fixed sentences, recognised "
            f"from the sound) carry no emotion. Chance is 1/{len(analyzer.config.labels)}.",
            "command": COMMAND,
            "columns": ["clips", "number", "all present", "voice alone", "face alone", "words alone", "voice + face"],
            "rows": rows,
        },
    }


def _infer(analyzer: Analyzer, path: Path) -> dict:
    row = {"clip": path.stem, "kind": path.parent.name, "truth": ravdess.emotion_of(path.stem)}
    try:
        result = analyzer.analyze(video=path)
    except HFFError as error:
        return row | {"emotion": None, "error": str(error), "subsets": {}}
    return row | {
        "emotion": result.emotion,
        "probability": round(result.probabilities[result.emotion], 4),
        "alpha": {m: round(a, 4) for m, a in result.alpha.items()},
        "variance": {m: v and round(v, 4) for m, v in result.variance.items()},
        "transcript": result.transcript and result.transcript.text,
        "subsets": {name: max(p, key=p.__getitem__) for name, p in result.subsets.items()},
    }
