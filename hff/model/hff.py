"""The Hierarchical Feature Fusion model: the three levels and the classifier, put together.

Modules by equation: ``weighting`` (16)-(18), ``uncertainty`` (19)-(20), ``attention`` (21)-(23),
``temporal`` (24)-(28), ``classifier`` (29)-(30). Shapes use B clips, T steps, M = 3 modalities in the
order of ``hff.config.MODALITIES``, d = ``d_model``, C labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from hff import device as devices
from hff import model_hub, weights
from hff.cancel import checkpoint
from hff.config import MAX_STEPS, SPEECH_ENCODERS, HFFConfig
from hff.errors import WeightsError
from hff.locale import say
from hff.model.attention import CrossModalAttention
from hff.model.classifier import EmotionClassifier
from hff.model.error_scale import ErrorScale
from hff.model.experts import discount, product, readings, trust, trust_by_hand, within
from hff.model.novelty import Novelty
from hff.model.temporal import GatedRecurrentUnit, MeanOverTime, TemporalPooling
from hff.model.uncertainty import ModalityUncertainty, precision, sample
from hff.model.weighting import Alignment, DynamicWeights, SpeakerEmbedding, reweight, weighted_sum

SCALE_KNOTS = 24  # points of the map from raw sigma^2 to the expected error


@dataclass
class FusionOutput:
    """Everything the page shows and the losses need. K Monte Carlo samples (K = 1 when none are drawn)."""

    logits: Tensor  # (K,B,C), divided by the calibrated temperature
    step_logits: Tensor  # (K,B,T,C), the classifier on each state h_t
    alone_logits: Tensor  # (B,T,M,C), what each modality's own feature says
    readings: Tensor | None  # (B,T,M,C), each modality's own reading up to each step, 0 where not heard yet
    alpha0: Tensor  # (B,T,M), equation (17)
    precision: Tensor  # (B,T,M), equation (19); 0 where absent
    alpha: Tensor  # (B,T,M), the weights that multiply the features
    aleatoric: Tensor  # (B,T,M)
    epistemic: Tensor  # (B,T,M)
    beta: Tensor  # (B,T), equation (28), mean over samples
    attention: Tensor | None  # (B,layers,heads,Q,(1+M)*Q); Q = T, or one block of a long clip
    attention_start: Tensor | None  # (B,), the step at which the attention block begins

    @property
    def variance(self) -> Tensor:
        """sigma^2 (B,T,M): aleatoric plus epistemic."""
        return self.aleatoric + self.epistemic

    @property
    def probabilities(self) -> Tensor:
        """Mean over the samples of the class probabilities, (B,C)."""
        return self.logits.float().softmax(-1).mean(0)


CARD = """---
{{ card_data }}
---

The fusion of HFF: features of voice, words and face, one vector of each every half second -> emotion, weights (alpha)
and uncertainties (sigma^2). What makes such features of a clip is in the whole model, `hff.Analyzer`.

```python
from hff.model.hff import HFF

model = HFF.from_pretrained("owner/name")
```

