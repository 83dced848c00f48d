"""Command line: ``python -m hff analyze FILE...``, ``demo``, ``bench`` and ``export``."""

from __future__ import annotations

import argparse
import functools
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import hff
from hff import quiet
from hff.annotations import WRITERS
from hff.config import SPEECH_ENCODERS
from hff.errors import HFFError, InputError
from hff.locale import say
from hff.media.files import printable

MAX_JOBS = 256
MAX_CLIPS = 100_000
TABLES = ("json", "csv", "parquet")
NAMED = 3  # clips that a sentence names before it counts the rest

USAGE = """\
examples:
  python -m hff analyze clip.mp4                      face, voice and recognised words
  python -m hff analyze clip.mp4 --text "I am fine"   the same, with words of your own
  python -m hff analyze voice.wav --no-transcribe     the voice alone
  python -m hff analyze portrait.jpg letter.txt       each file is a clip of its own
  python -m hff analyze --text "What a day!"          words alone
  python -m hff analyze recordings/ --out readings.csv --jobs 2
  python -m hff analyze recordings/ --format srt,textgrid --out annotated    a file of each kind for each clip
  python -m hff analyze --manifest corpus.csv --out readings.parquet --timeline moments.parquet --resume

Of a folder every file below it is read that holds a video, a sound or a picture, whatever its name, and every .txt;
what is passed over is named on standard error. --out is written clip by clip: stopped at any moment, the same command
with --resume goes on. A manifest with the column label gets accuracy, recall, confusions and calibration at the end,
for each subset of the modalities. The exit status is 1 if a file or a folder could not be read.
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
        from hff.corpus.outputs import drop_output

        drop_output()
        return 1
    except KeyboardInterrupt:
        _tell("stopped.")
        return 130


def _tell(message: object) -> None:
    """One line on standard error."""
    print(f"hff: {printable(str(message))}", file=sys.stderr)


def _path(text: str) -> Path:
    """Not "", as an unset variable of a shell gives it: that would be the folder one is in, with all below it."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; . is the folder you are in")
    return Path(text)


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes from 1 to {MAX_JOBS}")
    return int(text)


