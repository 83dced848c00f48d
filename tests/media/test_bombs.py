"""Small files that ask for much: pixels, scans, frames, hours, rates. Each costs little, or is refused in words."""

from __future__ import annotations

import base64
import io
import itertools
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from hff.cancel import Budget, watching
from hff.detectors import faces
from hff.detectors.faces import FaceTracker
from hff.errors import InputError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.live.session import LiveSession
from hff.media.audio import read_audio
from hff.media.image import read_image
from hff.media.video import MAX_FRAME_SIDE, MAX_VIDEO_SECONDS, read_frames
from hff.page.live import messages
from hff.pipeline import recording
from tests.support.media_fixtures import write_media, write_wav

SIDE = 16_000  # pixels; of one bit each in the file
LITTLE = 60  # MB that a refusal may take
_MEASURE = """
import json, resource, sys
from hff.errors import HFFError
from hff.page.live import messages
from hff.pipeline.recording import read
calm, *bombs = sys.argv[1:]
def take(kind, path):
    if kind == "live":
        return messages.picture(open(path).read())
    return read(**{kind: path}, transcribe=False)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 10)
read(image=calm)
for kind, path in zip(bombs[::2], bombs[1::2]):
    before, problem = peak(), None
    try:
        take(kind, path)
    except HFFError as error:
        problem = str(error)
    print(json.dumps([problem, peak() - before]))
"""


def wide_png(mode: str = "1") -> bytes:
    data = io.BytesIO()
    Image.new(mode, (SIDE, SIDE)).save(data, "PNG", optimize=True)
    return data.getvalue()


def wide_video(path: Path) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("png", rate=1)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "monob"
        stream.codec_context.thread_count = 1
        frame = av.VideoFrame(SIDE, SIDE, "monob")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def address(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def jpeg(width: int, height: int, mode: str = "RGB", **save) -> bytes:
    data = io.BytesIO()
    Image.new(mode, (width, height), "white").save(data, "JPEG", **save)
    return data.getvalue()


def bomb(kind: str, folder: Path) -> tuple[str, Path]:
    """How it is given, and the file: at most 100 kB, but half a megabyte of JPEG where it has to be one."""
    if kind == "video":
        return "video", wide_video(folder / "wide.mov")
    name, data = {
        "image": ("wide.png", wide_png),
        "as video": ("wide.png", wide_png),
        "gif": ("wide.gif", lambda: wide_gif(folder)),
        "live png": ("wide.txt", lambda: address(wide_png()).encode()),
        "live jpeg": ("wide.txt", lambda: address(jpeg(5000, 5000, "L", quality=10)).encode()),
    }[kind]
    path = folder / name
    path.write_bytes(data())
    return {"image": "image", "as video": "video", "gif": "video"}.get(kind, "live"), path


def wide_gif(folder: Path) -> bytes:
    """Two frames of 4 pixels on a screen of 65535 x 65535."""
    data = io.BytesIO()
    frames = [Image.new("L", (2, 2), value) for value in (0, 255)]
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=500)
    written = bytearray(data.getvalue())
    written[6:10] = b"\xff\xff\xff\xff"
    return bytes(written)


def test_a_picture_of_many_pixels_costs_no_memory(tmp_path: Path):
    """The peak of a process of its own, before and after each."""
    kinds = ["image", "as video", "video", "gif", "live png", "live jpeg"]
    given: list[str] = []
    for number, kind in enumerate(kinds):
        folder = tmp_path / str(number)
        folder.mkdir()
        how, path = bomb(kind, folder)
        assert path.stat().st_size < 700_000
        given += [how, str(path)]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(EXAMPLES_FOLDER / "portrait.jpg"), *given],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    measured = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(measured) == len(kinds)
    for kind, (problem, grown) in zip(kinds, measured, strict=True):
        assert problem, kind
        assert grown < LITTLE, kind


def test_live_takes_jpeg_up_to_what_a_webcam_makes_and_keeps_it_small():
    assert messages.picture(address(jpeg(1920, 1080))).shape == (360, 640, 3)
    assert messages.picture(address(jpeg(3840, 2160))).shape == (360, 640, 3)
    assert messages.picture(address(jpeg(480, 360))).shape == (360, 480, 3)
    portrait = np.array(Image.open(EXAMPLES_FOLDER / "portrait.jpg").convert("RGB"))[:300, :400]
    data = io.BytesIO()
    Image.fromarray(portrait).save(data, "JPEG", quality=95)
    assert np.abs(messages.picture(address(data.getvalue())).astype(int) - portrait).mean() < 3
    with pytest.raises(InputError, match=r"4000 x 3000 pixels; at most 8\.3 megapixels"):
        messages.picture(address(jpeg(4000, 3000)))


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_live_takes_no_other_format(form: str):
    data = io.BytesIO()
    Image.new("RGB", (64, 48)).save(data, form)
    with pytest.raises(InputError, match="JPEG"):
        messages.picture(address(data.getvalue()))


