"""What each modality says by itself, their product, and an answer that is no surer than those who give it.

A modality's own reading of a clip is the mean of what it says at each moment, weighted by its precision there. With one
modality present that is the answer. With several, the answer is at most as sure as the modalities whose own answer it
is, taken together as independent witnesses (Bayes, from equal priors). Where they contradict each other only one of
them is such a witness, so the answer is never surer than that one is by itself; and the less precise a modality is
beside the other, the less its word counts where only two are heard and differ, so the answer goes with the surer one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEAD = 0.25  # how far a class must lead a modality's reading, in shares of the next one, to be wholly its answer
TRUST_POWER = 5  # of a modality's precision over the largest, by which its word counts beside that one's
LEAST_PROBABILITY = 1e-6  # probability, so that its logarithm is a number
# A reading's power in the product is SHARE * alpha**SHARE_POWER: chosen on validation clips, clean, mixed and with one
# modality broken, among powers from 1 to 0.25 and shares from 1.25 to 0.6.
SHARE, SHARE_POWER = 0.8, 0.5
LEAST_ALPHA = 1e-6  # below which its root is no steeper
LEAST_LEAD = 1.05  # over a guess, of a class that may be the answer


def readings(unimodal: Tensor, weight: Tensor) -> Tensor:
    """Every modality's own reading up to each step.

    unimodal (...,T,M,C) probabilities at each step, weight (...,T,M), 0 where it is not heard -> (...,T,M,C), all 0
    before a modality is first heard.
    """
    total = weight.cumsum(-2)[..., None]
    return (unimodal * weight[..., None]).cumsum(-3) / total.clamp_min(torch.finfo(unimodal.dtype).tiny) * (total > 0)


def product(own: Tensor, alpha: Tensor, beta: Tensor, power: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithm of the product of the experts, each to a power that grows with the root of its weight, times ``power``.

    The weights sum to 1: with themselves as powers two witnesses that agree would count no more than one of them does
    alone, with the power 1 for each whom to believe would not count. The root lies between.

    own (K,B,T,M,C) the modalities' readings up to each step, alpha (B,T,M), beta (K,B,T), power () -> that of the clip
    (K,B,C) and that up to each step (K,B,T,C), neither scaled to sum to 1.
    """
    share = SHARE * alpha.clamp_min(LEAST_ALPHA).pow(SHARE_POWER) * (alpha > 0)
    # The clip's answer rests on what each modality says of all of it, a step's on what it has said so far.
    whole, so_far = (
        (share[..., None] * x.clamp_min(LEAST_PROBABILITY).log()).sum(-2) * power for x in (own[:, :, -1:], own)
    )
    return (beta[..., None] * whole).sum(-2), so_far


def discount(readings: Tensor, neutral: int, shares: Tensor) -> Tensor:
    """Readings (...,M,C) as they count beside others: less ``shares`` (M,) of the lead of ``neutral`` over the next.

    Who feels something may show nothing of it in one modality, so a neutral face says less of the person than an angry
    one does. What is taken goes to the other classes alike; neutral stays the first (Shafer's discounting, 1976).
    """
    classes = readings.shape[-1]
    is_neutral = functional.one_hot(torch.tensor(neutral, device=readings.device), classes)
    others = readings.masked_fill(is_neutral.bool(), 0)
    lead = (readings[..., neutral] - others.amax(-1)).clamp_min(0) * shares
    return readings + lead[..., None] * (1 - classes * is_neutral) / (classes - 1)


def witness(readings: Tensor) -> Tensor:
    """How far each class is a modality's own answer: 0 where another leads, 1 from a lead of ``LEAD``; (...,C)."""
    best, place = readings.topk(2, -1)
    lead = ((best[..., 0] / best[..., 1].clamp_min(LEAST_PROBABILITY) - 1) / LEAD).clamp(0, 1)
    return torch.zeros_like(readings).scatter(-1, place[..., :1], lead[..., None])


def trust(weight: Tensor) -> Tensor:
    """How far each modality's word counts beside the most precise one's: precisions (...,T,M) at each step, 0 where it
    is not heard -> (...,T,M), up to each step; 0 before a modality is first heard.

    Of each the precision of its mean sigma^2, as it is shown, over the largest: the smaller sigma^2 is believed. The
    mean of the precisions themselves would be that of a few sure moments, as of a face in a pause.
    """
    heard = weight > 0
    unsure = torch.where(heard, 1 / weight.clamp_min(torch.finfo(weight.dtype).tiny), torch.zeros_like(weight))
    mean = heard.cumsum(-2) / unsure.cumsum(-2).clamp_min(torch.finfo(weight.dtype).tiny)
    return (mean / mean.amax(-1, keepdim=True).clamp_min(torch.finfo(mean.dtype).tiny)).pow(TRUST_POWER)


