"""Corruption of raw inputs at a chosen severity: what the lab shows and what training learns from.

Every function takes a severity from 0 (untouched) to 1 (next to nothing left) and a NumPy random
generator, and returns corrupted input of the same type. ``@corrupts`` puts it into the one list that the lab, the
training and the evaluation read. The kinds that are not ``trained`` tell whether corruption was understood or learned
by heart. What a kind is called stands in the catalogues under ``LAB_CORRUPTION_NAMES``; one without an entry keeps its
name. People read "damage" on the page, and it is the key in states and lesson files; in the code that word is for files
that are broken.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hff.config import SAMPLE_RATE

Rng = np.random.Generator


@dataclass(frozen=True)
class CorruptionKind:
    """One kind of corruption of one modality."""

    modality: str
    name: str  # in states, links and lessons; the key of its texts
    apply: Callable[[Any, float, Rng], Any]
    trained: bool  # whether training draws from it
    over_time: bool  # exists only over time: a face's takes all crops of a clip, and no single item is corrupted by it


_KINDS: dict[str, dict[str, CorruptionKind]] = {}


def corrupts(modality: str, *, name: str, trained: bool = False, over_time: bool = False) -> Callable:
    """Add a function to the kinds of corruption. Raises ``ValueError`` for a name that the modality has already."""

    def add(apply: Callable[[Any, float, Rng], Any]) -> Callable:
        kinds_there = _KINDS.setdefault(modality, {})
        if name in kinds_there:
            raise ValueError(f"{modality} has a corruption {name!r} already")
        if trained and over_time:
            raise ValueError(f"training corrupts single items, and {name!r} needs a clip")
        kinds_there[name] = CorruptionKind(modality, name, apply, trained, over_time)
        return apply

    return add


def forget(modality: str, name: str) -> None:
    """Take a kind out again."""
    del _KINDS[modality][name]


def kind(modality: str, name: str) -> CorruptionKind:
    """Raises ``KeyError``."""
    return _KINDS[modality][name]


def kinds(modality: str) -> tuple[CorruptionKind, ...]:
    """All kinds of corruption of a modality: those that training knows, those kept from it, those over time."""
    found = _KINDS.get(modality, {}).values()
    return tuple(sorted(found, key=lambda one: (not one.trained, one.over_time)))


def trained(modality: str) -> dict[str, Callable[[Any, float, Rng], Any]]:
    """What training draws from, by name."""
    return {one.name: one.apply for one in kinds(modality) if one.trained}


def unseen(modality: str) -> dict[str, Callable[[Any, float, Rng], Any]]:
    """What single items are corrupted by in evaluation alone, by name."""
    return {one.name: one.apply for one in kinds(modality) if not one.trained and not one.over_time}


CLEAN_SNR, WORST_SNR = 30.0, -10.0  # dB, at severity 0+ and 1


def _add_noise(wave: np.ndarray, noise: np.ndarray, severity: float) -> np.ndarray:
    """Mix in noise at an SNR that falls linearly (in dB) with severity; returns the level of ``wave``."""
    if severity <= 0:
        return wave
    snr = CLEAN_SNR + (WORST_SNR - CLEAN_SNR) * severity
    power, noise_power = np.mean(wave**2), np.mean(noise**2)
    gain = np.sqrt(power / max(noise_power, 1e-12) / 10 ** (snr / 10))
    return (wave + gain * noise).astype(np.float32)


def _coloured_noise(size: int, exponent: float, rng: Rng) -> np.ndarray:
    """Noise whose power falls as 1/f^exponent: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(size))
    frequency = np.maximum(np.fft.rfftfreq(size), 1 / max(size, 2))
    return np.fft.irfft(spectrum / frequency ** (exponent / 2), size)


