"""What the fusion is trained to: the emotion, and uncertainties that mean something."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from hff.model.hff import HFF, FusionOutput
from train.metrics import brier

STEP_WEIGHT = 0.3  # of the loss at every step, so that the reading is good before the clip ends
UNIMODAL_WEIGHT = 0.5  # of each modality's own classification
VARIANCE_WEIGHT = 0.3
RANK_WEIGHT = 0.5  # of ordinality between two versions of one clip
ACROSS_WEIGHT = 1.0  # of ordinality between different clips
TEACHER_WEIGHT = 4.0  # of what each encoder's own head says, for that modality alone and for clips of one modality
TAUGHT_MAX = 0.6  # severity of damage beyond which that head has not learned and teaches nothing
RELIABILITY_WEIGHT = 4.0  # of alpha as a share of soundness
SOUNDNESS_LEFT = 0.02  # what severity 1 leaves of 1
SOUNDNESS_POWER = 3  # the higher, the sooner alpha leaves
EXPERT_WEIGHT = 0.5  # of alpha as the choice of an expert, where nothing is known of damage (``dialogues``)
KL_WEIGHT = 2e-6  # of the Bayesian layers' divergence from their prior; about 1 / training clips
RANK_MARGIN = 1.0  # in log sigma^2, for a difference in severity of 1
FUSION_LABEL_SMOOTHING = 0.05


def variance_nll(variance: Tensor, error: Tensor) -> Tensor:
    """Heteroscedastic Gaussian loss (Kendall & Gal 2017): least where sigma^2 is the expected squared error."""
    return error / variance + variance.log()


def rank_loss(variance: Tensor, severity: Tensor, twin_variance: Tensor, twin_severity: Tensor) -> Tensor:
    """Ordinality (after COLD Fusion): the more damaged of two versions of one input has the larger sigma^2."""
    gap = twin_severity - severity
    behind = gap.sign() * (variance.log() - twin_variance.log()) + RANK_MARGIN * gap.abs()
    return F.softplus(behind) * gap.abs()


def rank_across_clips(variance: Tensor, severity: Tensor, present: Tensor) -> Tensor:
    """``rank_loss`` of every clip with every other: sigma^2 must follow damage whoever speaks.

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


def reliability_loss(alpha: Tensor, severity: Tensor, present: Tensor) -> Tensor:
    """Alpha must go by how sound each modality is: cross-entropy to shares of (1 - severity^2)^SOUNDNESS_POWER.

    Sound modalities are to weigh the same: what each has to say is in its features, alpha says whom to listen to.
    alpha, severity, present (...,M) -> (...,).
    """
    sound = (1 + SOUNDNESS_LEFT - severity.square()).pow(SOUNDNESS_POWER) * present
    shares = sound / sound.sum(-1, keepdim=True).clamp_min(1e-6)
    return -(shares * alpha.clamp_min(1e-6).log()).sum(-1)


def divergence(said: Tensor, logits: Tensor) -> Tensor:
    """KL divergence of softmax(logits) from softmax(said), (...,C) each -> (...), Hinton et al. 2015 at T = 1."""
    return (said.softmax(-1) * (said.log_softmax(-1) - logits.log_softmax(-1))).sum(-1)


def answer_loss(logits: Tensor, said: Tensor, present: Tensor, severity: Tensor) -> Tensor:
    """The encoders' own heads teach the answer to clips of one modality: they have met far more people.

    logits (B,C), said (B,T,M,C) logits of the heads, present (B,T,M), severity (B,T,M) -> scalar: mean divergence of
    the answer from the mean of what the head says at each step, over clips of one modality that is not badly damaged.
    """
    single = (present.any(1).sum(-1) == 1) & ~(present & (severity > TAUGHT_MAX)).any((1, 2))
    steps = present.flatten(1).sum(1).clamp_min(1)
    mean = (said.softmax(-1) * present[..., None]).sum((1, 2)) / steps[:, None]
    return _mean_where(divergence(mean.clamp_min(1e-6).log(), logits.float()), single)


def teacher_loss(output: FusionOutput, said: Tensor, present: Tensor, severity: Tensor) -> Tensor:
    """``answer_loss``, and the same for each modality's ``alone_logits`` at each step."""
    each = divergence(said, output.alone_logits.float())
    by_modality = _mean_where(each, present & (severity <= TAUGHT_MAX))
    return by_modality + answer_loss(output.logits[0], said, present, severity)


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp_min(1)


def fusion_loss(
    model: HFF, output: FusionOutput, target: Tensor, present: Tensor, severity: Tensor, twins: int,
    said: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The whole loss of a batch whose last ``twins`` clips are its first ones at other severities.

    target (B,), present (B,T,M), severity (B,T,M); said (B,T,M,C), logits of the encoders' own heads, where they teach.
    """
    steps = output.step_logits.shape[2]
    valid = present.any(-1)
    logits = output.logits[0].float()
    emotion = F.cross_entropy(logits, target, label_smoothing=FUSION_LABEL_SMOOTHING)
    by_step = target[:, None].expand(-1, steps)
    step = F.cross_entropy(output.step_logits[0].float().flatten(0, 1), by_step.flatten(), reduction="none")
    by_modality = by_step[..., None].expand(*by_step.shape, present.shape[-1])
    alone_logits = output.alone_logits.float()
    alone = F.cross_entropy(alone_logits.flatten(0, 2), by_modality.flatten(), reduction="none").view_as(severity)
    variance = output.variance.float().clamp_min(1e-6)
    error = brier(alone_logits.detach().softmax(-1), by_modality)
    loss = (
        emotion
        + STEP_WEIGHT * _mean_where(step.view_as(valid), valid)
        + UNIMODAL_WEIGHT * _mean_where(alone, present)
        + VARIANCE_WEIGHT * _mean_where(variance_nll(variance, error), present)
        + RELIABILITY_WEIGHT * _mean_where(reliability_loss(output.alpha.float(), severity, present), valid)
        + ACROSS_WEIGHT * rank_across_clips(variance, severity, present)
        + KL_WEIGHT * model.kl()
    )
    if said is not None:
        loss = loss + TEACHER_WEIGHT * teacher_loss(output, said, present, severity)
    if twins:
        both = present[:twins] & present[-twins:]
        ranks = rank_loss(variance[:twins], severity[:twins], variance[-twins:], severity[-twins:])
        loss = loss + RANK_WEIGHT * _mean_where(ranks, both)
    return loss
