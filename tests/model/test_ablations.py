"""The config: ablations of the paper's table 4, heads of table 5, other label sets; and gradients under the loss."""

from __future__ import annotations

import json
from itertools import product

import pytest
import torch

from hff.config import EMOTIONS, HFFConfig
from hff.model.hff import HFF
from tests.support.model_fixtures import SHIPPED, random_clips, small_config, small_model
from train.fusion.losses import fusion_loss

SWITCHES = ("use_attention", "use_dynamic_weighting", "use_temporal", "use_alignment")
ALL_SWITCHES = [dict(zip(SWITCHES, values, strict=True)) for values in product((True, False), repeat=4)]


def training_gradients(model: HFF, labels: int = 7) -> dict[str, torch.Tensor | None]:
    """The gradient of each parameter after one batch with augmented pairs, every modality and a padded step."""
    torch.manual_seed(0)
    clips = random_clips(model.config, 8, 4)
    clips["present"][0, 3] = False
    model.train()
    output = model(**clips, samples=1, with_attention=False)
    severity = torch.rand(8, 4, 3)
    target = torch.arange(8) % labels
    fusion_loss(model, output, target, clips["present"], severity, augmented=3).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("switches", ALL_SWITCHES, ids=lambda s: "+".join(k[4:] for k, v in s.items() if v) or "none")
def test_every_parameter_learns_under_every_ablation(switches):
    model = small_model(**switches)
    for name, gradient in training_gradients(model).items():
        if name.startswith("alignment.linear") and not switches["use_alignment"]:
            assert gradient is None, name
            continue
        assert gradient is not None, name
        assert gradient.isfinite().all(), name
        # A constant added to every key shifts all scores alike, and the softmax forgets it.
        if not name.endswith("key.bias"):
            assert gradient.abs().max() > 0, name


@pytest.mark.parametrize("switches", ALL_SWITCHES, ids=lambda s: "+".join(k[4:] for k, v in s.items() if v) or "none")
def test_every_ablation_gives_a_whole_reading(switches):
    model = small_model(**switches)
    clips = random_clips(model.config, 2, 5)
    output = model(**clips, samples=4, generator=torch.Generator().manual_seed(0))
    assert output.logits.shape == (4, 2, 7)
    assert output.logits.isfinite().all()
    torch.testing.assert_close(output.alpha.sum(-1), torch.ones(2, 5))
    torch.testing.assert_close(output.beta.sum(-1), torch.ones(2))
    assert (output.attention is None) == (not switches["use_attention"])


def test_without_dynamic_weighting_present_modalities_weigh_the_same():
    model = small_model(use_dynamic_weighting=False)
    clips = random_clips(model.config, 2, 5)
    present = clips["present"].float()
    output = model(**clips)
    torch.testing.assert_close(output.alpha, present / present.sum(-1, keepdim=True))
    assert (output.variance[clips["present"]] > 0).all()  # uncertainty is still told


def test_without_temporal_model_the_order_of_steps_does_not_matter():
    model = small_model(use_temporal=False, use_attention=False)
    clips = random_clips(model.config, 2, 5)
    backwards = {name: value.flip(1) for name, value in clips.items()}
    torch.testing.assert_close(model(**backwards).logits, model(**clips).logits)
    with_time = small_model(use_attention=False)
    assert not torch.allclose(with_time(**backwards).logits, with_time(**clips).logits)


def test_without_attention_no_step_sees_another():
    model = small_model(use_attention=False, use_temporal=False)
    clips = random_clips(model.config, 1, 4)
    changed = clips | {"text": clips["text"].clone()}
    changed["text"][:, 3] += 1
    clips["present"][:, 3, 1] = True
    before, after = model(**clips).step_logits, model(**changed).step_logits
    torch.testing.assert_close(before[:, :, :3], after[:, :, :3])
    assert not torch.allclose(before[:, :, 3], after[:, :, 3])
    attending = small_model(use_temporal=False)
    assert not torch.allclose(attending(**clips).step_logits[:, :, 0], attending(**changed).step_logits[:, :, 0])


@pytest.mark.parametrize("heads", [4, 6, 8, 10])
def test_any_number_of_heads(heads):
    """At the paper's sizes; 128 is divisible by neither 6 nor 10, so their heads are a little wider in all."""
    model = HFF(HFFConfig(heads=heads)).eval()
    clips = random_clips(model.config, 1, 3)
    output = model(**clips)
    assert output.attention.shape == (1, 4, heads, 3, 3 * (1 + len(model.config.dims)))
    torch.testing.assert_close(output.attention.sum(-1), torch.ones(1, 4, heads, 3))
    assert model.config.head_dim * heads >= 128
    assert model.config.head_dim * heads < 128 + heads


def test_sizes_of_section_4_1_are_the_defaults():
    config = HFFConfig()
    assert config.labels == EMOTIONS
    assert [config.dims[m] for m in SHIPPED] == [128, 768, 512]
    assert (config.d_model, config.layers, config.heads, config.hidden_multiple) == (128, 4, 8, 4)
    assert (config.dropout, config.classifier_dropout) == (0.1, 0.3)
    model = HFF(config)
    assert model.attention.layers[0].feed_forward[0].out_features == 512
    dropouts = {name: m.p for name, m in model.named_modules() if isinstance(m, torch.nn.Dropout)}
    classifiers = {name for name in dropouts if name.startswith(("classifier.", "alone."))}
    assert {dropouts[name] for name in classifiers} == {0.3}
    assert {dropouts[name] for name in dropouts.keys() - classifiers} == {0.1}


@pytest.mark.parametrize(
    "labels",
    [("happy", "sad", "neutral", "angry", "excited", "frustrated"), ("negative", "positive")],
    ids=["IEMOCAP", "sentiment"],
)
def test_other_label_sets(labels):
    model = small_model(labels=labels)
    output = model(**random_clips(model.config, 2, 3))
    assert output.probabilities.shape == (2, len(labels))
    assert output.alone_logits.shape == (2, 3, 3, len(labels))
    gradients = training_gradients(model, len(labels))
    assert all(g is not None and g.isfinite().all() for g in gradients.values())


def test_dropout_only_while_training():
    model = small_model()
    clips = random_clips(model.config, 2, 3)
    assert torch.equal(model(**clips).logits, model(**clips).logits)
    model.train()
    assert not torch.equal(model(**clips).logits, model(**clips).logits)


def test_config_survives_json():
    config = small_config(labels=("negative", "positive"), heads=6, use_temporal=False, dropout=0.25)
    again = HFFConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    older = HFFConfig.from_dict({})  # as of weights that say nothing of it
    assert older == HFFConfig(bounded=False, dims=older.dims)
    assert tuple(older.dims) == SHIPPED


def test_config_names_the_key_it_does_not_know():
    with pytest.raises(ValueError, match=r"use_magic.*use_attention"):
        HFFConfig.from_dict(HFFConfig().to_dict() | {"use_magic": True})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"heads": 0}, "heads"),
        ({"layers": 0}, "layers"),
        ({"d_model": -1}, "d_model"),
        ({"text_dim": 0}, "text_dim"),
        ({"labels": ("happy",)}, "labels"),
        ({"labels": ("happy", "happy")}, "labels"),
    ],
)
def test_config_refuses_sizes_that_cannot_be(changes, named):
    with pytest.raises(ValueError, match=named):
        HFFConfig(**changes)
