"""Do the maps and the words' effects tell the truth? The deletion test, for faces and for words.

``python -m train saliency --data DIR --out DIR`` : of each face the hottest fifth of its map is painted over with the
face's mean grey, of each sentence the fifth of its words with the largest effect is left out; the answer of that
modality alone must fall, and by more than it does for another fifth (Petsiuk, Das, Saenko, "RISE: Randomized Input
Sampling for Explanation of Black-box Models", BMVC 2018). Every way is measured on validation items, to choose by; the
one that the page shows, on test items too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from hff.config import FACE_SIZE
from hff.encoders.bert import mean_over_tokens, tokenizer
from hff.encoders.resnet import normalise_faces
from hff.pipeline.analyzer import Analyzer
from hff.saliency.face_map import FACES_AT_ONCE, HOTTEST_SHARE, MAP_STAGE, hottest, layer_cam
from hff.saliency.own_answer import own_answer
from hff.saliency.word_effect import left_out, text_answers
from hff.weights import MEASURED_FILE
from train.corpora import fer
from train.encoders import text
from train.evaluation import tables

COMMAND = "python -m train saliency --data DIR --out DIR"
DELETION_COLUMNS = [
    "modality",
    "items",
    "removed",
    "compared with",
    "number of items",
    "answer falls by",
    "the other by",
    "difference",
    "95 % from",
    "95 % to",
]
FACES_OF_A_LABEL, SENTENCES_READ = 30, 250  # as far as there are so many
FEWEST_WORDS, MOST_COUNTED = 8, 40  # of a sentence; of fewer, leaving one out already is the test
RANDOM_DRAWS = 3  # of a random fifth, of which the mean counts
SALIENCY_SEED = 97
BOOTSTRAP_DRAWS = 10_000
PATCH, PATCH_STEP = 16, 8  # px, side of what occlusion covers, and between two places
LAST_STAGE = 3  # of the ResNet's four, counted from 0: the last convolution
RANDOM, MIDDLE = "a random fifth", "the middle fifth"
SHOWN_MAP, SHOWN_WORDS = "the map's hottest fifth", "the words of largest effect"  # what the page shows
BY_GRADIENT = "the words of gradient times input"


@dataclass
class Falls:
    """By how much the answer's probability falls in each of N items, by what is removed; "hottest" as shown first."""

    modality: str
    by: dict[str, np.ndarray]  # (N,)
    pairs: tuple[tuple[str, str], ...]  # (removed, against)

    def rows(self, items: str) -> list[list]:
        """Of each pair: number, mean falls, their mean difference and its 95 % interval (paired bootstrap)."""
        found: list[list] = []
        for removed, against in self.pairs:
            one, other = self.by[removed], self.by[against]
            falls = [float(one.mean()), float(other.mean())]
            found.append([self.modality, items, removed, against, len(one), *falls, *paired_difference(one, other)])
        return found


def paired_difference(one: np.ndarray, other: np.ndarray, seed: int = SALIENCY_SEED) -> list[float]:
    """Mean of (N,) less (N,), and the ends of its 95 % interval: items drawn anew with replacement, both alike."""
    apart = one - other
    drawn = np.random.default_rng(seed).integers(0, len(apart), (BOOTSTRAP_DRAWS, len(apart)))
    low, high = np.quantile(apart[drawn].mean(1), (0.025, 0.975))
    return [float(apart.mean()), float(low), float(high)]


# Faces


def faces_of(data: Path, split: str) -> np.ndarray:
    """Crops (N,48,48) of FER+'s half, as many of each label as there are, up to ``FACES_OF_A_LABEL``."""
    faces = fer.load(data)
    held, rng = np.flatnonzero(faces.splits == split), np.random.default_rng(SALIENCY_SEED)
    labels = faces.labels[held]
    return faces.images[
        np.concatenate([rng.permutation(held[labels == one])[:FACES_OF_A_LABEL] for one in np.unique(labels)])
    ]


