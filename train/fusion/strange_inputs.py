"""What is strange to a model that learned from the corpora: other languages, music, machines, drawings, patterns.

Sounds, sentences and pictures before any encoder. Speakers, sentences and pictures of the two halves differ.
"""

from __future__ import annotations

import cv2
import numpy as np

from hff.config import EMOTIONS, FACE_SIZE, SAMPLE_RATE
from train.corpora import ased, korean, made_up, nemo
from train.corpora.base import Utterance

STRANGE_HALVES = ("validation", "test")
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


def invented_sentence(rng: np.random.Generator) -> str:
    """Three to eight words of no language."""
    return " ".join(
        "".join(rng.choice(list("bdfgklmnprst" if n % 2 else "aeiou")) for n in range(rng.integers(2, 9)))
        for _ in range(rng.integers(3, 9))
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
