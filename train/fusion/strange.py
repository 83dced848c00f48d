"""Features of what nothing was trained on, cached: a classroom's corruption, strangers' voices, and what is no speech.

``python -m train strange --data DIR --out DIR [--speech-encoder whisper]``; through the app's own path, as
``train.fusion.feature_files``. Beside the cached features lie
    {modality}-field-{validation,test}.safetensors  clean items (variant 0), each kind of ``field_corruption``
                                                    (1, ...), in the layout of ``feature_files``
    {modality}-strange-{validation,test}.safetensors  GROUP/features (N,T,d), GROUP/there (N,T), GROUP/label (N,), -1
                                                    where there is none: other languages, music, drawings, no faces
Speakers, sentences and pictures of the two halves differ.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hff import weights
from hff.config import EMOTIONS, FACE_SIZE, SAMPLE_RATE, SPEECH_ENCODERS
from hff.detectors.vad import voiced_segments
from hff.errors import HFFError
from hff.pipeline.analyzer import load_encoders
from hff.pipeline.features import Encoders, encode_speech, encode_vision, step_count
from hff.result import FaceSeen
from train.corpora import ased, fer, goemotions, korean, made_up, meld, nemo, ravdess
from train.corpora.base import Utterance, load_found
from train.engine import data_files, provenance
from train.engine.progress import progress
from train.fusion.feature_files import (
    MAX_ITEM_STEPS,
    balanced,
    folder_of,
    label_frequency,
    teacher_logits,
    text_features,
)
from train.fusion.field_corruption import FIELD, melody

STRANGE_HALVES = ("validation", "test")
FIELD_PER_CLASS = 60  # faces and texts of each label under a classroom's corruption
STRANGE_RECORDINGS = 140  # of each corpus of strangers, at most, in each half
MADE = 40  # pieces of music and drawings in each half
LANGUAGES = {"Polish": nemo, "Korean": korean, "Amharic": ased}
LEARNED = ("Polish", "Korean")  # from other people: these are unknown, but nothing strange
FOREIGN_SENTENCES = {
    "validation": (
        "Ich freue mich so sehr, dass du gekommen bist.", "Warum hast du das schon wieder vergessen?",
        "Das Wetter soll morgen besser werden.", "Sie ist gestern Abend ganz allein nach Hause gegangen.",
        "Je ne comprends pas pourquoi il est parti.", "Quelle belle surprise, merci beaucoup !",
        "Le train part à neuf heures du matin.", "Elle avait peur de rester seule dans la maison.",
        "No me hables así, estoy harto de tus mentiras.", "Mañana vamos a la playa con los niños.",
        "Hoy he perdido las llaves otra vez.", "Qué asco, la leche está podrida.",
        "Non vedo l'ora di rivederti domani.", "Il cane dorme davanti alla porta.",
        "Nie wiem, co mam teraz zrobić.", "Jestem bardzo zadowolony z tego wyniku.",
        "En ymmärrä, mitä hän tarkoitti sillä.", "Huomenna sataa koko päivän.",
        "Bugün okula geç kaldım.", "Çok güzel bir gün geçirdik.",
        "Сегодня утром я проснулся слишком поздно.", "Мне очень грустно без тебя.",
        "今日はとても楽しかったです。", "我不知道他为什么生气。",
    ),
    "test": (
        "Lass mich endlich in Ruhe, ich kann nicht mehr.", "Wir treffen uns um drei vor der Schule.",
        "Was für ein herrlicher Tag im Garten!", "Er hat Angst vor dem großen Hund.",
        "Tu aurais dû me prévenir avant de venir.", "Nous avons gagné le match, c'est incroyable !",
        "Ma grand-mère est morte la semaine dernière.", "Il fait froid dans cette salle.",
        "Me da miedo la oscuridad.", "¿Por qué no me dijiste la verdad?",
        "Estamos muy contentos con la nueva casa.", "El autobús llega a las ocho.",
        "Che schifo, questo pesce puzza.", "Ho finito i compiti prima di cena.",
        "Dlaczego znowu się spóźniłeś?", "Kot śpi na krześle przy oknie.",
        "Olen todella iloinen puolestasi.", "Bussi oli taas myöhässä.",
        "Bu kadar kötü bir film görmedim.", "Annem yarın geliyor.",
        "Почему ты мне ничего не сказал?", "Завтра мы поедем на море.",
        "そんなことを言わないでください。", "他们昨天搬到了新的城市。",
    ),
}  # fmt: skip

Group = dict[str, Tensor]


def make(data: Path, out: Path, device: torch.device, seed: int = 0, speech_encoder: str = SPEECH_ENCODERS[0]) -> None:
    """Write every file that is not there yet, beside the cached features."""
    encoders = load_encoders(out / "weights", device, speech_encoder)
    folder = folder_of(out, speech_encoder)
    folder.mkdir(parents=True, exist_ok=True)
    provenance.check_provenance(folder, {m: weights.part_path(out / "weights", m, speech_encoder) for m in STRANGE})
    for number, half in enumerate(STRANGE_HALVES):
        for kind, builders in (("strange", STRANGE), ("field", FIELD_CORRUPTED)):
            for modality, build in builders.items():
                path = folder / f"{modality}-{kind}-{half}.safetensors"
                if not path.exists():
                    print(f"strange: {path.stem}", flush=True)
                    stored = build(encoders, data, half, np.random.default_rng([seed, number, 77]))
                    part = path.with_suffix(".part")  # so that a kill while writing leaves nothing that looks finished
                    save_file({name: _small(value) for name, value in stored.items()}, part)
                    part.replace(path)


def _small(value: Tensor) -> Tensor:
    return (value.half() if value.is_floating_point() and value.dim() > 2 else value).contiguous()


def load(folder: Path, modality: str, half: str) -> dict[str, Group]:
    """The strange groups by name, features as float32."""
    path = folder / f"{modality}-strange-{half}.safetensors"
    if not path.exists():
        raise HFFError(f"{folder} has no {path.name}; make it with python -m train strange --data DIR --out DIR.")
    stored = load_file(data_files.used("features", path))
    groups: dict[str, Group] = {}
    for key, value in stored.items():
        name, part = key.rsplit("/", 1)
        groups.setdefault(name, {})[part] = value.float() if part == "features" else value
    return groups


# A classroom's corruption


def _variants(modality: str, item, rng: np.random.Generator) -> list:
    return [item, *(kind(item, rng) for kind in FIELD[modality].values())]


def _severity(items: int, modality: str) -> Tensor:
    """(N,V): 0 of the clean one, then 1."""
    return (torch.arange(1 + len(FIELD[modality])) > 0).float().expand(items, -1).clone()


def corrupted_speech(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    items = [u for u in ravdess.load(data) if u.split == half]
    count = 1 + len(FIELD["speech"])
    features = torch.zeros(len(items), count, MAX_ITEM_STEPS, encoders.speech.feature_dim)
    there = torch.zeros(len(items), count, MAX_ITEM_STEPS, dtype=torch.bool)
    for n, item in enumerate(progress(items, f"strange: voices {half}")):
        for v, wave in enumerate(_variants("speech", item.wave, rng)):
            x, has = _heard(encoders, wave)
            features[n, v, : len(x)], there[n, v, : len(x)] = x, has
    labels = [u.label for u in items]
    logits = teacher_logits(encoders.speech, features)
    return {
        "features": features,
        "there": there,
        "severity": _severity(len(items), "speech"),
        "teacher_logits": logits,
        "label": torch.tensor(labels),
        "frequency": label_frequency(labels, logits),
        "length": torch.tensor([min(MAX_ITEM_STEPS, step_count(len(u.wave) / SAMPLE_RATE)) for u in items]),
        "held_out": torch.ones(len(items), dtype=torch.bool),
    }


def corrupted_text(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    sentences = [s for s in load_found((goemotions, meld), data) if s.split == half and s.target.max() > 0.99]
    labels = [s.label for s in sentences]
    items = [(sentences[i].text, labels[i]) for i in balanced(labels, FIELD_PER_CLASS, rng)]
    items += [(words, 0) for words in ravdess.SENTENCES.values()]
    texts = [variant for words, _ in items for variant in _variants("text", words, rng)]
    features = text_features(encoders, texts, f"text field {half}").unflatten(0, (len(items), -1))
    logits = teacher_logits(encoders.text, features)
    return {
        "features": features,
        "severity": _severity(len(items), "text"),
        "teacher_logits": logits,
        "label": torch.tensor([label for _, label in items]),
        "frequency": label_frequency(labels, logits),
        "held_out": torch.ones(len(items), dtype=torch.bool),
        "fixed": torch.arange(len(items)) >= len(items) - len(ravdess.SENTENCES),
    }


def corrupted_vision(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    faces = fer.load(data)
    own = np.flatnonzero(faces.splits == half)
    index = own[balanced(faces.labels[own], FIELD_PER_CLASS, rng)]
    features = torch.stack([_seen(encoders, _variants("vision", faces.images[i], rng))[:, None] for i in index])
    logits = teacher_logits(encoders.vision, features)
    return {
        "features": features,
        "severity": _severity(len(index), "vision"),
        "teacher_logits": logits,
        "label": torch.from_numpy(faces.labels[index]),
        "frequency": label_frequency(faces.labels[own], logits),
        "held_out": torch.ones(len(index), dtype=torch.bool),
    }


# Strangers


def strange_speech(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    groups = {}
    for language, corpus in LANGUAGES.items():
        found = recordings(load_found((corpus,), data, none_will_do=True), half, rng)
        if found:
            groups[language] = _voices(encoders, [u.wave for u in found], [u.label for u in found])
    for name, make_one in (("music", melody), ("machines", machine)):
        waves = [make_one(3 * SAMPLE_RATE, rng).astype(np.float32) for _ in range(MADE)]
        groups[name] = _voices(encoders, waves, [-1] * MADE, voiced=True)
    return _joined(groups)


def recordings(utterances: list[Utterance], half: str, rng: np.random.Generator) -> list[Utterance]:
    """Some of every second person of a corpus; only of those from whom neither an encoder nor the fusion learns."""
    unmet = [u for u in utterances if u.split not in ("train", "fusion")]
    speakers = sorted({u.speaker for u in unmet})[STRANGE_HALVES.index(half) :: 2]
    own = [u for u in unmet if u.speaker in speakers]
    return [own[i] for i in sorted(rng.permutation(len(own))[:STRANGE_RECORDINGS])]


def machine(size: int, rng: np.random.Generator) -> np.ndarray:
    """(size,) a motor: overtones of a low hum that hunts, and the rush of its fan."""
    t = np.arange(size) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(rng.uniform(40, 160) * (1 + 0.05 * np.sin(2 * np.pi * rng.uniform(0.2, 3) * t)))
    hum = sum(rng.uniform(0.2, 1) * np.sin(k * phase / SAMPLE_RATE) for k in range(1, 12))
    return hum + rng.uniform(0.2, 2) * rng.standard_normal(size)


def strange_text(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    invented = [
        " ".join(
            "".join(rng.choice(list("bdfgklmnprst" if n % 2 else "aeiou")) for n in range(rng.integers(2, 9)))
            for _ in range(rng.integers(3, 9))
        )
        for _ in range(MADE)
    ]
    groups = {}
    for name, texts in (("other languages", list(FOREIGN_SENTENCES[half])), ("invented words", invented)):
        features = text_features(encoders, texts, f"text strange {half}")[:, None]
        groups[name] = _group(features, [-1] * len(texts))
    return _joined(groups)


def strange_vision(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    drawn = np.stack([drawn_face(rng) for _ in range(MADE)])
    patterns = np.stack([pattern(rng) for _ in range(MADE)])
    none = fer.no_faces(data)[STRANGE_HALVES.index(half) :: 2]
    sets = {"drawings": drawn, "patterns": patterns, "no faces (FER+)": none}
    return _joined(
        {
            name: _group(_seen(encoders, list(images))[:, None], [-1] * len(images))
            for name, images in sets.items()
            if len(images)
        }
    )


def drawn_face(rng: np.random.Generator) -> np.ndarray:
    """A drawn face, turned, scaled and inked at random."""
    face = made_up.face(int(rng.integers(len(EMOTIONS))))
    turn = cv2.getRotationMatrix2D((FACE_SIZE / 2,) * 2, rng.uniform(-20, 20), rng.uniform(0.8, 1.25))
    face = cv2.warpAffine(face, turn, (FACE_SIZE,) * 2, borderMode=cv2.BORDER_REPLICATE)
    return 255 - face if rng.random() < 0.3 else face


def pattern(rng: np.random.Generator) -> np.ndarray:
    """Clouds, stripes and checks."""
    at = np.stack(np.meshgrid(*(np.arange(FACE_SIZE),) * 2))
    wave = np.cos((rng.uniform(-0.8, 0.8, (3, 2, 1, 1)) * at[None]).sum(1) + rng.uniform(0, 6, (3, 1, 1))).sum(0)
    cloud = cv2.GaussianBlur(rng.standard_normal((FACE_SIZE,) * 2), (0, 0), rng.uniform(1, 5))
    picture = (wave > 0) * 1.0 if rng.random() < 0.3 else wave if rng.random() < 0.5 else cloud
    picture = picture - picture.min()
    return (255 * picture / max(picture.max(), 1e-9)).astype(np.uint8)


STRANGE: dict[str, Callable] = {"speech": strange_speech, "text": strange_text, "vision": strange_vision}
FIELD_CORRUPTED: dict[str, Callable] = {"speech": corrupted_speech, "text": corrupted_text, "vision": corrupted_vision}


def _heard(encoders: Encoders, wave: np.ndarray, voiced: bool = False) -> tuple[Tensor, Tensor]:
    """Features and presence of at most ``MAX_ITEM_STEPS`` steps; all of it a voice where ``voiced``."""
    seconds = len(wave) / SAMPLE_RATE
    segments = [(0.0, seconds)] if voiced else voiced_segments(wave)
    return encode_speech(encoders.speech, wave, segments, min(MAX_ITEM_STEPS, step_count(seconds)))


def _voices(encoders: Encoders, waves: list[np.ndarray], labels: list[int], voiced: bool = False) -> Group:
    features = torch.zeros(len(waves), MAX_ITEM_STEPS, encoders.speech.feature_dim)
    there = torch.zeros(len(waves), MAX_ITEM_STEPS, dtype=torch.bool)
    for n, wave in enumerate(progress(waves, "strange: voices")):
        x, has = _heard(encoders, wave, voiced)
        features[n, : len(x)], there[n, : len(x)] = x, has
    heard = there.any(1)
    return _group(features[heard], torch.tensor(labels)[heard], there[heard])


def _seen(encoders: Encoders, crops: list[np.ndarray]) -> Tensor:
    """(N,48,48) -> (N,512)."""
    faces = [FaceSeen(0.5 * n, (0, 0, 1, 1), 1.0, np.ascontiguousarray(crop)) for n, crop in enumerate(crops)]
    return encode_vision(encoders.vision, faces, len(faces))[0]


def _group(features: Tensor, labels, there: Tensor | None = None) -> Group:
    there = torch.ones(features.shape[:2], dtype=torch.bool) if there is None else there
    return {"features": features, "there": there, "label": torch.as_tensor(labels)}


def _joined(groups: dict[str, Group]) -> dict[str, Tensor]:
    return {f"{name}/{part}": value for name, group in groups.items() for part, value in group.items()}
