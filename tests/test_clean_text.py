"""What counts as words, and which of them the model knows."""

from __future__ import annotations

import csv
import errno
import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hff.clean_text import clean
from hff.encoders.bert import ABOUT_WORDS, MAX_PIECES, is_cut, split_pieces, tokenizer
from hff.errors import NothingToAnalyse
from hff.lab.state import LabState
from hff.pipeline import recording
from hff.pipeline.language import UNKNOWN_EMOJI, UNKNOWN_LANGUAGE, unknown_to_model
from hff.pipeline.recording import BLANK_TEXT, Recording

BLANK = [
    "\0", "\0\0\0", "\u200b", "\u200b\ufeff\u2060", "\u202e\u202c", "\x01\x07\x1b", "\u00ad", "\u2028\u00a0\u3000",
    "\ud800", "\udfff\ud83d", "\u200d\ufe0f", "\u0301", "\ue000", "\u3164", "\u2800", "\U000e0041\U000e007f", "\ufffd",
]  # fmt: skip

ENGLISH = """What a day!|I am fine.|ok|no|Yes!|Hello|wtf|lol that's hilarious|omg i can't even|gonna miss u so much|
Thanks a lot, Maria!|I hate you.|Schadenfreude is a funny word|Wow|meh|Where is Giovanni?|Don't touch me!!!|hahahaha|
ugh|Best. Day. Ever.|yo bro whats up|Ew, that is disgusting|Je ne sais quoi, she has it|yeah nah|I am scared|Oh my god|
Kowalczyk won again|damn|Dr. Nguyen called.|noooooo|Pizza!|Tokyo was amazing|Happy birthday Günther!|sooo tired rn|
u ok hun?|i luv it|ain't nobody got time for that|so sad|Mia|fml|AAAAAH|grrr|hmm|Jennifer Lopez|That café is awful|
The en suite bathroom was dirty|bruh moment|no cap fr fr|idk man|pls help|Mama mia!|42|:-)|!!!|Karma is a bitch|
Aaaaahh, aaaaahh|Aaaand yard sale!|I love it 😍|so angry 😡😡😡""".replace("\n", "").split("|")

OTHERS = """Ich bin sehr traurig heute.|Das ist wunderbar!|Ich hasse dich|Je suis tellement content de te voir|
Estoy muy feliz hoy|No me gusta nada|Sono molto arrabbiato|我今天很高兴|我讨厌你|أنا سعيد جدا اليوم|
Я очень рад тебя видеть|今日はとても嬉しいです|오늘 너무 슬퍼요|Είμαι πολύ χαρούμενος|
मैं बहुत खुश हूँ|Jestem bardzo szczęśliwy|Jag är så glad idag|
Ik ben heel erg boos|Estou muito triste hoje|Bugün çok mutluyum|אני כועס מאוד|Tôi rất buồn|Olen hyvin iloinen|
Nagyon boldog vagyok|Мне страшно|Danke schön|J'ai peur du noir|ฉันเศร้ามาก|
ICH BIN SEHR TRAURIG HEUTE""".replace("\n", "").split("|")

EMOJI = ["😡😡😡", "❤️❤️❤️", "😭😭😭😭", "👨‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇩🇪", "1️⃣2️⃣", "😡 !!!", " 😀\n😀 "]


@pytest.mark.parametrize("text", BLANK, ids=ascii)
def test_what_cannot_be_seen_is_no_word(text):
    assert clean(text) == ""
    assert split_pieces(text) == []
    with pytest.raises(NothingToAnalyse, match="holds no words"):
        recording.read(text=text)
    face = Recording(1, faces=[object()])
    assert face.with_text(text).transcript is None
    assert (BLANK_TEXT in face.with_text(text).warnings) == bool(text.strip())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I am\0 glad\u200b.\ufeff", "I am glad."),
        (" tab\tand\nline ", "tab\tand\nline"),
        ("bro\ud83dken", "bro\ufffdken"),
        ("\ud83d\ude21", "😡"),  # a pair that came in two halves
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("می‌خواهم", "می‌خواهم"),  # its zero-width non-joiner is spelling
        ("𝓘 𝓱𝓪𝓽𝓮 ｔｈｉｓ", "I hate this"),
        ("Grüße, naïve café", "Grüße, naïve café"),
    ],
)
def test_the_rest_stays_as_it_is(text, words):
    assert clean(text) == words


def test_about_as_many_words_are_read_as_is_said():
    """Of everyday sentences; harder words take more tokens each, so that fewer are read."""
    with (Path(__file__).resolve().parents[1] / "train/corpora/own_sentences.csv").open(encoding="utf-8") as file:
        sentences = " ".join(row["text"] for row in csv.DictReader(file))
    pieces = split_pieces(" ".join([sentences] * 3))
    assert len(pieces) == MAX_PIECES
    assert 0.6 < ABOUT_WORDS / sum(len(piece.split()) for piece in pieces) < 1


@given(st.text(st.characters(codec=None, exclude_categories=["Cn"]), max_size=30))
def test_any_text_can_be_tokenized_and_sent(text):
    words = clean(text)
    assert clean(words) == words
    json.dumps(words, ensure_ascii=False).encode("utf-8")
    assert isinstance(is_cut(text), bool)
    assert all(tokenizer().tokenize(piece) is not None for piece in split_pieces(text))
    unknown_to_model(words)
    if words and unicodedata.is_normalized("NFC", words) and words.isascii():
        assert tokenizer().tokenize(words)


def test_every_way_in_cleans():
    assert LabState.from_dict({"text": "sad\0\ud800"}).text == "sad\ufffd"
    assert Recording(1, faces=[object()]).with_text("sad\u200b\0").transcript.text == "sad"
    assert recording.read(text="\ufeffsad\0").transcript.text == "sad"


@pytest.mark.parametrize("line", ENGLISH)
def test_english_is_never_complained_about(line):
    assert unknown_to_model(clean(line)) is None


@pytest.mark.parametrize("line", OTHERS)
def test_another_language_is_told(line):
    assert unknown_to_model(clean(line)) == UNKNOWN_LANGUAGE


@pytest.mark.parametrize("line", EMOJI)
def test_nothing_but_emoji_is_told(line):
    assert unknown_to_model(clean(line)) == UNKNOWN_EMOJI


def test_the_warning_reaches_the_reading_and_goes_with_the_words():
    german = recording.read(text="Ich bin sehr traurig heute.")
    assert german.warnings == [UNKNOWN_LANGUAGE]
    assert UNKNOWN_LANGUAGE.startswith("These words are unknown to the model")
    assert german.with_text("I am very sad today.").warnings == []
    assert german.with_text("😡😡").warnings == [UNKNOWN_EMOJI]


def test_with_a_full_disk_a_text_is_read_all_the_same(monkeypatch):
    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("hff.pipeline.language.language_identifier", full)
    assert unknown_to_model("Ich bin heute so froh") is None
