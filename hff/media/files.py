"""Opening the one file that a person named, and nothing else: no folder, pipe, device or address."""

from __future__ import annotations

import os
import stat
from typing import IO

from hff.errors import InputError
from hff.locale import say


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
        raise InputError(say("media.no_file", kind=type(path).__name__))
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise InputError(say("media.folder", name=name_of(path)))
        if not stat.S_ISREG(status.st_mode):
            raise InputError(say("media.device", name=name_of(path)))
        if status.st_size == 0:
            raise InputError(say("media.empty", name=name_of(path)))
        return open(path, "rb")
    except FileNotFoundError:
        raise InputError(say("media.missing", path=str(path))) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(say("media.not_opened", name=name_of(path), reason=str(reason))) from None
