"""The damage as a person meets it: the sound to play, the words to read, the faces to look at."""

from __future__ import annotations

import base64
import difflib
import io
import wave as wave_file
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from hff.config import MODALITIES, SAMPLE_RATE
from hff.locale import names, texts
from hff.page.shared.render import render
from hff.page.shared.theme import COLOUR_MAP
from hff.result import FaceSeen, Transcript

if TYPE_CHECKING:
    from hff.pipeline.recording import Recording

FACES = 5  # shown, from the first to the last
LOUDEST = 0.9  # peak of the sound that is played: noise far above the voice must not hurt the ears
_MEL_RANGE = 80.0  # dB below the loudest that the spectrogram shows


def evidence(before: Recording, after: Recording) -> Markup:
    """A box for each modality."""
    shown = {
        "speech": sound(after),
        "text": words(before.transcript, after.transcript),
        "vision": faces(after.faces),
    }
    boxes = [
        (m, texts.LAB_EVIDENCE.get(m, names.modality(m)), shown[m] if m in shown else unshown(m, after))
        for m in MODALITIES
    ]
    return render("evidence.html", "evidence", boxes)


def unshown(modality: str, recording: Recording) -> Markup:
    """A modality that can be neither heard nor seen here."""
    return _absent(texts.LAB_UNSHOWN if modality in recording.more else texts.ABSENT)


def sound(recording: Recording) -> Markup:
    """A player and a small spectrogram."""
    if recording.wave is None or not len(recording.wave):
        return _absent(texts.NO_SOUND)
    address = f"data:audio/wav;base64,{base64.b64encode(wav_bytes(recording.wave)).decode()}"
    return render("evidence.html", "player", spectrogram(recording), address)


def wav_bytes(wave: np.ndarray) -> bytes:
    """(N,) at 16 kHz -> a WAV file, 16 bit; scaled down only where it would be too loud."""
    peak = float(np.abs(wave).max(initial=0.0))
    scaled = np.asarray(wave, np.float64) * min(1.0, LOUDEST / max(peak, 1e-9))
    data = io.BytesIO()
    with wave_file.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((scaled * 32767).astype("<i2").tobytes())
    return data.getvalue()


def spectrogram(recording: Recording) -> Markup:
    """The mel spectrogram as a small picture."""
    import matplotlib
    from PIL import Image

    mel = recording.evidence().mel
    if mel is None:
        return Markup()
    mel = np.asarray(mel, float)
    shown = np.clip((mel - mel.max()) / _MEL_RANGE + 1, 0, 1)[::-1]
    colours = (matplotlib.colormaps[COLOUR_MAP](shown)[..., :3] * 255).astype(np.uint8)
    return _picture(Image.fromarray(colours), texts.LAB_MEL, "hff-lab-mel")


def faces(seen: list[FaceSeen]) -> Markup:
    """A few crops from the first to the last."""
    from PIL import Image

    if not seen:
        return _absent(texts.NO_FACE)
    chosen = [seen[i] for i in sorted(set(np.linspace(0, len(seen) - 1, FACES).round().astype(int)))]
    strip = np.concatenate([face.crop for face in chosen], axis=1)
    shape = f"hff-lab-faces hff-lab-faces-{len(chosen)}"
    return _picture(Image.fromarray(strip), texts.LAB_FACES, shape)


def words(before: Transcript | None, after: Transcript | None) -> Markup:
    """The words now, with what was lost struck out and what is new marked."""
    old, new = (t.text.split() if t is not None else [] for t in (before, after))
    if not old and not new:
        return _absent(texts.NO_WORDS)
    parts = []
    for kind, a, b, c, d in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        lost, found = " ".join(old[a:b]), " ".join(new[c:d])
        if found:
            parts.append(("same" if kind == "equal" else "new", found))
        elif lost:
            parts.append(("lost", lost))
    return render("evidence.html", "words", parts)


def _absent(what: str) -> Markup:
    return render("evidence.html", "absent", what)


def _picture(image, label: str, kind: str) -> Markup:
    data = io.BytesIO()
    image.save(data, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
    return render("evidence.html", "picture", kind, label, address)
