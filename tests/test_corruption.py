"""Corruption of raw inputs: untouched at 0, more of it at higher severity, of the same type, from one random source."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hff import corruption

LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SENTENCE = "I can not believe how wonderful this day turned out to be, my dear old friend!"
RATE = 16_000


def voice(seconds: float = 1.0) -> np.ndarray:
    """Something like a vowel: harmonics of a gliding pitch, in syllables."""
    t = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(130 + 40 * np.sin(2 * np.pi * 1.5 * t)) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 25))
    return (0.1 * tone * np.clip(np.sin(2 * np.pi * 3 * t), 0, None)).astype(np.float32)


def face(height: int = 48, width: int = 48) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / max(height, width) * 48
    picture = 60 + 100 * (((x - 24) / 17) ** 2 + ((y - 25) / 21) ** 2 < 1) - 50 * ((x - 16) ** 2 + (y - 19) ** 2 < 9)
    return np.clip(picture + np.random.default_rng(0).normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def wave_corruption(clean: np.ndarray, corrupted: np.ndarray) -> float:
    """Error over signal, both as power."""
    return float(np.sum((corrupted - clean) ** 2) / np.sum(clean**2))


def face_corruption(clean: np.ndarray, corrupted: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(corrupted.astype(float) - clean).mean())


def text_corruption(clean: str, corrupted: str) -> float:
    """Share of the words that are not there any more."""
    left = corrupted.split()
    return sum(word not in left for word in clean.split()) / len(clean.split())


def single(modality: str) -> dict:
    """All kinds that corrupt single items, by name."""
    return corruption.trained(modality) | corruption.unseen(modality)


CASES = [
    pytest.param(kind, sample, measure, least, id=name)
    for kinds, sample, measure, least in (
        (single("speech"), voice(), wave_corruption, 0.25),
        (single("text"), SENTENCE, text_corruption, 0.85),
        (single("vision"), face(), face_corruption, 18.0),
    )
    for name, kind in kinds.items()
]


@pytest.mark.parametrize(("kind", "sample", "measure", "least"), CASES)
def test_severity_0_is_untouched(kind, sample, measure, least):
    corrupted = kind(sample, 0.0, rng())
    assert type(corrupted) is type(sample)
    np.testing.assert_array_equal(corrupted, sample)


@pytest.mark.parametrize(("kind", "sample", "measure", "least"), CASES)
def test_corruption_grows_with_severity_up_to_next_to_nothing_left(kind, sample, measure, least):
    """Mean over several draws; each level corrupts more than the one before."""
    done = [np.mean([measure(sample, kind(sample, level, rng(seed))) for seed in range(30)]) for level in LEVELS]
    assert done[0] == 0
    assert all(a < b for a, b in itertools.pairwise(done)), done
    assert done[-1] >= least


@pytest.mark.parametrize(("kind", "sample", "measure", "least"), CASES)
@pytest.mark.parametrize("level", [0.05, 0.5, 1.0])
def test_type_and_shape_are_kept_and_the_input_is_left_alone(kind, sample, measure, least, level):
    before = sample if isinstance(sample, str) else sample.copy()
    corrupted = kind(sample, level, rng())
    assert type(corrupted) is type(sample)
    np.testing.assert_array_equal(sample, before)
    if not isinstance(sample, str):
        assert corrupted.dtype == sample.dtype
        assert corrupted.shape == sample.shape
        assert np.isfinite(corrupted).all()


@pytest.mark.parametrize(("kind", "sample", "measure", "least"), CASES)
def test_same_generator_same_corruption_whatever_else_is_random(kind, sample, measure, least):
    first = kind(sample, 0.6, rng(7))
    np.random.seed(1)  # noqa: NPY002 - the global source must play no part
    np.testing.assert_array_equal(kind(sample, 0.6, rng(7)), first)


RANDOM = (
    "white noise",
    "pink noise",
    "babble",
    "reverberation",
    "dropped words",
    "masked words",
    "misspelt words",
    "swapped words",
    "dark",
    "cover",
    "sensor noise",
    "traffic",
    "music",
    "packet loss",
    "lost letters",
    "foreign words",
    "motion blur",
    "lattice",
)


@pytest.mark.parametrize(("kind", "sample", "measure", "least"), [c for c in CASES if c.id in RANDOM])
def test_another_draw_is_another_corruption(kind, sample, measure, least):
    results = [kind(sample, 0.6, rng(seed)) for seed in range(4)]
    assert any(not np.array_equal(results[0], other) for other in results[1:])


NOISES = {name: single("speech")[name] for name in ("white noise", "pink noise", "babble", "traffic", "music")}


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("level", [0.1, 0.5, 1.0])
def test_noise_comes_at_the_ratio_promised(name, level):
    """30 dB down to -10 dB, linear in severity."""
    clean = voice()
    noise = NOISES[name](clean, level, rng()) - clean
    snr = 10 * np.log10(np.mean(clean**2) / np.mean(noise**2))
    assert snr == pytest.approx(30 - 40 * level, abs=0.2)


def test_pink_noise_has_equal_power_in_each_octave_and_white_twice_as_much_in_the_next():
    clean = voice(4)

    def octaves(name: str) -> np.ndarray:
        power = np.abs(np.fft.rfft(corruption.trained("speech")[name](clean, 1.0, rng()) - clean)) ** 2
        f = np.fft.rfftfreq(len(clean), 1 / RATE)
        return np.array([power[(f >= low) & (f < 2 * low)].sum() for low in (500, 1000, 2000)])

    np.testing.assert_allclose(octaves("pink noise")[1:] / octaves("pink noise")[:-1], 1, atol=0.15)
    np.testing.assert_allclose(octaves("white noise")[1:] / octaves("white noise")[:-1], 2, atol=0.3)


def test_muffled_voice_loses_its_high_tones_first():
    def kept(low: float, high: float) -> float:
        clean, dull = (np.abs(np.fft.rfft(w)) ** 2 for w in (voice(), corruption.muffle(voice(), 0.5, rng())))
        band = (np.fft.rfftfreq(RATE, 1 / RATE) >= low) & (np.fft.rfftfreq(RATE, 1 / RATE) < high)
        return dull[band].sum() / clean[band].sum()

    assert kept(100, 400) > 0.9
    assert kept(2000, 8000) < 0.2


@pytest.mark.parametrize("name", corruption.trained("speech"))
def test_silence_stays_silence(name):
    silence = np.zeros(RATE // 4, np.float32)
    np.testing.assert_array_equal(corruption.trained("speech")[name](silence, 1.0, rng()), silence)


@pytest.mark.parametrize("name", corruption.trained("text"))
def test_texts_without_words(name):
    assert corruption.trained("text")[name]("", 1.0, rng()) == ""


def test_words_at_severity_1():
    assert corruption.dropped_words(SENTENCE, 1.0, rng()) == ""
    assert set(corruption.masked_words(SENTENCE, 1.0, rng()).split()) == {"[MASK]"}
    assert not set(corruption.swapped_words(SENTENCE, 1.0, rng()).split()) & set(SENTENCE.split())


def test_dark_is_dark_and_a_cover_hides_everything():
    assert corruption.dark(face(), 1.0, rng()).mean() < 6
    assert len(np.unique(corruption.cover(face(), 1.0, rng()))) == 1


@pytest.mark.parametrize("name", corruption.trained("vision"))
@pytest.mark.parametrize("size", [(60, 48), (48, 80), (1, 1), (48, 48, 3)])
def test_pictures_of_any_shape(name, size):
    picture = rng().integers(0, 256, size).astype(np.uint8)
    np.testing.assert_array_equal(corruption.trained("vision")[name](picture, 0.0, rng()), picture)
    corrupted = corruption.trained("vision")[name](picture, 0.7, rng())
    assert corrupted.shape == size
    assert corrupted.dtype == np.uint8


@pytest.mark.parametrize("modality", ["speech", "text", "vision"])
def test_unseen_kinds_are_not_among_those_trained_on(modality):
    assert not set(corruption.trained(modality)) & set(corruption.unseen(modality))


def test_a_corruption_is_one_function(request):
    """Added here, it is in the lab's list, in its states, in what training draws from, and called by its own name."""
    from hff.lab.corrupted_material import KINDS, corrupt_faces, is_trained
    from hff.lab.state import Corruption, LabState, no_corruption
    from hff.locale import names
    from hff.result import FaceSeen
    from train.fusion import feature_files

    @corruption.corrupts("vision", name="negative", trained=True)
    def negative(face, severity, rng):
        return (face * (1 - severity) + (255 - face) * severity).astype(np.uint8)

    @corruption.corrupts("vision", name="backwards", over_time=True)
    def backwards(faces, severity, rng):
        return list(faces)[::-1]

    request.addfinalizer(lambda: [corruption.forget("vision", name) for name in ("negative", "backwards")])
    assert {"negative", "backwards"} <= set(KINDS["vision"])
    assert corruption.trained("vision")["negative"] is negative
    assert is_trained("vision", "negative")
    assert not is_trained("vision", "backwards")
    assert "backwards" not in corruption.unseen("vision")  # no single face can be corrupted by it
    assert names.corruption_name("negative") == "negative"
    state = LabState(corruption=no_corruption() | {"vision": Corruption("negative", 0.5)})
    assert LabState.from_json(state.to_json()) == state
    crops = [np.full((48, 48), value, np.uint8) for value in (10, 200)]
    faces = [FaceSeen(n / 4, (0, 0, 1, 1), 1.0, crop) for n, crop in enumerate(crops)]
    assert [f.crop[0, 0] for f in corrupt_faces(faces, "negative", 1.0)] == [245, 55]
    assert [f.crop[0, 0] for f in corrupt_faces(faces, "backwards", 1.0)] == [200, 10]
    drawn = {feature_files.corrupted_item("vision", "fusion", crops[0], 1.0, rng(seed))[0, 0] for seed in range(60)}
    assert 245 in drawn
    with pytest.raises(ValueError, match="already"):
        corruption.corrupts("vision", name="negative")(negative)
