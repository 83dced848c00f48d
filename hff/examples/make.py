"""Makes the ready examples in ``hff/examples`` from free parts, but for an actor's. Needs scikit-image and espeak-ng.

    python -m hff.examples.make

The face is ``skimage.data.astronaut()``: Eileen Collins, photographed by NASA, in the public domain. The voice
is espeak-ng's, synthesised from the sentences below. Nothing else is used.

Only the clips of ``ACTOR_CLIPS`` are not made here. They are of the Ryerson Audio-Visual Database of Emotional Speech
and Song (RAVDESS) by S. R. Livingstone and F. A. Russo, licensed CC BY-NC-SA 4.0: whoever wants to cut them anew
fetches ``Video_Speech_Actor_01.zip`` from <https://zenodo.org/record/1188976>, under these terms.
"""

from __future__ import annotations

import io
import math
import subprocess
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np

from hff.config import SAMPLE_RATE
from hff.examples.ready import EXAMPLES_FOLDER

WELCOME = "Good morning everyone! I am so happy to see you all, this is going to be a wonderful day."
LIGHTS = "Somebody please turn on the lights, I can not see anything in here and I do not like it."
IRONY = "Oh great. I am so happy. What a wonderful day this is."  # in a tired, low voice
EXAMPLE_FPS = 15  # frames a second
SIDE = 320  # pixels
FACE_CENTRE = (224, 118)  # x, y in the 512x512 portrait
_FACE = "20 pictures spread evenly over the clip, cut to the face, 224x224, grey; the whole sound, 16 kHz mono AAC"
# File: the clip's name in RAVDESS, and what was kept of its 1280x720 pictures at 29.97 a second and its 48 kHz sound.
ACTOR_CLIPS = {
    "actor_happy.mp4": ("01-01-03-02-02-01-01", _FACE),
    "actor_angry.mp4": ("01-01-05-02-02-01-01", _FACE),
    "actor_surprised.mp4": ("01-01-08-01-01-02-01", "all pictures, 640x360; the whole sound, 48 kHz AAC"),
}


def speak(sentence: str, pitch: int, speed: int, voice: str = "en-us+f3") -> np.ndarray:
    """(N,) int16 at ``SAMPLE_RATE``, with a little silence around it."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "--stdout", sentence]
    with wave.open(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout)) as file:
        rate = file.getframerate()
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    seconds = len(sound) / rate
    at = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE * rate
    sound = np.interp(at, np.arange(len(sound)), sound)
    return np.pad(sound, (SAMPLE_RATE // 2, SAMPLE_RATE // 2)).astype(np.int16)


def frames(portrait: np.ndarray, seconds: float) -> list[np.ndarray]:
    """The portrait moved and zoomed a little, as if filmed by hand."""
    from PIL import Image

    picture, pictures = Image.fromarray(portrait), []
    for k in range(round(seconds * EXAMPLE_FPS)):
        turn = 2 * math.pi * k / (EXAMPLE_FPS * 4)
        half = 112 + 8 * math.sin(turn)
        x, y = FACE_CENTRE[0] + 7 * math.sin(1.3 * turn), FACE_CENTRE[1] + 4 * math.cos(turn)
        box = (x - half, max(0.0, y - half), x + half, max(0.0, y - half) + 2 * half)
        pictures.append(np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)))
    return pictures


def write_clip(path: Path, pictures: list[np.ndarray], sound: np.ndarray | None) -> None:
    """H.264 and AAC in mp4, which every browser plays."""
    import av

    with av.open(str(path), "w", options={"movflags": "+faststart"}) as file:
        video = file.add_stream("libx264", rate=EXAMPLE_FPS, options={"crf": "27", "preset": "veryslow"})
        video.width = video.height = SIDE
        video.pix_fmt = "yuv420p"
        audio = file.add_stream("aac", rate=SAMPLE_RATE, bit_rate=48_000) if sound is not None else None
        for picture in pictures:
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode())
        if audio is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
            file.mux(audio.encode(frame))
            file.mux(audio.encode())


def write_voice(path: Path, sound: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(sound.tobytes())


def main() -> None:
    from PIL import Image
    from skimage import data

    EXAMPLES_FOLDER.mkdir(exist_ok=True)
    portrait = data.astronaut()
    Image.fromarray(portrait).crop((80, 0, 368, 288)).save(EXAMPLES_FOLDER / "portrait.jpg", quality=88)
    welcome = speak(WELCOME, pitch=70, speed=165)
    lights = speak(LIGHTS, pitch=45, speed=160)
    write_voice(EXAMPLES_FOLDER / "voice.wav", lights)
    write_voice(EXAMPLES_FOLDER / "sarcasm.wav", speak(IRONY, pitch=5, speed=90, voice="en-us"))
    pictures = frames(portrait, len(welcome) / SAMPLE_RATE)
    write_clip(EXAMPLES_FOLDER / "clip.mp4", pictures, welcome)
    covered = frames(portrait, len(lights) / SAMPLE_RATE)
    dark = np.random.default_rng(0).integers(0, 12, (SIDE, SIDE, 3), dtype=np.uint8)
    half = len(covered) // 2
    write_clip(EXAMPLES_FOLDER / "camera_covered.mp4", covered[:half] + [dark] * (len(covered) - half), lights)
    write_clip(EXAMPLES_FOLDER / "no_sound.mp4", pictures[: 4 * EXAMPLE_FPS], None)
    for file in sorted(EXAMPLES_FOLDER.iterdir()):
        kept = f" (not made here: RAVDESS {', '.join(ACTOR_CLIPS[file.name])})" if file.name in ACTOR_CLIPS else ""
        print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB{kept}")


if __name__ == "__main__":
    main()
