"""Sound, video and pictures of every kind, made by the tests so that what is in them is known."""

from __future__ import annotations

import io
import math
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hff.config import SAMPLE_RATE
from hff.errors import InputError
from hff.media.audio import read_audio
from hff.media.image import read_image
from hff.media.probe import probe
from hff.media.video import read_frames
from tests.support.media_fixtures import (
    FPS,
    SECONDS,
    TONE,
    level_of,
    number_of,
    numbered_frame,
    red_corner,
    strongest,
    tone,
    turn_mp4,
    write_browser_recording,
    write_media,
    write_picture,
    write_wav,
)

VIDEOS = {
    "h264.mp4": {"video": "libx264", "audio": "aac"},
    "h265.mp4": {"video": "libx265", "audio": "aac"},
    "vp8.webm": {"video": "libvpx", "audio": "vorbis"},
    "vp9.webm": {"video": "libvpx-vp9", "audio": "libopus"},
    "h264.mov": {"video": "libx264", "audio": "aac"},
    "mjpeg.mov": {"video": "mjpeg", "pixels": "yuvj420p", "audio": "pcm_s16le"},
    "h264.mkv": {"video": "libx264", "audio": "flac"},
    "mpeg4.avi": {"video": "mpeg4", "audio": "pcm_s16le"},
    "mjpeg.avi": {"video": "mjpeg", "pixels": "yuvj420p", "audio": "pcm_u8"},
    "moving.gif": {"video": "gif", "pixels": "rgb8"},
    "ten_bit.mp4": {"video": "libx264", "pixels": "yuv420p10le"},
}
SOUNDS = {
    "pcm.wav": {"audio": "pcm_s16le"},
    "lame.mp3": {"audio": "libmp3lame"},
    "lossless.flac": {"audio": "flac"},
    "vorbis.ogg": {"audio": "vorbis"},
    "aac.m4a": {"audio": "aac"},
    "opus.opus": {"audio": "libopus"},
    "opus.webm": {"audio": "libopus"},
    "low_rate.mp3": {"audio": "libmp3lame", "rate": 11_025},
    "odd_rate.wav": {"audio": "pcm_s16le", "rate": 22_254},
    "high_rate.flac": {"audio": "flac", "rate": 192_000},
    "mono.ogg": {"audio": "libopus", "layout": "mono"},
    "surround.wav": {"audio": "pcm_s16le", "layout": "5.1"},
    "surround.m4a": {"audio": "aac", "layout": "5.1"},
}


@pytest.mark.parametrize("name", VIDEOS)
def test_every_kind_of_video_gives_its_frames(name, tmp_path):
    path = write_media(tmp_path / name, **VIDEOS[name])
    info = probe(path)
    assert (info.has_video, info.is_image, info.width, info.height) == (True, False, 128, 96)
    assert info.has_audio == ("audio" in VIDEOS[name])
    assert info.duration == pytest.approx(SECONDS, abs=0.15)
    frames = list(read_frames(path, rate=4))
    assert [frame.time for frame in frames[:8]] == [k / 4 for k in range(8)]
    assert len(frames) <= 9
    assert all(frame.image.shape == (96, 128, 3) and frame.image.dtype == np.uint8 for frame in frames)
    assert [number_of(frame.image) for frame in frames[:8]] == [math.floor(k / 4 * FPS + 1e-6) for k in range(8)]
    assert red_corner(frames[0].image) == "top left"


@pytest.mark.parametrize("name", [*SOUNDS, *(name for name in VIDEOS if "audio" in VIDEOS[name])])
def test_every_kind_of_sound_gives_its_tone(name, tmp_path):
    settings = SOUNDS.get(name) or VIDEOS[name]
    path = write_media(tmp_path / name, **settings, **({} if "rate" in settings else {"rate": 48_000}))
    assert probe(path).has_audio
    wave = read_audio(path)
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    assert len(wave) / SAMPLE_RATE == pytest.approx(SECONDS, abs=0.12)  # codecs pad their first and last block
    assert strongest(wave[4000:-4000]) == pytest.approx(TONE, abs=2)
    loudness = np.sqrt(np.mean(wave[4000:-4000] ** 2))
    assert loudness == pytest.approx(0.5 / math.sqrt(2), rel=0.15)  # the same tone in every channel keeps its level


