"""The fusion rivals: the model's interface, presence and padding, the papers' equations, and that they learn."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn import functional as F

from hff.config import HFFConfig
from hff.locale import languages
from hff.locale.catalogue import catalogue
from tests.support.model_fixtures import SHIPPED, random_clips, small_config
from train.rivals import RIVALS, RivalOutput, rival_loss
from train.rivals.lmf import RANK
from train.rivals.rival import MaskedLSTM, largest_present, last_present, mean_present, means_around
from train.rivals.tfn import outer_product

NAMES = list(RIVALS)
CONFIG = small_config(d_model=32)  # of 16, TFN would have 3 ReLU units for a modality, and they may all be silent
MAX_STEPS = 5
ALONE = {"late averaging", "fixed weights"}  # of a dialogue they read each utterance by itself
FORWARDS = {"MFN", "MFM"}  # as in their papers
quick = settings(max_examples=6, deadline=None)
presence = st.integers(1, MAX_STEPS).flatmap(lambda steps: arrays(bool, (2, steps, 3)))
junk = st.sampled_from([0.0, 1e30, -7.5, float("nan"), float("inf")])


def rival(name: str, seed: int = 0, **changes):
    """A small rival with every parameter random, so that no term is hidden by a 0 or a 1."""
    torch.manual_seed(seed)
    model = RIVALS[name](dataclasses.replace(CONFIG, **changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def rivals() -> dict:
    return {name: rival(name).requires_grad_(False) for name in NAMES}


def talk(batch: int, steps: int) -> dict[str, torch.Tensor]:
    """Two people who take turns: what makes a dialogue of clips."""
    return {"speakers": (torch.arange(steps) % 2).expand(batch, steps)}


def assert_same(a: RivalOutput, b: RivalOutput, **tolerance) -> None:
    torch.testing.assert_close(a.logits, b.logits, **tolerance)
    assert (a.step_logits is None) == (b.step_logits is None)
    if a.step_logits is not None:
        torch.testing.assert_close(a.step_logits, b.step_logits, **tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_any_labels_and_sizes(name):
    config = small_config(labels=("no", "yes"), speech_dim=3, text_dim=5, vision_dim=4, d_model=8)
    output = RIVALS[name](config).eval()(
        **random_clips(config, 3, 4), samples=2, generator=torch.Generator(), alpha=None, with_attention=False
    )
    assert output.logits.shape == (1, 3, 2)
    assert output.step_logits is None
    torch.testing.assert_close(output.probabilities, output.logits[0].softmax(-1))


@pytest.mark.parametrize("name", NAMES)
def test_sizes_at_the_papers_features_are_of_hffs_order(name):
    model = RIVALS[name](HFFConfig())
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters < 2_000_000
    assert (parameters > 150_000) is not model.shallow


@pytest.mark.parametrize("name", NAMES)
def test_people_read_its_name_in_every_language(name):
    """A name in small letters is made of words; any other, as TFN, is a proper name."""
    for language in languages():
        assert name != name.lower() or name in catalogue(language)["MEASURED_TEXTS"]


@pytest.mark.parametrize("name", NAMES)
@quick
@given(present=presence, value=junk, seed=st.integers(0, 99))
def test_content_of_absent_modalities_changes_nothing(rivals, name, present, value, seed):
    model = rivals[name]
    clips = random_clips(model.config, *present.shape[:2], seed, present)
    spoilt = dict(clips)
    for m, modality in enumerate(SHIPPED):
        spoilt[modality] = clips[modality].masked_fill(~clips["present"][..., m, None], value)
    for dialogue in ({}, talk(*present.shape[:2])):
        output = model(**clips, **dialogue)
        assert output.logits.isfinite().all()  # even where nothing is present
        assert_same(output, model(**spoilt, **dialogue), atol=0, rtol=0)


@pytest.mark.parametrize("name", NAMES)
@quick
@given(present=presence, value=junk, added=st.integers(1, 3))
def test_padding_changes_nothing(rivals, name, present, value, added):
    model, steps = rivals[name], present.shape[1]
    clips = random_clips(model.config, *present.shape[:2], 0, present)
    longer = {
        key: torch.cat([x, torch.full_like(x[:, :1], False if key == "present" else value).expand(-1, added, -1)], 1)
        for key, x in clips.items()
    }
    assert_same(model(**clips), model(**longer))
    said, padded = model(**clips, **talk(2, steps)), model(**longer, **talk(2, steps + added))
    heard = clips["present"].any(-1)
    torch.testing.assert_close(said.step_logits[0][heard], padded.step_logits[0][:, :steps][heard])


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_reads_the_same_in_any_company(rivals, name):
    clips = random_clips(rivals[name].config, 4, 3)
    for given_clips in (clips, clips | talk(4, 3)):
        together = rivals[name](**given_clips)
        alone = rivals[name](**{key: value[2:3] for key, value in given_clips.items()})
        torch.testing.assert_close(alone.logits[:, 0], together.logits[:, 2])


@pytest.mark.parametrize("name", NAMES)
def test_every_present_modality_is_heard(rivals, name):
    clips = random_clips(rivals[name].config, 8, 3, present=np.ones(3, bool))
    before = rivals[name](**clips).logits
    for modality in SHIPPED:
        changed = rivals[name](**(clips | {modality: clips[modality] + torch.randn_like(clips[modality])})).logits
        assert (changed - before).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_every_parameter_and_junk_spoils_none(name):
    model = rival(name, seed=1).train()
    clips = random_clips(model.config, 8, 4)
    for m, modality in enumerate(SHIPPED):
        clips[modality] = clips[modality].masked_fill(~clips["present"][..., m, None], float("nan"))
    rival_loss(model(**clips), torch.arange(8) % 7).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        # A bias of attention's keys moves all scores alike, which a softmax does not see; one person speaks here.
        assert parameter.grad.abs().max() > 0 or parameter_name.endswith(("key.bias", "lin_key.bias")), parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_learns_what_no_modality_alone_tells(name):
    """The label is the sign that voice and words agree on; the face tells it too, in half of the clips."""
    config = dataclasses.replace(CONFIG, labels=("no", "yes"), dropout=0.0, classifier_dropout=0.0)
    torch.manual_seed(0)
    model = RIVALS[name](config)
    clips = random_clips(config, 96, 2, present=np.ones(3, bool))
    target = torch.arange(96) % 2
    sign = (2.0 * target - 1)[:, None, None]
    clips["speech"][..., :2] += sign
    clips["text"][..., :2] += sign
    clips["vision"][:48, :, :2] += 2 * sign[:48]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        rival_loss(model(**clips), target).backward()
        optimizer.step()
    accuracy = (model.eval()(**clips).probabilities.argmax(1) == target).float().mean()
    assert accuracy > 0.95


def test_loss_is_the_cross_entropy_and_what_the_paper_adds():
    logits = torch.randn(1, 2, 7, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([3, 5])
    clip = F.cross_entropy(logits[0], target, label_smoothing=0.05)
    torch.testing.assert_close(rival_loss(RivalOutput(logits), target), clip)
    torch.testing.assert_close(rival_loss(RivalOutput(logits, auxiliary=torch.tensor(0.5)), target), clip + 0.5)


@pytest.mark.parametrize("name", NAMES)
def test_every_utterance_of_a_dialogue_gets_an_answer(rivals, name):
    clips = random_clips(CONFIG, 3, 4, present=np.ones(3, bool))
    output = rivals[name](**clips, **talk(3, 4))
    assert output.step_logits.shape == (1, 3, 4, 7)
    torch.testing.assert_close(output.logits, output.step_logits.mean(2))


def moved(model, at: int, steps: int = 4, **dialogue) -> list[bool]:
    """Which utterances' answers change with what utterance ``at`` of a dialogue says."""
    clips = random_clips(CONFIG, 1, steps, present=np.ones(3, bool))
    dialogue = dialogue or talk(1, steps)
    other = {m: clips[m].clone() for m in SHIPPED}
    for x in other.values():
        x[:, at] = torch.randn(x.shape[-1], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before, after = (model(**given, **dialogue).step_logits[0, 0] for given in (clips, clips | other))
    return ((before - after).abs().amax(-1) > 1e-6).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_dialogue_is_read_as_a_whole(rivals, name):
    heard = moved(rivals[name], at=1)
    later = name not in ALONE
    assert heard == [later and name not in FORWARDS, True, later, later]


@pytest.mark.parametrize("name", NAMES)
def test_past_only_rests_on_nothing_that_is_said_later(name):
    model = rival(name, past_only=True, speakers=2)
    later = name not in ALONE
    assert moved(model, at=1) == [False, True, later, later]


def test_means_and_last_steps_look_at_present_steps_only():
    x = torch.arange(8.0).view(2, 4, 1) + 1
    mask = torch.tensor([[True, False, True, False], [False] * 4])
    assert mean_present(x, mask).flatten().tolist() == [2.0, 0.0]
    assert last_present(x, mask).flatten().tolist() == [3.0, 0.0]
    assert largest_present(-x, mask).flatten().tolist() == [-1.0, 0.0]
    assert means_around(x, mask, past_only=False)[..., 0].tolist() == [[2.0] * 4, [0.0] * 4]
    assert means_around(x, mask, past_only=True)[0, :, 0].tolist() == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_masked_lstm_reads_what_is_there_as_if_it_stood_close(both_ways):
    torch.manual_seed(0)
    model, x = MaskedLSTM(3, 4, both_ways), torch.randn(2, 5, 3)
    mask = torch.tensor([[False, True, True, False, True], [False] * 5])
    states, final = model(x, mask)
    close = x[:1, mask[0]]
    forwards = model.forwards(close)[0][0]
    torch.testing.assert_close(states[0, [1, 2, 3, 4], :4], forwards[[0, 1, 1, 2]])
    assert not states[0, 0, :4].any()
    assert not states[1].any()
    if both_ways:
        backwards = model.backwards(close.flip(1))[0][0].flip(0)
        torch.testing.assert_close(states[0, [0, 1, 2, 3, 4], 4:], backwards[[0, 0, 1, 2, 2]])
        torch.testing.assert_close(final[0], torch.cat([forwards[-1], backwards[0]]))


def test_late_averaging_averages_the_probabilities_of_the_present(rivals):
    model = rivals["late averaging"]
    clips = random_clips(model.config, 3, 2, present=np.ones(3, bool))

    def of(*kept: int) -> torch.Tensor:
        there = torch.zeros(3, dtype=torch.bool)
        there[list(kept)] = True
        return model(**(clips | {"present": there.expand(3, 2, 3)})).probabilities

    torch.testing.assert_close(of(0, 2), (of(0) + of(2)) / 2)
    torch.testing.assert_close(of(0, 1, 2), (of(0) + of(1) + of(2)) / 3)


def test_fixed_weights_are_the_same_for_every_clip(rivals):
    model = rivals["fixed weights"]
    clips = random_clips(model.config, 4, 1, present=np.ones(3, bool))
    aligned = model.alignment([clips[m] for m in SHIPPED], clips["present"])
    by_hand = model.classifier(torch.einsum("m,btmd->bd", model.scores.softmax(0), aligned))
    torch.testing.assert_close(model(**clips).logits[0], by_hand)


def test_tensor_fusion_is_the_outer_product():
    generator = torch.Generator().manual_seed(0)
    z = [torch.randn(2, size, generator=generator) for size in (3, 4, 5)]
    torch.testing.assert_close(outer_product(*z), torch.einsum("bi,bj,bk->bijk", *z).flatten(1))


def test_tensor_fusion_without_a_modality_keeps_the_others_interactions(rivals):
    model = rivals["TFN"]
    clips = random_clips(model.config, 2, 3, present=np.array([True, False, True]))
    speech, text, vision = model.encoders([clips[m] for m in SHIPPED], clips["present"], each=False)
    assert torch.equal(text, F.pad(torch.zeros_like(text[:, 1:]), (0, 1), value=1.0))
    by_hand = torch.zeros(2, speech.shape[1], text.shape[1], vision.shape[1])
    by_hand[:, :, -1] = torch.einsum("bi,bk->bik", speech, vision)
    torch.testing.assert_close(model(**clips).logits[0], model.inference(by_hand.flatten(1)))


def test_tensor_fusion_has_the_papers_subnetworks():
    """32, 128 and 32 numbers, an LSTM of 128, three layers of ReLU for voice and face, two of 128 after the product."""
    model = RIVALS["TFN"](small_config(d_model=256))
    assert model.encoders.sizes == (32, 128, 32)
    hidden = [layer.out_features for layer in model.inference if isinstance(layer, torch.nn.Linear)]
    assert hidden == [128, 128, 7]
    assert model.inference[1].in_features == 33 * 129 * 33
    voice, words, _ = model.encoders.encoders
    assert [layer.out_features for layer in voice.layers if isinstance(layer, torch.nn.Linear)] == [32] * 3
    assert words.lstm.forwards.hidden_size == 128


def test_low_rank_fusion_is_the_full_tensor_times_a_low_rank_one(rivals):
    """Equation (7) of the LMF paper: the weight tensor is the sum over ranks of the factors' outer products."""
    model = rivals["LMF"]
    clips = random_clips(model.config, 3, 2)
    z = model.encoders([clips[m] for m in SHIPPED], clips["present"], each=False)
    weight = sum(
        model.rank_weights[r] * torch.einsum("io,jo,ko->ijko", *(factor[r] for factor in model.factors))
        for r in range(RANK)
    )
    full = torch.einsum("bi,bj,bk,ijko->bo", *z, weight) + model.bias
    torch.testing.assert_close(model.low_rank(z), full)


def test_memory_fusion_follows_the_papers_equations(rivals):
    """MGM: u_t = g1 u_{t-1} + g2 tanh(D_u(c)), where c is what attention leaves of the memories of two steps."""
    model = rivals["MFN"].network
    generator = torch.Generator().manual_seed(0)
    delta = torch.randn(2, 6 * model.memory, generator=generator)
    memory = torch.randn(2, model.memory, generator=generator)
    scores = model.attention(delta).exp()
    c = delta * scores / scores.sum(-1, keepdim=True)
    keep, write = (1 / (1 + (-gate(c)).exp()) for gate in (model.keep, model.write))
    expected = keep * memory + write * torch.tanh(model.candidate(c))
    torch.testing.assert_close(model.remember(delta, memory), expected)


def test_memory_fusion_reads_every_step_as_if_the_clip_ended_there(rivals):
    model = rivals["MFN"]
    clips = random_clips(model.config, 2, 4)
    steps = model(**clips, **talk(2, 4)).step_logits[0]
    for t in range(4):
        torch.testing.assert_close(model(**{k: v[:, : t + 1] for k, v in clips.items()}).logits[0], steps[:, t])


@pytest.mark.parametrize(("target", "source"), list(itertools.permutations(range(3), 2)))
def test_multimodal_transformer_reads_each_modality_through_each_other(rivals, target, source):
    """What a source says reaches the target's part of the joined vector, and nothing does where it is absent."""
    model = rivals["MulT"]
    there = np.zeros(3, bool)
    there[[target, source]] = True
    clips = random_clips(model.config, 2, 3, present=there)
    joined = []
    hook = model.residual.register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0]))
    name = SHIPPED[source]
    model(**clips)
    model(**(clips | {name: clips[name] + 1 + torch.randn_like(clips[name])}))
    hook.remove()
    before, after = (part.chunk(3, dim=-1) for part in joined)
    assert (before[target] - after[target]).abs().max() > 1e-4
    absent = 3 - target - source
    assert not before[absent].any()


def test_configs_that_only_differ_in_hffs_switches_build_the_same_rival():
    config = dataclasses.replace(CONFIG, use_attention=False, use_temporal=False)
    for name in NAMES:
        torch.manual_seed(0)
        one = RIVALS[name](config).state_dict()
        torch.manual_seed(0)
        other = RIVALS[name](CONFIG).state_dict()
        assert all(torch.equal(one[key], other[key]) for key in other)
