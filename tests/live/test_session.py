"""The live session: the clip's own result, late and odd input, bounded memory and cost."""

from __future__ import annotations

import gc
import math
import threading
import tracemalloc

import numpy as np
import pytest
import torch

from hff.config import MODALITIES, SAMPLE_RATE, STEP_SECONDS
from hff.encoders.mfcc_cnn import SPEECH_WINDOW_SECONDS
from hff.errors import InputError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.live import feature_cache
from hff.live.audio_buffer import MAX_CHUNK_SECONDS, SoundTrack
from hff.live.pace import AIM, EFFORTS, LONGEST_PATIENCE, SETTLE, Pace
from hff.live.reading import now_weights
from hff.live.session import RESTART_GAP, LiveSession
from hff.media.audio import read_audio
from hff.media.video import read_frames
from hff.pipeline.features import FRAME_RATE, encode
from tests.support.live_fixtures import FakeAnalyzer, SteadyPace, fake, picture, play  # noqa: F401
from tests.support.media_fixtures import strongest, tone
from tests.support.page_browser import real_model

RATE = SAMPLE_RATE
# The level that a voice is brought to may be half a decibel off that of the features kept from before.
TOLERANCE = {"probabilities": 0.03, "alpha": 0.05, "variance": 0.03}


def material(seconds: float) -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures at the clip path's own rate, and sound, of the ready example."""
    path = str(EXAMPLES_FOLDER / "clip.mp4")
    frames = [frame.image for frame in read_frames(path, FRAME_RATE) if frame.time < seconds]
    return frames, read_audio(path)[: round(seconds * RATE)]


# ---- the same as a clip -------------------------------------------------------------------------------------


