"""Which track of a file is read, how its channels are mixed, and whether the file was cut off."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from hff.errors import InputError, NothingToAnalyse
from hff.media.audio import Mixer, read_audio
from hff.media.files import open_file
from hff.media.image import read_image
from hff.media.probe import probe
from hff.media.truncation import ends_early
from hff.media.video import read_frames
from hff.pipeline import recording
from tests.support.media_fixtures import (
    RATE,
    numbered_frame,
    strongest,
    tone,
    write_browser_recording,
    write_media,
    write_picture,
)

SILENCE = np.zeros(16_000, np.float32)


def write_tracks(path, waves: list[np.ndarray], default: int | None = None):
    """A file with several mono tracks of 16 kHz, one of them marked as default."""
    with av.open(str(path), "w") as output:
        streams = [output.add_stream("flac" if path.suffix == ".mkv" else "aac", rate=16_000) for _ in waves]
        for number, stream in enumerate(streams):
            stream.layout = "mono"
            stream.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
        packets = []
        for stream, wave in zip(streams, waves, strict=True):
            resampler = av.AudioResampler(stream.codec_context.format, "mono", 16_000, frame_size=1024)
            frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, 0
            for block in [*resampler.resample(frame), *resampler.resample(None), None]:
                packets += stream.encode(block)
        output.mux(sorted((p for p in packets if p.dts is not None), key=lambda p: p.dts * p.time_base))
    return path


@pytest.fixture
def hum() -> np.ndarray:
    return tone(2, 16_000, 300)


@pytest.mark.parametrize("name", ["obs.mkv", "obs.mp4"])
def test_of_several_tracks_the_one_with_a_voice(name, tmp_path, speech_wave, hum):
    path = write_tracks(tmp_path / name, [hum, SILENCE, speech_wave, speech_wave[:8000]])
    read = recording.read(audio=str(path), transcribe=False)
    assert len(read.wave) == pytest.approx(len(speech_wave), abs=2048)
    assert read.voiced
    assert f"{name} has 4 sound tracks; number 3 is heard, in which a voice was found." in read.warnings
    assert read.timings["decode sound"] > 0


def test_the_default_track_goes_first(tmp_path, speech_wave):
    two = [speech_wave, np.r_[speech_wave, SILENCE]]
    path = write_tracks(tmp_path / "two.mkv", two, default=1)
    assert len(read_audio(path)) == len(two[1])
    read = recording.read(video=str(path), transcribe=False)
    assert len(read.wave) == len(two[1])
    assert any("number 2 is heard" in warning for warning in read.warnings)


def test_without_a_voice_the_preferred_track_stays(tmp_path, hum, portrait):
    path = write_tracks(tmp_path / "hums.mkv", [SILENCE, hum], default=1)
    read = recording.read(audio=str(path), image=portrait)
    assert strongest(read.wave) == pytest.approx(300, abs=5)


def test_one_track_says_nothing(speech_path):
    assert not any("tracks" in warning for warning in recording.read(audio=str(speech_path), transcribe=False).warnings)


@pytest.mark.parametrize("name", ["s.wav", "s.flac", "s.ogg", "s.m4a"])
@pytest.mark.parametrize("other", [-1.0, -0.7, 1.0, 0.0])
def test_inverted_channels_do_not_cancel(name, other, tmp_path):
    codec = {"s.wav": "pcm_s16le", "s.flac": "flac", "s.ogg": "libopus", "s.m4a": "aac"}[name]
    left = tone(2, RATE)
    path = write_media(tmp_path / name, audio=codec, wave=np.stack([left, other * left]))
    mono = read_audio(path)
    expected = (1 + abs(other)) / 2 * 0.5 / np.sqrt(2)
    assert np.sqrt(np.mean(mono[4000:-4000] ** 2)) == pytest.approx(expected, rel=0.1)
    array = read_audio((RATE, np.stack([left, other * left], axis=1)))
    assert np.sqrt(np.mean(array[4000:-4000] ** 2)) == pytest.approx(expected, rel=0.1)


def test_a_voice_with_inverted_channels_is_heard_the_same(speech_wave):
    upright = recording.read(audio=(16_000, np.stack([speech_wave, speech_wave], 1)), transcribe=False)
    inverted = recording.read(audio=(16_000, np.stack([speech_wave, -speech_wave], 1)), transcribe=False)
    assert inverted.voiced == upright.voiced
    assert np.abs(inverted.wave).max() == pytest.approx(np.abs(upright.wave).max(), rel=1e-3)


def test_channels_that_differ_are_mixed_as_before():
    rng = np.random.default_rng(0)
    block = rng.uniform(-1, 1, (2, 16_000)).astype(np.float32)
    blocks = np.split(block, 40, axis=1)
    mixer = Mixer()
    np.testing.assert_allclose(np.concatenate([mixer.mix(part) for part in blocks]), block.mean(0), atol=1e-6)
    assert np.isnan(Mixer().mix(np.full((2, 5), np.nan, np.float32))).all()


# ---- cut off ------------------------------------------------------------------------------------------------

WHOLE = {
    "a.mkv": {"video": "libx264", "audio": "flac"},
    "a.webm": {"video": "libvpx", "audio": "libopus"},
    "a.mp4": {"video": "libx264", "audio": "aac", "options": {"movflags": "faststart"}},
    "pieces.mp4": {
        "video": "libx264",
        "audio": "aac",
        "options": {"movflags": "empty_moov", "frag_duration": "500000"},
    },
    "a.avi": {"video": "mpeg4", "audio": "pcm_s16le"},
    "a.wav": {"audio": "pcm_s16le"},
    "a.ogg": {"audio": "libopus"},
    "live.webm": {"video": "libvpx", "audio": "libopus"},
}


def write_whole(path):
    rng = np.random.default_rng(0)
    images = [numbered_frame(i) + rng.integers(0, 9, (96, 128, 1), np.uint8) for i in range(20)]
    write = write_browser_recording if path.name == "live.webm" else write_media
    streams = WHOLE[path.name]
    # A page of Ogg holds a second.
    wave = tone(6, RATE) if path.suffix == ".ogg" else rng.uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)
    write(
        path,
        images=images if "video" in streams else None,
        wave=wave,
        **streams,
    )
    return path


def warnings_of(path) -> list[str]:
    warnings: list[str] = []
    if probe(path).has_video:
        warnings += warnings_of_pictures(path)
    read_audio(path, warn=warnings.append)
    return warnings


def warnings_of_pictures(path) -> list[str]:
    warnings: list[str] = []
    list(read_frames(path, 10, warn=warnings.append))
    return warnings


def is_cut_off(path: Path) -> bool | None:
    with open_file(path) as file:
        return ends_early(file)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_not_said_to_break_off(name, tmp_path):
    path = write_whole(tmp_path / name)
    assert is_cut_off(path) is False
    assert warnings_of(path) == []


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("share", [0.5, 0.7])
def test_a_cut_file_is_noticed(name, share, tmp_path):
    path = write_whole(tmp_path / name)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert is_cut_off(path) is True
    assert any("breaks off" in warning for warning in warnings_of(path))


@pytest.mark.parametrize("seconds", [0.5, 60])
def test_a_gif_is_whole_up_to_its_last_pictures_end(seconds, tmp_path):
    pictures = [Image.fromarray(numbered_frame(i)) for i in range(4)]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=1000 * seconds, loop=0)
    whole = path.read_bytes()
    for end in (whole, whole.removesuffix(b";")):  # some programs leave the trailer out
        path.write_bytes(end)
        assert is_cut_off(path) is False
        assert not [told for told in warnings_of_pictures(path) if "breaks off" in told]
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert is_cut_off(path) is True
    assert any("breaks off" in told for told in warnings_of_pictures(path))


@pytest.mark.parametrize(
    ("name", "picture", "sound"),
    [
        ("a.mkv", "libx264", "flac"),
        ("a.mp4", "libx264", "aac"),
        ("a.avi", "mpeg4", "pcm_s16le"),
        ("a.flv", "flv", "aac"),
        ("a.ts", "libx264", "aac"),
        ("a.wmv", "wmv2", "libmp3lame"),
    ],
)
@pytest.mark.parametrize("seconds", [2, 8], ids=["sound ends first", "picture ends first"])
def test_a_track_that_merely_ends_earlier_is_whole(name, picture, sound, seconds, tmp_path):
    images = [numbered_frame(i % 20) for i in range(10 * (10 - seconds))]
    path = write_media(
        tmp_path / name, video=picture, audio=sound, images=images, seconds=10 - seconds, wave=tone(seconds, RATE)
    )
    assert not [warning for warning in warnings_of(path) if "breaks off" in warning]


def test_lengths_that_a_careless_program_wrote_are_no_cut(tmp_path):
    path = write_whole(tmp_path / "a.wav")
    data = bytearray(path.read_bytes())
    for length in (b"\0\0\0\0", b"\xff\xff\xff\xff", (len(data)).to_bytes(4, "little")):
        data[4:8] = length
        path.write_bytes(data)
        assert is_cut_off(path) is False
    path.write_bytes(write_picture(tmp_path / "p.png", numbered_frame(0)).read_bytes())
    assert is_cut_off(path) is None


@pytest.mark.parametrize("begun", [b"\xa3", b"\x1f\x43", b"\xa3\x41"])
def test_a_recording_that_ends_in_the_next_elements_name_is_whole(begun: bytes, tmp_path):
    """Chromium's recorder has written the first byte of the next block when the page takes what there is."""
    path = write_whole(tmp_path / "a.webm")
    path.write_bytes(path.read_bytes() + begun)
    assert is_cut_off(path) is False
    assert warnings_of(path) == []


