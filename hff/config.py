"""Labels, sizes and switches of the model: one config for the paper's model and its ablations."""

from __future__ import annotations

import dataclasses
from dataclasses import InitVar, dataclass, field

from hff import modalities
from hff.modalities import MODALITIES as MODALITIES  # the order of every modality axis, M = 3

NEUTRAL = "neutral"
EMOTIONS = (NEUTRAL, "happy", "sad", "angry", "fearful", "disgusted", "surprised")
SPEECH_ENCODERS = tuple(modalities.of("speech").encoders)  # the paper's, and the one on Whisper's encoder states

SAMPLE_RATE = 16_000  # Hz, of every waveform in this package
FACE_SIZE = 48  # px, side of an aligned grey face, as in FER2013
STEP_SECONDS = 0.5  # hop of the common time grid, s
SAMPLES = 32  # Monte Carlo draws of equation (20)
MAX_CHARACTERS = 40_000  # of typed text, more than the words that are read
MAX_TEXT = 2_000  # of what is typed beside the camera or into the lab
MAX_LAYERS = 100  # of attention; the paper has 4
MAX_SPEAKERS = 1_000
LARGEST_FLOAT = 1e6  # of the config's numbers
MAX_STEPS = 120  # steps one attention block spans (one minute); longer clips are cut into blocks