def trust_by_hand(alpha: Tensor) -> Tensor:
    """(B,T,M): weights set by hand also say whom to believe in a contradiction; 1 for the largest so far."""
    so_far = alpha.cumsum(1)
    return so_far / so_far.amax(-1, keepdim=True).clamp_min(LEAST_PROBABILITY)


def heard(readings: Tensor) -> Tensor:
    """How many modalities have a reading, (...,M,C) -> (...,1)."""
    return (readings.sum(-1) > 0).sum(-1, keepdim=True)


def bound(readings: Tensor, trusted: Tensor) -> Tensor:
    """The most that each class may get: readings (...,M,C), 0 of what is not heard, trust in each (...,M) -> (...,C).

    They sum to 1 or more, since the most trusted one's reading fits below.
    """
    support = witness(readings)
    # Trust settles what two say against each other. Where a third is heard it can side with one, so none is discounted.
    apart = 1 - support.topk(2, -2).values[..., 1, :] if support.shape[-2] > 1 else torch.ones_like(support[..., 0, :])
    apart = apart * (heard(readings) <= 2)
    most = (readings * trusted[..., None].clamp_min(0).pow(apart[..., None, :])).amax(-2)
    odds = (readings / (1 - readings).clamp_min(LEAST_PROBABILITY)).clamp_min(LEAST_PROBABILITY)
    evidence = support * (odds * (readings.shape[-1] - 1)).log().clamp_min(0)  # beyond equal priors
    further = evidence.sum(-2) - evidence.gather(-2, (support * readings).argmax(-2, keepdim=True)).squeeze(-2)
    return torch.where(further > 0, torch.sigmoid(torch.logit(most, LEAST_PROBABILITY) + further), most)


def hold(logits: Tensor, bound: Tensor) -> Tensor:
    """Logits of softmax(logits) held within ``bound``, what is cut off shared out in proportion; (...,C) each.

    The result is min(k p, bound) with the k at which it sums to 1; where nothing is bound (all 0) it is softmax.
    """
    p = logits.softmax(-1).clamp_min(LEAST_PROBABILITY)
    limit = torch.where(bound.sum(-1, keepdim=True) > 0, bound.clamp_min(LEAST_PROBABILITY), torch.ones_like(bound))
    ratio, order = (limit / p).sort(-1)
    p_sorted, limit_sorted = p.gather(-1, order), limit.gather(-1, order)
    held = limit_sorted.cumsum(-1) - limit_sorted  # of the classes that reach their bound before this one
    left = p_sorted.flip(-1).cumsum(-1).flip(-1)
    factor = (1 - held) / left
    fits = factor <= ratio
    fits[..., -1] = True  # rounding, where the bounds leave no choice
    first = fits.float().argmax(-1, keepdim=True)
    return torch.minimum(factor.gather(-1, first) * p, limit).clamp_min(LEAST_PROBABILITY).log()


def ease(logits: Tensor, bound: Tensor) -> Tensor:
    """Logits of softmax(logits) mixed with a guess until its first class is within its bound; (...,C) each.

    The order of the classes stays where the first one's bound is above a guess.
    """
    p = logits.softmax(-1)
    guess = 1 / p.shape[-1]
    most, first = p.max(-1, keepdim=True)
    limit = bound.gather(-1, first)
    kept = ((limit - guess) / (most - guess).clamp_min(LEAST_PROBABILITY)).clamp(0, 1)
    return torch.lerp(torch.full_like(p, guess), p, kept).clamp_min(LEAST_PROBABILITY).log()


def within(logits: Tensor, readings: Tensor, trusted: Tensor) -> Tensor:
    """Logits of the answer, no surer than those who give it: logits (...,C), the others as for ``bound`` -> (...,C)."""
    limit = bound(readings, trusted)
    of_first = limit.gather(-1, logits.argmax(-1, keepdim=True))
    order_stays = (heard(readings) > 2) & (of_first > LEAST_LEAD / logits.shape[-1])
    return torch.where(order_stays, ease(logits, limit), hold(logits, limit))
