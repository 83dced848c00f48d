"""What a lab session has set up: a small immutable value that travels as JSON, in a file or in a link."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hff.clean_text import clean
from hff.config import MODALITIES, SAMPLES
from hff.errors import InputError
from hff.lab.damage import KINDS
from hff.locale import say
from hff.numbers import number, shown, whole

COMPONENTS = ("attention", "dynamic_weighting", "temporal", "alignment")  # the rows of the paper's table 4
YOURS = "yours"  # a source that is not a ready example: the visitor's own recording
MAX_SAMPLES = 256  # draws of equation (20); more change nothing one could see
MAX_TEXT = 2000  # characters of typed words
STATE_FORMAT = 1  # of the JSON; a state of a later format is refused


@dataclass(frozen=True)
class Damage:
    """What is done to one modality. ``severity`` 0 leaves it as it is, 1 leaves next to nothing."""

    kind: str
    severity: float = 0.0
    muted: bool = False


def undamaged() -> dict[str, Damage]:
    return {m: Damage(next(iter(KINDS[m]))) for m in MODALITIES}


@dataclass(frozen=True)
class LabState:
    """Everything that decides the lab's answer for a recording.

    source: key of a ready example, or ``YOURS``. damage: one for each modality. alpha: hand-set weights in the
    order of ``MODALITIES`` that sum to 1, or ``None`` for the model's own. without: parts of the model that are
    switched off, out of ``COMPONENTS``. samples: Monte Carlo draws. seed: of the damage and of the draws. text: typed
    words in place of the recording's own.
    """

    source: str = YOURS
    damage: Mapping[str, Damage] = field(default_factory=undamaged)
    alpha: tuple[float, float, float] | None = None
    without: tuple[str, ...] = ()
    samples: int = SAMPLES
    seed: int = 0
    text: str = ""

    def but(self, **changes) -> LabState:
        """The same state with some fields changed."""
        return dataclasses.replace(self, **changes)

    def with_severity(self, modality: str, severity: float) -> LabState:
        """Another severity of one modality, which is then not muted."""
        changed = dataclasses.replace(self.damage[modality], severity=severity, muted=False)
        return self.but(damage={**self.damage, modality: changed})

    @property
    def untouched(self) -> LabState:
        """The same source and words, nothing damaged and the model whole: what "before" means."""
        return LabState(source=self.source, samples=self.samples, seed=self.seed, text=self.text)

    # ---- JSON -----------------------------------------------------------------------------------------------

    def to_dict(self) -> dict:
        """JSON-ready values; what is as in an untouched state is left out, to keep links short."""
        clean = undamaged()
        values: dict = {"format": STATE_FORMAT, "source": self.source}
        damage = {m: _damage_to_dict(d) for m, d in self.damage.items() if d != clean[m]}
        if damage:
            values["damage"] = damage
        if self.alpha is not None:
            values["alpha"] = dict(zip(MODALITIES, self.alpha, strict=True))
        defaults = LabState()
        for name in ("without", "samples", "seed", "text"):
            if getattr(self, name) != getattr(defaults, name):
                values[name] = list(self.without) if name == "without" else getattr(self, name)
        return values

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> LabState:
        """Raises ``InputError`` for what ``to_json`` cannot have written."""
        try:
            values = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
            raise InputError(say("state.json", error=str(error), advice=_ADVICE)) from error
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: object) -> LabState:
        """Read what ``to_dict`` writes; every part but the source may be missing. Raises ``InputError``."""
        if not isinstance(values, dict):
            raise InputError(say("state.object", kind=type(values).__name__, advice=_ADVICE))
        _known(values, ("format", *(f.name for f in dataclasses.fields(cls))), say("state.the_state"))
        if values.get("format", STATE_FORMAT) != STATE_FORMAT:
            raise InputError(say("state.format", format=shown(values["format"]), known=STATE_FORMAT))
        without = values.get("without", ())
        if not isinstance(without, list | tuple) or not all(part in COMPONENTS for part in without):
            raise InputError(say("state.without", parts=", ".join(COMPONENTS)))
        return cls(
            source=_text(values, "source", YOURS, 100),
            damage=_read_damage(values.get("damage", {})),
            alpha=_read_alpha(values.get("alpha")),
            without=tuple(part for part in COMPONENTS if part in without),
            samples=whole(values.get("samples", SAMPLES), "samples", 0, MAX_SAMPLES),
            seed=whole(values.get("seed", 0), "seed", 0, 2**31 - 1),
            text=_text(values, "text", "", MAX_TEXT),
        )


_ADVICE = say("state.advice")


def _damage_to_dict(damage: Damage) -> dict:
    values = {"kind": damage.kind, "severity": round(damage.severity, 4)}
    return values | {"muted": True} if damage.muted else values


def _read_damage(values: object) -> dict[str, Damage]:
    if not isinstance(values, dict):
        raise InputError(say("state.damage"))
    _known(values, MODALITIES, "'damage'")
    damage = undamaged()
    for modality, given in values.items():
        if not isinstance(given, dict):
            raise InputError(say("state.damage_part", modality=modality))
        _known(given, ("kind", "severity", "muted"), say("state.damage_of", modality=modality))
        kind = given.get("kind", damage[modality].kind)
        if not isinstance(kind, str) or kind not in KINDS[modality]:
            kinds = ", ".join(KINDS[modality])
            raise InputError(say("state.kind", kind=shown(kind), modality=modality, kinds=kinds))
        muted = given.get("muted", False)
        if not isinstance(muted, bool):
            raise InputError(say("state.muted", modality=modality))
        severity = number(given.get("severity", 0.0), say("state.severity_of", modality=modality), 0, 1)
        damage[modality] = Damage(kind, severity, muted)
    return damage


def _read_alpha(values: object) -> tuple[float, float, float] | None:
    """Hand-set weights, scaled to a sum of 1."""
    if values is None:
        return None
    if isinstance(values, list | tuple) and len(values) == len(MODALITIES):
        values = dict(zip(MODALITIES, values, strict=True))
    if not isinstance(values, dict) or set(values) - set(MODALITIES):
        raise InputError(say("state.alpha", modalities=", ".join(MODALITIES)))
    weights = [number(values.get(m, 0.0), say("state.alpha_of", modality=m), 0, 1) for m in MODALITIES]
    total = sum(weights)
    if total <= 0:
        raise InputError(say("state.zero"))
    return tuple(weight / total for weight in weights)


def _known(values: dict, names: tuple[str, ...], what: str) -> None:
    unknown = sorted(shown(name) for name in set(values) - set(names))
    if unknown:
        raise InputError(say("state.unknown", what=what, unknown=", ".join(unknown[:5]), names=", ".join(names)))


def _text(values: dict, name: str, default: str, longest: int) -> str:
    value = values.get(name, default)
    if not isinstance(value, str):
        raise InputError(say("state.text", name=name, kind=type(value).__name__))
    if len(value) > longest:
        raise InputError(say("state.long_text", name=name, count=len(value), longest=longest))
    return clean(value)