@pytest.mark.parametrize(
    ("bits", "floating", "tolerance"),
    [(8, False, 0.01), (16, False, 1e-4), (24, False, 2e-5), (32, False, 2e-5), (32, True, 2e-5), (64, True, 2e-5)],
)
def test_sample_formats_agree_with_the_tone(bits, floating, tolerance, tmp_path):
    expected = tone(0.5, 16_000)
    wave = read_audio(write_wav(tmp_path / "tone.wav", expected, 16_000, bits, floating))
    np.testing.assert_allclose(wave, expected, atol=tolerance)


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_time_and_level(rate, tmp_path):
    wave = read_audio(write_wav(tmp_path / "tone.wav", tone(1, rate), rate, 16))
    assert abs(len(wave) - 16_000) <= 2
    np.testing.assert_allclose(wave[500:15_500], tone(1, 16_000)[500:15_500], atol=2e-3)


def test_voices_on_every_channel_are_heard_after_the_mix(tmp_path):
    silence = np.zeros(24_000, np.float32)
    for layout, channels in (("stereo", 2), ("5.1", 6)):
        for channel in range(channels):
            if channel == 3:  # the subwoofer is left out, as in every standard mix
                continue
            wave = np.stack([silence] * channels)
            wave[channel] = tone(0.5, 48_000)
            path = write_media(tmp_path / f"{layout}{channel}.wav", audio="pcm_s16le", wave=wave, layout=layout)
            mixed = read_audio(path)
            assert strongest(mixed) == pytest.approx(TONE, abs=3)
            assert np.abs(mixed).max() > 0.05


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7, 8, 12])
def test_any_number_of_channels(channels, tmp_path):
    wave = np.stack([tone(0.5, 16_000)] * channels, axis=1)
    mixed = read_audio(write_wav(tmp_path / "many.wav", wave, 16_000, 16))
    assert len(mixed) == 8000
    assert strongest(mixed) == pytest.approx(TONE, abs=3)
    assert np.abs(mixed).max() > 0.2


def test_full_scale_on_all_channels_does_not_clip(tmp_path):
    wave = np.stack([tone(0.5, 48_000, level=0.99)] * 6)
    mixed = read_audio(write_media(tmp_path / "loud.wav", audio="pcm_s16le", wave=wave, layout="5.1"))
    expected = tone(0.5, 16_000, level=np.abs(mixed[500:-500]).max())
    assert 0.5 < np.abs(mixed).max() <= 1
    np.testing.assert_allclose(mixed[500:7500], expected[500:7500], atol=0.01)  # still a sine


@pytest.mark.parametrize(
    ("dtype", "scale", "offset"),
    [(np.int16, 32767, 0), (np.int32, 2**31 - 256, 0), (np.uint8, 127, 128), (np.float32, 1, 0), (np.float64, 1, 0)],
)
@pytest.mark.parametrize("shape", ["mono", "samples x 1", "samples x 2", "2 x samples", "samples x 6"])
def test_arrays_of_every_layout_and_type(dtype, scale, offset, shape):
    expected = tone(0.25, 16_000)
    values = (expected.astype(np.float64) * scale + offset).round(0 if scale > 1 else 9).astype(dtype)
    layouts = {
        "mono": values,
        "samples x 1": values[:, None],
        "samples x 2": np.stack([values, values], 1),
        "2 x samples": np.stack([values, values]),
        "samples x 6": np.stack([values] * 6, 1),
    }
    wave = read_audio((16_000, layouts[shape]))
    assert wave.dtype == np.float32
    np.testing.assert_allclose(wave, expected, atol=0.01 if dtype == np.uint8 else 1e-4)


def test_arrays_are_resampled_and_left_untouched():
    values = (tone(1, 44_100) * 32767).astype(np.int16)
    before = values.copy()
    wave = read_audio((44_100, values))
    np.testing.assert_allclose(wave[500:15_500], tone(1, 16_000)[500:15_500], atol=1e-3)
    floats = tone(0.1, 16_000)
    read_audio((16_000, floats))[:] = 0
    assert np.array_equal(values, before)
    assert floats.any()


def test_floats_beyond_one_are_scaled_by_their_peak():
    wave = read_audio((16_000, 20_000 * tone(0.1, 16_000)))
    assert np.abs(wave).max() == pytest.approx(1, abs=1e-5)
    assert strongest(wave) == pytest.approx(TONE, abs=12)


