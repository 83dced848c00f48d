"""What a lab session has set up: a small immutable value that travels as JSON, in a file or in a link."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, field_validator

from hff.config import MAX_TEXT, MODALITIES, SAMPLES, SPEECH_ENCODERS
from hff.errors import InputError
from hff.lab.corrupted_material import KINDS
from hff.lab.schema import Cleaned, JsonObject, Rounded, between, check_names, one_of, validated
from hff.locale import say
from hff.numbers import shown

COMPONENTS = ("attention", "dynamic_weighting", "temporal", "alignment")  # the rows of the paper's table 4
YOURS = "yours"  # a source that is not a ready example: the clip that the visitor had read last
SNAPSHOT = "snapshot"  # another: the last seconds of the live view
OWN = (YOURS, SNAPSHOT)  # what never leaves this computer
MAX_SAMPLES = 256  # draws of equation (20); more change nothing one could see
MAX_SOURCE = 100  # characters
MAX_SEED = 2**31 - 1
STATE_FORMAT = 1  # of the JSON; a state of a later format is refused


@dataclass(frozen=True)
class Corruption:
    """What is done to one modality. ``severity`` 0 leaves it as it is, 1 leaves next to nothing."""

    kind: str
    severity: float = 0.0
    muted: bool = False


def no_corruption() -> dict[str, Corruption]:
    return {m: Corruption(next(iter(KINDS[m]))) for m in MODALITIES}


@dataclass(frozen=True)
class LabState:
    """Everything that decides the lab's answer for a recording.

    source: key of a ready example, or one of ``OWN``. corruption: one for each modality. alpha: hand-set weights in the
    order of ``MODALITIES`` that sum to 1, or ``None`` for the model's own. without: parts of the model that are
    switched off, out of ``COMPONENTS``. samples: Monte Carlo draws. seed: of the corruption and of the draws. text:
    typed words in place of the recording's own. speech_encoder: what hears the voice, one of
    ``hff.config.SPEECH_ENCODERS``, or "" for the model's own.
    """

    source: str = YOURS
    corruption: Mapping[str, Corruption] = field(default_factory=no_corruption)
    alpha: tuple[float, ...] | None = None
    without: tuple[str, ...] = ()
    samples: int = SAMPLES
    seed: int = 0
    text: str = ""
    speech_encoder: str = ""

    def but(self, **changes) -> LabState:
        """The same state with some fields changed."""
        return dataclasses.replace(self, **changes)

    def with_severity(self, modality: str, severity: float) -> LabState:
        """Another severity of one modality, which is then not muted."""
        changed = dataclasses.replace(self.corruption[modality], severity=severity, muted=False)
        return self.but(corruption={**self.corruption, modality: changed})

    @property
    def untouched(self) -> LabState:
        """The same source and words, nothing corrupted, the model whole and its own ear: what "before" means."""
        return LabState(source=self.source, samples=self.samples, seed=self.seed, text=self.text)

    # ---- JSON -----------------------------------------------------------------------------------------------

    def to_dict(self) -> dict:
        """JSON-ready values; what is as in an untouched state is left out, to keep links short."""
        clean = no_corruption()
        values: dict = {"format": STATE_FORMAT, "source": self.source}
        corruption = {m: _corruption_to_dict(d) for m, d in self.corruption.items() if d != clean[m]}
        if corruption:
            values["damage"] = corruption
        if self.alpha is not None:
            values["alpha"] = dict(zip(MODALITIES, self.alpha, strict=True))
        defaults = LabState()
        for name in ("without", "samples", "seed", "text", "speech_encoder"):
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
            raise InputError(say("STATE_NO_JSON", fault=str(error))) from error
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: object) -> LabState:
        """Read what ``to_dict`` writes; every part but the source may be missing. Raises ``InputError``."""
        given = validated(StatePart, values)
        return cls(
            source=given.source,
            corruption=no_corruption() | {m: done.corruption(m) for m, done in given.damage.items()},
            alpha=given.shares,
            without=tuple(part for part in COMPONENTS if part in given.without),
            samples=given.samples,
            seed=given.seed,
            text=given.text,
            speech_encoder=given.speech_encoder,
        )


def _corruption_to_dict(corruption: Corruption) -> dict:
    values = {"kind": corruption.kind, "severity": round(corruption.severity, 4)}
    return values | {"muted": True} if corruption.muted else values


# ---- the schema of the JSON ---------------------------------------------------------------------------------

_Share = Annotated[float, between(0, 1)]


class CorruptionPart(JsonObject):
    """What is done to one modality."""

    WHAT = "SCHEMA_CORRUPTION_OF_ONE"
    kind: str | None = None
    severity: _Share = 0.0
    muted: bool = False

    def corruption(self, modality: str) -> Corruption:
        kind = KINDS[modality][0] if self.kind is None else self.kind
        return Corruption(kind, self.severity, self.muted)


class StatePart(JsonObject):
    """A whole lab state, as a file or a link holds it."""

    WHAT = "SCHEMA_STATE"
    format: int = STATE_FORMAT
    source: Annotated[str, Field(max_length=MAX_SOURCE), Cleaned] = YOURS
    damage: dict[str, CorruptionPart] = Field(default_factory=dict)
    alpha: dict[str, _Share] | None = None
    without: list[str] = Field(default_factory=list)
    samples: Annotated[int, Rounded, between(0, MAX_SAMPLES)] = SAMPLES
    seed: Annotated[int, Rounded, between(0, MAX_SEED)] = 0
    text: Annotated[str, Field(max_length=MAX_TEXT), Cleaned] = ""
    speech_encoder: str = ""

    @field_validator("format", mode="before")
    @classmethod
    def _known_format(cls, value: Any) -> Any:
        if isinstance(value, bool) or value != STATE_FORMAT:
            raise InputError(say("STATE_FORMAT_UNKNOWN", value=shown(value), known=STATE_FORMAT))
        return STATE_FORMAT

    @field_validator("damage", mode="before")
    @classmethod
    def _known_modalities(cls, values: Any) -> Any:
        check_names(values, MODALITIES, "'damage'")
        return values

    @field_validator("damage")
    @classmethod
    def _known_kinds(cls, values: dict[str, CorruptionPart]) -> dict[str, CorruptionPart]:
        for modality, done in values.items():
            if done.kind is not None:
                one_of(done.kind, KINDS[modality], modality, "kind")
        return values

    @field_validator("alpha", mode="before")
    @classmethod
    def _by_modality(cls, values: Any) -> Any:
        if isinstance(values, list | tuple) and len(values) == len(MODALITIES):
            values = dict(zip(MODALITIES, values, strict=True))
        if values is not None:
            check_names(values, MODALITIES, "'alpha'")
        return values

    @field_validator("without", mode="before")
    @classmethod
    def _as_list(cls, values: Any) -> Any:
        return list(values) if isinstance(values, tuple) else values

    @field_validator("without")
    @classmethod
    def _known_parts(cls, values: list[str]) -> list[str]:
        for part in values:
            one_of(part, COMPONENTS)
        return values

    @field_validator("speech_encoder")
    @classmethod
    def _known_encoder(cls, value: str) -> str:
        if value:
            one_of(value, SPEECH_ENCODERS)
        return value

    @property
    def shares(self) -> tuple[float, ...] | None:
        """Hand-set weights in the order of ``MODALITIES``, scaled to a sum of 1. Raises ``InputError``."""
        if self.alpha is None:
            return None
        weights = [self.alpha.get(m, 0.0) for m in MODALITIES]
        total = sum(weights)
        if total <= 0:
            raise InputError(say("STATE_ALPHA_ZERO"))
        return tuple(weight / total for weight in weights)
