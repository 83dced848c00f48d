"""What has to be said beside a clip's weights, so that nobody reads more into them: one sentence each, or none."""

from __future__ import annotations

import numpy as np

from hff.config import MODALITIES
from hff.locale import names, texts
from hff.locale.lists import listed
from hff.page.shared.amounts import decimal
from hff.result import Result, moment_weights

MOSTLY = 0.75  # of the weight that the moments have together
PART = 0.6  # of the moments: where this many or fewer have it, the weights tell of a part of the clip


def what_counted(result: Result) -> list[str]:
    """The sentences that are true of this reading."""
    return [told for told in (alone_for_a_while(result), rests_on(result), who_says_what(result)) if told]


def alone_for_a_while(result: Result) -> str:
    """Which modality was the only one for how long, where that does not count in alpha; else nothing."""
    line = result.timeline
    if not (line.present.sum(1) > 1).any():
        return ""
    alone = {m: seconds for m, seconds in result.alone_seconds.items() if seconds > 0}
    parts = [
        texts.COUNTED_ALONE_ONE.format(
            modality=names.modality(m), seconds=texts.SECONDS.format(seconds=decimal(seconds, 1))
        )
        for m, seconds in alone.items()
    ]
    return texts.COUNTED_ALONE.format(who=listed(parts)) if parts else ""


def rests_on(result: Result) -> str:
    """The part of the clip that alpha tells of, where it is not the whole; else nothing."""
    line = result.timeline
    first, last = _shortest(moment_weights(line.alpha, line.present, line.beta), MOSTLY)
    if last - first > PART * len(line.times):
        return ""
    return texts.COUNTED_PART.format(
        start=decimal(first * line.step_seconds, 1), end=decimal(min(last * line.step_seconds, result.seconds), 1)
    )


def who_says_what(result: Result) -> str:
    """What each modality says by itself and with whom the answer goes, where they differ; else nothing."""
    says = {m: max(own, key=own.__getitem__) for m in MODALITIES if (own := result.per_modality[m])}
    if len(set(says.values())) < 2:
        return ""
    each = ", ".join(f"{names.modality(m)}: {names.emotion(label)}" for m, label in says.items())
    followed = [m for m, label in says.items() if label == result.emotion]
    if not followed:
        return texts.COUNTED_DIFFER_NONE.format(each=each)
    smallest = min(says, key=lambda m: result.variance[m] or 0.0)
    how = texts.COUNTED_DIFFER_SMALLEST if followed == [smallest] else texts.COUNTED_DIFFER
    return how.format(each=each, who=listed(names.modality(m) for m in followed))


def _shortest(weights: np.ndarray, share: float) -> tuple[int, int]:
    """First and one past the last of the fewest moments in a row that have this share of all the weight; of parts as
    short the one with the most."""
    total = np.concatenate([[0.0], weights.cumsum()])
    last = np.searchsorted(total, total[:-1] + share * total[-1] - 1e-12)  # for each first one; beyond the end for none
    first = np.flatnonzero(last < len(total))
    last = last[first]
    best = np.lexsort((total[first] - total[last], last - first))[0]
    return int(first[best]), int(last[best])