def test_a_live_frame_of_many_bytes_is_refused_before_it_is_decoded():
    with pytest.raises(InputError, match="too large"):
        messages.picture(address(jpeg(640, 480) + bytes(messages.MAX_FRAME_CHARACTERS)))


def test_a_live_session_keeps_pictures_small():
    analyzer = SimpleNamespace(encoders=SimpleNamespace(text=SimpleNamespace(feature_dim=768)))
    session = LiveSession(analyzer, None)
    session.add_frame(0.0, np.zeros((2160, 3840, 3), np.uint8))
    assert session.newest_picture.shape == (360, MAX_FRAME_SIDE, 3)


# ---- scans of a JPEG ----------------------------------------------------------------------------------------


def scanned(count: int, width: int = 800, height: int = 600) -> bytes:
    """A progressive JPEG whose last scan comes ``count`` times more."""
    data = io.BytesIO()
    Image.effect_noise((width, height), 40).save(data, "JPEG", progressive=True)
    whole = data.getvalue()
    last, end = whole.rindex(b"\xff\xda"), whole.rindex(b"\xff\xd9")
    return whole[:end] + whole[last:end] * count + whole[end:]


def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch):
    path = tmp_path / "scans.jpg"
    data, few = scanned(3000, 160, 120), scanned(150, 160, 120)
    path.write_bytes(data)
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(InputError, match="JPEG of more than 100 scans"):
        read_image(path)
    with pytest.raises(InputError, match="JPEG of more than 100 scans"):
        messages.picture(address(few))


def test_many_pixels_and_dozens_of_scans_are_too_much_together(tmp_path: Path):
    path = tmp_path / "large.jpg"
    data = jpeg(8000, 8000, "L", quality=10, progressive=True)
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    path.write_bytes(data[:end] + data[last:end] * 60 + data[end:])
    with pytest.raises(InputError, match="scans"):
        read_image(path)
    path.write_bytes(data)
    assert read_image(path).shape == (1280, 1280, 3)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_with_anything_behind_its_end_is_read(tmp_path: Path, progressive: bool):
    """Phones append films; what looks like a scan in there is none."""
    path = tmp_path / "motion.jpg"
    path.write_bytes(jpeg(64, 48, progressive=progressive) + b"\xff\xda\x00\x02" * 10_000)
    assert read_image(path).shape == (48, 64, 3)


def test_a_thumbnail_inside_a_jpeg_does_not_count(tmp_path: Path):
    path = tmp_path / "thumbnail.jpg"
    inside = b"Exif\x00\x00" + b"\xff\xda" * 5000
    Image.new("RGB", (64, 48)).save(path, "JPEG", comment=inside)
    assert read_image(path).shape == (48, 64, 3)


# ---- the same picture again and again -----------------------------------------------------------------------


@pytest.fixture
def looks(monkeypatch) -> list[int]:
    """Grows with every pass of the face detector's network."""
    counted: list[int] = []
    forward = faces.run_network
    monkeypatch.setattr(faces, "run_network", lambda canvas: counted.append(1) or forward(canvas))
    return counted


def slow_gif(path: Path, pictures: list[np.ndarray], seconds: float) -> Path:
    images = [Image.fromarray(picture) for picture in pictures]
    images[0].save(path, save_all=True, append_images=images[1:], duration=round(1000 * seconds), loop=0)
    return path


@pytest.mark.parametrize("what", ["face", "no face"])
def test_a_frame_of_a_minute_is_looked_at_once(what, tmp_path: Path, portrait, face_free, looks):
    picture = portrait[:300, 60:460] if what == "face" else face_free
    still = len(look_at([picture], looks))
    path = slow_gif(tmp_path / "slow.gif", [picture, picture[::-1].copy(), picture], 50)
    found, _ = recording.Reader(None).faces_of_video(path, True)
    assert len(looks) <= 3 * (still + 2)  # of 600 frames; a follower looks around the old place too
    assert (len(found) >= 400) == (what == "face")


