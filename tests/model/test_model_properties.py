"""What must hold for any clip: presence, padding, batches, seeds, blocks, devices and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch._subclasses.fake_tensor import FakeTensorMode

from hff.model import hff as module
from hff.model.hff import HFF
from tests.support import numpy_model as paper
from tests.support.model_fixtures import SHIPPED, assert_same, figures, random_clips, small_config, small_model
from tests.support.numpy_model import numbers

settings.register_profile(
    "model", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("model")

MODEL = small_model(layers=1).requires_grad_(False)
MAX_STEPS = 6
presence = st.integers(1, MAX_STEPS).flatmap(lambda steps: arrays(bool, (2, steps, 3)))
seeds = st.integers(0, 2**16)
junk = st.sampled_from([0.0, 1e30, -7.5, float("nan"), float("inf"), -float("inf")])


def clips_of(present: np.ndarray, seed: int) -> dict[str, torch.Tensor]:
    return random_clips(MODEL.config, len(present), present.shape[1], seed, present)


def draws(seed: int = 0) -> dict:
    return {"samples": 3, "generator": torch.Generator().manual_seed(seed)}


@given(presence, seeds)
def test_alpha_is_a_distribution_over_the_present_modalities(present, seed):
    output = MODEL(**clips_of(present, seed))
    there = torch.from_numpy(present)
    for weights in (output.alpha, output.alpha0):
        assert (weights[~there] == 0).all()
        assert (weights[there] > 0).all()
        torch.testing.assert_close(weights.sum(-1), there.any(-1).float())
    for spread in (output.precision, output.aleatoric, output.epistemic):
        assert (spread[~there] == 0).all()
        assert (spread[there] > 0).all()


@given(presence, seeds)
def test_probabilities_and_beta_are_distributions(present, seed):
    output = MODEL(**clips_of(present, seed), **draws())
    there = torch.from_numpy(present).any(-1)
    torch.testing.assert_close(output.probabilities.sum(-1), torch.ones(2))
    torch.testing.assert_close(output.beta.sum(-1), there.any(-1).float())
    assert (output.beta[~there] == 0).all()
    assert all(value.isfinite().all() for value in figures(output).values())


@given(presence, seeds, junk)
def test_content_of_absent_modalities_changes_nothing(present, seed, value):
    clips = clips_of(present, seed)
    spoilt = dict(clips)
    for m, name in enumerate(SHIPPED):
        spoilt[name] = clips[name].masked_fill(~clips["present"][..., m, None], value)
    assert_same(MODEL(**clips, **draws()), MODEL(**spoilt, **draws()), atol=0)


def test_content_of_absent_modalities_spoils_no_gradient():
    model = small_model(seed=1)
    clips = random_clips(model.config, 2, 4)
    for m, name in enumerate(SHIPPED):
        clips[name] = clips[name].masked_fill(~clips["present"][..., m, None], float("nan"))
    model(**clips, samples=1).logits.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@given(presence, seeds, st.integers(1, 4), junk)
def test_padding_changes_nothing(present, seed, added, value):
    clips = clips_of(present, seed)
    steps = present.shape[1]
    padded = {
        name: torch.cat(
            [tensor, torch.full_like(tensor[:, :1], value if name != "present" else False).expand(-1, added, -1)], dim=1
        )
        for name, tensor in clips.items()
    }
    short, long = MODEL(**clips), MODEL(**padded)
    torch.testing.assert_close(short.logits, long.logits)
    for name in ("alpha0", "precision", "alpha", "aleatoric", "epistemic", "beta", "alone_logits"):
        torch.testing.assert_close(getattr(long, name)[:, :steps], getattr(short, name))
    torch.testing.assert_close(long.step_logits[:, :, :steps], short.step_logits)
    assert (long.beta[:, steps:] == 0).all()
    by_kind = long.attention.unflatten(-1, (4, steps + added))
    assert (by_kind[..., steps:] == 0).all()
    torch.testing.assert_close(by_kind[..., :steps, :, :steps].flatten(-2), short.attention)


@given(st.lists(st.integers(1, MAX_STEPS), min_size=2, max_size=4), seeds)
def test_results_do_not_depend_on_the_batch(lengths, seed):
    """Clips of several lengths, padded together, read as each alone; and in any order."""
    clips = random_clips(MODEL.config, len(lengths), max(lengths), seed)
    for b, length in enumerate(lengths):
        clips["present"][b, length:] = False
    together = MODEL(**clips)
    backwards = MODEL(**{name: value.flip(0) for name, value in clips.items()})
    torch.testing.assert_close(backwards.logits.flip(1), together.logits)
    for b, length in enumerate(lengths):
        alone = MODEL(**{name: value[b : b + 1, :length] for name, value in clips.items()})
        torch.testing.assert_close(alone.logits[:, 0], together.logits[:, b])
        torch.testing.assert_close(alone.alpha[0], together.alpha[b, :length])
        torch.testing.assert_close(alone.variance[0], together.variance[b, :length])
        torch.testing.assert_close(alone.beta[0], together.beta[b, :length])


@given(presence, seeds)
def test_same_seed_same_result(present, seed):
    clips = clips_of(present, seed)
    first = MODEL(**clips, **draws(seed))
    torch.rand(5)  # the global generator plays no part
    assert_same(first, MODEL(**clips, **draws(seed)), atol=0)
    if present.any(axis=(1, 2)).all():
        assert not torch.equal(first.logits, MODEL(**clips, **draws(seed + 1)).logits)


def test_draws_differ_from_each_other_and_have_the_shape_asked_for():
    clips = random_clips(MODEL.config, 2, 4)
    logits = MODEL(**clips, samples=5, generator=torch.Generator().manual_seed(0)).logits
    assert logits.shape == (5, 2, 7)
    assert len({tuple(row) for row in logits[:, 0].tolist()}) == 5
    assert MODEL(**clips).logits.shape == (1, 2, 7)


def test_draws_in_one_pass_equal_a_pass_for_each(monkeypatch):
    model, clips = small_model().requires_grad_(False), random_clips(MODEL.config, 3, 5)
    drawn, encoded, sample = [], [], module.sample
    model.attention.register_forward_hook(lambda *_: encoded.append(1))
    monkeypatch.setattr(module, "sample", lambda *a: drawn.append(sample(*a)) or drawn[-1])
    together = model(**clips, **draws())
    assert len(encoded) == 1  # attention sees no noise, so it is computed once
    assert len(drawn) == 2  # the fused feature, and each modality's own
    betas = []
    for k in range(3):
        again = iter(drawn)
        monkeypatch.setattr(module, "sample", lambda *a, k=k, again=again: next(again)[k : k + 1])
        one = model(**clips)
        torch.testing.assert_close(one.logits[0], together.logits[k])
        torch.testing.assert_close(one.step_logits[0], together.step_logits[k])
        betas.append(one.beta)
    torch.testing.assert_close(torch.stack(betas).mean(0), together.beta)
    torch.testing.assert_close(together.probabilities, together.logits.softmax(-1).mean(0))


@given(seeds, st.integers(0, 2), arrays(np.float32, (2, 4, 3), elements=st.floats(0.125, 4, width=32)))
def test_hand_set_weights_replace_the_models_own(seed, muted, weights):
    """A modality set to 0 is heard nowhere in the result, though it is present."""
    clips = random_clips(MODEL.config, 2, 4, seed, np.ones((2, 4, 3)))
    alpha = torch.from_numpy(weights)
    alpha[..., muted] = 0
    output = MODEL(**clips, alpha=alpha, **draws())
    torch.testing.assert_close(output.alpha, alpha / alpha.sum(-1, keepdim=True))
    name = SHIPPED[muted]
    other = MODEL(**clips | {name: torch.randn_like(clips[name])}, alpha=alpha, **draws())
    torch.testing.assert_close(other.logits, output.logits)
    torch.testing.assert_close(other.step_logits, output.step_logits)
    torch.testing.assert_close(other.attention, output.attention)
    heard = SHIPPED[(muted + 1) % 3]
    assert not torch.allclose(
        MODEL(**clips | {heard: torch.randn_like(clips[heard])}, alpha=alpha, **draws()).logits, output.logits
    )


@given(seeds, st.integers(0, 2))
def test_no_weight_is_as_good_as_absence(seed, muted):
    clips = random_clips(MODEL.config, 2, 4, seed, np.ones((2, 4, 3)))
    alpha = torch.rand(2, 4, 3) + 0.1
    alpha[..., muted] = 0
    present = clips["present"].clone()
    present[..., muted] = False
    silent, absent = MODEL(**clips, alpha=alpha), MODEL(**clips | {"present": present}, alpha=alpha)
    torch.testing.assert_close(silent.logits, absent.logits, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(silent.attention, absent.attention, atol=1e-4, rtol=1e-3)


def test_hand_set_weights_count_only_what_is_present():
    present = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    output = MODEL(**random_clips(MODEL.config, 1, 3, present=present), alpha=torch.tensor([2.0, 5.0, 6.0]))
    torch.testing.assert_close(output.alpha[0], torch.tensor([[0.25, 0, 0.75], [0, 1, 0], [0, 0, 0]]))


@given(presence, seeds)
def test_attention_rows_are_distributions_over_what_is_there(present, seed):
    output = MODEL(**clips_of(present, seed))
    steps = present.shape[1]
    assert output.attention.shape == (2, 1, 4, steps, 4 * steps)
    there = torch.from_numpy(present)
    seen = torch.cat([there.any(-1), there.transpose(1, 2).flatten(1)], dim=1)
    rows = output.attention.sum(-1)
    torch.testing.assert_close(rows, seen.any(1)[:, None, None, None].expand_as(rows).float())
    assert (output.attention[~seen[:, None, None, None].expand_as(output.attention)] == 0).all()
    assert (output.attention >= 0).all()


@given(st.integers(5, 11), seeds, presence, st.booleans())
@example(steps=6, seed=1, pattern=np.ones((1, 1, 3), bool), late=True)
def test_long_clips_are_read_in_blocks(steps, seed, pattern, late):
    """The maps kept are those of the block with the most beta, and equal that block's own maps."""
    width = 4
    present = np.resize(pattern[0], (1, steps, 3))
    present[0, seed % steps] = True  # at least one step holds something
    if late:  # in the last block alone, which is a short one
        present[0, : (steps - 1) // width * width] = False
        present[0, -1] = True
    clips = clips_of(present, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_STEPS", width)
        output = MODEL(**clips)
        assert MODEL(**clips, with_attention=False).attention is None
    start = int(output.attention_start[0])
    mass = [float(output.beta[0, first : first + width].sum()) for first in range(0, steps, width)]
    assert start == width * int(np.argmax(mass))
    block = slice(start, min(start + width, steps))
    size = block.stop - block.start
    aligned = paper.align(MODEL.alignment, [numbers(clips[name][0]) for name in SHIPPED], present[0])
    expected = paper.encoder(MODEL.attention, aligned[block], numbers(output.alpha[0, block]), present[0, block])[1]
    assert output.attention.shape == (1, 1, 4, width, 4 * width)
    by_kind = output.attention[0].unflatten(-1, (4, width))
    assert (by_kind[..., size:] == 0).all()  # a short last block has no keys beyond its end
    ours = numbers(by_kind[..., :size, :, :size]).reshape(expected.shape)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_fusion_of_a_long_clip_is_each_blocks_own():
    """Each block attends within itself; time is then modelled over the whole clip."""
    steps = module.MAX_STEPS + 30
    clips = random_clips(MODEL.config, 2, steps)
    seen = []
    handle = MODEL.recurrence.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    output = MODEL(**clips)
    first = MODEL(**{name: value[:, : module.MAX_STEPS] for name, value in clips.items()})
    last = MODEL(**{name: value[:, module.MAX_STEPS :] for name, value in clips.items()})
    handle.remove()
    torch.testing.assert_close(seen[0][0], torch.cat([seen[1][0], seen[2][0]], dim=1))
    torch.testing.assert_close(seen[0][1][:, : module.MAX_STEPS], seen[1][1])  # the past does not know the future
    assert not torch.allclose(output.step_logits[:, :, module.MAX_STEPS :], last.step_logits)  # the state goes on
    assert output.beta.shape == (2, steps)
    assert output.logits.isfinite().all()
    assert first.attention.shape[-1] == 4 * module.MAX_STEPS


@pytest.mark.parametrize("steps", [3, 9])
def test_all_work_stays_on_the_inputs_device(steps, monkeypatch):
    """On a simulated GPU: a tensor made or moved to the CPU in between would raise."""
    monkeypatch.setattr(module, "MAX_STEPS", 4)
    with FakeTensorMode():
        with torch.device("cuda"):
            model = HFF(small_config())
        clips = [torch.empty(2, steps, size, device="cuda") for size in model.config.input_dims]
        present = torch.ones(2, steps, 3, dtype=torch.bool, device="cuda")
        output = model(*clips, present, samples=2)
        assert {value.device.type for value in figures(output).values()} == {"cuda"}
        assert output.attention.shape == (2, 2, 4, min(steps, 4), 4 * min(steps, 4))
        with pytest.raises(RuntimeError, match="device"):
            model(*clips, present.cpu(), samples=2)
