"""What the fusion is trained to: the emotion, and uncertainties that mean something."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hff.model.hff import HFF, FusionOutput
from train.metrics import brier

STEP_WEIGHT = 0.3  # of the loss at every step, so that the reading is good before the clip ends
UNIMODAL_WEIGHT = 0.5  # of each modality's own classification
VARIANCE_WEIGHT = 0.3
RANK_WEIGHT = 0.2  # of ordinality between two versions of one clip
ACROSS_WEIGHT = 0.2  # of ordinality between different clips
TEACHER_WEIGHT = 4.0  # of what each encoder's own head says, for that modality alone
TAUGHT_MAX = 0.6  # severity of corruption beyond which that head has not learned and teaches nothing
GAIN_WEIGHT = 2.0  # of alpha as each modality's share of what they know of the truth
GAIN_POWER = 2  # of what each knows, in its share: the higher, the more alpha goes to the one that knows most
EXPERT_WEIGHT = 0.5  # of alpha as the choice of an expert, where nothing is known of corruption (``dialogues``)
CONTRADICTION_POWER = 2  # of the precision by which contradicting modalities share the answer
KL_WEIGHT = 2e-6  # of the Bayesian layers' divergence from their prior; about 1 / training clips
RANK_MARGIN = 1.0  # in log sigma^2, for a difference in severity of 1
FUSION_LABEL_SMOOTHING = 0.05


def variance_nll(variance: Tensor, error: Tensor) -> Tensor:
    """Heteroscedastic Gaussian loss (Kendall & Gal 2017): least where sigma^2 is the expected squared error."""
    return error / variance + variance.log()


def rank_loss(variance: Tensor, severity: Tensor, augmented_variance: Tensor, augmented_severity: Tensor) -> Tensor:
    """Ordinality (after COLD Fusion): the more corrupted of two versions of one input has the larger sigma^2."""
    gap = augmented_severity - severity
    behind = gap.sign() * (variance.log() - augmented_variance.log()) + RANK_MARGIN * gap.abs()
    return F.softplus(behind) * gap.abs()


def rank_across_clips(variance: Tensor, severity: Tensor, present: Tensor) -> Tensor:
    """``rank_loss`` of every clip with every other: sigma^2 must follow corruption whoever speaks.

    variance, severity, present (B,T,M) -> scalar; a clip counts with its means over the steps of a modality.
    """
    steps = present.sum(1).clamp_min(1)
    variance, severity = (variance * present).sum(1) / steps, (severity * present).sum(1) / steps
    variance = variance.clamp_min(1e-6)
    there = present.any(1)
    pairs = rank_loss(variance[:, None], severity[:, None], variance[None], severity[None])
    return _mean_where(pairs, there[:, None] & there[None])


def expert_loss(alpha: Tensor, alone: Tensor, target: Tensor) -> Tensor:
    """Mixture of experts (Jacobs et al. 1991): alpha must choose the modality that is right on its own.

    alpha (...,M), alone probabilities (...,M,C) and target (...,) -> (...,). Only alpha is moved by it.
    """
    right = alone.detach().gather(-1, target[..., None, None].expand(*alone.shape[:-1], 1)).squeeze(-1)
    return -(alpha * right).sum(-1).clamp_min(1e-6).log()


def gains(probabilities: Tensor, target: Tensor) -> Tensor:
    """How much of the truth each modality knows beyond a guess: (...,M,C), target (...,C) -> (...,M), 0 to 1."""
    classes = probabilities.shape[-1]
    return ((probabilities * target[..., None, :]).sum(-1) - 1 / classes).clamp_min(0) * classes / (classes - 1)


def gain_loss(alpha: Tensor, gain: Tensor) -> Tensor:
    """Alpha must be each modality's expected share of the gain: cross-entropy, (...,M) each -> (...,).

    What is ruined knows nothing, what says nothing of the emotion neither: nobody tells alpha which inputs
    are corrupted.
    """
    sharp = gain**GAIN_POWER
    shares = sharp / sharp.sum(-1, keepdim=True).clamp_min(1e-6)
    return -(shares * alpha.clamp_min(1e-6).log()).sum(-1) * gain.amax(-1)


def settled(probabilities: Tensor, weight: Tensor) -> Tensor:
    """What contradicting modalities come to: probabilities (...,M,C), mean by weight (...,M) ** CONTRADICTION_POWER."""
    weight = weight.pow(CONTRADICTION_POWER)[..., None]
    return (probabilities * weight).sum(-2) / weight.sum(-2).clamp_min(1e-6)


def divergence(teacher_logits: Tensor, logits: Tensor) -> Tensor:
    """KL divergence of the answer from the teacher's, (...,C) each -> (...); Hinton et al. 2015 at T = 1."""
    return (teacher_logits.softmax(-1) * (teacher_logits.log_softmax(-1) - logits.log_softmax(-1))).sum(-1)