def test_a_live_session_reads_what_the_clip_path_reads():
    """Fed piece by piece and read all the while, it ends at the clip's own reading."""
    analyzer, seconds, text = real_model(), 3.0, "I am so happy to see you all"
    frames, wave = material(seconds)
    session = LiveSession(analyzer, pace=SteadyPace())
    session.set_text(text)
    for number, image in enumerate(frames):
        session.add_frame(number / FRAME_RATE, image)
        first = round(number / FRAME_RATE * RATE)
        session.add_sound(first / RATE, RATE, wave[first : first + RATE // 4])
        if number % 4 == 3:
            live = session.infer()
    clip = analyzer.analyze(video=(FRAME_RATE, np.stack(frames)), audio=(RATE, wave), text=text, samples=0)
    np.testing.assert_array_equal(live.timeline.present, clip.timeline.present)
    assert live.emotion == clip.emotion
    got, wanted = np.array(list(live.probabilities.values())), np.array(list(clip.probabilities.values()))
    np.testing.assert_allclose(got, wanted, atol=TOLERANCE["probabilities"])
    np.testing.assert_allclose(live.timeline.alpha, clip.timeline.alpha, atol=TOLERANCE["alpha"])
    np.testing.assert_allclose(live.timeline.variance, clip.timeline.variance, atol=TOLERANCE["variance"])
    assert live.attention.shape == clip.attention.shape


def test_a_snapshot_is_the_window_as_a_clip(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, window=4.0, pace=SteadyPace())
    for second in range(11):
        play(session, 1.0, second)
        live = session.infer()
    snapshot = session.snapshot()
    assert snapshot.seconds == pytest.approx(4.0)
    assert len(snapshot.wave) == 4 * RATE
    assert all(0 <= face.time < 4 for face in snapshot.faces)
    result = fake.analyze_recording(snapshot, samples=0)
    far = math.ceil(SPEECH_WINDOW_SECONDS / 2 / STEP_SECONDS)  # before, live has heard more than the window holds
    np.testing.assert_allclose(result.timeline.alpha[far:], live.timeline.alpha[far:], atol=1e-4)
    np.testing.assert_allclose(result.timeline.alpha, live.timeline.alpha, atol=0.01)
    np.testing.assert_array_equal(result.timeline.present, live.timeline.present)


def test_what_was_heard_is_not_heard_again_when_the_window_moves_on(fake: FakeAnalyzer, monkeypatch):  # noqa: F811
    heard: list[int] = []
    encode_all = feature_cache.encode_speech

    def counted(encoder, wave, voiced, steps, wanted):
        heard.append(int(wanted.sum()))
        return encode_all(encoder, wave, voiced, steps, wanted)

    monkeypatch.setattr(feature_cache, "encode_speech", counted)
    session = LiveSession(fake, window=4.0, pace=SteadyPace())
    for half in range(16):
        session.add_sound(half * STEP_SECONDS, RATE, tone(STEP_SECONDS, RATE))
        session.infer()
    new = math.ceil(SPEECH_WINDOW_SECONDS / 2 / STEP_SECONDS) + 1  # whose windows reach into what has come in
    assert heard[-4:] == [new] * 4


def test_a_session_without_anything_has_no_snapshot(fake: FakeAnalyzer):  # noqa: F811
    with pytest.raises(InputError, match="Start the camera"):
        LiveSession(fake).snapshot()


def test_features_of_what_was_seen_before_are_not_computed_again(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    session.set_text("hello")
    for second in range(12):
        play(session, 1.0, second)
        session.infer()
    speech, text, vision = (getattr(fake.encoders, m).asked for m in MODALITIES)
    assert vision == 48  # every face once
    assert text == 1
    steps_of_window = 16
    assert speech < 12 * (steps_of_window / 2)  # of each reading's steps, only those at the window's edges
    for _ in range(5):
        session.infer()
    assert (fake.encoders.speech.asked, fake.encoders.vision.asked) == (speech, vision)


def test_another_ear_hears_the_window_anew_and_nothing_else_is_computed_again(fake: FakeAnalyzer):  # noqa: F811
    other = fake.hearing_with("whisper")
    session, always = (LiveSession(analyzer, pace=SteadyPace()) for analyzer in (fake, other))
    for one in (session, always):
        one.set_text("hello")
        play(one, 3.0)
        one.infer()
    before = [encoder.asked for encoder in vars(fake.encoders).values()]
    was = session.infer()
    session.hear_with(other)
    assert other.encoders.speech.asked == 6  # of the other session
    now = session.infer()
    assert now.probabilities == pytest.approx(always.infer().probabilities)
    assert now.probabilities != pytest.approx(was.probabilities)
    assert other.encoders.speech.asked == 12  # all steps of the window
    assert [encoder.asked for encoder in vars(fake.encoders).values()] == before
    session.hear_with(fake)
    assert session.infer().probabilities == pytest.approx(was.probabilities)


# ---- late, odd and missing input ----------------------------------------------------------------------------


def test_sound_out_of_order_lands_where_it_belongs():
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)
    chunks = [(start / RATE, wave[start : start + RATE // 5]) for start in range(0, len(wave), RATE // 5)]
    track = SoundTrack(5.0)
    for number in (0, 2, 1, 3, 6, 5, 4, 7, 9, 8):
        track.add(chunks[number][0], RATE, chunks[number][1])
    np.testing.assert_array_equal(track.window(0, 2), wave)


def test_a_late_chunk_changes_the_features_it_was_missing_from(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    for tenth in [*range(10), *range(20, 40)]:
        session.add_sound(tenth / 10, RATE, tone(0.1, RATE))
    before = session.infer()
    assert not before.timeline.present[2:4, 0].any()
    session.add_sound(1.0, RATE, tone(1.0, RATE))
    after = session.infer()
    assert after.timeline.present[:, 0].all()
    whole = LiveSession(fake, pace=SteadyPace())
    whole.add_sound(0.0, RATE, session.snapshot().wave)
    np.testing.assert_allclose(after.timeline.alpha, whole.infer().timeline.alpha, atol=1e-5)


def test_sound_that_comes_much_too_late_is_dropped():
    track = SoundTrack(2.0)
    track.add(10.0, RATE, tone(1.0, RATE))
    begin, end = track.add(1.0, RATE, tone(1.0, RATE))
    assert begin == end
    assert track.window(0, 11).shape == (2 * RATE,)


def test_a_gap_is_silence_of_its_length():
    track = SoundTrack(5.0)
    track.add(0.0, RATE, tone(1.0, RATE))
    track.add(2.5, RATE, tone(0.5, RATE))
    wave = track.window(0, 3)
    assert track.end == pytest.approx(3.0)
    assert np.abs(wave[RATE : round(2.5 * RATE)]).max() == 0
    assert np.abs(wave[round(2.5 * RATE) :]).max() > 0.4


@pytest.mark.parametrize("rates", [(48_000, 44_100, 16_000), (22_050, 48_000)])
def test_the_sample_rate_may_change_while_it_runs(rates: tuple[int, ...]):
    track = SoundTrack(10.0)
    for number, rate in enumerate(rates):
        wave = tone(1.0, rate)
        for start in range(0, rate, rate // 10):
            track.add(number + start / rate, rate, wave[start : start + rate // 10])
    for number in range(len(rates)):
        part = track.window(number + 0.1, number + 0.9)
        assert strongest(part) == pytest.approx(440, abs=3)
        assert np.sqrt((part**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert track.end == pytest.approx(len(rates), abs=0.02)


def test_late_pictures_and_a_changed_size_are_fine(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    for time in (0.0, 0.5, 0.25, 1.0):
        session.add_frame(time, picture())
    session.infer()
    session.add_frame(0.6, picture())  # after later ones were looked at
    session.add_frame(1.25, np.full((96, 200, 3), 120, np.uint8))
    reading = session.infer()
    assert [face.time for face in session.snapshot().faces] == [0.0, 0.25, 0.5, 1.0, 1.25]
    assert reading.frame_shape == (96, 200)


def test_a_picture_stays_until_the_next_one_where_few_come(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    for time in (0.0, 1.6, 3.2):
        session.add_frame(time, picture())
        reading = session.infer()
    assert reading.timeline.present[:, 2].all()
    assert fake.encoders.vision.asked == 3
    session.add_frame(3.3, picture(0))
    session.add_frame(4.9, picture())
    assert session.infer().timeline.present[:10, 2].tolist() == [True] * 7 + [False] * 2 + [True]


def test_pictures_that_nobody_has_time_for_are_dropped(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    for number in range(100):
        session.add_frame(number / 30, picture())
    assert session.infer().looked == pytest.approx(99 / 30)
    assert fake.encoders.vision.asked <= 8


def test_after_a_long_silence_of_everything_it_begins_anew(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    play(session, 2.0)
    session.infer()
    session.add_frame(2.0 + 2 * RESTART_GAP, picture())
    assert len(session.snapshot().faces) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.add_frame(0.0, np.zeros((4, 4), np.uint8)), "H,W,3"),
        (lambda s: s.add_frame(0.0, np.zeros((4, 4, 3))), "uint8"),
        (lambda s: s.add_frame(float("nan"), picture()), "time"),
        (lambda s: s.add_sound(-1.0, RATE, tone(0.1, RATE)), "time"),
        (lambda s: s.add_sound(0.0, 3, tone(0.1, RATE)), "sample rate"),
        (lambda s: s.add_sound(0.0, RATE, np.zeros((2, 100))), "chunk"),
        (lambda s: s.add_sound(0.0, RATE, np.zeros(20 * RATE)), f"chunk.*at most {MAX_CHUNK_SECONDS:g} s at once"),
    ],
)
def test_what_cannot_be_is_refused_in_words(fake: FakeAnalyzer, call, message: str):  # noqa: F811
    with pytest.raises(InputError, match=message):
        call(LiveSession(fake))


# ---- what is missing is told, and has no weight -------------------------------------------------------------


def test_a_dark_camera_and_a_silent_room_lose_their_weight_and_come_back(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    play(session, 3.0)
    reading = session.infer()
    assert reading.notes == ()
    assert min(reading.alpha["speech"], reading.alpha["vision"]) > 0
    play(session, 3.0, 3.0, brightness=0)
    reading = session.infer()
    assert reading.notes == ("dark",)
    assert reading.alpha["vision"] == 0
    assert reading.variance["vision"] is None
    play(session, 3.0, 6.0, level=0.0)
    reading = session.infer()
    assert reading.notes == ("silent",)
    assert reading.alpha == {"speech": 0.0, "text": 0.0, "vision": 1.0}
    play(session, 2.0, 9.0)
    assert session.infer().notes == ()


def test_the_weight_of_a_voice_is_held_through_a_pause_of_a_second(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    play(session, 3.0)
    spoken = session.infer()
    assert spoken.paused == ()
    play(session, 0.75, 3.0, level=0.0)
    pause = session.infer()
    assert pause.paused == ("speech",)
    assert pause.alpha["speech"] == pytest.approx(spoken.alpha["speech"])
    assert pause.variance["speech"] == pytest.approx(spoken.variance["speech"])
    assert sum(pause.alpha.values()) == pytest.approx(1)
    play(session, 1.25, 3.75, level=0.0)
    silent = session.infer()
    assert silent.paused == ()
    assert silent.alpha == {"speech": 0.0, "text": 0.0, "vision": 1.0}
    assert silent.variance["speech"] is None


def test_nothing_is_held_where_the_microphone_is_gone_or_the_camera_covered(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    play(session, 3.0)
    session.infer()
    play(session, 1.0, 3.0, brightness=0)
    covered = session.infer()
    assert covered.paused == ()
    assert covered.alpha["vision"] == 0
    for quarter in range(16, 28):
        session.add_frame(quarter / 4, picture())
    gone = session.infer()
    assert "no_microphone" in gone.notes
    assert gone.paused == ()
    assert gone.alpha["speech"] == 0


def test_a_lost_camera_and_microphone_are_told(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    assert session.infer().notes == ("no_camera", "no_microphone")
    play(session, 1.0)
    for tenth in range(10, 60):
        session.add_sound(tenth / 10, RATE, tone(0.1, RATE))
    reading = session.infer()
    assert reading.notes == ("no_camera",)
    assert reading.looked is None
    assert reading.heard == pytest.approx(6.0)


def test_typed_words_alone_are_read_at_once(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake)
    assert session.infer().emotion is None
    session.set_text("good morning")
    reading = session.infer()
    assert reading.alpha["text"] == 1
    assert reading.emotion in fake.config.labels
    session.set_text("  ")
    assert session.infer().emotion is None


def test_now_is_the_last_half_second():
    np.testing.assert_allclose(now_weights(2.0, 4), [0, 0, 0, 1])
    np.testing.assert_allclose(now_weights(2.3, 5), [0, 0, 0, 0.4, 0.6])
    np.testing.assert_allclose(now_weights(2.1, 5), [0, 0, 0, 1, 0])  # the newest step has hardly begun
    np.testing.assert_allclose(now_weights(0.1, 1), [1])


# ---- pace, memory, company ----------------------------------------------------------------------------------


def test_it_works_less_on_a_slow_machine_and_more_on_a_quick_one():
    now = [0.0]
    pace = Pace(clock=lambda: now[0])

    def run(cost: float, readings: int) -> None:
        for _ in range(readings):
            now[0] += max(cost, 0.1)
            pace.spent(cost)

    run(AIM / 3, 50)
    assert pace.level == 0
    assert pace.rate == pytest.approx(10, rel=0.05)
    run(4 * AIM, 200)
    assert pace.level == len(EFFORTS) - 1
    run(AIM / 5, 400)
    assert pace.level == 0


def test_one_slow_reading_does_not_change_the_effort():
    now = [0.0]
    pace = Pace(clock=lambda: now[0])
    for number in range(100):
        now[0] += 0.1
        pace.spent(1.2 * AIM if number == 50 else AIM / 3)
    assert pace.level == 0
    assert SETTLE > 1


def test_it_does_not_waver_where_only_less_work_fits():
    now = [0.0]
    pace = Pace(clock=lambda: now[0])
    levels = []
    for _ in range(3000):
        now[0] += 0.1
        pace.spent(1.5 * AIM if pace.level == 0 else AIM / 2)
        levels.append(pace.level)
    changes = np.count_nonzero(np.diff(levels[1000:]))
    assert changes <= 2 * 200 / LONGEST_PATIENCE + 2
    assert np.mean(levels[1000:]) > 0.9


def test_less_work_keeps_the_weights(fake: FakeAnalyzer):  # noqa: F811
    readings = []
    for level in (0, len(EFFORTS) - 1):
        session = LiveSession(fake, pace=SteadyPace(level))
        for quarter in range(40):
            play(session, 0.25, quarter / 4)
            reading = session.infer()
        readings.append(reading)
    full, least = readings
    assert least.timeline.present.tolist() == full.timeline.present.tolist()
    assert least.alpha == pytest.approx(full.alpha, abs=0.1)
    assert least.spread.keys() == full.spread.keys()


def test_ten_minutes_neither_slow_it_down_nor_fill_the_memory(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace(1))

    def minute(number: int) -> tuple[int, int]:
        """Work done and bytes held after it."""
        asked = fake.encoders.speech.asked + fake.encoders.vision.asked
        for second in range(60 * number, 60 * (number + 1), 2):
            play(session, 2.0, second, level=0.3 if second % 10 < 6 else 0.0)
            session.infer()
        gc.collect()
        return fake.encoders.speech.asked + fake.encoders.vision.asked - asked, tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        work, held = zip(*[minute(number) for number in range(10)], strict=True)
    finally:
        tracemalloc.stop()
    assert max(work[1:]) <= 1.1 * min(work[1:])
    assert held[-1] - held[1] < 200_000
    assert session.snapshot().seconds == pytest.approx(8.0)


def test_four_sessions_side_by_side_keep_their_own_state(fake: FakeAnalyzer):  # noqa: F811
    sessions = [LiveSession(fake, pace=SteadyPace()) for _ in range(4)]
    found: dict[int, tuple] = {}

    def watch(number: int) -> None:
        for second in range(5):
            play(sessions[number], 1.0, second, brightness=0 if number == 1 else 100 + number)
            reading = sessions[number].infer()
        found[number] = reading.notes, reading.alpha

    threads = [threading.Thread(target=watch, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [found[number][0] for number in range(4)] == [(), ("dark",), (), ()]
    sessions[0].close()
    assert sessions[0].infer().emotion is None
    assert sessions[2].infer().emotion is not None


def test_faces_go_through_the_clip_code_with_their_own_times(fake: FakeAnalyzer):  # noqa: F811
    session = LiveSession(fake, pace=SteadyPace())
    play(session, 5.0)
    live = session.infer()
    snapshot = session.snapshot()
    clip = encode(fake.encoders, snapshot.steps, wave=snapshot.wave, voiced=snapshot.voiced, faces=snapshot.faces)
    assert clip.steps == len(live.timeline.times)
    output = fake.fuse(clip, samples=0)
    torch.testing.assert_close(output.alpha[0], torch.from_numpy(live.timeline.alpha), atol=TOLERANCE["alpha"], rtol=0)
    assert live.timeline.step_seconds == STEP_SECONDS
