"""Small files that ask for a great deal get an answer or a sentence, within 2 GB and not long after their budget."""

from __future__ import annotations

import pytest

from .bombs import BOMBS
from .cases import Case

pytestmark = pytest.mark.attack
LARGEST = 8_000_000  # bytes of a file that still counts as small
BUDGET = 10.0  # s of work; the package's own is for hours of film. ``workers.COMPUTE`` is how long it may take to end


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.name)
def test_a_bomb_does_not_go_off(bomb, workers, table, tmp_path):
    path = tmp_path / f"bomb.{bomb.ending}"
    bomb.write(path)
    assert path.stat().st_size < LARGEST
    outcome = workers[0].run(Case(bomb.name, path, bomb.role, budget=BUDGET))
    table.add("bombs", outcome)
    assert outcome.good, outcome
