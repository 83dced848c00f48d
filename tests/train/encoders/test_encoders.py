"""What the encoders learn from: corrupted copies, windows, views, and sentences that stand nowhere else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from hff import corruption
from hff.config import EMOTIONS
from hff.encoders.mfcc import N_MFCC
from hff.encoders.mfcc_cnn import WINDOW_FRAMES
from tests.support import corpus_fixtures as made
from train.corpora import ravdess
from train.corpora.base import Faces, Sentence, Utterance, target
from train.encoders import speech, text, vision
from train.engine.loop import TrainingError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_corrupted_copies_of_a_recording_keep_their_voice_in_place(monkeypatch):
    """Whatever the speed, the voiced part found in the clean one is where the sound is."""
    wave = np.zeros(3 * 16_000, np.float32)
    wave[16_000:32_000] = 0.3 * np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)
    monkeypatch.setattr(speech, "voiced_segments", lambda wave: [(1.0, 2.0)])
    monkeypatch.setattr(corruption, "trained", lambda modality: {"none": lambda wave, severity, rng: wave})
    made_of = speech.prepared_voice(Utterance("a", wave, 3, "x", "ravdess", "train"), rng())
    assert len(made_of.coefficients) == len(made_of.voiced) == speech.COPIES
    assert made_of.label == 3
    assert made_of.severity[0] == 0 < max(made_of.severity) <= 1
    assert len({x.shape[1] for x in made_of.coefficients}) > 2  # slower and faster ones
    for x, (first, last) in zip(made_of.coefficients, made_of.voiced, strict=True):
        loud = np.flatnonzero(x[0].numpy() > x[0].numpy().max() - 10)
        assert abs(loud[0] - first) <= 4
        assert abs(loud[-1] - last) <= 4


def test_recordings_without_a_voice_are_left_out(monkeypatch):
    monkeypatch.setattr(speech, "voiced_segments", lambda wave: [])
    assert (
        speech.prepared_voice(Utterance("a", np.zeros(16_000, np.float32), 3, "x", "ravdess", "train"), rng()) is None
    )


def test_windows_are_centred_in_the_voice_and_nan_outside_the_recording():
    x = torch.arange(200, dtype=torch.float32).expand(N_MFCC, -1)
    recording = speech.PreparedVoice([x], [(20, 180)], [0.25], 0, "a")
    generator = rng()
    centres = set()
    for _ in range(200):
        window, severity = speech.random_wave_window(recording, generator)
        assert severity == 0.25
        row = window[4].numpy()
        there = np.flatnonzero(~np.isnan(row))
        start = int(there[0] - row[there[0]])  # where frame 0 of the recording lies in the window
        expected = np.arange(WINDOW_FRAMES) - start
        np.testing.assert_array_equal(row, np.where((expected >= 0) & (expected < 200), expected, np.nan))
        centres.add(WINDOW_FRAMES // 2 - start)
    assert 20 <= min(centres) < 30
    assert 170 < max(centres) < 180


def test_spec_augment_hides_one_stretch_and_one_band():
    windows = speech.spec_augment(torch.ones(30, N_MFCC, WINDOW_FRAMES), rng())
    hidden = windows.isnan()
    for window in hidden:
        frames, rows = window.all(0), window.all(1)
        assert frames.sum() < speech.TIME_MASK
        assert rows.sum() < speech.COEFFICIENT_MASK
        assert torch.equal(window, frames[None] | rows[:, None])
        assert not rows[0]  # loudness is never hidden
    assert hidden.any((1, 2)).float().mean() > 0.9


def test_views_of_a_face_differ_but_stay_that_face():
    face = made.face(1, 5)
    views = [vision.augment(face, rng(seed)) for seed in range(40)]
    assert all(view.shape == (48, 48) and view.dtype == np.uint8 for view in views)
    assert len({view.tobytes() for view in views}) == 40
    plain = [vision.random_view(face, rng(seed)).astype(float) for seed in range(40)]
    likeness = [np.corrcoef(view.ravel(), face.ravel())[0, 1] for view in plain]
    mirrored = [np.corrcoef(view[:, ::-1].ravel(), face.ravel())[0, 1] for view in plain]
    assert np.mean(np.maximum(likeness, mirrored)) > 0.4


def test_the_last_cycle_takes_the_prior_out_of_the_logits():
    """With no evidence at all the corrected loss is least where the logits keep PRIOR_SHARE of the log prior."""
    target = np.eye(3, dtype=np.float32)[[0] * 6 + [1] * 3 + [2]]
    prior = vision.log_prior(target)
    np.testing.assert_allclose(prior.exp(), [0.6, 0.3, 0.1], rtol=1e-5)
    logits = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], line_search_fn="strong_wolfe", max_iter=100)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        added = (1 - vision.PRIOR_SHARE) * prior
        value = torch.nn.functional.cross_entropy((logits + added).expand(10, -1), torch.from_numpy(target))
        value.backward()
        return value

    optimizer.step(loss)
    kept = logits.detach() - logits.detach().mean()
    wanted = vision.PRIOR_SHARE * (prior - prior.mean())
    torch.testing.assert_close(kept, wanted, atol=1e-3, rtol=0)


def test_rare_emotions_get_a_share_from_the_first_labels():
    votes = np.tile(target(["neutral"]), (3, 1))
    first = np.array([EMOTIONS.index("disgusted"), EMOTIONS.index("happy"), -1])
    faces = Faces(np.zeros((3, 48, 48), np.uint8), votes, votes.argmax(1), np.array(["train"] * 3, object), first)
    mixed = vision.with_rare(faces)
    assert mixed[0, EMOTIONS.index("disgusted")] == pytest.approx(vision.RARE["disgusted"])
    np.testing.assert_allclose(mixed.sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(mixed[1:], votes[1:])  # what is common, or unknown, stays with FER+
    np.testing.assert_array_equal(faces.votes, votes)


def test_training_sentences_of_a_test_split_are_left_out(monkeypatch):
    def sentence(words: str, split: str) -> Sentence:
        return Sentence(words, target(["happy"]), "meld", split)

    corpus = [
        sentence("I will be there for you!", "train"),
        sentence("i will be there, for you", "test"),
        sentence("The one with the sock", "fusion"),
        sentence("The one with the sock.", "validation"),
        sentence("Oh my God!", "train"),
        sentence("oh my god", "test"),
        sentence("Nobody else says this", "train"),
    ]
    monkeypatch.setattr(text, "TEXT_CORPORA", [type("Corpus", (), {"load": staticmethod(lambda data: list(corpus))})])
    kept = [s for s in text.load(Path()) if s.corpus == "meld"]
    assert [(s.text, s.split) for s in kept if s.split in ("train", "fusion")] == [
        ("Oh my God!", "train"),
        ("Nobody else says this", "train"),  # three words are everybody's
    ]
    assert sum(s.split in ("validation", "test") for s in kept) == 3


def test_own_sentences_count_as_one_corpus_and_are_shown_several_times():
    corpora = ("goemotions", "meld", "own_idiom", "own_negation", "own_negation")
    said = [Sentence(f"sentence {n}", target(["happy"]), name, "validation") for n, name in enumerate(corpora)]
    happy, angry = (np.eye(len(EMOTIONS))[EMOTIONS.index(name)] for name in ("happy", "angry"))
    figures = text.scores(said, np.stack([happy, happy, angry, happy, happy]))
    assert figures["own_idiom"] == 0
    assert figures["own_negation"] == 1
    assert figures["own_accuracy"] == pytest.approx(2 / 3)
    assert text.selection_score(figures) == pytest.approx((1 + 1 + 2 / 3) / 3)
    shown = Counter(s.corpus for s in text.epochs_sentences(said, rng(), most=1))
    assert shown["goemotions"] + shown["meld"] == 1
    assert (shown["own_idiom"], shown["own_negation"]) == (text.OWN_REPEATS, 2 * text.OWN_REPEATS)
    assert len(text.epochs_sentences(said, rng())) == 2 + 3 * text.OWN_REPEATS


def test_a_share_of_training_sentences_is_corrupted_and_none_becomes_empty():
    words = "one two three four five six"
    results = [text.corrupted_sentence(words, generator) for generator in [rng(3)] for _ in range(500)]
    assert np.mean([severity > 0 for _, severity in results]) == pytest.approx(text.CORRUPTED_TEXT_SHARE, abs=0.06)
    assert all(corrupted == words for corrupted, severity in results if severity == 0)
    assert all(text.corrupted_sentence("no", rng(seed))[0] for seed in range(200))


def test_text_scores_by_hand():
    """GoEmotions: mean of the classes' F1 over items with one label; MELD: weighted by their number."""

    def items(corpus: str, names: str) -> list[Sentence]:
        return [Sentence("x", target(name.split("+")), corpus, "test") for name in names.split()]

    sentences = items("goemotions", "happy happy sad happy+sad") + items("meld", "neutral neutral neutral angry")
    said = ["happy", "sad", "sad", "angry", "neutral", "neutral", "angry", "angry"]
    figures = text.scores(sentences, np.eye(7)[[EMOTIONS.index(name) for name in said]])
    assert figures["goemotions_macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert figures["meld_weighted_f1"] == pytest.approx(0.75 * 0.8 + 0.25 * 2 / 3)


def test_unweighted_recall_counts_each_class_the_same(monkeypatch):
    """Two of three neutral right and the only angry one wrong: (2/3 + 0) / 2."""
    said = iter([0, 0, 3, 0])
    monkeypatch.setattr(speech, "predict", lambda model, utterance, voiced: np.eye(7)[next(said)])
    items = [(Utterance("a", np.zeros(1), label, "x", "ravdess", "test"), []) for label in (0, 0, 0, 3)]
    assert speech.unweighted_recall(None, items) == pytest.approx(1 / 3)


def test_soft_targets_are_half_of_what_a_voice_can_be_taught(tmp_path):
    """By name, whatever the order; a recording that the teacher has not met keeps its label."""
    recordings = [speech.PreparedVoice([], [], [], label, name) for name, label in (("a", 3), ("b", 1), ("c", 1))]
    plain, smoothing = speech.training_targets(recordings)
    assert torch.equal(plain, torch.eye(7)[[3, 1, 1]])
    assert smoothing == speech.SPEECH_LABEL_SMOOTHING
    said = np.array([[0, 0.6, 0, 0.4, 0, 0, 0], [0.2, 0, 0, 0.8, 0, 0, 0]], np.float32)
    np.savez(tmp_path / "soft.npz", name=np.array(["b", "a"]), probabilities=said, label=np.array([1, 3]))
    taught, less = speech.training_targets(recordings, tmp_path / "soft.npz")
    expected = [[0.1, 0, 0, 0.9, 0, 0, 0], [0, 0.8, 0, 0.2, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0]]
    torch.testing.assert_close(taught, torch.tensor(expected))
    assert less < smoothing
    with pytest.raises(TrainingError, match="whisper --teach"):
        speech.training_targets(recordings, tmp_path / "none.npz")


def test_sound_recordings_are_found_beside_a_folder_of_videos(tmp_path):
    """The public video archives have folders of the same names."""
    made.speech(tmp_path, made.ravdess_names((1, 2, 15, 18)), np.ones(2000, np.float32) / 10, "ravdess", True)
    videos = tmp_path / "A_video" / "Actor_01"
    videos.mkdir(parents=True)
    (videos / "01-01-03-01-01-01-01.mp4").touch()
    assert Counter(u.label for u in ravdess.load(tmp_path)) == Counter(4 * list(range(7)))
