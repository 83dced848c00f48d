"""Before and after as a person meets them: the sound to play, the words to read, the faces to look at."""

from __future__ import annotations

import base64
import difflib
import io
import wave as wave_file
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from hff.config import MODALITIES, SAMPLE_RATE
from hff.lab.state import LabState
from hff.locale import names, texts
from hff.page.shared.amounts import percent
from hff.page.shared.drawing import mel_colours
from hff.page.shared.ears import ear_name
from hff.page.shared.explained import face_strip, marked, meaning
from hff.page.shared.render import render
from hff.result import FaceSeen, Transcript, evenly

if TYPE_CHECKING:
    from hff.pipeline.recording import Recording
    from hff.saliency.explanation import Explanation

FACES = 5  # shown, from the first to the last
LOUDEST = 0.9  # peak of the sound that is played: noise far above the voice must not hurt the ears


def evidence(
    before: Recording,
    after: Recording,
    was: LabState,
    state: LabState,
    why: tuple[Explanation, Explanation] | None = None,
) -> Markup:
    """What is read before beside what is read after, a line a modality, each with what was done to it.

    ``was`` and ``state`` are what left the recordings as they are. ``why``: where the network looked and which words
    counted, before and after, to be shown with them.
    """

    def shown(modality: str, recording: Recording, old: Recording, when: str) -> Markup:
        own = why and why[when == texts.LAB_AFTER]
        if modality == "speech":
            return sound_html(recording, when)
        if modality == "text":
            return marked(own.words) if own and own.words else words(old.transcript, recording.transcript)
        if modality != "vision":
            return unshown(modality, recording)
        return face_strip(own.faces) if own and own.faces else face_crops(recording.faces, when)

    lines = []
    for m in MODALITIES:
        same = before is after or _same(m, was, state)
        now = None if same else shown(m, after, before, texts.LAB_AFTER)
        first = shown(m, before, before, texts.LAB_BEFORE)
        title = texts.LAB_EVIDENCE.get(m, names.modality(m))
        lines.append((m, title, corruption_said(m, was), corruption_said(m, state), first, now))
    return render("evidence.html", "evidence", lines, meaning() if why else Markup())


def _same(modality: str, was: LabState, state: LabState) -> bool:
    """Whether nothing was done to a modality between the two."""
    other = {"text": was.text != state.text, "speech": was.speech_encoder != state.speech_encoder}.get(modality, False)
    done, now = was.corruption[modality], state.corruption[modality]
    idle = done == now or (max(done.severity, now.severity) <= 0 and done.muted == now.muted)
    return was.source == state.source and idle and not other


def corruption_said(modality: str, state: LabState) -> str:
    """What is done to a modality, with its severity, and another ear of the voice; nothing for what is whole."""
    done = state.corruption[modality]
    if done.muted:
        return texts.LAB_TAKEN_AWAY
    ear = (
        texts.EAR_SAID.format(name=ear_name(state.speech_encoder))
        if modality == "speech" and state.speech_encoder
        else ""
    )
    corrupted = texts.LAB_CORRUPTED.format(kind=names.corruption_name(done.kind), severity=percent(done.severity))
    return "; ".join(filter(None, [corrupted if done.severity > 0 else "", ear]))


def unshown(modality: str, recording: Recording) -> Markup:
    """A modality that can be neither heard nor seen here."""
    return _absent(texts.LAB_UNSHOWN if modality in recording.more else texts.ABSENT)


def sound_html(recording: Recording, when: str) -> Markup:
    """A player and a small spectrogram; ``when`` is said to those who hear the page."""
    if recording.wave is None or not len(recording.wave):
        return _absent(texts.NO_SOUND)
    address = f"data:audio/wav;base64,{base64.b64encode(wav_bytes(recording.wave)).decode()}"
    return render("evidence.html", "player", spectrogram(recording, when), address, texts.LAB_PLAYER.format(when=when))


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


def spectrogram(recording: Recording, when: str) -> Markup:
    """The mel spectrogram as a small picture."""
    from PIL import Image

    mel = recording.evidence().mel
    if mel is None:
        return Markup()
    colours = mel_colours(mel, float(mel.max()))
    return _picture(Image.fromarray(colours), texts.LAB_MEL.format(when=when), "hff-lab-mel")


def face_crops(seen: list[FaceSeen], when: str) -> Markup:
    """A few crops from the first to the last."""
    from PIL import Image

    if not seen:
        return _absent(texts.NO_FACE)
    chosen = evenly(seen, FACES)
    strip = np.concatenate([face.crop for face in chosen], axis=1)
    shape = f"hff-lab-faces hff-lab-faces-{len(chosen)}"
    return _picture(Image.fromarray(strip), texts.LAB_FACES.format(when=when), shape)


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