def face_falls(analyzer: Analyzer, crops: np.ndarray, every: bool) -> Falls:
    """The hottest fifth, a random one, the middle one; where ``every`` is wanted, other ways to make a map too."""
    rng = np.random.default_rng(SALIENCY_SEED)
    said, shown = in_parts(lambda part: layer_cam(analyzer, part), crops)
    label = said.argmax(1)

    def fall(chosen: np.ndarray) -> np.ndarray:
        without = painted(crops, chosen)
        return taken(said, in_parts(lambda part: (face_answers(analyzer, part),), without)[0], label)

    middle = np.broadcast_to(-np.hypot(*(np.mgrid[:FACE_SIZE, :FACE_SIZE] - (FACE_SIZE - 1) / 2)), shown.shape)
    by = {
        SHOWN_MAP: fall(hottest(shown)),
        RANDOM: np.mean([fall(hottest(rng.random(shown.shape))) for _ in range(RANDOM_DRAWS)], 0),
        MIDDLE: fall(hottest(middle)),
        "another face's hottest fifth": fall(hottest(shown[rng.permutation(len(shown))])),
    }
    pairs = [(SHOWN_MAP, other) for other in list(by)[1:]]
    if every:
        last = in_parts(lambda part: layer_cam(analyzer, part, LAST_STAGE), crops)[1]
        by["the last convolution's hottest fifth"] = fall(hottest(last))
        by["occlusion's hottest fifth"] = fall(hottest(occlusion(analyzer, crops, said, label)))
        pairs += [(name, other) for name in list(by)[4:] for other in (RANDOM, MIDDLE)]
    return Falls("vision", by, tuple(pairs))


def in_parts(work: Callable[[np.ndarray], tuple], crops: np.ndarray) -> list[np.ndarray]:
    """What ``work`` gives of crops, a few at a time, as arrays."""
    parts = [work(crops[first : first + FACES_AT_ONCE]) for first in range(0, len(crops), FACES_AT_ONCE)]
    return [np.concatenate([np.asarray(value) for value in values]) for values in zip(*parts, strict=True)]