@corrupts("speech", name="white noise", trained=True)
def white_noise(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """Hiss: white noise at 30 down to -10 dB SNR."""
    return _add_noise(wave, rng.standard_normal(len(wave)), severity)


@corrupts("speech", name="pink noise", trained=True)
def pink_noise(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """Rumble and wind: pink noise at 30 down to -10 dB SNR."""
    return _add_noise(wave, _coloured_noise(len(wave), 1.0, rng), severity)


@corrupts("speech", name="babble", trained=True)
def babble(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """A room full of talk: the voice's own spectrum, shuffled in time and summed many times."""
    noise = np.zeros(len(wave))
    for _ in range(8):
        shifted = np.roll(wave, rng.integers(1, max(len(wave), 2)))
        noise += shifted[::-1] if rng.random() < 0.5 else shifted
    return _add_noise(wave, noise, severity)


@corrupts("speech", name="clipping", trained=True)
def clipping(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """An overdriven microphone: all above a shrinking share of the peak is cut off."""
    peak = np.abs(wave).max(initial=0.0)
    limit = peak * (1 - 0.995 * severity)
    return np.clip(wave, -limit, limit).astype(np.float32)


@corrupts("speech", name="muffle", trained=True)
def muffle(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """A hand before the mouth: low-pass filter from 8 kHz down to 150 Hz (at 16 kHz sampling)."""
    if severity <= 0:
        return wave
    spectrum = np.fft.rfft(wave)
    frequency = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    cutoff = 8000 * (150 / 8000) ** severity
    return np.fft.irfft(spectrum / (1 + (frequency / cutoff) ** 4), len(wave)).astype(np.float32)


@corrupts("speech", name="reverberation", trained=True)
def reverberation(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """A tiled hall: convolution with a decaying noise tail of up to 2 s."""
    if severity <= 0:
        return wave
    tail = int(SAMPLE_RATE * (0.1 + 1.9 * severity))
    response = rng.standard_normal(tail) * np.exp(-6.9 * np.arange(tail) / tail)
    response *= severity * 2 / max(np.sqrt(np.sum(response**2)), 1e-9)
    response[0] += 1
    size = len(wave) + tail
    wet = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)[: len(wave)]
    return wet.astype(np.float32)


@corrupts("speech", name="traffic")
def traffic(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """An open window: brown noise and an engine's hum, swelling, at 30 down to -10 dB SNR."""
    t = np.arange(len(wave)) / SAMPLE_RATE
    hum = sum(np.sin(2 * np.pi * 85 * k * t + rng.uniform(0, 6.3)) / k for k in range(1, 9))
    rumble = _coloured_noise(len(wave), 2.0, rng)
    swell = 1 + 0.6 * np.sin(2 * np.pi * 0.5 * t + rng.uniform(0, 6.3))
    return _add_noise(wave, swell * (rumble / max(rumble.std(), 1e-12) + 0.5 * hum), severity)


@corrupts("speech", name="music")
def music(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """A radio: chords of decaying tones, three a second, at 30 down to -10 dB SNR."""
    noise = np.zeros(len(wave))
    beat = SAMPLE_RATE // 3
    for start in range(0, len(wave), beat):
        t = np.arange(min(2 * beat, len(wave) - start)) / SAMPLE_RATE
        for _ in range(3):
            pitch = 220 * 2 ** (rng.integers(0, 25) / 12)
            tone = sum(np.sin(2 * np.pi * pitch * k * t) / k**1.5 for k in range(1, 6))
            noise[start : start + len(t)] += tone * np.exp(-4 * t)
    return _add_noise(wave, noise, severity)


@corrupts("speech", name="packet loss")
def packet_loss(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """A bad line: pieces of 60 ms are lost, up to 95% of them."""
    size = 960
    kept = rng.random(len(wave) // size + 1) >= 0.95 * severity
    return (wave * np.repeat(kept, size)[: len(wave)]).astype(np.float32)


@corrupts("text", name="dropped words", trained=True)
def dropped_words(text: str, severity: float, rng: Rng) -> str:
    """Words lost on the way: each goes with probability ``severity``."""
    words = text.split()
    return " ".join(word for word in words if rng.random() >= severity)


@corrupts("text", name="masked words", trained=True)
def masked_words(text: str, severity: float, rng: Rng) -> str:
    """Words bleeped out: each becomes "[MASK]", the word BERT was trained to guess."""
    return " ".join("[MASK]" if rng.random() < severity else word for word in text.split())


@corrupts("text", name="misspelt words", trained=True)
def misspelt_words(text: str, severity: float, rng: Rng) -> str:
    """Typing in a hurry: letters of a word are replaced, more of them at higher severity."""

    def misspell(word: str) -> str:
        letters = list(word)
        for i, letter in enumerate(letters):
            if letter.isalpha() and rng.random() < 0.7 * severity:
                letters[i] = string.ascii_lowercase[rng.integers(26)]
        return "".join(letters)

    return " ".join(misspell(word) for word in text.split())


@corrupts("text", name="swapped words", trained=True)
def swapped_words(text: str, severity: float, rng: Rng) -> str:
    """Words out of another sentence's dictionary: each is replaced by a common, unfeeling one."""
    filler = ("the", "and", "of", "there", "then", "with", "it", "that", "some", "which", "on", "at")
    return " ".join(str(rng.choice(filler)) if rng.random() < severity else word for word in text.split())


@corrupts("text", name="lost letters")
def lost_letters(text: str, severity: float, rng: Rng) -> str:
    """A failing keyboard: each letter is missing with probability 0.8 x ``severity``."""
    words = ["".join(c for c in word if not c.isalpha() or rng.random() >= 0.8 * severity) for word in text.split()]
    return " ".join(word for word in words if word)


@corrupts("text", name="foreign words")
def foreign_words(text: str, severity: float, rng: Rng) -> str:
    """A language nobody knows: words become syllables of the same length."""

    def invent(size: int) -> str:
        letters = [str(rng.choice(list("bdfgklmnprstvz" if n % 2 == 0 else "aeiou"))) for n in range(max(size, 2))]
        return "".join(letters)

    return " ".join(invent(len(word)) if rng.random() < severity else word for word in text.split())


@corrupts("vision", name="blur", trained=True)
def blur(face: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """Out of focus: Gaussian blur of up to 0.12 times the crop's side (standard deviation)."""
    if severity <= 0:
        return face
    sigma = 0.12 * face.shape[0] * severity
    return cv2.GaussianBlur(face, (0, 0), sigmaX=max(sigma, 0.05))


@corrupts("vision", name="dark", trained=True)
def dark(face: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """Lights off: light falls to 1%, the camera's own noise stays."""
    light = 0.01**severity
    noise = rng.normal(0, 5 * severity, face.shape)
    return np.clip(face * light + noise, 0, 255).astype(np.uint8)


@corrupts("vision", name="cover", trained=True)
def cover(face: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """A hand or a mask: a flat patch that hides a growing share of the face, from a random side."""
    side = max(face.shape[:2])
    hidden = round(severity * side)
    corrupted = face.copy()
    value = rng.integers(0, 256)
    where = rng.integers(4)
    if where == 0:
        corrupted[:hidden] = value
    elif where == 1:
        corrupted[face.shape[0] - hidden :] = value
    elif where == 2:
        corrupted[:, :hidden] = value
    else:
        corrupted[:, face.shape[1] - hidden :] = value
    return corrupted


@corrupts("vision", name="low resolution", trained=True)
def low_resolution(face: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """Far from the camera: scaled down to as few as 3 pixels a side and up again."""
    if severity <= 0:
        return face
    side = max(3, round(face.shape[0] * (3 / face.shape[0]) ** severity))
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, face.shape[1::-1], interpolation=cv2.INTER_LINEAR)


@corrupts("vision", name="sensor noise", trained=True)
def sensor_noise(face: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """A grainy picture: Gaussian noise of up to 120 grey levels."""
    noise = rng.normal(0, 120 * severity, face.shape)
    return np.clip(face + noise, 0, 255).astype(np.uint8)


@corrupts("vision", name="motion blur")
def motion_blur(face: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """A shaking hand: blur along one direction, over up to 0.6 times the crop's side."""
    length = round(0.6 * face.shape[0] * severity)
    if length < 2:
        return face
    angle = rng.uniform(0, np.pi)
    size = length | 1
    kernel = np.zeros((size, size), np.float32)
    offset = (size // 2) * np.array([np.cos(angle), np.sin(angle)])
    middle = np.array([size // 2, size // 2])
    a, b = np.round(middle - offset).astype(int), np.round(middle + offset).astype(int)
    cv2.line(kernel, tuple(map(int, a)), tuple(map(int, b)), 1.0)
    return cv2.filter2D(face, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


@corrupts("vision", name="overexposure")
def overexposure(face: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """The sun in the lens: every tone lifted towards white, which at 1 hides 97% of the contrast."""
    white = 0.97 * severity
    return np.round(255 * white + (1 - white) * face).astype(np.uint8)


@corrupts("vision", name="lattice")
def lattice(face: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """Behind a fence: slats that hide up to nine tenths of the face."""
    if severity <= 0:
        return face
    period = max(4, face.shape[0] // 6)
    slat = (np.arange(face.shape[0]) + rng.integers(period)) % period < 0.92 * period * severity
    corrupted = face.copy()
    corrupted[slat] = rng.integers(0, 256)
    return corrupted


@corrupts("speech", name="switched off", over_time=True)
def switched_off(wave: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """The microphone goes off: the last ``severity`` share of the sound is silence."""
    corrupted = wave.copy()
    corrupted[len(wave) - round(severity * len(wave)) :] = 0
    return corrupted


@corrupts("vision", name="freeze", over_time=True)
def freeze(faces: Sequence[np.ndarray], severity: float, rng: Rng) -> list[np.ndarray]:
    """The picture stands still for the last ``severity`` share of the frames; at 1 from the first on."""
    moving = max(1, len(faces) - round(severity * len(faces)))
    return [face if i < moving else faces[moving - 1] for i, face in enumerate(faces)]
