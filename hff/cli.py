"""Command line: ``python -m hff analyze FILE...`` and ``python -m hff bench``."""

from __future__ import annotations

import argparse
import codecs
import csv
import json
import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hff import quiet
from hff.config import SPEECH_ENCODERS
from hff.errors import HFFError, InputError
from hff.media.files import open_file, printable

log = logging.getLogger(__name__)

# What a file with such a name holds is not doubted: if it cannot be read, that is an error. Others count by content.
CLIP_SUFFIXES = frozenset(
    ".mp4 .webm .mov .mkv .avi .gif .m4v .wav .mp3 .flac .ogg .oga .m4a .opus .aac .jpg .jpeg .png .webp .txt".split()
)
MAX_TEXT_BYTES = 1_000_000
PER_MODALITY = ("alpha", "alone_seconds", "variance", "present")  # columns of a table of readings

USAGE = """\
examples:
  python -m hff analyze clip.mp4                      face, voice and recognised words
  python -m hff analyze clip.mp4 --text "I am fine"   the same, with words of your own
  python -m hff analyze voice.wav --no-transcribe     the voice alone
  python -m hff analyze portrait.jpg letter.txt       each file is a clip of its own
  python -m hff analyze --text "What a day!"          words alone
  python -m hff analyze recordings/ --format csv --out readings.csv

Of a folder every file below it is read that holds a video, a sound or a picture, whatever its name, and every .txt;
what is passed over is named on standard error. The exit status is 1 if a file or a folder could not be read.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 0, or 1 when an input could not be read."""
    quiet.programs()
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except HFFError as error:
        _tell(error)
        return 1
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        _drop_output()
        return 1
    except KeyboardInterrupt:
        _tell("stopped.")
        return 130


def _tell(message: object) -> None:
    """One line on standard error."""
    print(f"hff: {printable(str(message))}", file=sys.stderr)


def _drop_output() -> None:
    """What is still in standard output's buffer has nowhere to go; the interpreter would complain at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hff", description="Read emotion from voice, words and face.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    analyze = commands.add_parser(
        "analyze",
        help="read clips, sounds, pictures or texts",
        description="Read the emotion of each file, one JSON object a line (or one CSV row): the emotion and all "
        "probabilities, how much each modality counted (alpha), how unsure it was (variance), which were "
        "present, the transcript, the length in seconds and any warnings.",
        epilog=USAGE,
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
        help="the paper's (mfcc-cnn), or the one on Whisper's first layers (default where its weights are there)",
    )
    analyze.add_argument("--format", choices=("json", "csv"), default="json")
    analyze.add_argument("--full", action="store_true", help="JSON with the timeline, every subset and attention")
    analyze.add_argument("--out", type=Path, help="write here instead of to the screen")
    analyze.add_argument("--verbose", action="store_true", help="log more, with the trace of an unexpected error")
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
    if options.verbose:
        logging.basicConfig(format="%(name)s: %(message)s")
        logging.getLogger("hff").setLevel(logging.DEBUG)
    for path in options.files:
        if options.out and path.is_file() and _is_same(path, options.out):
            raise InputError(f"--out {options.out} would overwrite a file that is to be read; name another.")
    from hff import load

    model = load(options.device, options.weights, options.speech_encoder)
    walk = _Walk(options.out)
    failed = 0
    with _output(options.out) as out:
        write = _csv_writer(out, model.config.labels) if options.format == "csv" else _json_writer(out)
        for row in _rows(model, walk, options):
            failed += "error" in row
            write(row)
            out.flush()
    return 1 if failed or walk.failed else 0


def _json_writer(out):
    plain = (getattr(out, "encoding", None) or "utf-8").lower().replace("-", "") != "utf8"
    return lambda row: print(json.dumps(row, ensure_ascii=plain), file=out)


def _csv_writer(out, labels: tuple[str, ...]):
    """Writes rows, and the names of the columns before the first."""
    writer = csv.DictWriter(out, fieldnames=_columns(labels), lineterminator="\n")
    begun = False

    def write(row: dict) -> None:
        nonlocal begun
        if not begun:
            writer.writeheader()
            begun = True
        writer.writerow(_flat(row))

    return write


def _rows(model, walk: _Walk, options: argparse.Namespace) -> Iterator[dict]:
    if not options.files:
        yield _row(model, None, options)
    for given in options.files:
        for path in walk.files(given):
            yield _row(model, path, options)


class _Walk:
    """The files that are to be read; tells on standard error which are not. ``failed``: a folder gave nothing."""

    def __init__(self, out: Path | None = None) -> None:
        self.out = out  # is not read
        self.failed = False

    def files(self, given: Path) -> Iterator[Path]:
        """A file itself; of a folder all below it that can be read, in order. Links to folders are not followed."""
        if not os.path.isdir(given):  # unlike Path.is_dir it answers for any name
            yield given
            return
        found = 0
        for folder, folders, names in os.walk(given, onerror=self._unreadable):
            folders.sort()
            for path in (Path(folder, name) for name in sorted(names)):
                if self._is_wanted(path):
                    found += 1
                    yield path
        if not found:
            _tell(f"no video, sound, picture or text file in {given}")
            self.failed = True

    def _unreadable(self, error: OSError) -> None:
        _tell(f"the folder {error.filename} cannot be read: {error.strerror}.")
        self.failed = True

    def _is_wanted(self, path: Path) -> bool:
        if self.out is not None and _is_same(path, self.out):
            return False
        if not os.path.isfile(path):
            _tell(f"passed over {path}: a link to nothing, a pipe or a device.")
            return False
        if path.suffix.lower() in CLIP_SUFFIXES or _holds_media(path):
            return True
        _tell(f"passed over {path}: no video, sound or picture in it, and no .txt.")
        return False


def _is_same(path: Path, other: Path) -> bool:
    with suppress(OSError, ValueError):
        return os.path.samefile(path, other)
    return False


def _holds_media(path: Path) -> bool:
    from hff.media.probe import is_media

    try:
        return is_media(path)
    except InputError as error:
        log.debug("%s", error)
        return False


def _row(model, path: Path | None, options: argparse.Namespace) -> dict:
    """One file's JSON object; an unreadable one has ``error``."""
    name = None if path is None else printable(str(path))
    try:
        row = _reading(model, path, options)
        json.dumps(row, allow_nan=False)  # ValueError: JSON has no NaN
    except HFFError as error:
        return {"file": name, "error": printable(str(error))}
    except Exception as error:  # whatever it is, it is this file's trouble; the others are still read
        log.debug("reading %s failed", name, exc_info=True)
        what = f"{type(error).__name__}: {printable(str(error))}"
        advice = "Save it anew as mp4, wav, jpg or plain text and try again; --verbose shows the trace."
        return {"file": name, "error": f"Unexpected trouble with this file ({what}). {advice}"}
    return {"file": name} | row


