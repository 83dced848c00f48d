"""Files and arrays that are wrong in every way we could think of: a clear error or a partial result, never a crash."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hff.errors import InputError
from hff.media.audio import read_audio
from hff.media.image import read_image
from hff.media.probe import probe
from hff.media.video import read_frames
from tests.support.media_fixtures import (
    RATE,
    number_of,
    numbered_frame,
    tone,
    write_browser_recording,
    write_media,
    write_picture,
    write_wav,
)

READERS = {
    "probe": probe,
    "sound": read_audio,
    "frames": lambda source: list(read_frames(source, rate=4)),
    "picture": read_image,
}
every_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


@every_reader
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.mp4", b"", "empty"),
        ("notes.mp4", b"This is not a film.\n" * 100, "notes.mp4"),
        ("notes.wav", "Κείμενο, 文字, 🙂\n".encode() * 50, "notes.wav"),
        ("notes.jpg", b"<html><body>404 not found</body></html>", "notes.jpg"),
        ("zeros.webm", bytes(100_000), "zeros.webm"),
        ("noise.png", np.random.default_rng(0).bytes(50_000), "noise.png"),
        ("header only.png", b"\x89PNG\r\n\x1a\n", "header only.png"),
        ("one byte.mp3", b"\xff", "one byte.mp3"),
        ("archive.mov", b"PK\x03\x04" + bytes(500), "archive.mov"),
    ],
)
def test_what_is_no_medium_is_refused_by_name(read, name, content, says, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read(path)


@every_reader
@pytest.mark.parametrize(
    "path",
    [
        "no such file.mp4",
        "http://example.com/clip.mp4",
        "https://127.0.0.1:1/a.wav",
        "rtsp://127.0.0.1/live",
        "concat:a.mp4|b.mp4",
        "pipe:0",
        "file:/etc/passwd",
        "data:video/mp4;base64,AAAA",
        "nul\0byte.mp4",
        "x" * 5000,
        "",
    ],
)
def test_paths_that_are_no_file_and_addresses(read, path):
    with pytest.raises(InputError):
        read(path)


@every_reader
@pytest.mark.parametrize("source", [None, 0, 3.5, b"bytes.wav", {"path": "a.wav"}])
def test_what_is_not_even_a_path(read, source):
    with pytest.raises(InputError):
        read(source)


@every_reader
def test_folders_devices_and_pipes_do_not_hang(read, tmp_path):
    with pytest.raises(InputError, match="folder"):
        read(tmp_path)
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero"):
        with pytest.raises(InputError, match="not a file"):
            read(path)


def test_a_file_one_may_not_read(clip_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hff.media.files.open", refuse, raising=False)
    with pytest.raises(InputError, match="cannot be opened: Permission denied"):
        probe(clip_path)


def playlists(target: Path) -> dict[str, str]:
    """Files that make FFmpeg read another file."""
    lines = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.0,\n{}\n#EXT-X-ENDLIST\n"
    return {
        "list.m3u8": lines.format(target),
        "relative.m3u8": lines.format(target.name),
        "list.mp4": lines.format(f"file://{target}"),
        "subfile.m3u8": lines.format(f"subfile,,start,0,end,0,,:{target}"),
        "script.ffconcat": f"ffconcat version 1.0\nfile '{target}'\n",
        "script.mp4": f"ffconcat version 1.0\nfile {target.name}\n",
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
        "manifest.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period>'
        f'<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>",
    }


@pytest.mark.parametrize("name", playlists(Path("x")))
def test_playlists_and_scripts_cannot_reach_another_file(name, clip_path, tmp_path, monkeypatch):
    """The other file is a good video: had it been read, there would be an answer."""
    target = tmp_path / "secret.ts"
    write_media(target, video="libx264", audio="aac")
    path = tmp_path / name
    path.write_text(playlists(target)[name])
    monkeypatch.chdir(tmp_path)
    for read in READERS.values():
        with pytest.raises(InputError):
            read(path)


def test_ffmpeg_itself_would_follow_the_playlist(tmp_path):
    """Without our restrictions the playlist above is followed: the test before this one is not empty."""
    import av

    target = write_media(tmp_path / "secret.ts", video="libx264", audio="aac")
    path = tmp_path / "list.m3u8"
    path.write_text(playlists(target)["list.m3u8"])
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).width == 128
    with path.open("rb") as stream, av.open(stream) as container:
        assert next(container.decode(video=0)).width == 128


PIECES = {"movflags": "empty_moov", "frag_duration": "500000"}


@pytest.mark.parametrize(
    ("name", "media_settings"),
    [
        ("clip.mkv", {"video": "libx264", "audio": "flac"}),
        ("clip.webm", {"video": "libvpx", "audio": "libopus"}),
        ("clip.avi", {"video": "mpeg4", "audio": "pcm_s16le"}),
        ("fast.mp4", {"video": "libx264", "audio": "aac", "options": {"movflags": "faststart"}}),
        ("pieces.mp4", {"video": "libx264", "audio": "aac", "options": PIECES}),
    ],
)
def test_a_clip_that_breaks_off_gives_what_is_there(name, media_settings, tmp_path):
    noise = np.random.default_rng(0)
    images = [
        np.roll(numbered_frame(i % 20), i, axis=1) + noise.integers(0, 9, (96, 128, 1), np.uint8) for i in range(60)
    ]
    sound = noise.uniform(-0.5, 0.5, 6 * RATE).astype(np.float32)
    whole = write_media(tmp_path / f"whole {name}", images=images, seconds=6, wave=sound, **media_settings)
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[: int(0.6 * whole.stat().st_size)])
    warnings = []
    frames = list(read_frames(path, rate=10, warn=warnings.append))
    assert 10 <= len(frames) < 55
    tells_length = name not in ("pieces.mp4", "clip.avi")  # these do not, once cut
    assert warnings or not tells_length, "nothing was said about the missing pictures"
    warnings.clear()
    wave = read_audio(path, warn=warnings.append)
    assert 1 < len(wave) / 16_000 < 5.5
    assert warnings or not tells_length, "nothing was said about the missing sound"


@pytest.mark.parametrize(
    ("name", "codec"), [("s.mp3", "libmp3lame"), ("s.flac", "flac"), ("s.ogg", "libopus"), ("s.wav", "pcm_s16le")]
)
def test_a_sound_that_breaks_off_gives_what_is_there(name, codec, tmp_path):
    whole = write_media(tmp_path / f"whole {name}", audio=codec, wave=tone(4, RATE))
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    wave = read_audio(path)
    assert 1 < len(wave) / 16_000 < 3.5


def test_a_hole_in_the_middle_does_not_end_the_clip(tmp_path):
    whole = write_media(tmp_path / "whole.mkv", video="libx264", audio="flac")
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    path = tmp_path / "hole.mkv"
    path.write_bytes(data)
    warnings = []
    frames = list(read_frames(path, rate=10, warn=warnings.append))
    assert frames[-1].time >= 1.5
    assert number_of(frames[0].image) == 0


def test_an_mp4_without_its_index_is_refused(clip_path, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(clip_path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"cut\.mp4"):
        probe(path)


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.webp"])
def test_a_truncated_picture_is_refused(name, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    path = write_picture(tmp_path / name, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=name):
        read_image(path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # its remarks on damaged TIFF tags
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_never_crash(data, tmp_path_factory, tmp_path):
    """A random file with bytes changed or cut out: every reader answers or raises ``InputError``."""
    originals = tmp_path_factory.getbasetemp() / "originals"
    if not originals.exists():
        originals.mkdir()
        write_media(originals / "a.mp4", video="libx264", audio="aac")
        write_media(originals / "a.mkv", video="libvpx", audio="libopus")
        write_media(originals / "a.avi", video="mjpeg", pixels="yuvj420p", audio="libmp3lame")
        write_media(originals / "a.gif", video="gif", pixels="rgb8")
        write_media(originals / "a.flac", audio="flac")
        write_media(originals / "a.wav", audio="pcm_s16le")
        for ending in ("jpg", "png", "webp", "tiff"):
            write_picture(originals / f"p.{ending}", numbered_frame(3))
    original = data.draw(st.sampled_from(sorted(originals.iterdir())))
    content = bytearray(original.read_bytes())
    for _ in range(data.draw(st.integers(0, 12))):
        content[data.draw(st.integers(0, min(len(content), 4000) - 1))] = data.draw(st.integers(0, 255))
    start = data.draw(st.integers(0, len(content) - 1))
    del content[start : start + data.draw(st.integers(0, 300))]
    path = tmp_path / original.name
    path.write_bytes(content or b"\0")
    for read in READERS.values():
        with suppress(InputError):
            read(path)


@pytest.mark.parametrize(
    "array",
    [
        [],
        np.zeros(0),
        np.zeros((0, 2)),
        np.zeros((2, 0)),
        np.array(0.5),
        np.zeros((4, 4, 4)),
        np.zeros((100, 100, 1)),
        np.full(1000, np.nan),
        np.r_[np.zeros(500), np.inf],
        np.full((1000, 2), -np.inf, np.float32),
        np.full(10, 1e300),
        np.zeros(1000, complex),
        np.array(["a", "b"]),
        np.array([None, 1]),
        np.zeros(1000, np.int64),
        np.zeros((500, 300)),
    ],
    ids=str,
)
def test_bad_sound_arrays(array):
    with pytest.raises(InputError):
        read_audio((16_000, array))


@pytest.mark.parametrize("rate", [0, -16_000, 10, 10**9, float("nan"), float("inf"), None, "16000", np.zeros(3)])
def test_bad_sample_rates(rate):
    with pytest.raises(InputError, match="rate"):
        read_audio((rate, np.zeros(1000, np.float32)))


@pytest.mark.parametrize("source", [np.zeros(100), [0.0, 0.1], (16_000,), (16_000, np.zeros(9), 3)])
def test_sound_arrays_need_their_rate(source):
    with pytest.raises(InputError, match="rate"):
        read_audio(source)


def test_silence_is_no_error(tmp_path):
    for dtype, value in ((np.int16, 0), (np.float32, 0), (np.uint8, 128)):
        assert not read_audio((44_100, np.full(4410, value, dtype))).any()
    assert not read_audio(write_wav(tmp_path / "silent.wav", np.zeros(800), 8000, 16)).any()


def test_sound_files_without_samples_or_with_nan(tmp_path):
    with pytest.raises(InputError, match="nothing"):
        read_audio(write_wav(tmp_path / "nothing.wav", np.zeros((0, 1)), 16_000, 16))
    wave = tone(1, 16_000)
    wave[8000] = np.nan
    with pytest.raises(InputError, match="NaN"):
        read_audio(write_wav(tmp_path / "nan.wav", wave, 16_000, 32, floating=True))
    wave[8000] = np.inf
    with pytest.raises(InputError, match="infinity"):
        read_audio(write_wav(tmp_path / "inf.wav", wave, 48_000, 32, floating=True))


def test_more_than_two_hours_of_sound_is_refused_at_once(tmp_path):
    path = write_wav(tmp_path / "long.wav", np.zeros(80), 8000, 8)
    size = 8000 * (2 * 3600 + 5)
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", size)
    path.write_bytes(data)
    os.truncate(path, 44 + size)  # a sparse file
    with pytest.raises(InputError, match="longer than 2 hours"):
        read_audio(path)
    with pytest.raises(InputError, match="longer than 2 hours"):
        read_audio((8000, np.broadcast_to(np.float32(0), (size,))))


def test_video_without_sound_and_sound_without_video(tmp_path):
    with pytest.raises(InputError, match="no sound track"):
        read_audio(write_media(tmp_path / "mute.mp4", video="libx264"))
    with pytest.raises(InputError, match="no video"):
        list(read_frames(write_media(tmp_path / "voice.mp3", audio="libmp3lame"), rate=4))
    with pytest.raises(InputError, match="not a picture"):
        read_image(write_media(tmp_path / "film.mp4", video="libx264"))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 4, 4, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((2, 4, 4, 5), np.uint8),
        np.zeros((2, 0, 4, 3), np.uint8),
        np.full((2, 4, 4, 3), np.nan),
        np.full((2, 4, 4, 3), 300.0),
        np.zeros((2, 4, 4, 3), np.int64),
        np.zeros((2, 4, 4, 3), object),
    ],
    ids=lambda array: f"{array.shape} {array.dtype}",
)
def test_bad_video_and_picture_arrays(array):
    with pytest.raises(InputError):
        list(read_frames(array, rate=4))
    with pytest.raises(InputError):
        read_image(array[0] if len(array) and array.ndim == 4 else array[..., None, None])


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), "25", None])
def test_bad_frame_rates_of_arrays(fps):
    with pytest.raises(InputError, match="frame rate"):
        list(read_frames((fps, np.zeros((2, 4, 4, 3), np.uint8)), rate=4))


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_sampling_rate_that_makes_no_sense_is_the_callers_mistake(rate, clip_path):
    with pytest.raises(ValueError, match="rate"):
        next(read_frames(clip_path, rate=rate))


def test_a_picture_of_one_pixel_is_read(tmp_path):
    path = write_picture(tmp_path / "dot.png", np.full((1, 1, 3), 77, np.uint8))
    assert read_image(path).tolist() == [[[77, 77, 77]]]
    assert read_image(np.zeros((1, 20_000, 3), np.uint8)).shape == (1, 1280, 3)


def write_black_png(path: Path, width: int, height: int) -> Path:
    """A valid one-bit PNG of any size, written line by line."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(1)
    line = bytes(1 + (width + 7) // 8)
    body = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


def test_a_huge_picture_is_refused_without_taking_memory(tmp_path):
    path = write_black_png(tmp_path / "huge.png", 20_000, 20_000)
    program = (
        "import sys, resource\n"
        "from hff.media.image import read_image\n"
        "from hff.errors import InputError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_image(sys.argv[1])\n"
        "except InputError as error:\n    print(error)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60)
    message, grown = run.stdout.strip().splitlines()
    assert "huge.png" in message
    assert "megapixels" in message
    assert int(grown) < 50  # MB; decoded it would be 1200


@pytest.mark.parametrize("frames", [1, 3])
def test_a_huge_gif_is_refused(frames, tmp_path):
    path = tmp_path / "huge.gif"
    side = struct.pack("<HH", 20_000, 20_000)
    image = b"\x21\xf9\x04\x00\x0a\x00\x00\x00,\x00\x00\x00\x00" + side + b"\x00\x02\x02\x44\x01\x00"
    path.write_bytes(b"GIF89a" + side + b"\x80\x00\x00\x00\x00\x00\xff\xff\xff" + frames * image + b";")
    for read in (READERS["frames"], READERS["picture"]):
        with pytest.raises(InputError, match=r"huge\.gif"):
            read(path)


@pytest.mark.parametrize("name", ["clip.mp4", "moving.gif"])
def test_a_video_of_huge_frames_is_refused(name, tmp_path, monkeypatch):
    path = write_media(
        tmp_path / name, **({"video": "gif", "pixels": "rgb8"} if "gif" in name else {"video": "libx264"})
    )
    assert len(list(read_frames(path, rate=4))) == 8
    monkeypatch.setattr("hff.media.video.MAX_FRAME_PIXELS", 128 * 96 - 1)  # instead of 40 million
    with pytest.raises(InputError, match=f"{name}.*128 x 96"):
        list(read_frames(path, rate=4))


def test_ffmpeg_says_nothing_on_the_terminal(tmp_path, capfd):
    path = write_browser_recording(tmp_path / "a.webm", video="libvpx", audio="libopus")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :: 50] = bytes(len(data[len(data) // 2 :: 50]))
    path.write_bytes(data)
    capfd.readouterr()
    list(read_frames(path, rate=4))
    read_audio(path)
    assert capfd.readouterr() == ("", "")