What it was trained on and how good it is, whoever trained it has to say; its terms are those of what it was trained on.
The weights that come with HFF, and what is made of them, are CC BY-NC-SA 4.0. Not for decisions about people.
"""


class HFF(
    nn.Module,
    PyTorchModelHubMixin,
    library_name=model_hub.LIBRARY,
    tags=[*model_hub.TAGS],
    model_card_template=CARD,
):
    """Features of the three modalities per step -> emotion, weights, uncertainties and maps.

    ``save_pretrained`` and ``push_to_hub`` are those of huggingface_hub's ``PyTorchModelHubMixin``.
    """

    def __init__(self, config: HFFConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HFFConfig()
        modalities, labels = len(config.input_dims), len(config.labels)
        self.alignment = Alignment(config)
        self.voices = SpeakerEmbedding(config.speakers, config.d_model) if config.speakers else None
        self.dynamic_weights = DynamicWeights(config)
        self.uncertainty = nn.ModuleList(
            ModalityUncertainty(config.d_model, config.prior_std, config.dropout, config.bounded)
            for _ in range(modalities)
        )
        self.alone = nn.ModuleList(
            EmotionClassifier(config.d_model, labels, config.classifier_dropout) for _ in range(modalities)
        )
        self.attention = CrossModalAttention(config) if config.use_attention else None
        self.recurrence = GatedRecurrentUnit(config.d_model, config.d_model) if config.use_temporal else None
        self.pooling = TemporalPooling(config.d_model) if config.use_temporal else MeanOverTime()
        self.classifier = EmotionClassifier(config.d_model, labels, config.classifier_dropout)
        if config.bounded:
            self.novelty = nn.ModuleList(Novelty(size, config.novelty_rank, labels) for size in config.input_dims)
            self.scale = nn.ModuleList(ErrorScale(SCALE_KNOTS) for _ in range(modalities))
            self.product = nn.Parameter(torch.tensor(1.5))  # exponent of the product of experts

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        speech_encoder: str | None = None,
        device: str = "cpu",
        **options: Any,
    ) -> HFF:
        """The trained fusion alone, in evaluation mode, of a folder of weights or of a repository on the Hub.

        speech_encoder: whose features it takes, one of ``hff.config.SPEECH_ENCODERS``; by default the last one that the
        folder has a fusion for. device: as for ``hff.load``. options: revision, token and others of the Hub's, see
        ``hff.model_hub``; a folder is read without asking the Hub for anything. Raises ``WeightsError``.
        """
        folder = model_hub.fetched_folder(pretrained_model_name_or_path, model_hub.FUSION_PARTS, **options)
        there = [name for name in SPEECH_ENCODERS if weights.is_file(weights.part_path(folder, "fusion", name))]
        if not there:
            raise WeightsError(say("weights.missing", path=folder, names="fusion.safetensors"))
        return load_fusion(folder, speech_encoder or there[-1]).to(devices.choose(device))

    def _save_pretrained(self, save_directory: Path) -> None:
        path = weights.part_path(save_directory, "fusion", self.config.speech_encoder)
        weights.save(path, self.state_dict(), self.config.to_dict(), half=False)

    def forward(
        self,
        speech: Tensor,
        text: Tensor,
        vision: Tensor,
        present: Tensor,
        *,
        samples: int = 0,
        generator: torch.Generator | None = None,
        alpha: Tensor | None = None,
        with_attention: bool = True,
        speakers: Tensor | None = None,
        **more: Tensor,
    ) -> FusionOutput:
        """Fuse a batch of clips.

        speech (B,T,128), text (B,T,768), vision (B,T,512), and any other modality by its
        name: whatever stands in an absent place is ignored.
        present (B,T,M), bool: which modality is there at which step; padding is a step with none.
        samples: draws of equation (20) in one batched pass; 0 takes the mean (eps = 0).
        alpha: (B,T,M) hand-set weights in place of the model's own, normalised over present modalities; a step whose
        present modalities all weigh 0 is as one with none.
        with_attention: leave the maps out where nobody looks at them.
        speakers: (B,T) int64, who speaks at each step, for a model that tells speakers apart; None is one person.
        """
        given = {"speech": speech, "text": text, "vision": vision} | more
        features = [given[m] for m in self.config.dims]
        aligned = self._aligned(features, present, speakers)
        mean, aleatoric, epistemic, unit_variance = self._distributions(aligned, present)
        strange = self._strange(features, present)
        aleatoric, epistemic = self._on_scale(aleatoric, epistemic, strange, present)
        variance = aleatoric + epistemic
        alpha0 = self.dynamic_weights(aligned, present, strange)
        weight = precision(variance, self.config.precision_eps) * present
        by_hand = alpha
        alpha, present = self._weights(alpha0, weight, present, by_hand)
        valid = present.any(-1)

        spread = ((alpha**2)[..., None] * (aleatoric[..., None] + unit_variance)).sum(2)
        fused1 = sample(weighted_sum(alpha, mean), spread, samples, generator)
        fused2, maps, start = self._attend(fused1, aligned, alpha, present, with_attention)
        valid_k = valid.expand(fused2.shape[0], *valid.shape).flatten(0, 1)
        states = self._recur(fused2.flatten(0, 1), valid_k)
        pooled, beta = self.pooling(states, valid_k)
        beta_k = beta.unflatten(0, (-1, valid.shape[0]))
        beta = beta_k.mean(0)
        if maps is None and with_attention and self.attention is not None:
            maps, start = self._block_with_most_beta(aligned, alpha, present, beta)
        logits = self.classifier(pooled).unflatten(0, (-1, valid.shape[0]))
        step_logits = self.classifier(states).unflatten(0, (-1, valid.shape[0]))
        own = None
        if self.config.bounded:
            drawn = self._unimodal(sample(mean, unit_variance, samples, generator), strange)
            heard = weight * (alpha > 0)
            own = readings(drawn, heard)
            trusted = trust(heard.detach()) if by_hand is None else trust_by_hand(alpha)
            # Detached: each expert learns from its own task alone, so that its reading stays its own.
            logits, step_logits = self._answer(logits, step_logits, own.detach(), trusted, alpha, beta_k)
            own = own.mean(0)
        return FusionOutput(
            logits=logits,
            step_logits=step_logits,
            alone_logits=self._unimodal(mean, strange).log(),
            readings=own,
            alpha0=alpha0,
            precision=weight,
            alpha=alpha,
            aleatoric=aleatoric,
            epistemic=epistemic,
            beta=beta,
            attention=maps,
            attention_start=start,
        )

    def own(self, present: Tensor, speakers: Tensor | None = None, **given: Tensor) -> tuple[Tensor, Tensor]:
        """Each modality's own reading up to each step (B,T,M,C) and its sigma^2 (B,T,M), unfused; inputs as above."""
        features = [given[m] for m in self.config.dims]
        mean, aleatoric, epistemic, _ = self._distributions(self._aligned(features, present, speakers), present)
        strange = self._strange(features, present)
        variance = sum(self._on_scale(aleatoric, epistemic, strange, present))
        weight = precision(variance, self.config.precision_eps) * present
        return readings(self._unimodal(mean, strange), weight), variance

    def _aligned(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        aligned = self.alignment(features, present)
        return aligned if self.voices is None else self.voices(aligned, present, speakers)

    def _weights(
        self, alpha0: Tensor, weight: Tensor, present: Tensor, by_hand: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Equation (18)'s alpha (B,T,M), or that set by hand; and what is heard with it, (B,T,M) bool."""
        if by_hand is None:
            return reweight(alpha0, weight) if self.config.use_dynamic_weighting else alpha0, present
        # A moment at which nothing is there that has a weight is left out, not read from what was set to 0.
        alpha = reweight(by_hand * present, torch.ones_like(alpha0))
        return alpha, present & (alpha > 0).any(-1, keepdim=True)

    def kl(self) -> Tensor:
        """KL divergence of all Bayesian layers from their priors, in nats."""
        return sum(layer.bayes.kl() for layer in self.uncertainty)

    def _distributions(self, aligned: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        per_modality = [layer(aligned[:, :, m]) for m, layer in enumerate(self.uncertainty)]
        mean, aleatoric, epistemic, unit_variance = (
            torch.stack(parts, dim=2) for parts in zip(*per_modality, strict=True)
        )
        there = present[..., None]
        return mean * there, aleatoric * present, epistemic * present, unit_variance * there

    def _strange(self, features: list[Tensor], present: Tensor) -> Tensor:
        """(B,T,M), how unlike the training each modality's input is, 0 to 1; 0 where it is absent."""
        if not self.config.bounded:
            return torch.zeros_like(present, dtype=features[0].dtype)
        seen = [x.masked_fill(~present[..., m, None], 0) for m, x in enumerate(features)]
        return torch.stack([novelty(x) for novelty, x in zip(self.novelty, seen, strict=True)], -1) * present

    def _on_scale(
        self, aleatoric: Tensor, epistemic: Tensor, strange: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The two parts of sigma^2 as the expected Brier error: what is strange is worth a guess, or less.

        The stranger it is, the more of it is epistemic.
        """
        if not self.config.bounded:
            return aleatoric, epistemic
        guess = 1 - 1 / len(self.config.labels)
        unknown = strange * (guess - aleatoric).clamp_min(0) + epistemic
        raw = aleatoric + unknown
        whole = torch.stack([scale(raw[..., m]) for m, scale in enumerate(self.scale)], -1) * present
        # Whose is it: of the strange all, of the rest what the weights leave open.
        share = strange + (1 - strange) * unknown / raw.clamp_min(1e-6)
        return whole * (1 - share).clamp_min(1e-3), whole * share.clamp_max(1 - 1e-3)

    def _unimodal(self, mean: Tensor, strange: Tensor) -> Tensor:
        """What each modality says at each step, (...,B,T,M,d) and (B,T,M) -> probabilities (...,B,T,M,C).

        Of what is strange it says nothing: every class alike.
        """
        unimodal = torch.stack([head(mean[..., m, :]) for m, head in enumerate(self.alone)], dim=-2).float().softmax(-1)
        return torch.lerp(unimodal, torch.full_like(unimodal, 1 / unimodal.shape[-1]), strange[..., None].float())

    def _answer(
        self, logits: Tensor, step_logits: Tensor, own: Tensor, trusted: Tensor, alpha: Tensor, beta: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The answer (K,B,C) and that at each step (K,B,T,C): with the experts' product, and within their bound.

        own (K,B,T,M,C) the modalities' readings up to each step, trusted and alpha (B,T,M), beta (K,B,T).
        """
        whole, so_far = product(self._discounted(own), alpha, beta, self.product / self.classifier.temperature)
        logits, step_logits = logits + whole, step_logits + so_far
        if self.training:  # what is cut off would teach nothing
            return logits, step_logits
        return within(logits, own[:, :, -1], trusted[:, -1]), within(step_logits, own, trusted)

    def _discounted(self, own: Tensor) -> Tensor:
        """The modalities' readings (...,M,C) as they count in the product."""
        shares = [self.config.neutral_discount.get(m, 0.0) for m in self.config.dims]
        if self.config.neutral is None or not any(shares):
            return own
        return discount(own, self.config.neutral, own.new_tensor(shares))

    def _attend(
        self, fused1: Tensor, aligned: Tensor, alpha: Tensor, present: Tensor, with_attention: bool
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Level 2 in blocks of at most ``MAX_STEPS`` steps, so that memory grows linearly with a clip.

        The encoder itself sees no noise, so its part is computed once for all samples.
        """
        if self.attention is None:
            return fused1, None, None
        steps = alpha.shape[1]
        # One block needs no counting: a graph of it (``hff.onnx_files``) holds for any number of steps.
        starts = range(0, steps, MAX_STEPS) if steps > MAX_STEPS else (0,)
        blocks = [slice(first, first + MAX_STEPS) for first in starts]
        parts, maps = [], None
        for b in blocks:  # of a long clip, the maps of one block at a time: all of them would fill the memory
            checkpoint()
            part, maps = self.attention(aligned[:, b], alpha[:, b], present[:, b])
            parts.append(part)
        encoded = torch.cat(parts, dim=1)
        one_block = len(blocks) == 1 and with_attention
        start = torch.zeros(alpha.shape[0], dtype=torch.long, device=alpha.device) if one_block else None
        return encoded + fused1, maps if one_block else None, start

    def _block_with_most_beta(
        self, aligned: Tensor, alpha: Tensor, present: Tensor, beta: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Of a long clip only the maps of each clip's most used block are kept."""
        assert self.attention is not None, "asked only of a model with attention"
        steps, width = beta.shape[1], MAX_STEPS
        mass = torch.stack([part.sum(1) for part in beta.split(width, dim=1)], dim=1)
        # The last block may be short; beginning it earlier would mix blocks, so its width is kept.
        start = mass.argmax(1) * width
        index = (start[:, None] + torch.arange(width, device=beta.device)).clamp_max(steps - 1)
        beyond = start[:, None] + torch.arange(width, device=beta.device) >= steps
        rows = torch.arange(len(beta), device=beta.device)[:, None]
        present = present[rows, index] & ~beyond[..., None]
        return self.attention(aligned[rows, index], alpha[rows, index], present)[1], start

    def _recur(self, fused2: Tensor, valid: Tensor) -> Tensor:
        return fused2 if self.recurrence is None else self.recurrence(fused2, valid)


def load_fusion(folder: Path, speech_encoder: str) -> HFF:
    """The fusion in a folder of weights that was trained on the features of a speech encoder, in evaluation mode.

    Raises ``WeightsError``.
    """
    path = weights.part_path(folder, "fusion", speech_encoder)
    state, stored = weights.load(path)
    weights.labels(stored, path)
    try:
        config = HFFConfig.from_dict(stored)
        weights.check_shapes(lambda: HFF(config), state, "fusion")
    except (TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError) as error:
        raise WeightsError(say("weights.fusion_version", folder=folder, error=str(error))) from error
    if config.speech_encoder != speech_encoder:
        raise WeightsError(
            say("weights.trained_on", folder=folder, trained=config.speech_encoder, speech_encoder=speech_encoder)
        )
    model = weights.filled(lambda: HFF(config), state, "fusion")
    return model.eval()