def _clips(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= MAX_CLIPS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of clips from 2 to {MAX_CLIPS}")
    return int(text)


def _formats(text: str) -> tuple[str | None, tuple[str, ...]]:
    """ "csv,srt,textgrid" -> the table's format (None: not said) and those of which each clip gets a file."""
    known = {name.lower(): name for name in (*TABLES, *WRITERS)}
    wanted = [part.strip() for part in text.split(",")]
    for part in wanted:
        if part.lower() not in known:
            raise argparse.ArgumentTypeError(
                f"{part!r} is no format; of tables there are {', '.join(TABLES)}, of files for each clip "
                f"{', '.join(WRITERS)}"
            )
    names = list(dict.fromkeys(known[part.lower()] for part in wanted))
    tables = [name for name in names if name in TABLES]
    if len(tables) > 1:
        raise argparse.ArgumentTypeError(f"there is one table, {' or '.join(tables)}")
    return tables[0] if tables else None, tuple(name for name in names if name in WRITERS)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hff", description="Read emotion from voice, words and face.")
    parser.add_argument("--version", action="version", version=f"hff {hff.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_analyze(commands)
    demo = commands.add_parser(
        "demo", add_help=False, help="serve the demo page; hff demo --help tells its options", prefix_chars="\0"
    )
    demo.add_argument("options", nargs="*")
    demo.set_defaults(run=_demo)
    _add_bench(commands)
    _add_export(commands)
    return parser


def _add_analyze(commands: argparse._SubParsersAction) -> None:
    analyze = commands.add_parser(
        "analyze",
        help="read clips, sounds, pictures or texts",
        description="Read the emotion of each file, one JSON object a line (or one CSV row): the emotion and all "
        "probabilities, how much each modality counted (alpha), how unsure it was (variance), which were "
        "present, the transcript, the length in seconds and any warnings.",
        epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    analyze.add_argument(
        "files",
        nargs="*",
        type=_path,
        metavar="FILE",
        help="video, sound, picture, .txt, or a folder; - takes names from standard input",
    )
    analyze.add_argument("--text", help="words to read in place of the transcript (alone: a clip of words only)")
    analyze.add_argument("--no-transcribe", action="store_true", help="do not recognise words from the voice")
    analyze.add_argument("--no-detect-faces", action="store_true", help="the pictures already are face crops")
    analyze.add_argument("--device", default="auto", help="auto (default), cpu, cuda or mps")
    analyze.add_argument("--weights", type=_path, help="folder of weights in place of the shipped ones")
    analyze.add_argument(
        "--speech-encoder",
        choices=SPEECH_ENCODERS,
        help="the paper's (mfcc-cnn), or the one on Whisper's first layers (default where its weights are there)",
    )
    analyze.add_argument(
        "--format",
        type=_formats,
        default=(None, ()),
        metavar="FORMAT[,FORMAT...]",
        help=f"a table: {', '.join(TABLES)} (by default what the ending of --out says, else json); and a file for each "
        f"clip: {', '.join(WRITERS)}",
    )
    analyze.add_argument("--full", action="store_true", help="JSON with the timeline, every subset and attention")
    analyze.add_argument(
        "--out",
        type=_path,
        help="write here instead of to the screen: .jsonl, .csv or .parquet; with files for each clip they lie beside "
        "it, or all in this folder",
    )
    analyze.add_argument("--timeline", type=_path, help="a second table, with one row for each half second of a clip")
    analyze.add_argument("--manifest", type=_path, help="a CSV file of clips: path, start, end, text, label, speaker")
    analyze.add_argument("--jobs", type=_jobs, metavar="N", help="read in N processes, each with a model of its own")
    analyze.add_argument(
        "--engine", choices=("processes", "ray"), default="processes", help="ray: workers on a Ray cluster (hff[ray])"
    )
    analyze.add_argument("--address", help='of a Ray cluster, as "auto"; by default one is started on this machine')
    analyze.add_argument("--resume", action="store_true", help="go on with --out where an earlier run stopped")
    analyze.add_argument("--shard", default="1/1", metavar="I/N", help="only share I of N, for N machines")
    analyze.add_argument("-q", "--quiet", action="store_true", help="no progress and no figures on standard error")
    analyze.add_argument("-v", "--verbose", action="store_true", help="log more, with the trace of an unexpected error")
    analyze.set_defaults(run=_analyze)


def _add_bench(commands: argparse._SubParsersAction) -> None:
    bench = commands.add_parser(
        "bench",
        help="time each stage on a clip, or many clips",
        description="Time each stage of the analysis, in seconds and as a share of the clip's length. With --clips: "
        "how many clips a second are read in one process, in several and on Ray, with what memory, and how long a "
        "million would take.",
    )
    bench.add_argument("file", nargs="?", type=_path, help="a clip of your own; by default 10 s of 720p are made")
    bench.add_argument("--clips", type=_clips, metavar="N", help="time so many copies of the clip, or of the examples")
    bench.add_argument("--jobs", type=_jobs, metavar="N", default=2, help="with --clips: processes (default 2)")
    bench.add_argument("--device", default="auto")
    bench.add_argument("--repeat", type=int, default=3, help="runs after the first, of which the median counts")
    bench.set_defaults(run=_bench)


def _add_export(commands: argparse._SubParsersAction) -> None:
    export = commands.add_parser(
        "export",
        help="write the model as ONNX files",
        description="Write the encoders and the fusion as ONNX files, each compared with PyTorch before it is kept, "
        "and tell the largest difference. Needs what hff[export] installs.",
    )
    export.add_argument("folder", type=_path, help="where they are to lie; nothing in it is written over")
    export.add_argument("--weights", type=_path, help="folder of weights in place of the shipped ones")
    export.add_argument("--speech-encoder", choices=SPEECH_ENCODERS, help="only that one's; by default all there are")
    export.set_defaults(run=_export)


def _analyze(options: argparse.Namespace) -> int:
    if not options.files and options.text is None and options.manifest is None:
        raise InputError(say("cli.nothing"))
    if options.manifest is not None and (options.files or options.text is not None):
        raise InputError(say("cli.manifest_alone"))
    if options.address is not None and options.engine != "ray":
        raise InputError(say("cli.address"))
    if options.verbose:
        logging.basicConfig(format="%(name)s: %(message)s")
        logging.getLogger("hff").setLevel(logging.DEBUG)
    from hff.corpus import annotation_files, growing_table, scores
    from hff.corpus.clips import shard_of
    from hff.corpus.run import Order, run

    table_kind, annotate = options.format
    out, folder = annotation_files.table_and_folder(options.out, table_kind) if annotate else (options.out, Path())
    labels = _labels(options)
    order = Order(
        load=functools.partial(_load, options.device, options.weights, options.speech_encoder),
        labels=labels,
        files=list(_files(options.files)),
        text=options.text,
        manifest=options.manifest,
        out=out,
        kind=table_kind or ("json" if out is None else growing_table.kind_of(out)),
        timeline=options.timeline,
        jobs=options.jobs,
        engine=options.engine,
        address=options.address,
        resume=options.resume,
        shard=shard_of(options.shard),
        transcribe=not options.no_transcribe,
        detect_faces=not options.no_detect_faces,
        full=options.full,
        annotate=annotate,
        folder=folder,
    )
    outcome = run(order, _tell, functools.partial(_progress, shown=not options.quiet and out is not None))
    if outcome.before and not options.quiet:
        errors = f", {outcome.failed_before} of them with an error that stays" if outcome.failed_before else ""
        _tell(f"{outcome.before} were read before{errors}, {outcome.read} now.")
    if outcome.without_words and not options.quiet:
        _tell(_without_words(outcome.without_words, annotate))
    if options.manifest is not None and out is not None and not options.quiet:
        print(scores.scores_as_text(*scores.scores(growing_table.read(out), labels)), file=sys.stderr)
    return 1 if outcome.failed or outcome.failed_before or outcome.folder_failed else 0


def _without_words(files: list[str], kinds: tuple[str, ...]) -> str:
    """Which clips' annotation files tell of no words."""
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return (
        f"no words with a time in {', '.join(files[:NAMED])}{more}: {'its' if len(files) == 1 else 'their'} "
        f"{', '.join(kinds)} hold no words, only what was read over time."
    )


def _load(device: str, weights: Path | None, speech_encoder: str | None):
    """A function of a module, so that another process can be told to call it."""
    quiet.programs()
    return hff.load(device, weights, speech_encoder)


def _labels(options: argparse.Namespace) -> tuple[str, ...]:
    from hff import weights

    folder = weights.folder(options.weights)
    encoder = options.speech_encoder or weights.preferred_speech_encoder(folder)
    weights.check(folder, encoder)
    path = weights.part_path(folder, "fusion", encoder)
    return tuple(weights.labels(weights.load(path)[1], path))


def _files(given: list[Path]) -> Iterator[Path]:
    """The names as they are; in place of ``-`` those on the lines of standard input."""
    for path in given:
        if str(path) == "-":
            yield from (Path(line.rstrip("\r\n")) for line in sys.stdin if line.strip())
        else:
            yield path


def _progress(reads: Iterable, count: int, shown: bool) -> Iterable:
    """A bar on standard error with how long it will take yet, where the rows themselves go elsewhere."""
    from tqdm import tqdm

    return tqdm(reads, total=count, unit="clip", disable=not (shown and count > 1), file=sys.stderr, mininterval=1)


def _demo(options: argparse.Namespace) -> NoReturn:
    from hff.page import program

    program.leave(program.main(options.options, "hff demo"))


def _bench(options: argparse.Namespace) -> int:
    from hff.bench import bench

    if options.clips is not None:
        from hff.corpus.throughput import throughput, ways_here

        throughput(options.file, options.device, options.clips, ways_here(options.jobs))
        return 0
    bench(options.file, options.device, options.repeat)
    return 0


def _export(options: argparse.Namespace) -> int:
    from hff.onnx_files import export

    print(f"{'file':<24}{'MB':>8}{'largest difference':>20}")
    for written in export(options.folder, options.weights, options.speech_encoder):
        print(
            f"{written.path.name:<24}{written.path.stat().st_size / 1e6:>8.1f}{written.difference:>20.1e}", flush=True
        )
    return 0
