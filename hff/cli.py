"""Command line: ``python -m hff analyze FILE...`` and ``python -m hff bench``."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hff.config import SPEECH_ENCODERS
from hff.errors import HFFError, InputError

SUFFIXES = frozenset(
    ".mp4 .webm .mov .mkv .avi .gif .m4v .wav .mp3 .flac .ogg .oga .m4a .opus .aac .jpg .jpeg .png .webp .txt".split()
)
MAX_TEXT_BYTES = 1_000_000
PER_MODALITY = ("alpha", "alone_seconds", "variance", "present")  # columns of a table of readings

EXAMPLES = """\
examples:
  python -m hff analyze clip.mp4                      face, voice and recognised words
  python -m hff analyze clip.mp4 --text "I am fine"   the same, with words of your own
  python -m hff analyze voice.wav --no-transcribe     the voice alone
  python -m hff analyze portrait.jpg letter.txt       each file is a clip of its own
  python -m hff analyze --text "What a day!"          words alone
  python -m hff analyze recordings/ --format csv --out readings.csv
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 0, or 1 when an input could not be read."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except HFFError as error:
        print(f"hff: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hff", description="Read emotion from voice, words and face.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    analyze = commands.add_parser(
        "analyze",
        help="read clips, sounds, pictures or texts",
        description="Read the emotion of each file, one JSON object a line (or one CSV row): the emotion and all "
        "probabilities, how much each modality counted (alpha), how unsure it was (variance), which were "
        "present, the transcript, the length in seconds and any warnings.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    analyze.add_argument("files", nargs="*", type=Path, metavar="FILE", help="video, sound, picture, .txt, or a folder")
    analyze.add_argument("--text", help="words to read in place of the transcript (alone: a clip of words only)")
    analyze.add_argument("--no-transcribe", action="store_true", help="do not recognise words from the voice")
    analyze.add_argument("--no-detect-faces", action="store_true", help="the pictures already are face crops")
    analyze.add_argument("--device", default="auto", help="auto (default), cpu, cuda or mps")
    analyze.add_argument("--weights", type=Path, help="folder of weights in place of the shipped ones")
    analyze.add_argument(
        "--speech-encoder",
        choices=SPEECH_ENCODERS,
        default=SPEECH_ENCODERS[0],
        help="the paper's (default), or the one on Whisper's encoder states",
    )
    analyze.add_argument("--format", choices=("json", "csv"), default="json")
    analyze.add_argument("--full", action="store_true", help="JSON with the timeline, every subset and attention")
    analyze.add_argument("--out", type=Path, help="write here instead of to the screen")
    analyze.set_defaults(run=_analyze)
    bench = commands.add_parser(
        "bench",
        help="time each stage on a clip",
        description="Time each stage of the analysis, in seconds and as a share of the clip's length.",
    )
    bench.add_argument("file", nargs="?", type=Path, help="a clip of your own; by default 10 s of 720p are made")
    bench.add_argument("--device", default="auto")
    bench.add_argument("--repeat", type=int, default=3, help="runs after the first, of which the median counts")
    bench.set_defaults(run=_bench)
    return parser


def _analyze(options: argparse.Namespace) -> int:
    if not options.files and options.text is None:
        raise InputError("Nothing to analyse: name files or folders, or give --text.")
    from hff import load

    model = load(options.device, options.weights, options.speech_encoder)
    failed = 0
    with _output(options.out) as out:
        writer = None
        for row in _rows(model, options):
            failed += "error" in row
            if options.format == "json":
                print(json.dumps(row, ensure_ascii=False), file=out, flush=True)
                continue
            if writer is None:
                writer = csv.DictWriter(out, fieldnames=_columns(model.config.labels), lineterminator="\n")
                writer.writeheader()
            writer.writerow(_flat(row))
            out.flush()
    return 1 if failed else 0


def _rows(model, options: argparse.Namespace) -> Iterator[dict]:
    if not options.files:
        yield _row(model, None, options)
    for given in options.files:
        for path in _walk(given):
            yield _row(model, path, options)


def _walk(path: Path) -> list[Path]:
    """A file itself; of a folder all readable kinds below it, in order."""
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
    if not found:
        print(f"hff: no video, sound, picture or text file in {path}", file=sys.stderr)
    return found


def _row(model, path: Path | None, options: argparse.Namespace) -> dict:
    """One file's JSON object; an unreadable one has ``error``."""
    name = None if path is None else str(path)
    try:
        result = model.analyze(
            **_inputs(path, options.text),
            transcribe=not options.no_transcribe,
            detect_faces=not options.no_detect_faces,
        )
    except HFFError as error:
        return {"file": name, "error": str(error)}
    result.file = name
    if options.full:
        return result.to_dict()
    whole = result.to_dict()
    short = (
        "file",
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
    return {key: whole[key] for key in short} | {"transcript": result.transcript and result.transcript.text}


def _inputs(path: Path | None, text: str | None) -> dict:
    """What kind of input a file is, by its content."""
    if path is None:
        return {"text": text}
    if path.suffix.lower() == ".txt":
        return {"text": text or _read_text(path)}
    from hff import media

    info = media.probe(path)
    if info.is_image:
        return {"image": path, "text": text}
    return {"video" if info.has_video else "audio": path, "text": text}


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TEXT_BYTES)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}.") from error
    if b"\0" in data:
        raise InputError(f"{path.name} is not a text file; save it as plain UTF-8 text.")
    return data.decode("utf-8", errors="replace")


def _columns(labels: tuple[str, ...]) -> list[str]:
    from hff.config import MODALITIES

    per_modality = [f"{name}_{m}" for name in PER_MODALITY for m in MODALITIES]
    return ["file", "emotion", *(f"p_{label}" for label in labels), "entropy", *per_modality, "transcript", "seconds",
            "warnings", "error"]  # fmt: skip


def _flat(row: dict) -> dict:
    """A JSON object as one CSV row."""
    flat = {key: row.get(key) for key in ("file", "emotion", "entropy", "transcript", "seconds", "error")}
    flat |= {f"p_{label}": p for label, p in row.get("probabilities", {}).items()}
    for name in PER_MODALITY:
        flat |= {f"{name}_{m}": value for m, value in row.get(name, {}).items()}
    return flat | {"warnings": "; ".join(row.get("warnings", []))}


@contextmanager
def _output(path: Path | None):
    if path is None:
        yield sys.stdout
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"Cannot write to {path}: {error.strerror}.") from error
    with file:
        yield file


def _bench(options: argparse.Namespace) -> int:
    from hff.bench import bench

    bench(options.file, options.device, options.repeat)
    return 0
