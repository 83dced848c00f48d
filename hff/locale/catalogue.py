"""Catalogues, the language of the moment, and messages that can be said again in another language.

``hff/locale/<language>/<area>.json`` maps keys to sentences; English is complete, and what another language lacks
is said in English. ``{name}`` in a sentence is filled by ``str.format``'s rules, numbers by the language's own. A
sentence that changes with a number has a form for each plural category of its language, which ``{count}`` chooses:
``{"one": "1 point", "other": "{count} points"}``. A package beside ``hff`` brings a folder of this kind with what it
alone says (``add_folder``).
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import string
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from hff.locale import number_format

DEFAULT = "en"
LOCALE_FOLDER = Path(__file__).parent
_added: list[Path] = []  # folders of other packages
_registered: dict[str, Mapping[str, Any]] = {}  # languages without a folder here
_language: ContextVar[str] = ContextVar("hff_language", default=DEFAULT)


class Message(str):
    """A sentence in English that remembers its key and parameters, so that it can be said in another language.

    It is an ordinary string everywhere else: the Python API, JSON and the command line show the English.
    """

    key: str
    params: dict[str, Any]

    def __new__(cls, key: str, params: dict[str, Any]) -> Message:
        message = super().__new__(cls, _filled(key, params, DEFAULT))
        message.key, message.params = key, params
        return message

    def __reduce__(self) -> tuple:
        return Message, (self.key, self.params)


def say(key: str, **params: Any) -> Message:
    """The message ``key`` of the catalogues, filled with ``params``. Raises ``KeyError`` for an unknown key."""
    return Message(key, params)


def translate(text: object) -> str:
    """A message, or an error made of one, in the language of the moment; any other text as it is."""
    message = text.args[0] if isinstance(text, Exception) and text.args else text
    if isinstance(message, Message):
        return _filled(message.key, message.params, language())
    return str(text)


def sentence(key: str, **params: Any) -> str:
    """As ``say``, in the language of the moment: for what is shown at once and not kept."""
    return _filled(key, params, language())


def language() -> str:
    """The language of the moment, as "en"."""
    return _language.get()


@functools.cache
def languages() -> tuple[str, ...]:
    """All languages there are, English first."""
    found = sorted(folder.name for folder in LOCALE_FOLDER.iterdir() if any(folder.glob("*.json")))
    return DEFAULT, *(name for name in found if name != DEFAULT)


@contextlib.contextmanager
def using(name: str) -> Iterator[None]:
    """All that is said inside is said in that language."""
    before = _language.set(name)
    try:
        yield
    finally:
        _language.reset(before)


def speaking(name: str, function: Callable) -> Callable:
    """``function``, a generator function or a coroutine function, run in that language."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generate(*args, **kwargs):
            steps = function(*args, **kwargs)
            while True:
                # Between two steps somebody else may run in this thread, in another language.
                with using(name):
                    try:
                        step = next(steps)
                    except StopIteration as end:
                        return end.value
                yield step

        return generate
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wait(*args, **kwargs):
            with using(name):
                return await function(*args, **kwargs)

        return wait

    @functools.wraps(function)
    def call(*args, **kwargs):
        with using(name):
            return function(*args, **kwargs)

    return call


def lookup(key: str, name: str | None = None) -> Any:
    """What stands under ``key`` in a language, by default that of the moment, else in English. Raises ``KeyError``."""
    here = catalogue(name or language())
    return here[key] if key in here else catalogue(DEFAULT)[key]


def add_folder(folder: Path) -> None:
    """Say what stands in ``folder/<language>/*.json`` too: sentences of a package that is not ``hff``."""
    if folder not in _added:
        _added.append(folder)
        catalogue.cache_clear()


def register_language(name: str, entries: Mapping[str, Any]) -> None:
    """Add a language that has no folder here, such as a made-up one of a test; it is spoken where it is asked for."""
    _registered[name] = _frozen(dict(entries))
    catalogue.cache_clear()


@functools.cache
def catalogue(name: str) -> Mapping[str, Any]:
    """A language's whole catalogue; lists are tuples. Empty for a language that there is no folder for."""
    if name in _registered:
        return _registered[name]
    entries: dict[str, Any] = {}
    for path in [path for folder in (LOCALE_FOLDER, *_added) for path in sorted((folder / name).glob("*.json"))]:
        for key, value in json.loads(path.read_text(encoding="utf-8")).items():
            if key in entries:
                raise ValueError(f"{key!r} stands twice in the catalogue {name!r}; the second time in {path.name}")
            entries[key] = _frozen(value)
    return entries


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(part) for part in value)
    if isinstance(value, dict):
        return {key: _frozen(part) for key, part in value.items()}
    return value


def _filled(key: str, params: dict[str, Any], name: str) -> str:
    entry = lookup(key, name)
    if isinstance(entry, Mapping):
        entry = number_format.plural(entry, params["count"], name)
    with using(name):
        return _Filler(name).format(entry, **params)


class _Filler(string.Formatter):
    """``str.format`` with the numbers of a language, and messages inside messages said in it too.

    A tuple of sentences is said one after the other. A number without a format is
    written as Python does: a rate in Hz, a size in pixels.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if isinstance(value, Message):
            value = translate(value)
        elif isinstance(value, tuple) and value and all(isinstance(part, str) for part in value):
            value = " ".join(translate(part) for part in value)  # whole sentences, one after the other
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, spec: str) -> str:
        if isinstance(value, int | float) and spec:
            return number_format.localised(format(value, spec), self.name)
        return super().format_field(value, spec)
