"""Damage to a file's bytes. Each function takes a source of chance, the bytes and those of another healthy file."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from random import Random

_HEADER = 1024  # bytes at the beginning of a file that most of its structure lies in
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9 ]{3}")  # a four letter name of a box or chunk
_LENGTHS = (0, 1, 7, 8, 0x7FFF, 0xFFFF, 0x00FFFFFF, 0x7FFFFFFF, 0x7FFFFFF8, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)


def truncate(chance: Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randrange(1, len(data))]


def flip_in_header(chance: Random, data: bytes, other: bytes) -> bytes:
    """A few bits of the structure."""
    return _flipped(chance, data, min(len(data), _HEADER), chance.randint(1, 8))


def flip_anywhere(chance: Random, data: bytes, other: bytes) -> bytes:
    """From one bit to one in fifty."""
    return _flipped(chance, data, len(data), max(1, round(len(data) * 8 * 10 ** chance.uniform(-5, -1.7))))


def splice(chance: Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: chance.randrange(1, len(data))] + other[chance.randrange(len(other)) :]


def overwrite_named_length(chance: Random, data: bytes, other: bytes) -> bytes:
    """The number before or after the name of a box or chunk, where its length lies, is another one."""
    names = [found.start() for found in _NAME.finditer(data)] or [0]
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = max(0, chance.choice(names) + chance.choice((-4, 4)))
        changed[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(_LENGTHS))
    return bytes(changed)


def overwrite_number(chance: Random, data: bytes, other: bytes) -> bytes:
    """Any two, four or eight bytes of the structure become a number at an edge."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        form, most = chance.choice((("H", 0xFFFF), ("I", 0xFFFFFFFF), ("Q", 0xFFFFFFFFFFFFFFFF)))
        at = chance.randrange(min(len(data), _HEADER))
        number = struct.pack(chance.choice("<>") + form, chance.choice(_LENGTHS) & most)
        changed[at : at + len(number)] = number
    return bytes(changed)


def zero_range(chance: Random, data: bytes, other: bytes) -> bytes:
    start, length = _range(chance, data)
    return data[:start] + bytes(min(length, len(data) - start)) + data[start + length :]


def noise_range(chance: Random, data: bytes, other: bytes) -> bytes:
    start, length = _range(chance, data)
    return data[:start] + chance.randbytes(min(length, len(data) - start)) + data[start + length :]


def cut_out(chance: Random, data: bytes, other: bytes) -> bytes:
    start, length = _range(chance, data)
    return data[:start] + data[start + length :]


def duplicate_header(chance: Random, data: bytes, other: bytes) -> bytes:
    """The beginning comes once more, in front or in the middle."""
    header = data[: chance.randrange(4, max(5, min(len(data), _HEADER)))]
    at = chance.choice((0, len(header), chance.randrange(len(data))))
    return data[:at] + header + data[at:]


def repeat_range(chance: Random, data: bytes, other: bytes) -> bytes:
    start, length = _range(chance, data)
    return data[: start + length] + chance.randint(1, 20) * data[start : start + length] + data[start + length :]


def swap_blocks(chance: Random, data: bytes, other: bytes) -> bytes:
    first, middle, last = sorted(chance.randrange(len(data)) for _ in range(3))
    return data[:first] + data[middle:last] + data[first:middle] + data[last:]


def other_header(chance: Random, data: bytes, other: bytes) -> bytes:
    """One format's beginning on the rest of another."""
    size = chance.randrange(4, 64)
    return other[:size] + data[size:]


DAMAGES: tuple[Callable[[Random, bytes, bytes], bytes], ...] = (
    truncate,
    flip_in_header,
    flip_anywhere,
    splice,
    overwrite_named_length,
    overwrite_number,
    zero_range,
    noise_range,
    cut_out,
    duplicate_header,
    repeat_range,
    swap_blocks,
    other_header,
)


def _range(chance: Random, data: bytes) -> tuple[int, int]:
    return chance.randrange(len(data)), max(1, round(len(data) * 10 ** chance.uniform(-3, -0.3)))


def _flipped(chance: Random, data: bytes, within: int, count: int) -> bytes:
    changed = bytearray(data)
    for _ in range(count):
        changed[chance.randrange(within)] ^= 1 << chance.randrange(8)
    return bytes(changed)