def look_at(pictures: list[np.ndarray], looks: list[int]) -> list[int]:
    tracker = FaceTracker()
    for number, picture in enumerate(pictures):
        tracker.update(float(number), picture)
    seen = list(looks)
    looks.clear()
    return seen


def test_a_slide_show_of_many_equal_frames_is_looked_at_once_for_each_picture(tmp_path, portrait, face_free, looks):
    slides = [np.ascontiguousarray(picture[:288, :400]) for picture in (portrait, face_free)]
    path = write_media(
        tmp_path / "slides.mkv",
        video="ffv1",
        pixels="bgr0",
        size=(400, 288),
        stamps=[i / 10 for i in range(200)],
        images=[slides[i // 100] for i in range(200)],
    )
    reader = recording.Reader(None)
    found, end = reader.faces_of_video(path, True)
    assert end == pytest.approx(20.0, abs=0.5)
    assert 30 <= len(found) <= 42
    assert len({id(face.crop) for face in found}) == 1
    assert len(looks) <= 12  # of 80 frames


def test_a_picture_without_a_face_is_looked_at_more_closely_when_that_is_due(face_free, looks):
    """The closer look comes once a second at most; a picture that stays must not miss it, nor get it twice."""
    other = np.ascontiguousarray(face_free[::-1])
    tracker = FaceTracker()
    tracker.update(0.0, face_free)
    both = len(looks)  # the first look and the closer one
    tracker.update(0.25, other)
    assert len(looks) == both + 1
    for step in range(2, 40):
        tracker.update(step / 4, other)
    assert len(looks) == 2 * both + 1


# ---- hours ------------------------------------------------------------------------------------------------


def test_of_a_video_of_many_hours_the_first_two_are_read(tmp_path: Path):
    """13 kB of GIF: 200 frames of a minute each."""
    pictures = [np.full((8, 8), i % 2 * 255, np.uint8) for i in range(200)]
    path = slow_gif(tmp_path / "hours.gif", pictures, 60)
    warnings: list[str] = []
    times = [frame.time for frame in read_frames(path, 0.1, warn=warnings.append)]
    assert warnings == ["The video is longer than 2 hours; only its first 2 hours are looked at."]
    assert MAX_VIDEO_SECONDS - 60 <= max(times) < MAX_VIDEO_SECONDS


def test_a_gif_of_very_many_frames_ends_with_the_budget(tmp_path: Path):
    pictures = [np.full((8, 8), i % 256, np.uint8) for i in range(3000)]
    path = slow_gif(tmp_path / "many.gif", pictures, 0.02)
    with watching(budget=Budget(100, itertools.count().__next__)):
        reader = recording.Reader(None)
        reader.faces_of_video(path, True)
    assert any("of computing" in warning for warning in reader.warnings)
    assert len(list(read_frames(path, 4))) == pytest.approx(240, abs=4)


def test_an_animated_picture_gives_its_first_frame(tmp_path: Path):
    for form in ("PNG", "WEBP"):
        path = tmp_path / f"moving.{form.lower()}"
        frames = [Image.new("RGB", (64, 48), (value, 0, 0)) for value in (200, 100, 0)]
        frames[0].save(path, form, save_all=True, append_images=frames[1:] * 50, duration=60_000)
        picture = read_image(path)
        assert picture.shape == (48, 64, 3)
        assert picture[..., 0].mean() == pytest.approx(200, abs=4)


def test_a_film_with_a_million_frames_a_second_is_as_long_as_its_frames(tmp_path: Path):
    path = tmp_path / "fast.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=1_000_000)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * number, np.uint8), format="rgb24")
            frame = frame.reformat(format="bgr0")
            frame.pts, frame.time_base = number, Fraction(1, 1_000_000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert len(list(read_frames(path, 4))) <= 2


@pytest.mark.parametrize("rate", [1, 100, 2_000_000, 2**31 - 1])
def test_sound_of_an_absurd_rate_is_refused(tmp_path: Path, rate: int):
    path = write_wav(tmp_path / "absurd.wav", np.zeros(4000, np.int16), rate, 16)
    with pytest.raises(InputError):
        read_audio(path)


def test_sound_that_claims_to_be_long_costs_what_it_is(tmp_path: Path):
    """A header of two hours over a tenth of a second: nothing is reserved that is not used."""
    path = write_wav(tmp_path / "claims.wav", np.zeros(800, np.int16), 8000, 16)
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = (7000 * 16_000).to_bytes(4, "little")
    path.write_bytes(data)
    assert len(read_audio(path)) == pytest.approx(1600, abs=40)
