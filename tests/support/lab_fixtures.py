"""What the tests of the lab's pieces start from: states, and readings with some figures replaced."""

from __future__ import annotations

from hff.config import MODALITIES
from hff.lab.state import LabState
from tests.support.model_fixtures import SHIPPED
from tests.support.page_fixtures import make_result

CLEAN = LabState(source="clip")
BLURRED = CLEAN.with_severity("vision", 0.5)


def after(alpha: dict, variance: dict | None = None, **changes):
    """The made-up reading with some clip means replaced."""
    result = make_result(3, **changes)
    result.alpha = result.alpha | alpha
    result.variance = result.variance | (variance or {})
    return result


def shares(*alpha: float) -> dict[str, float]:
    """Weights of the shipped modalities; any other that is registered is absent."""
    return dict.fromkeys(MODALITIES, 0.0) | dict(zip(SHIPPED, alpha, strict=True))