@given(st.integers(1, 4000), st.sampled_from([8000, 11_025, 44_100, 47_999]))
def test_the_length_of_a_resampled_array_is_its_duration(size, rate):
    wave = read_audio((rate, np.full(size, 0.25, np.float32)))
    assert abs(len(wave) - size * 16_000 / rate) <= 2
    assert np.isfinite(wave).all()


def test_sound_that_starts_late_gets_silence_in_front(tmp_path):
    path = write_media(
        tmp_path / "late.mkv", video="libx264", audio="pcm_s16le", wave=tone(1, 48_000), sound_start=0.7, seconds=2
    )
    wave = read_audio(path)
    assert len(wave) / 16_000 == pytest.approx(1.7, abs=0.02)
    assert np.abs(wave[: int(0.69 * 16_000)]).max() < 1e-3
    assert np.abs(wave[int(0.71 * 16_000) :]).max() > 0.4


@pytest.mark.parametrize("gap", [0.03, 0.5])
def test_gaps_in_the_sound_do_not_shift_what_follows(gap, tmp_path):
    """Each 0.2 s of tone is followed by a gap in the stamps, as when a recorder loses packets."""
    path = tmp_path / "gaps.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for k in range(20):
            block = np.round(tone(0.2, 16_000) * 32767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.time_base = 16_000, Fraction(1, 16_000)
            frame.pts = round(k * (0.2 + gap) * 16_000)
            output.mux(stream.encode(frame))
    wave = read_audio(path)
    assert len(wave) / 16_000 == pytest.approx(19 * (0.2 + gap) + 0.2, abs=0.12)
    assert (wave == 0).mean() == pytest.approx(gap / (0.2 + gap), abs=0.06)


def test_titles_in_an_old_encoding_do_not_matter(tmp_path):
    data = write_wav(tmp_path / "title.wav", tone(0.5, 16_000), 16_000, 16).read_bytes()
    info = b"INFOINAM" + struct.pack("<I", 6) + b"Caf\xe9s\x00"
    data += b"LIST" + struct.pack("<I", len(info)) + info
    path = tmp_path / "title.wav"
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    assert probe(path).has_audio
    assert len(read_audio(path)) == 8000


def test_picture_that_starts_late_keeps_its_times(tmp_path):
    path = write_media(
        tmp_path / "late.mkv", video="libx264", audio="pcm_s16le", wave=tone(3, 48_000), picture_start=1.0
    )
    frames = list(read_frames(path, rate=2))
    assert [frame.time for frame in frames] == [1.0, 1.5, 2.0, 2.5]
    assert [number_of(frame.image) for frame in frames] == [0, 5, 10, 15]


def test_a_clip_whose_clock_starts_anywhere_starts_at_zero(tmp_path):
    path = write_media(tmp_path / "offset.ts", video="libx264", audio="aac", picture_start=1000, sound_start=1000)
    frames = list(read_frames(path, rate=2))
    assert [frame.time for frame in frames][:4] == [0, 0.5, 1, 1.5]
    assert frames[-1].time <= 2  # the sound's first block comes a little before the picture
    assert len(read_audio(path)) / 16_000 == pytest.approx(SECONDS, abs=0.15)


def test_browser_recording_without_duration(tmp_path):
    path = write_browser_recording(tmp_path / "recording.webm", video="libvpx", audio="libopus")
    info = probe(path)
    assert info.duration is None
    assert (info.has_audio, info.has_video) == (True, True)
    told = []
    frames = list(read_frames(path, rate=4, progress=lambda share, seconds: told.append((share, seconds))))
    assert [frame.time for frame in frames[:8]] == [k / 4 for k in range(8)]
    assert all(share is None for share, _ in told)
    assert told[-1][1] > 1
    assert len(read_audio(path)) / 16_000 == pytest.approx(SECONDS, abs=0.1)


def test_variable_frame_rate_is_sampled_by_presentation_time(tmp_path):
    stamps = [0, 0.04, 0.08, 0.9, 0.95, 2.0, 2.6]
    path = write_media(tmp_path / "vfr.mkv", video="libx264", stamps=stamps)
    frames = list(read_frames(path, rate=4))
    shown = [sum(stamp <= frame.time + 1e-3 for stamp in stamps) - 1 for frame in frames]
    assert [number_of(frame.image) for frame in frames] == shown
    assert [frame.time for frame in frames] == [k / 4 for k in range(len(frames))]
    assert frames[-1].time >= 2.5


@pytest.mark.parametrize(("degrees", "corner"), [(90, "top right"), (180, "bottom right"), (270, "bottom left")])
def test_phone_video_is_turned_upright(degrees, corner, tmp_path):
    path = turn_mp4(write_media(tmp_path / "phone.mp4", video="libx264"), degrees)
    frame = next(read_frames(path, rate=1))
    assert frame.image.shape[:2] == ((96, 128) if degrees == 180 else (128, 96))
    assert red_corner(frame.image) == corner


@pytest.mark.parametrize(
    ("size", "shape"), [((1280, 720), (360, 640)), ((720, 1280), (640, 360)), ((98, 62), (62, 98))]
)
def test_frames_are_at_most_640_on_their_longer_side(size, shape, tmp_path):
    path = write_media(tmp_path / "large.mp4", video="libx264", size=size, seconds=0.3)
    frames = list(read_frames(path, rate=10))
    assert [frame.image.shape for frame in frames] == [(*shape, 3)] * 3
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2]