# ---- cover pictures -----------------------------------------------------------------------------------------


def write_with_cover(path, codec: str, portrait: np.ndarray, sound: np.ndarray):
    """Sound with a picture as an ordinary video track of one frame, as careless taggers write it."""
    return write_media(
        path,
        video=codec,
        pixels="yuvj420p" if codec == "mjpeg" else "rgb24",
        images=[portrait],
        stamps=[0.0],
        size=portrait.shape[1::-1],
        audio="flac" if path.suffix == ".mkv" else "aac",
        wave=sound,
        rate=16_000,
        layout="mono",
    )


@pytest.mark.parametrize(("name", "codec"), [("s.mkv", "mjpeg"), ("s.mp4", "mjpeg"), ("s.mov", "png")])
def test_an_unmarked_cover_picture_is_no_face(name, codec, tmp_path, portrait, speech_wave):
    path = write_with_cover(tmp_path / name, codec, portrait, speech_wave)
    info = probe(path)
    assert (info.has_audio, info.has_video) == (True, False)
    with pytest.raises(InputError, match="no video"):
        next(read_frames(path, 4))
    read = recording.read(video=str(path), transcribe=False)
    assert read.faces == []
    assert len(read.wave) == pytest.approx(len(speech_wave), abs=3000)


def test_moving_jpegs_stay_a_video(tmp_path):
    path = write_media(tmp_path / "v.mkv", video="mjpeg", pixels="yuvj420p", audio="flac")
    assert probe(path).has_video
    assert len(list(read_frames(path, 10))) == 20
    assert len(read_audio(path)) == pytest.approx(32_000, abs=500)


