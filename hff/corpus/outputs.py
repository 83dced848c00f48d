"""Where rows go: a table in a file, or, without a file, standard output, a pipe or a device."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from hff.corpus.growing_table import Table, TableRow
from hff.errors import InputError
from hff.locale import say


class Output(Protocol):
    """What takes rows."""

    def add(self, rows: Iterable[TableRow]) -> None:
        """Write rows that belong together."""


class Stream:
    """Rows to what cannot be read again: they are written and forgotten."""

    def __init__(self, file: IO[str], kind: str, columns: Sequence[str], flat: Callable[[TableRow], TableRow]) -> None:
        self._file, self._flat = file, flat
        self._csv = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore") if kind == "csv" else None
        self._plain = (getattr(file, "encoding", None) or "utf-8").lower().replace("-", "") != "utf8"
        self._begun = False

    def add(self, rows: Iterable[TableRow]) -> None:
        for row in rows:
            if self._csv is None:
                print(json.dumps(row, ensure_ascii=self._plain), file=self._file)
                continue
            if not self._begun:
                self._csv.writeheader()
                self._begun = True
            self._csv.writerow(self._flat(row))
        self._file.flush()


@contextmanager
def opened(
    path: Path | None, kind: str, columns: Sequence[str], flat: Callable[[TableRow], TableRow], resume: bool = False
) -> Iterator[Output]:
    """Standard output for None. What cannot be written, or holds something else, is an ``InputError``."""
    try:
        if path is not None and (os.path.isfile(path) or not os.path.exists(path)):
            table, finished = Table(path, kind, columns, flat, resume), False
            try:
                yield table
                finished = True
            finally:
                table.close(finished)
        elif kind == "parquet":
            raise InputError(say("table.parquet_needs_file"))
        elif path is None:
            yield Stream(sys.stdout, kind, columns, flat)
        else:
            with _opened_for_writing(path) as file:
                yield Stream(file, kind, columns, flat)
    except BrokenPipeError:
        raise
    except OSError as error:
        if path is None:
            drop_output()
            raise InputError(say("output.stdout", error=error.strerror or str(error))) from error
        raise InputError(say("output.disk", path=path, error=error.strerror or str(error))) from error


def drop_output() -> None:
    """What is still in standard output's buffer has nowhere to go; the interpreter would complain at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _opened_for_writing(path: Path) -> IO[str]:
    """A pipe that nobody reads is refused; opening it the usual way would wait for a reader without end."""
    descriptor = None
    if hasattr(os, "O_NONBLOCK") and stat.S_ISFIFO(path.stat().st_mode):
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(descriptor, True)
    return open(path if descriptor is None else descriptor, "w", encoding="utf-8", newline="")