@dataclass(frozen=True)
class HFFConfig:
    """What a set of fusion weights needs to be rebuilt (paper section 4.1 unless said otherwise).

    The four ``use_*`` switches are the rows of the paper's table 4; ``heads`` is its table 5.
    ``d_model`` need not be divisible by ``heads``: each head is ``ceil(d_model / heads)`` wide and the
    joined heads are projected back to ``d_model``.
    """

    labels: tuple[str, ...] = EMOTIONS
    # Feature size of each modality that the model knows, by default of all that are registered.
    dims: dict[str, int] = field(default_factory=modalities.sizes, hash=False)
    speech_dim: InitVar[int | None] = None  # these three in place of an entry of ``dims``, as older weights say it
    text_dim: InitVar[int | None] = None
    vision_dim: InitVar[int | None] = None
    d_model: int = 128
    layers: int = 4
    heads: int = 8
    hidden_multiple: int = 4  # feed-forward width, in units of d_model
    dropout: float = 0.1
    classifier_dropout: float = 0.3
    prior_std: float = 0.1  # standard deviation of the Bayesian layers' weight prior
    precision_eps: float = 1e-2  # epsilon of equation (19); sigma^2 is of order 0.1 to 1
    speech_encoder: str = "mfcc-cnn"  # whose features the weights were trained on; one of ``SPEECH_ENCODERS``
    bounded: bool = True  # whether the answer is no surer than the modalities that give it (``hff.model.experts``), and
    # sigma^2 is held to the scale of the Brier error; else one answer for each step, as of an utterance in a dialogue
    # By modality, the share of a neutral reading's lead that does not count beside others: who shows nothing may feel
    # something all the same (``hff.model.experts.discount``). Found by the fusion's calibration.
    neutral_discount: dict[str, float] = field(default_factory=dict, hash=False)
    novelty_rank: int = 64  # leading directions of the features in which what is unlike the training is looked for
    speakers: int = 0  # of a dialogue that are told apart, the last number being all others; 0: who speaks is not used
    past_only: bool = False  # whether a step's answer may not rest on later ones, as while a dialogue is going on
    use_attention: bool = True
    use_dynamic_weighting: bool = True
    use_temporal: bool = True
    use_alignment: bool = True

    def __post_init__(self, speech_dim: int | None, text_dim: int | None, vision_dim: int | None) -> None:
        older = {"speech": speech_dim, "text": text_dim, "vision": vision_dim}
        given = self.dims | {m: size for m, size in older.items() if size is not None}
        if unknown := sorted(set(given) - set(MODALITIES)):
            raise ValueError(f"unknown modalities {unknown}; known are {list(MODALITIES)}")
        if not given:
            raise ValueError("dims names no modality")
        self._check_kinds()
        object.__setattr__(self, "dims", {m: given[m] for m in MODALITIES if m in given})
        sizes = {name: getattr(self, name) for name in ("d_model", "layers", "heads", "hidden_multiple")}
        for name, size in (sizes | {f"{m}_dim": size for m, size in self.dims.items()}).items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if not 0 <= self.speakers <= MAX_SPEAKERS:
            raise ValueError(f"speakers must be from 0 to {MAX_SPEAKERS}, got {self.speakers}")
        if self.layers > MAX_LAYERS:  # a damaged file may ask for millions, each of which takes memory and time
            raise ValueError(f"layers must be at most {MAX_LAYERS}, got {self.layers}")
        if self.speech_encoder not in SPEECH_ENCODERS:
            raise ValueError(f"speech_encoder must be one of {SPEECH_ENCODERS}, got {self.speech_encoder!r}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be at least two different names, got {self.labels}")

    def _check_kinds(self) -> None:
        """Raise ``ValueError`` for a value of another kind, which would go wrong only when it is used."""
        for part in dataclasses.fields(self):
            value = getattr(self, part.name)
            if part.type == "int" and type(value) is not int:
                raise ValueError(f"{part.name} must be a whole number, got {value!r:.50}")
            if part.type == "bool" and type(value) is not bool:
                raise ValueError(f"{part.name} must be true or false, got {value!r:.50}")
            if part.type == "float" and not (type(value) in (int, float) and 0 <= value < LARGEST_FLOAT):
                raise ValueError(f"{part.name} must be a number from 0 to {LARGEST_FLOAT:g}, got {value!r:.50}")
        for name in ("prior_std", "precision_eps"):  # by which the model divides
            if not getattr(self, name):
                raise ValueError(f"{name} must be above 0")
        self._check_discount()

    def _check_discount(self) -> None:
        most = 1 - 1 / max(len(self.labels), 1)  # with more than that neutral would no longer be the first
        shares = self.neutral_discount.items() if isinstance(self.neutral_discount, dict) else [("all", None)]
        for m, share in shares:
            if m not in MODALITIES or type(share) not in (int, float) or not 0 <= share < most:
                raise ValueError(f"neutral_discount of {m!r:.20} must be from 0 to below {most:.2f}, got {share!r:.50}")

    @property
    def input_dims(self) -> tuple[int, ...]:
        """Feature sizes of the modalities that the model knows, in the order of ``MODALITIES``."""
        return tuple(self.dims.values())

    @property
    def neutral(self) -> int | None:
        """Place of the label that says no emotion is shown; None where there is none."""
        return self.labels.index(NEUTRAL) if NEUTRAL in self.labels else None

    @property
    def head_dim(self) -> int:
        return -(-self.d_model // self.heads)

    def to_dict(self) -> dict:
        return dataclasses.asdict(self) | {"labels": list(self.labels)}

    @classmethod
    def from_dict(cls, values: dict) -> HFFConfig:
        """Rebuild from ``to_dict``; a key this version does not know raises ``ValueError``.

        The model knows the modalities that ``values`` names and no other; older weights name none and know three.
        Weights that say nothing of ``bounded`` are older than it.
        """
        known = {field.name for field in dataclasses.fields(cls)} | set(_OLDER_DIMS)
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown config keys {unknown}; known are {sorted(known)}")
        older = {"dims": {m: modalities.of(m).size for m in _OLDER_DIMS.values()}, "bounded": False}
        return cls(**(older | values | {"labels": tuple(values.get("labels", EMOTIONS))}))


# Keyword arguments only: read back, each is a property of what ``dims`` says. ``dataclasses.replace`` hands them on, so
# there the size of one of these three is changed by its own name, not by ``dims``.
_OLDER_DIMS = {f"{m}_dim": m for m in ("speech", "text", "vision")}


def _size_of(modality: str) -> property:
    return property(lambda config: config.dims.get(modality))


for _name, _modality in _OLDER_DIMS.items():
    setattr(HFFConfig, _name, _size_of(_modality))