def painted(crops: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Crops (N,48,48) with what is chosen, bool, in the mean grey of each."""
    grey = crops.mean((1, 2), keepdims=True).round().astype(np.uint8)
    return np.where(chosen, grey, crops)


@torch.inference_mode()
def face_answers(analyzer: Analyzer, crops: np.ndarray) -> torch.Tensor:
    """What the model says of crops (N,48,48), each alone: (N,C)."""
    faces = normalise_faces(crops).to(analyzer.device)
    return own_answer(analyzer.model, "vision", analyzer.encoders.vision.mirrored_features(faces)).cpu()


def taken(before: np.ndarray, after: np.ndarray, label: np.ndarray) -> np.ndarray:
    """By how much the probability of ``label`` (N,) is smaller after than before, both (N,C)."""
    rows = np.arange(len(label))
    return before[rows, label] - after[rows, label]


def occlusion(analyzer: Analyzer, crops: np.ndarray, said: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Maps (N,48,48): by how much the answer falls where a square is painted over (Zeiler, Fergus, ECCV 2014)."""
    places = range(0, FACE_SIZE - PATCH + 1, PATCH_STEP)
    falls = np.zeros((len(crops), len(places), len(places)), np.float32)
    for row, top in enumerate(places):
        for column, left in enumerate(places):
            square = np.zeros(crops.shape, bool)
            square[:, top : top + PATCH, left : left + PATCH] = True
            after = in_parts(lambda part: (face_answers(analyzer, part),), painted(crops, square))[0]
            falls[:, row, column] = taken(said, after, label)
    maps = F.interpolate(torch.from_numpy(falls)[:, None], (FACE_SIZE, FACE_SIZE), mode="bilinear")
    return maps[:, 0].numpy()


# Words


def sentences_of(data: Path, split: str) -> list[list[str]]:
    """The words of some sentences of GoEmotions' and MELD's half."""
    rng = np.random.default_rng(SALIENCY_SEED)
    held = [s.text.split() for s in text.load(data) if s.split == split and s.corpus in ("goemotions", "meld")]
    held = [words for words in held if FEWEST_WORDS <= len(words) <= MOST_COUNTED]
    return [held[place] for place in rng.permutation(len(held))[:SENTENCES_READ]]


def word_falls(analyzer: Analyzer, sentences: list[list[str]], every: bool) -> Falls:
    """The fifth of the words with the largest effect, a random one, and the longest words."""
    rng = np.random.default_rng(SALIENCY_SEED)
    texts = [" ".join(words) for words in sentences]
    said = answers_sorted(analyzer, texts)
    label = said.argmax(1)

    def fall(scores: list[np.ndarray]) -> np.ndarray:
        rest = [without_top(words, score) for words, score in zip(sentences, scores, strict=True)]
        return taken(said, answers_sorted(analyzer, rest), label)

    def random() -> np.ndarray:
        return fall([rng.random(len(words)) for words in sentences])

    shown = leave_one_out(analyzer, sentences, said, label)
    by = {SHOWN_WORDS: fall(shown), RANDOM: np.mean([random() for _ in range(RANDOM_DRAWS)], 0)}
    by["the longest words"] = fall([np.array([len(word) for word in words]) for words in sentences])
    pairs = [(SHOWN_WORDS, other) for other in list(by)[1:]]
    if every:
        by[BY_GRADIENT] = fall(
            [gradient_times_input(analyzer, words, one) for words, one in zip(sentences, label.tolist(), strict=True)]
        )
        pairs += [
            (BY_GRADIENT, RANDOM),
            (SHOWN_WORDS, BY_GRADIENT),
        ]
    return Falls("text", by, tuple(pairs))


def answers_sorted(analyzer: Analyzer, texts: list[str]) -> np.ndarray:
    """As ``text_answers``, texts of like length together."""
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    found = np.zeros((len(texts), len(analyzer.config.labels)), np.float32)
    found[order] = text_answers(analyzer, [texts[place] for place in order]).numpy()
    return found


def leave_one_out(
    analyzer: Analyzer, sentences: list[list[str]], said: np.ndarray, label: np.ndarray
) -> list[np.ndarray]:
    """The effect of each word, as the page shows it (``hff.saliency.word_effect``)."""
    owner = np.concatenate([[place] * len(words) for place, words in enumerate(sentences)])
    after = answers_sorted(analyzer, [rest for words in sentences for rest in left_out(words)])
    falls = taken(said[owner], after, label[owner])
    return np.split(falls, np.cumsum([len(words) for words in sentences])[:-1])


def without_top(words: list[str], scores: np.ndarray) -> str:
    """The text without the fifth of its words that has the largest scores, rounded up."""
    count = -(-len(words) // round(1 / HOTTEST_SHARE))
    gone = set(np.argsort(-scores, kind="stable")[:count].tolist())
    return " ".join(word for place, word in enumerate(words) if place not in gone)


def gradient_times_input(analyzer: Analyzer, words: list[str], label: int) -> np.ndarray:
    """Each word's embeddings times the gradient of the answer's log-probability (Denil et al., arXiv 1412.6815)."""
    encoder = analyzer.encoders.text
    tokens = tokenizer()([words], is_split_into_words=True, truncation=True, return_tensors="pt").to(analyzer.device)
    with torch.enable_grad():
        vectors = encoder.bert.embeddings.word_embeddings(tokens["input_ids"]).detach().requires_grad_()
        states = encoder.bert(inputs_embeds=vectors, attention_mask=tokens["attention_mask"]).last_hidden_state
        features = torch.cat([states[:, 0], mean_over_tokens(states, tokens["attention_mask"])], dim=-1)
        answer = own_answer(analyzer.model, "text", features)[0, label].log()
        (slope,) = torch.autograd.grad(answer, vectors)
    scores = np.zeros(len(words))
    for place, score in zip(tokens.word_ids(), (slope * vectors).sum(-1)[0].tolist(), strict=True):
        if place is not None:
            scores[place] += score
    return scores


# Both


def measure(analyzer: Analyzer, data: Path) -> list[list]:
    """Rows of the table: on validation items every way there is, on test items what the page shows."""
    rows = []
    for split in ("validation", "test"):
        every = split == "validation"
        print(f"saliency: {split} faces", flush=True)
        rows += face_falls(analyzer, faces_of(data, split), every).rows(split)
        print(f"saliency: {split} sentences", flush=True)
        rows += word_falls(analyzer, sentences_of(data, split), every).rows(split)
    return rows


def run(data: Path, out: Path, device: torch.device) -> dict:
    """The table, printed and added to those beside the weights; returns the differences."""
    table = table_of(measure(Analyzer(str(device), out / "weights"), data))
    print(tables.table_as_text(table), flush=True)
    tables.add_tables(out / "weights" / MEASURED_FILE, [table])
    return {f"{row[1]} {row[0]}: {row[2]} against {row[3]}": row[7] for row in table["rows"]}


def table_of(rows: list[list]) -> dict:
    return {
        "title": "Do the maps and the marked words tell the truth? The deletion test",
        "note": "How much the probability of one modality's own answer falls when a fifth is removed: painted over in "
        "the face's mean grey, or left out of the sentence; against another fifth of the same item, with the 95 % "
        f"interval of the difference (paired bootstrap). The page shows LayerCAM at stage {MAP_STAGE + 1} of the "
        "ResNet, and each word left out in turn. The last convolution's map is no better than the middle of the face; "
        "occlusion's is about as good and costs a pass a place. Validation items chose, test items confirm.",
        "command": COMMAND,
        "columns": DELETION_COLUMNS,
        "rows": rows,
    }