def _reading(model, path: Path | None, options: argparse.Namespace) -> dict:
    result = model.analyze(
        **_inputs(path, options.text),
        transcribe=not options.no_transcribe,
        detect_faces=not options.no_detect_faces,
    )
    whole = result.to_dict()
    if options.full:
        del whole["file"]
        return whole
    short = (
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
    from hff.media.probe import probe

    info = probe(path)
    kind = "image" if info.is_image else "video" if info.has_video else "audio"
    return {kind: info, "text": text}


def _read_text(path: Path) -> str:
    with open_file(path) as file:
        data = file.read(MAX_TEXT_BYTES)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what Windows calls Unicode
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        raise InputError(f"{path.name} is not a text file; save it as plain UTF-8 text.")
    return data.decode("utf-8", errors="replace")


def _columns(labels: tuple[str, ...]) -> list[str]:
    from hff.config import MODALITIES

    per_modality = [f"{name}_{m}" for name in PER_MODALITY for m in MODALITIES]
    return [
        "file",
        "emotion",
        *(f"p_{label}" for label in labels),
        "entropy",
        *per_modality,
        "transcript",
        "seconds",
        "warnings",
        "error",
    ]


def _flat(row: dict) -> dict:
    """A JSON object as one CSV row."""
    flat = {key: row.get(key) for key in ("file", "emotion", "entropy", "transcript", "seconds", "error")}
    flat |= {f"p_{label}": p for label, p in row.get("probabilities", {}).items()}
    for name in PER_MODALITY:
        flat |= {f"{name}_{m}": value for m, value in row.get(name, {}).items()}
    return flat | {"warnings": "; ".join(row.get("warnings", []))}


@contextmanager
def _output(path: Path | None):
    """Standard output, or the file at ``path``; what cannot be written becomes an ``InputError``."""
    where = "standard output" if path is None else path
    try:
        if path is None:
            yield sys.stdout
            return
        with _opened_for_writing(path) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        if path is None:
            _drop_output()
        raise InputError(f"Cannot write to {where}: {error.strerror or error}.") from error


def _opened_for_writing(path: Path):
    """A pipe that nobody reads is refused; opening it the usual way would wait for a reader without end."""
    descriptor = None
    if hasattr(os, "O_NONBLOCK") and path.exists() and stat.S_ISFIFO(path.stat().st_mode):
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(descriptor, True)
    return open(path if descriptor is None else descriptor, "w", encoding="utf-8", newline="")


def _bench(options: argparse.Namespace) -> int:
    from hff.bench import bench

    bench(options.file, options.device, options.repeat)
    return 0
