"""Exact Shapley values of the modalities (Shapley 1953): eight subsets of three are few enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from math import factorial

Subset = frozenset[str]


def subsets(players: Iterable[str]) -> list[Subset]:
    """All subsets, the empty one first."""
    players = tuple(players)
    return [frozenset(chosen) for size in range(len(players) + 1) for chosen in combinations(players, size)]


def shapley_values(players: Iterable[str], value: Callable[[Subset], float]) -> dict[str, float]:
    """Each player's mean marginal contribution over all orders; they sum to value(all) - value(none)."""
    players = tuple(players)
    count = len(players)
    result = {}
    for player in players:
        others = [other for other in players if other != player]
        result[player] = sum(
            factorial(len(s)) * factorial(count - len(s) - 1) / factorial(count) * (value(s | {player}) - value(s))
            for s in subsets(others)
        )
    return result
