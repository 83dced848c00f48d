"""The common time grid: T steps of ``STEP_SECONDS``, and what of a clip falls into which of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from hff.config import STEP_SECONDS
from hff.pipeline.utterances import TimedUtterance

MIN_VOICE_SECONDS = 0.1  # of voice within a step for the voice to count as present
MIN_WORD_SECONDS = 0.02  # what an utterance lasts at least


def step_count(seconds: float) -> int:
    """Steps that cover ``seconds``; at least one. A last sliver of under a tenth of a step is not a step."""
    return max(1, math.ceil(seconds / STEP_SECONDS - 0.1))


def step_times(steps: int) -> np.ndarray:
    """(T,) the middle of each step, s."""
    return (np.arange(steps) + 0.5) * STEP_SECONDS


def shared_seconds(intervals: Iterable[tuple[float, float]], steps: int) -> Iterator[tuple[slice, np.ndarray]]:
    """For each interval in s: the steps, of T, that it touches, and the seconds (n,) that it shares with each of them.

    A table of all with all would be half a gigabyte for two hours of speech.
    """
    for start, end in intervals:
        first, last = (
            min(max(0, edge), steps) for edge in (int(start / STEP_SECONDS) - 1, int(end / STEP_SECONDS) + 2)
        )
        begins = np.arange(first, last) * STEP_SECONDS
        yield slice(first, last), np.clip(np.minimum(end, begins + STEP_SECONDS) - np.maximum(start, begins), 0, None)


def voiced_steps(voiced: list[tuple[float, float]], steps: int) -> np.ndarray:
    """(T,) bool: steps with at least ``MIN_VOICE_SECONDS`` of voice."""
    total = np.zeros(steps)
    for touched, seconds in shared_seconds(voiced, steps):
        total[touched] += seconds
    return total >= MIN_VOICE_SECONDS


def said_most(said: list[TimedUtterance], steps: int) -> np.ndarray:
    """(T,) the number of the utterance that is said most in each step, -1 where none is."""
    # The recogniser gives some words the same start and end; they are said all the same.
    spans = [(u.start, max(u.end, u.start + MIN_WORD_SECONDS)) for u in said]
    longest, which = np.zeros(steps), np.full(steps, -1, np.int64)
    for number, (touched, seconds) in enumerate(shared_seconds(spans, steps)):
        which[touched] = np.where(seconds > longest[touched], number, which[touched])
        longest[touched] = np.maximum(seconds, longest[touched])
    return which