def test_skipping_undecoded_frames_shows_at_most_one_frame_earlier(tmp_path):
    path = write_media(tmp_path / "fast.mp4", video="libx264", stamps=[i / 100 for i in range(20)])
    for frame in read_frames(path, rate=10):
        assert abs(number_of(frame.image) - 100 * frame.time) <= 3  # x264 has up to 3 unreferenced frames in a row


def test_a_rate_above_the_videos_repeats_frames_and_one_below_skips_them(clip_path):
    fast = [number_of(frame.image) for frame in read_frames(clip_path, rate=20)]
    assert fast == [k // 2 for k in range(40)]
    images = [frame.image for frame in read_frames(clip_path, rate=20)]
    assert images[6] is images[7]
    assert images[7] is not images[8]
    slow = list(read_frames(clip_path, rate=0.4))
    assert [frame.time for frame in slow] == [0]


def test_reading_can_be_stopped_and_progress_rises(clip_path):
    told = []
    frames = read_frames(clip_path, rate=10, progress=lambda share, seconds: told.append((share, seconds)))
    for _, _ in zip(range(12), frames, strict=False):
        pass
    frames.close()
    shares = [share for share, _ in told]
    assert len(shares) >= 2
    assert shares == sorted(shares)
    assert shares[-1] <= 1
    seconds = []
    read_audio(clip_path, progress=lambda share, done: seconds.append((share, done)))
    assert 0 < seconds[-1][0] <= 1


def test_video_arrays(tmp_path):
    images = np.stack([numbered_frame(i) for i in range(20)])
    for source in ((FPS, images), (float(FPS), images)):
        frames = list(read_frames(source, rate=4))
        assert [number_of(frame.image) for frame in frames] == [math.floor(k / 4 * FPS + 1e-6) for k in range(8)]
    assert len(list(read_frames(images, rate=5))) == 4  # 20 frames at 25 a second
    grey = list(read_frames((FPS, images[..., 0]), rate=10))
    assert grey[3].image.shape == (96, 128, 3)
    assert number_of(grey[3].image) == 3


def test_a_picture_given_as_video_is_one_frame(tmp_path, clip_path):
    path = write_picture(tmp_path / "face.png", numbered_frame(7))
    frames = list(read_frames(path, rate=4))
    assert [(frame.time, number_of(frame.image)) for frame in frames] == [(0.0, 7)]


def test_cover_art_is_not_a_video(tmp_path):
    song = write_media(tmp_path / "plain.mp3", audio="libmp3lame")
    cover = io.BytesIO()
    Image.fromarray(numbered_frame(3)).save(cover, "PNG")
    picture = b"\x00image/png\x00\x03\x00" + cover.getvalue()
    frame = b"APIC" + len(picture).to_bytes(4, "big") + b"\x00\x00" + picture
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / "cover.mp3"
    path.write_bytes(b"ID3\x03\x00\x00" + size + frame + song.read_bytes())
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1  # the cover is there, FFmpeg sees it
    info = probe(path)
    assert (info.has_audio, info.has_video) == (True, False)
    assert len(read_audio(path)) > 16_000
    with pytest.raises(InputError, match="no video"):
        next(read_frames(path, rate=4))


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.webp", "p.bmp", "p.tiff", "p.gif"])
def test_every_kind_of_picture(name, tmp_path):
    path = write_picture(tmp_path / name, numbered_frame(9))
    image = read_image(path)
    assert image.shape == (96, 128, 3)
    assert image.dtype == np.uint8
    assert number_of(image) == 9
    assert red_corner(image) == "top left"
    info = probe(path)
    assert (info.is_image, info.has_video, info.has_audio, info.width, info.height) == (True, False, False, 128, 96)


TURNED = ["top left", "top right", "bottom right", "bottom left"] * 2  # by EXIF orientation, 1 to 8


@pytest.mark.parametrize(("orientation", "corner"), list(enumerate(TURNED, start=1)))
@pytest.mark.parametrize("side", [128, 3000])
def test_the_cameras_orientation_is_applied(orientation, corner, side, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = numbered_frame(5, side, side // 2)
    image = read_image(write_picture(tmp_path / "phone.jpg", picture, exif=exif.tobytes()))
    upright = image.shape[0] < image.shape[1]
    assert upright == (orientation < 5)
    assert red_corner(image) == corner


def test_pictures_of_other_modes(tmp_path):
    grey = numbered_frame(4)[..., 1]
    assert read_image(write_picture(tmp_path / "grey.png", grey)).shape == (96, 128, 3)
    sixteen = Image.fromarray((grey.astype(np.uint16) * 257).astype(np.uint16))
    read = read_image(write_picture(tmp_path / "sixteen.png", sixteen))
    assert abs(int(read[48, 64, 0]) - level_of(4)) <= 1
    cmyk = Image.fromarray(numbered_frame(4)).convert("CMYK")
    assert number_of(read_image(write_picture(tmp_path / "cmyk.jpg", cmyk))) == 4
    clear = np.dstack([numbered_frame(4), np.zeros((96, 128), np.uint8)])
    assert read_image(write_picture(tmp_path / "clear.png", clear)).min() == 255  # transparent shows white
    palette = Image.fromarray(numbered_frame(4)).quantize(16)
    assert number_of(read_image(write_picture(tmp_path / "palette.png", palette))) == 4


@pytest.mark.parametrize(
    ("array", "corner"),
    [
        (numbered_frame(6), level_of(6)),
        (numbered_frame(6).astype(np.float32) / 255, level_of(6)),
        (numbered_frame(6)[..., 1], level_of(6)),
        (numbered_frame(6)[..., 1:2], level_of(6)),
        (np.dstack([numbered_frame(6), np.full((96, 128), 255, np.uint8)]), level_of(6)),
        (np.dstack([numbered_frame(6), np.zeros((96, 128), np.uint8)]), 255),
    ],
)
def test_picture_arrays(array, corner):
    image = read_image(array)
    assert image.shape == (96, 128, 3)
    assert image.dtype == np.uint8
    assert image[-1, -1].tolist() == [corner] * 3


def test_large_pictures_come_out_at_most_1280(tmp_path):
    path = write_picture(tmp_path / "large.jpg", numbered_frame(8, 4000, 1000))
    image = read_image(path)
    assert image.shape == (320, 1280, 3)
    assert number_of(image) == 8
    assert read_image(np.zeros((2000, 100, 3), np.uint8)).shape == (1280, 64, 3)


def test_videos_are_not_square_pixels_where_the_file_says_so(tmp_path):
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = 2
        frame = av.VideoFrame.from_ndarray(numbered_frame(0), format="rgb24")
        output.mux([*stream.encode(frame), *stream.encode(None)])
    assert next(read_frames(path, rate=1)).image.shape == (96, 256, 3)


def test_several_threads_read_at_once(clip_path):
    from concurrent.futures import ThreadPoolExecutor

    def read(_):
        return [number_of(f.image) for f in read_frames(clip_path, 5)], read_audio(clip_path)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(read, range(8)))
    for numbers, wave in results:
        assert numbers == list(range(0, 20, 2))
        assert np.array_equal(wave, results[0][1])
