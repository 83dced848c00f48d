"""A corpus from its list of clips to its tables: what ``python -m hff analyze`` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from hff.corpus import growing_table, outputs, rows
from hff.corpus.annotation_files import AnnotationFiles, file_names
from hff.corpus.clip_reader import Read
from hff.corpus.clips import Clip, Walk, is_same, manifest, share
from hff.corpus.growing_table import Table, TableRow
from hff.corpus.outputs import Output
from hff.corpus.over_ray import read_over_ray
from hff.corpus.rows import ReadOptions
from hff.corpus.workers import Load, read_here, read_in_processes
from hff.errors import InputError
from hff.locale import say

Watch = Callable[[Iterable[Read], int], Iterable[Read]]  # (what is read, of how many clips): shows how far it is


@dataclass
class Order:
    """What is to be read, how, and where to."""

    load: Load
    labels: tuple[str, ...]  # of the weights
    files: Sequence[Path] = ()
    text: str | None = None  # in place of recognised words; alone, a clip of words only
    manifest: Path | None = None
    out: Path | None = None  # None: standard output
    kind: str = "json"  # of the table of clips; "json", "csv" or "parquet"
    timeline: Path | None = None  # a table of moments, of the kind that its ending says
    jobs: int | None = None  # processes; None: this one, or with Ray as many as there is room for
    engine: str = "processes"  # or "ray", as --engine says
    address: str | None = None  # of a Ray cluster; None: one is started here
    resume: bool = False
    shard: tuple[int, int] = (1, 1)
    transcribe: bool = True
    detect_faces: bool = True
    full: bool = False  # JSON with everything
    annotate: tuple[str, ...] = ()  # kinds of ``hff.annotations.WRITERS``, of which each clip gets a file
    folder: Path = Path()  # of those files

    @property
    def options(self) -> ReadOptions:
        return ReadOptions(
            self.transcribe, self.detect_faces, self.full, bool(self.timeline), self.manifest is None, self.annotate
        )


@dataclass
class Outcome:
    """Of one run."""

    read: int = 0  # clips that it has read
    before: int = 0  # that an earlier run had read
    failed: int = 0  # of those it has read
    failed_before: int = 0  # of those of the earlier run
    folder_failed: bool = False  # one gave nothing, or could not be opened
    without_words: list[str] = field(default_factory=list)  # whose annotation files have none


def run(order: Order, tell: Callable[[str], None], watch: Watch = lambda reads, count: reads) -> Outcome:
    """Read all clips of an order that no earlier run has read; ``tell`` hears what is passed over.

    Raises ``InputError`` for an order that cannot work, before the first clip is read.
    """
    if order.out is not None and order.timeline is not None and order.out.absolute() == order.timeline.absolute():
        raise InputError(say("corpus.one_file_twice"))
    listed, outcome = _listed(order, tell)
    clips, names = share(listed, *order.shard), file_names(listed)  # by all clips, as the other shares name them
    files = AnnotationFiles(order.folder, order.annotate, {clip: names[clip] for clip in clips}, order.resume)
    with ExitStack() as stack:
        table = stack.enter_context(_table(order))
        moments = None if order.timeline is None else stack.enter_context(_moments(order, order.timeline))
        done = _done(table, moments) if order.resume else {}
        waiting = [clip for clip in clips if not done.get(clip.key) and (clip.key not in done or files.lacks(clip))]
        outcome.before = len(clips) - len(waiting)
        outcome.failed_before = sum(done.get(clip.key, False) for clip in clips)
        for read in watch(_reads(order, waiting), len(waiting)):
            # First, so that a clip whose row is there has its files and all of its moments.
            files.add(read.clip, read.texts)
            if read.clip.key not in done:
                if moments is not None:
                    moments.add(read.moments)
                table.add([read.row])
            outcome.read += 1
            outcome.failed += "error" in read.row
            if read.texts and not read.has_words:
                outcome.without_words.append(read.row["file"] or "the words typed")
    return outcome


def _listed(order: Order, tell: Callable[[str], None]) -> tuple[list[Clip], Outcome]:
    """All clips, each once, and whether listing them went wrong."""
    if order.manifest is not None:
        return _once(manifest(order.manifest)), Outcome()
    written = [path for path in (order.out, order.timeline) if path is not None]
    for path in order.files:
        if os.path.isfile(path) and any(is_same(path, out) for out in written):
            raise InputError(say("corpus.would_overwrite", path=path))
    walk = Walk(tell, written, order.annotate)
    clips = [
        Clip(str(path), text=order.text, below=_seen_from(given, path))
        for given in order.files
        for path in walk.files(given)
    ]
    if not order.files:
        clips = [Clip(None, text=order.text)]
    return _once(clips), Outcome(folder_failed=walk.failed)


def _seen_from(given: Path, path: Path) -> str:
    """Where in a folder ``given`` a file lies; nothing for one that was named itself, or lies right there."""
    return "" if path == given or path.parent == given else str(path.parent.relative_to(given))


def _once(clips: Iterable[Clip]) -> list[Clip]:
    return list({(clip.key, clip.path is None and clip.text): clip for clip in clips}.values())


def _reads(order: Order, clips: list[Clip]) -> Iterator[Read]:
    if not clips:
        return iter(())
    if order.engine == "ray":
        return read_over_ray(order.load, clips, order.options, order.jobs, order.address)
    if order.jobs is None:
        return read_here(order.load, clips, order.options)
    return read_in_processes(order.load, clips, order.options, order.jobs)


def _table(order: Order):
    columns = rows.row_columns(order.labels, order.options, scored=order.manifest is not None)
    return outputs.opened(order.out, order.kind, columns, rows.flat, order.resume)


def _moments(order: Order, path: Path):
    columns = rows.moment_columns(order.labels, order.options)
    return outputs.opened(path, growing_table.kind_of(path), columns, dict, order.resume)


def _done(table: Output, moments: Output | None) -> dict[tuple[str, str, str], bool]:
    """Keys of the clips that earlier runs have read, and whether each failed; moments of others are taken away."""
    if not isinstance(table, Table):
        raise InputError(say("corpus.resume_needs_out"))
    done = {key_of(row): bool(row.get("error")) for row in table.rows()}
    if isinstance(moments, Table) and not all(key_of(row) in done for row in moments.rows()):
        moments.keep(lambda row: key_of(row) in done)
    return done


def key_of(row: TableRow) -> tuple[str, str, str]:
    """As ``Clip.key``, of a row of any table."""
    start, end = ("" if row.get(name) in (None, "") else f"{float(row[name]):g}" for name in ("start", "end"))
    return row["file"] or "", start, end