def answer_loss(logits: Tensor, teacher_logits: Tensor, present: Tensor, severity: Tensor) -> Tensor:
    """The encoders' own heads teach the answer to clips of one modality: they have met far more people.

    logits (B,C), teacher_logits (B,T,M,C) of the heads, present (B,T,M), severity (B,T,M) -> scalar: mean divergence of
    the answer from the mean of what the head says at each step, over clips of one modality that is not badly corrupted.
    """
    single = (present.any(1).sum(-1) == 1) & ~(present & (severity > TAUGHT_MAX)).any((1, 2))
    steps = present.flatten(1).sum(1).clamp_min(1)
    mean = (teacher_logits.softmax(-1) * present[..., None]).sum((1, 2)) / steps[:, None]
    return _mean_where(divergence(mean.clamp_min(1e-6).log(), logits.float()), single)


def teacher_loss(output: FusionOutput, teacher_logits: Tensor, present: Tensor, severity: Tensor) -> Tensor:
    """``answer_loss``, and the same for each modality's ``alone_logits`` at each step."""
    each = divergence(teacher_logits, output.alone_logits.float())
    by_modality = _mean_where(each, present & (severity <= TAUGHT_MAX))
    return by_modality + answer_loss(output.logits[0], teacher_logits, present, severity)


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp_min(1)


def clip_targets(output: FusionOutput, target: Tensor, contradicts: Tensor | None) -> Tensor:
    """(B,C), smoothed: the label; where a clip contradicts itself, what its modalities' own readings come to."""
    classes = output.logits.shape[-1]
    wanted = F.one_hot(target, classes).float() * (1 - FUSION_LABEL_SMOOTHING) + FUSION_LABEL_SMOOTHING / classes
    if contradicts is None or output.readings is None:
        return wanted
    there = output.precision > 0
    weight = output.precision.sum(1) / there.sum(1).clamp_min(1)
    return torch.where(contradicts[:, None], settled(output.readings[:, -1], weight).detach(), wanted)


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Of logits (...,C) with distributions (...,C) -> (...,)."""
    return -(target * logits.log_softmax(-1)).sum(-1)


def fusion_loss(
    model: HFF,
    output: FusionOutput,
    target: Tensor,
    present: Tensor,
    severity: Tensor,
    augmented: int,
    teacher_logits: Tensor | None = None,
    own: Tensor | None = None,
    contradicts: Tensor | None = None,
) -> Tensor:
    """The whole loss of a batch whose last ``augmented`` clips are its first ones at other severities.

    target (B,), present (B,T,M), severity (B,T,M); teacher_logits (B,T,M,C) of the encoders' own heads, where they
    teach; own (B,M), the label of each modality's own item (by default the clip's); contradicts (B,), which clips have
    none.
    """
    steps, modalities = present.shape[1:]
    valid = present.any(-1)
    wanted = clip_targets(output, target, contradicts)
    by_step = wanted[:, None].expand(-1, steps, -1)
    own = target[:, None].expand(-1, modalities) if own is None else own
    by_modality = own[:, None].expand(-1, steps, -1)
    alone_logits = output.alone_logits.float()
    alone = F.cross_entropy(alone_logits.flatten(0, 2), by_modality.flatten(), reduction="none").view_as(severity)
    variance = output.variance.float().clamp_min(1e-6)
    known = alone_logits.detach().softmax(-1)
    gain = gains(known, by_step) * present
    loss = (
        soft_cross_entropy(output.logits[0].float(), wanted).mean()
        + STEP_WEIGHT * _mean_where(soft_cross_entropy(output.step_logits[0].float(), by_step), valid)
        + UNIMODAL_WEIGHT * _mean_where(alone, present)
        + VARIANCE_WEIGHT * _mean_where(variance_nll(variance, brier(known, by_modality)), present)
        + GAIN_WEIGHT * _mean_where(gain_loss(output.alpha.float(), gain), valid)
        + ACROSS_WEIGHT * rank_across_clips(variance, severity, present)
        + KL_WEIGHT * model.kl()
    )
    if teacher_logits is not None:
        loss = loss + TEACHER_WEIGHT * teacher_loss(output, teacher_logits, present, severity)
    if augmented:
        both = present[:augmented] & present[-augmented:]
        ranks = rank_loss(variance[:augmented], severity[:augmented], variance[-augmented:], severity[-augmented:])
        loss = loss + RANK_WEIGHT * _mean_where(ranks, both)
    return loss
