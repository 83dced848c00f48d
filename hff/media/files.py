"""Opening the one file that a person named, and nothing else: no folder, pipe, device or address."""

from __future__ import annotations

import os
import stat
from typing import IO

from hff.errors import InputError


def name_of(path: str | os.PathLike) -> str:
    """The file's name as shown in messages."""
    return printable(os.path.basename(str(path)) or str(path))


def printable(text: str) -> str:
    """``text`` with the bytes of a name that is not UTF-8 written as \\xff, so that it can be printed and sent."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair of other origin
        data = text.encode("utf-8", "backslashreplace")
    return data.decode("utf-8", "backslashreplace")


def open_file(path: str | os.PathLike) -> IO[bytes]:
    """Open an ordinary, non-empty file for reading; anything else raises ``InputError``."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"A {type(path).__name__} is not a file. Give the path of a file on this machine.")
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{name_of(path)} is a folder. Give a file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{name_of(path)} is a device or a pipe, not a file. Record it to a file first.")
        if status.st_size == 0:
            raise InputError(f"{name_of(path)} is empty (0 bytes). Record or copy it again.")
        return open(path, "rb")
    except FileNotFoundError:
        raise InputError(f"There is no file {str(path)!r}. Give the path of a file on this machine.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name_of(path)} cannot be opened: {reason}.") from None
