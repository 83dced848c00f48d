"""Pairs of sentences made by rules: the same feeling said, strengthened, and denied.

A net that learned from comments and tweets hears "hate" in "I don't hate you". In these pairs the words are the same
and the meaning is not (contrast sets, Gardner et al. 2020), so only the denial can tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator

FEELINGS = {
    "happy": ("glad", "delighted", "cheerful", "proud of it", "grateful", "excited"),
    "sad": ("miserable", "lonely", "gloomy", "hurt", "down"),
    "angry": ("annoyed", "irritated", "outraged", "cross", "bitter"),
    "fearful": ("scared", "terrified", "anxious", "nervous", "frightened"),
    "disgusted": ("disgusted", "revolted", "grossed out", "sickened"),
    "surprised": ("amazed", "astonished", "stunned", "startled"),
}
SAID = ("I am {}", "I'm really {}", "he was so {} about it", "they look {} today", "we all feel {}")
DENIED = ("I am not {} at all", "he isn't {}", "we don't feel {} any more", "they were never {} about it")
DENIED_MEANS = {"happy": {"sad": 0.6, "neutral": 0.4}}  # of what is denied; of anything else the line below
RELIEVED = {"neutral": 0.8, "happy": 0.2}


def pairs() -> Iterator[tuple[str, dict[str, float]]]:
    """(sentence, share of each label) of every feeling in every form."""
    for label, words in FEELINGS.items():
        for word in words:
            yield from ((form.format(word), {label: 1.0}) for form in SAID)
            yield from ((form.format(word), DENIED_MEANS.get(label, RELIEVED)) for form in DENIED)
