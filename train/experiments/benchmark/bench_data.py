"""The data that a benchmark runs on: a corpus by name or a file of features, its words encoded, as it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from hff.config import MODALITIES
from hff.errors import InputError
from hff.locale import say
from train.corpora import cmu_sdk, emorynlp, iemocap, iemocap_raw, meld, mmsa
from train.corpora.base import CorpusError, find
from train.corpora.conversation import Conversation, DialogueSet, RawDialogues, stacked, with_features
from train.experiments.benchmark import bert_features
from train.fusion.raw_features import encode_dialogues


def _sentiment(name: str, pickles: list[str], corpus: cmu_sdk.Corpus) -> Callable[[Path], DialogueSet]:
    def read(root: Path) -> DialogueSet:
        """MMSA's pickle where there is one, else the SDK's sequences."""
        try:
            path = find(root, pickles, name, mmsa.SOURCE)
        except CorpusError:
            return cmu_sdk.dialogues(root, corpus)
        found = mmsa.load_file(path)
        # Its paper's counts are those of the whole corpus with graded labels; a part, as of other features, has none.
        return replace(found, name=name, published=corpus.counts if "test" in found.splits else {})

    return read


READERS: dict[str, Callable[[Path], DialogueSet]] = {
    "mosei": _sentiment("CMU-MOSEI", ["mosei/*.pkl", "MOSEI/**/*.pkl"], cmu_sdk.MOSEI),
    "iemocap": iemocap.dialogues,
    "mosi": _sentiment("CMU-MOSI", ["mosi/*.pkl", "MOSI/**/*.pkl"], cmu_sdk.MOSI),
    "meld": meld.dialogues,
    "emorynlp": emorynlp.dialogues,
}

RAW_READERS: dict[str, Callable[[Path], RawDialogues]] = {"iemocap-raw": iemocap_raw.raw, "meld-raw": meld.raw}


@dataclass(frozen=True)
class BenchData:
    """A set of dialogues with features of every modality that is wanted."""

    dialogues: DialogueSet
    given: dict[str, int]  # of each modality, how many of its first columns come from the file
    text: str  # what became of the words, as --text says


def read(corpus: str | None, features: Path | None, data: Path, cache: Path, device: torch.device) -> DialogueSet:
    """The corpus of that name under ``data``, or the file; says how its counts differ from the published ones.

    Recordings are encoded first, into the folder ``cache``.
    """
    if (corpus is None) == (features is None):
        raise InputError(say("benchmark.which"))
    if corpus is not None:
        if corpus not in READERS and corpus not in RAW_READERS:
            known = ", ".join(READERS | RAW_READERS)
            raise InputError(say("benchmark.no_corpus", unknown=corpus, known=known))
        if corpus in RAW_READERS:
            found = encode_dialogues(RAW_READERS[corpus](data), cache / corpus, device)
        else:
            found = READERS[corpus](data)
    else:
        assert features is not None
        reader = iemocap.load_file if "iemocap" in features.name.lower() else mmsa.load_file
        found = reader(features)
    for difference in found.differences:
        print(f"note: {difference}", flush=True)
    return found


def prepare(
    found: DialogueSet, text: str | None, modalities: tuple[str, ...], cache: Path, device: torch.device
) -> BenchData:
    """The wanted modalities alone, words as features.

    text: "given" are the set's own features, "bert" its transcripts encoded by our BERT, "both" the two side by side;
    "tuned" leaves the words to an encoder that learns along (``train.encoders.dialogue_text``); None takes what there
    is.
    """
    first = found.splits["train"][0]
    if text is None:
        text = "bert" if "text" not in first.features else "both" if first.texts else "given"
    if "text" not in modalities:
        text = "left out"
    if text in ("given", "both") and "text" not in first.features:
        raise InputError(say("benchmark.no_text_features", name=found.name, text=text))
    encoded = {}
    if text in ("bert", "both"):
        encoded = bert_features.encode_transcripts(found.splits, cache, device)
    given = {m: x.shape[1] for m, x in first.features.items() if m in modalities}
    if text in ("bert", "tuned"):
        given.pop("text", None)
    if not given and text == "left out":
        raise InputError(say("benchmark.features", name=found.name, modalities=", ".join(modalities)))

    def changed(split: str, conversations: list[Conversation]) -> list[Conversation]:
        parts = {m: [stacked(conversations, m)] for m in given}
        if encoded:
            parts["text"] = [*parts.get("text", []), encoded[split]]
        return with_features(conversations, {m: np.concatenate(x, axis=1) for m, x in parts.items()})

    splits = {split: changed(split, conversations) for split, conversations in found.splits.items()}
    return BenchData(replace(found, splits=splits), given, text)


def modalities_of(word: str) -> tuple[str, ...]:
    """``STV``, ``TV`` ... or names with commas between -> modalities, in their order."""
    if word == "all":
        return tuple(MODALITIES)
    short = {"S": "speech", "T": "text", "V": "vision"}
    asked = set(word.split(",")) if word.islower() else {short.get(letter, letter) for letter in word}
    unknown = sorted(asked - set(MODALITIES))
    if unknown:
        known = ", ".join(MODALITIES)
        raise InputError(say("benchmark.no_modality", unknown=", ".join(unknown), known=known))
    return tuple(m for m in MODALITIES if m in asked)
