"""Exact Shapley values: the axioms that define them, and the mean over all orders of joining."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hff.pipeline.shapley import shapley_values, subsets
from tests.support.model_fixtures import SHIPPED

worths = st.lists(st.floats(-5, 5), min_size=8, max_size=8).map(
    lambda values: dict(zip(subsets(SHIPPED), values, strict=True))
)


def by_orders(players: tuple[str, ...], value) -> dict[str, float]:
    """The definition: what each adds when it joins, over every order of joining."""
    orders = list(permutations(players))
    gained = dict.fromkeys(players, 0.0)
    for order in orders:
        for i, player in enumerate(order):
            gained[player] += value(frozenset(order[: i + 1])) - value(frozenset(order[:i]))
    return {player: total / len(orders) for player, total in gained.items()}


def test_subsets_are_all_eight_the_empty_first():
    found = subsets(SHIPPED)
    assert found[0] == frozenset()
    assert len(found) == len(set(found)) == 8
    assert found[-1] == frozenset(SHIPPED)


@given(worths)
def test_mean_marginal_contribution_over_all_orders(worth):
    assert shapley_values(SHIPPED, worth.__getitem__) == pytest.approx(by_orders(SHIPPED, worth.__getitem__))


@given(worths)
def test_shares_sum_to_what_there_is_to_share(worth):
    shares = shapley_values(SHIPPED, worth.__getitem__)
    assert sum(shares.values()) == pytest.approx(worth[frozenset(SHIPPED)] - worth[frozenset()], abs=1e-9)


@given(worths)
def test_whoever_adds_nothing_gets_nothing_and_equals_get_the_same(worth):
    blind = shapley_values(SHIPPED, lambda s: worth[s - {"vision"}])
    assert blind["vision"] == pytest.approx(0, abs=1e-12)
    alike = shapley_values(SHIPPED, lambda s: worth[s] + worth[_swapped(s)])
    assert alike["speech"] == pytest.approx(alike["text"])


def _swapped(subset: frozenset[str]) -> frozenset[str]:
    other = {"speech": "text", "text": "speech"}
    return frozenset(other.get(player, player) for player in subset)


def test_one_player_gets_all_and_a_known_game():
    assert shapley_values(["text"], lambda s: 0.7 if s else 0.2) == pytest.approx({"text": 0.5})
    gloves = shapley_values("LRr", lambda s: float("L" in s and bool(s & {"R", "r"})))  # a left glove, two right ones
    assert gloves == pytest.approx({"L": 2 / 3, "R": 1 / 6, "r": 1 / 6})
