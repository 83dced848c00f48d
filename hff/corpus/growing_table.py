"""Tables that grow row by row and survive a kill at any moment: JSON lines, CSV and Parquet, by the file's ending.

Each clip's rows are written whole and at once; a run that goes on (``resume``) cuts off what a kill left unfinished.
Parquet has its index at the end, so its rows wait as JSON lines in ``NAME.part`` until the run is over.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hff.errors import DependencyError, InputError
from hff.locale import say

TABLE_KINDS = {".csv": "csv", ".parquet": "parquet"}  # all other endings hold JSON lines
ROWS_AT_ONCE = 10_000  # of a group in a Parquet file
TEXTS = {"file", "speaker", "label", "emotion", "transcript", "warnings", "error"}  # columns; others hold numbers
TableRow = dict[str, Any]


def kind_of(path: Path) -> str:
    """ "json", "csv" or "parquet", by the file's ending."""
    return TABLE_KINDS.get(path.suffix.lower(), "json")


class Table:
    """A file of rows that only grows. CSV and Parquet hold flat rows of ``columns``, JSON lines rows as they are."""

    def __init__(
        self, path: Path, kind: str, columns: Sequence[str], flat: Callable[[TableRow], TableRow], resume: bool = False
    ) -> None:
        """Opens the file; flat: a row -> one value a column.

        Raises ``InputError`` where something is there already that is not to be gone on with, or is no table of ours.
        """
        self.path, self.kind, self.columns, self._flat = path, kind, list(columns), flat
        self.growing = path.with_name(path.name + ".part") if kind == "parquet" else path
        if kind == "parquet":
            _pyarrow()  # missing, it should be told before hours of work
        for there in {path, self.growing}:
            if not resume and there.is_file() and there.stat().st_size:
                raise InputError(say("table.there", path=there))
        if kind == "parquet" and path.is_file() and not self.growing.is_file():
            _replace(self.growing, map(_json_line, _of_parquet(path)))
        if resume and self.growing.is_file():
            self._cut_off_what_is_unfinished()
        self._file = open(self.growing, "ab")  # noqa: SIM115 - it grows as long as this table is used
        if kind == "csv" and not self._file.tell():
            self._write(self._head())

    def rows(self) -> Iterator[TableRow]:
        """The rows so far; those of CSV hold texts."""
        with open(self.growing, encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file) if self.kind == "csv" else map(json.loads, file)

    def add(self, rows: Iterable[TableRow]) -> None:
        """Write rows that belong together, in one piece."""
        self._write("".join(map(self._line, rows)))

    def keep(self, wanted: Callable[[TableRow], bool]) -> None:
        """Take the other rows away."""
        head = [self._head()] if self.kind == "csv" else []
        line = self._csv_line if self.kind == "csv" else _json_line
        self._file.close()
        _replace(self.growing, [*head, *(line(row) for row in self.rows() if wanted(row))])
        self._file = open(self.growing, "ab")  # noqa: SIM115

    def close(self, finished: bool = True) -> None:
        """``finished``: nothing more will come, so that a Parquet file can be made of the rows."""
        self._file.close()
        if self.kind == "parquet" and finished:
            _write_parquet(self.path, self.columns, self.rows())
            self.growing.unlink()

    def _line(self, row: TableRow) -> str:
        if self.kind == "json":
            return _json_line(row)
        flat = self._flat(row)
        flat = {name: flat.get(name) for name in self.columns}
        return self._csv_line(flat) if self.kind == "csv" else _json_line(flat)

    def _csv_line(self, row: TableRow) -> str:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self.columns, lineterminator="\n").writerow(row)
        return text.getvalue()

    def _write(self, text: str) -> None:
        self._file.write(text.encode("utf-8", "backslashreplace"))
        self._file.flush()

    def _cut_off_what_is_unfinished(self) -> None:
        """Nothing after the last line break is whole, in CSV after the last one outside of quotes."""
        data = self.growing.read_bytes()
        whole = data.rfind(b"\n") + 1
        while self.kind == "csv" and data[:whole].count(b'"') % 2:
            whole = data.rfind(b"\n", 0, whole - 1) + 1
        if not self._is_ours(data, whole):  # before anything of it is cut off
            raise InputError(say("table.other", path=self.growing))
        if whole < len(data):
            os.truncate(self.growing, whole)

    def _is_ours(self, data: bytes, whole: int) -> bool:
        """Whether ``data``, of which so many bytes are whole rows, is a beginning of what this table writes."""
        begin = self._head() if self.kind == "csv" else '{"file": '
        if not whole or self.kind == "csv":
            return data.startswith(begin.encode()[: len(data)])
        try:
            return all("file" in json.loads(line) for line in data[:whole].splitlines())
        except (ValueError, TypeError):
            return False

    def _head(self) -> str:
        return self._csv_line(dict(zip(self.columns, self.columns, strict=True)))


def read(path: Path) -> Iterator[TableRow]:
    """The rows of a finished table, those of CSV as texts. Raises ``InputError`` or ``DependencyError``."""
    if kind_of(path) == "parquet":
        yield from _of_parquet(path)
        return
    with open(path, encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file) if kind_of(path) == "csv" else map(json.loads, file)


def _json_line(row: TableRow) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _replace(path: Path, lines: Iterable[str]) -> None:
    """Write a file whole, or leave it as it was."""
    part = path.with_name(path.name + ".new")
    with open(part, "wb") as file:
        file.writelines(line.encode("utf-8", "backslashreplace") for line in lines)
    os.replace(part, path)


def _pyarrow():
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DependencyError(say("table.pyarrow")) from error
    return pyarrow


def _of_parquet(path: Path) -> Iterator[TableRow]:
    pyarrow = _pyarrow()
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE):
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise InputError(say("table.no_parquet", path=path)) from error


def _write_parquet(path: Path, columns: Sequence[str], rows: Iterable[TableRow]) -> None:
    pyarrow = _pyarrow()
    schema = pyarrow.schema([(name, _type_of(name, pyarrow)) for name in columns])
    part = path.with_name(path.name + ".new")
    with pyarrow.parquet.ParquetWriter(part, schema) as writer:
        waiting: list[TableRow] = []
        for row in rows:
            waiting.append(row)
            if len(waiting) == ROWS_AT_ONCE:
                writer.write_table(pyarrow.Table.from_pylist(waiting, schema))
                waiting = []
        writer.write_table(pyarrow.Table.from_pylist(waiting, schema))
    os.replace(part, path)


def _type_of(column: str, pyarrow):
    if column in TEXTS or column.startswith("said_"):
        return pyarrow.string()
    return pyarrow.bool_() if column.startswith("present_") else pyarrow.float64()
