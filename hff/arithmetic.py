"""Sums that hold as they are shown: each figure is the true one rounded, and whoever works a sum out gets what stands
there.

That takes some digits more in what a sum is made of than in what it comes to; ``fewest`` finds how many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

MOST_DIGITS = 10  # more than a 32 bit number has


def rounded(value: float, places: int) -> Decimal:
    """``value`` as it is shown with so many decimal places; nothing has no sign."""
    figure = Decimal(f"{value:.{max(0, places)}f}")
    return figure if figure else abs(figure)


def significant(value: float, digits: int) -> Decimal:
    """``value`` with so many digits from its first one that is not 0; no digit before the point is left out."""
    return rounded(value, digits - 1 - math.floor(math.log10(abs(value)))) if value else Decimal(0)


def visible(value: float, places: int) -> Decimal:
    """``value`` with so many decimal places, or its first digit where it would look like nothing."""
    figure = rounded(value, places)
    return figure if figure or not value else significant(value, 1)


def places_in(figure: Decimal) -> int:
    """Decimal places of a shown figure."""
    return -int(figure.as_tuple().exponent)


def ratio(one: Decimal, other: Decimal) -> Decimal:
    """Infinity where the other is nothing as it is shown."""
    return one / other if other else Decimal("Infinity")


def gives(found: Decimal, figure: Decimal) -> bool:
    """Whether what was worked out is ``figure``, rounded to its last place.

    Halfway between two, people round up and programs to the even one: that does not count.
    """
    return abs(found - figure) < Decimal(5).scaleb(-places_in(figure) - 1)


def adds_up(shares: Sequence[float], places: int) -> bool:
    """Whether shares of 1 still add up to it as they are shown, and none that is there looks like nothing."""
    shown = [rounded(share, places) for share in shares]
    return sum(shown) == 1 and all(figure or not share for share, figure in zip(shares, shown, strict=True))


def fewest(digits: Iterable[int], holds: Callable[[int], bool]) -> int:
    """The first of ``digits`` with which something holds; the last where it never does."""
    tried = 0
    for tried in digits:
        if holds(tried):
            break
    return tried


def in_hundredths(figures: Iterable[float]) -> list[float]:
    """Figures in two places that still sum to their own sum in two places: those cut most by it are rounded up."""
    exact = [100 * figure for figure in figures]
    whole = [math.floor(part + 1e-9) for part in exact]
    order = sorted(range(len(exact)), key=lambda i: whole[i] - exact[i])
    for i in order[: round(sum(exact)) - sum(whole)]:
        whole[i] += 1
    return [part / 100 for part in whole]
