"""Whether the text model knows the words at all.

It was taught English. Of emoji and of most other scripts its vocabulary has nothing; a sentence in another language
comes out as fragments that mean something else. Both get an answer all the same, so the person is told.
"""

from __future__ import annotations

import functools
import logging
import re
import unicodedata

from hff.encoders.bert import tokenizer
from hff.locale import say

log = logging.getLogger(__name__)

UNKNOWN_EMOJI = say("words.emoji")
UNKNOWN_LANGUAGE = say("words.language")

MUCH_TEXT = 2000  # characters that are looked at; a text does not change its language every page
SISTERS = ("sco", "pcm")  # Scots and Nigerian Pidgin: taken for English
NOT_ENGLISH = 0.02  # chance of English below which another language is believed ...
ANOTHER = 0.45  # ... if it is at least this likely
ANOTHER_IN_PIECES = 0.17  # ... or this, where the vocabulary knows few of the words whole
WHOLE_SHARE = 0.67  # share of words that the vocabulary knows whole; above, they may well be English
LEAST_WORDS = 2  # in Latin letters; one word belongs to many languages, or is a name


def unknown_to_model(text: str) -> str | None:
    """A sentence if ``text`` (cleaned) is nothing but emoji, or in a language other than English; else None.

    In doubt it is silent: names, slang and single words in Latin letters are never complained about.
    """
    import emoji

    text = text[:MUCH_TEXT]
    words = emoji.replace_emoji(text, " ")
    if not any(map(str.isalnum, words)):
        return UNKNOWN_EMOJI if emoji.emoji_count(text) else None
    letters = [character for character in words if character.isalpha()]
    latin = sum("LATIN" in unicodedata.name(letter, "") for letter in letters)
    if latin < len(letters) / 2:
        return UNKNOWN_LANGUAGE
    return UNKNOWN_LANGUAGE if latin and _is_another_language(words) else None


def _is_another_language(text: str) -> bool:
    text = re.sub(r"([^\W\d_])\1{2,}", r"\1", text, flags=re.IGNORECASE)  # "noooo" is no language of its own
    words = "".join(c if c.isalpha() else " " for c in text).split()
    if len(words) < LEAST_WORDS:
        return False
    try:
        identifier = language_identifier()
    except OSError as error:  # it unpacks itself into the folder for temporary files, and that disk is full
        log.warning("whether a text is English is not looked at: %s", error)
        return False
    chances = dict(identifier.rank(text))
    if chances["en"] >= NOT_ENGLISH:
        return False
    best = max(chance for language, chance in chances.items() if language not in SISTERS)
    return best >= ANOTHER or (best >= ANOTHER_IN_PIECES and known_whole(words) < WHOLE_SHARE)


def known_whole(words: list[str]) -> float:
    """The share of ``words`` that the vocabulary has as they are, not only in pieces."""
    pieces = tokenizer()(words, add_special_tokens=False)["input_ids"]
    unknown = tokenizer().unk_token_id
    return sum(len(ids) == 1 and ids[0] != unknown for ids in pieces) / len(words)


@functools.cache
def language_identifier():
    """Naive Bayes on byte n-grams, about 140 languages; loaded once (0.7 s) by the first text of several words.

    Its chances are comparable across lengths; it keeps no state between texts.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
