"""Pickles of arrays and plain containers, read without running what else they may hold.

Pickles can run any code when they are read. Many data sets come as pickles all the same, so this reads them with
nothing admitted but what NumPy's arrays and Python's own containers are rebuilt from.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from hff.locale import say
from train.corpora.base import CorpusError


def load(path: Path, source: str) -> Any:
    """What a pickle holds; ``CorpusError`` where it cannot be read, or holds what is not admitted."""
    try:
        with path.open("rb") as file:
            return _ArraysOnly(file, encoding="latin1").load()
    except OSError as error:
        raise CorpusError(say("data.not_opened", path=path, error=error.strerror, source=source)) from error
    except Exception as error:  # a damaged or hostile pickle can raise anything
        raise CorpusError(say("data.pickle", file=path.name, error=str(error))) from error


def array(values: Any, where: str) -> np.ndarray:
    """Numbers as float32, what is not finite as 0; ``CorpusError`` where they are none. ``where`` names the place."""
    try:
        x = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise CorpusError(say("data.not_numbers", where=where, error=str(error))) from error
    return np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)  # logarithms of silence are -inf in MOSI's own files


class _ArraysOnly(pickle.Unpickler):
    """Admits what an array is rebuilt from, plain containers, and nothing else that would have to be imported."""

    def find_class(self, module: str, name: str):
        rebuild, scalar = (value.__reduce__()[0] for value in (np.empty(0), np.float32(0)))
        from_buffer = np.empty(0).__reduce_ex__(5)[0]
        admitted = {
            ("multiarray", "_reconstruct"): rebuild,
            ("multiarray", "scalar"): scalar,
            ("numeric", "_frombuffer"): from_buffer,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("builtins", "set"): set,
            ("builtins", "frozenset"): frozenset,
            ("collections", "OrderedDict"): OrderedDict,
        }
        # The modules have moved: numpy.core and numpy._core, and Python 2's __builtin__.
        package, _, last = module.rpartition(".")
        where = last if package in ("numpy.core", "numpy._core") else module.replace("__builtin__", "builtins")
        if (where, name) in admitted:
            return admitted[where, name]
        if (module, name) == ("_codecs", "encode"):
            return _encode
        raise pickle.UnpicklingError(f"{module}.{name} is not admitted")


def _encode(text: str, encoding: str) -> bytes:
    """What pickles of protocol 2 rebuild bytes with."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in {encoding} are not admitted")
    return text.encode(encoding)
