"""What counts as words, whoever typed, said or sent them: cleaned in one place before anything reads them."""

from __future__ import annotations

import unicodedata

_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\ufffd")  # letters and signs with no ink, and what replaces no text
_JOINERS = frozenset("\u200c\u200d")  # zero-width, but parts of emoji and of some scripts' words
_DRESSED = ("<font>", "<wide>", "<circle>")  # decompositions of letters that differ from plain ones in looks only


def clean(text: str) -> str:
    """The text without characters that stand for nothing; "" where nothing is left that one could see.

    White space stays where it separates, other control and zero-width characters go. Letters in fancy dress (bold
    script, full width) become plain ones. Half a surrogate pair becomes the replacement character, so that the text
    can be tokenized and written as UTF-8.
    """
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    kept = "".join(_undressed(character) for character in text if _stays(character)).strip()
    return kept if any(map(_is_visible, kept)) else ""


def _stays(character: str) -> bool:
    if character.isspace() or character in _JOINERS or _is_tag(character):
        return True
    return unicodedata.category(character) not in ("Cc", "Cf")


def _is_tag(character: str) -> bool:
    """Tags spell the region inside the flags of England, Scotland and Wales."""
    return "\U000e0020" <= character <= "\U000e007f"


def _undressed(character: str) -> str:
    if character < "\u2000" or not unicodedata.decomposition(character).startswith(_DRESSED):
        return character
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain.isalpha() else character


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CMZ" and character not in _BLANK