# ---- pictures of other kinds --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [("p.heic", "HEIF"), ("p.avif", "AVIF"), ("p.mp4", "HEIF")])
def test_heic_and_avif_are_pictures_wherever_they_are_given(name, kind, tmp_path, portrait):
    from hff.media import image as picture

    picture.register_heif()
    path = write_picture(tmp_path / name, portrait, format=kind)
    info = probe(path)
    assert info.is_image
    assert (info.width, info.height) == (512, 512)
    assert np.abs(read_image(path).astype(int) - portrait).mean() < 8
    as_video, as_image = recording.read(video=str(path)), recording.read(image=str(path))
    assert as_video.still
    assert as_image.still
    assert len(as_video.faces) == len(as_image.faces) == 1
    with pytest.raises(InputError, match=name):
        recording.read(audio=str(path))


def test_a_damaged_heic_is_refused_by_name(tmp_path, portrait):
    from hff.media import image as picture

    picture.register_heif()
    path = write_picture(tmp_path / "p.heic", portrait, format="HEIF")
    path.write_bytes(path.read_bytes()[:3000])
    for given in ({"video": str(path)}, {"image": str(path)}):
        with pytest.raises(InputError, match=r"p\.heic"):
            recording.read(**given)


def test_a_turned_heic_is_upright(tmp_path):
    from PIL import Image

    from hff.media import image as picture

    picture.register_heif()
    lying = np.zeros((96, 128, 3), np.uint8)
    lying[:24, :32] = (220, 20, 20)
    exif = Image.Exif()
    exif[0x0112] = 6  # the phone was held upright
    path = write_picture(tmp_path / "p.heic", Image.fromarray(lying), format="HEIF", exif=exif.tobytes())
    upright = read_image(path)
    assert upright.shape == (128, 96, 3)
    assert upright[5, -5, 0] > 150 > upright[5, 5, 0]


def test_a_picture_given_as_a_video_beside_a_picture_is_told(portrait, face_free, tmp_path):
    path = write_picture(tmp_path / "p.png", portrait)
    read = recording.read(video=str(path), image=face_free)
    assert len(read.faces) == 1
    assert any("the file given as a video is a picture" in warning.lower() for warning in read.warnings)
    with pytest.raises(NothingToAnalyse):
        recording.read(video=str(write_picture(tmp_path / "cup.png", face_free)))


def test_nothing_of_it_reads_from_a_stream(tmp_path):
    with pytest.raises(InputError):
        open_file(io.BytesIO(b""))


def test_a_stream_that_turns_up_in_the_middle_is_passed_over(tmp_path):
    """FLV names no streams ahead, and what comes after the first 5 MB is not looked for when it is opened."""
    seconds = 70.0
    sound = write_media(tmp_path / "sound.flv", audio="pcm_s16le", seconds=seconds, rate=44_100, layout="mono")
    picture = write_media(tmp_path / "picture.flv", video="flv", seconds=0.5)
    header = 13  # bytes
    both = tmp_path / "both.flv"
    both.write_bytes(sound.read_bytes() + picture.read_bytes()[header:])
    assert len(read_audio(both)) == pytest.approx(16_000 * seconds, rel=0.01)
