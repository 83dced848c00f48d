"""Reading a corpus of recordings, from an archive or from folders, through the app's own decoder."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hff.errors import InputError
from hff.locale import say
from hff.media.audio import read_audio
from train.corpora.base import CorpusError
from train.engine import data_files

RECORDING_SUFFIXES = (".flac", ".opus", ".wav")


def read_tar(archive: Path) -> Iterator[tuple[str, np.ndarray]]:
    """(name without suffix, 16 kHz mono wave) of each recording in the archive, in name order."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise CorpusError(say("data.damaged", path=archive, error=str(error))) from error
        yield from _read(sorted(Path(folder).glob("**/*")))


def read_folder(folder: Path, pattern: str, corpus: str) -> Iterator[tuple[str, np.ndarray]]:
    """The same of the files in ``folder`` that match ``pattern``."""
    yield from _read([data_files.used(corpus, path) for path in sorted(folder.glob(pattern))])


def _read(paths: list[Path]) -> Iterator[tuple[str, np.ndarray]]:
    for path in paths:
        if path.suffix.lower() in RECORDING_SUFFIXES:
            try:
                wave = read_audio(path)
            except InputError as error:
                raise CorpusError(say("data.damaged", path=path, error=error.args[0])) from error
            yield path.stem, wave


def read(path: Path, folders_up: int, pattern: str, corpus: str) -> Iterator[tuple[str, np.ndarray]]:
    """The recordings of an archive, or of the corpus' folder that lies ``folders_up`` above one of its files."""
    if path.suffix == ".tar":
        return read_tar(path)
    return read_folder(path.parents[folders_up], pattern, corpus)
