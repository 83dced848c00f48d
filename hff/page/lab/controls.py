"""The lab's controls on the left, and their values as a ``LabState``."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from hff.arithmetic import in_hundredths
from hff.config import MAX_TEXT, MODALITIES, SAMPLES
from hff.examples.ready import EXAMPLES
from hff.lab.corrupted_material import KINDS, NO_KIND, is_trained
from hff.lab.state import COMPONENTS, SNAPSHOT, YOURS, Corruption, LabState
from hff.locale import names, texts
from hff.page.shared.cards import named, note
from hff.page.shared.ears import ear_choice

_PLACES = 9  # of a severity, so that percent and share are the same figure
_SAMPLE_STEPS = 128  # at most; more change nothing one could see
# The other weights share what is left in the ratio they had; the last one takes the rounding. Who moves one sets them
# by hand: the box is ticked.
_SUM_TO_ONE = """(byHand, moved, ...others) => {
    const cents = x => Math.round(100 * x), left = 100 - cents(moved);
    const sum = others.reduce((all, other) => all + cents(other), 0);
    const share = other => Math.round(sum > 0 ? left * cents(other) / sum : left / others.length);
    const parts = others.slice(0, -1).map(share);
    const last = left - parts.reduce((all, part) => all + part, 0);
    return [true, ...[cents(moved), ...parts, last].map(part => part / 100)];
}"""


def sources() -> list[tuple[str, str]]:
    """What can be taken apart: (title, source)."""
    ready = [(texts.LAB_EXAMPLE.format(title=example.title), example.key) for example in EXAMPLES]
    return [*ready, (texts.LAB_YOURS, YOURS), (texts.LAB_SNAPSHOT, SNAPSHOT)]


@dataclass
class CorruptionControls:
    """What breaks one modality."""

    kind: gr.Dropdown
    severity: gr.Slider
    muted: gr.Checkbox


class Controls:
    """Builds two tabs of controls; ``values`` go into an event, ``state`` reads them and ``show`` puts them back."""

    def __init__(self, ears: tuple[str, ...] = ("",)) -> None:
        """``ears``: the speech encoders that can hear the voice, the model's own first."""
        self._ears = ears
        with gr.Tab(texts.LAB_TAB_CORRUPTION, id="corruption"):
            self._build_corruption()
        with gr.Tab(texts.LAB_TAB_MODEL, id="model"):
            self._build_model()
        self.weighed = [self._keep_sum(moved) for moved in self.alpha]  # events, each after all add up again

    def _build_corruption(self) -> None:
        """What is taken apart, and what breaks it."""
        self.source = gr.Dropdown(
            sources(),
            value=EXAMPLES[0].key,
            label=texts.LAB_SOURCE,
            show_label=False,
            container=False,
            filterable=False,
            elem_id="hff-lab-source",
        )
        self.corruption = {m: _corruption_controls(m) for m in MODALITIES}
        self.text = gr.Textbox(
            label=texts.LAB_TYPED,
            placeholder=texts.LAB_TYPED_HINT,
            max_length=MAX_TEXT,
            lines=1,
            elem_id="hff-lab-typed",
        )
        gr.HTML(note(texts.LAB_NEW_NOTE))
        self.reset = gr.Button(texts.LAB_RESET, size="sm", elem_id="hff-lab-reset")

    def _build_model(self) -> None:
        """What hears the voice, weights by hand, parts switched off, draws."""
        self.ear = ear_choice(self._ears, "hff-lab-ear")
        self.by_hand = gr.Checkbox(label=texts.LAB_BY_HAND, container=False, elem_id="hff-lab-by-hand")
        equal = in_hundredths([1 / len(MODALITIES)] * len(MODALITIES))
        self.alpha = [
            gr.Slider(
                0,
                1,
                value=share,
                step=0.01,
                interactive=True,
                elem_id=f"hff-lab-alpha-{m}",
                label=texts.LAB_ALPHA.format(modality=names.modality(m)),
                elem_classes=f"hff-{m} hff-own-slider",
            )
            for m, share in zip(MODALITIES, equal, strict=True)
        ]
        self.own_alpha = gr.HTML(note(texts.LAB_BY_HAND_NOTE))
        parts = [(texts.LAB_PART_NAMES[part], part) for part in COMPONENTS]
        self.parts = gr.CheckboxGroup(parts, value=list(COMPONENTS), label=texts.LAB_PARTS, elem_id="hff-lab-parts")
        self.parts_note = gr.HTML(note(texts.LAB_PARTS_NOTE.format(trained=texts.LAB_TRAINED_ALL)))
        gr.HTML(note(texts.EAR_NOTE), visible=len(self._ears) > 1)
        with gr.Row(elem_id="hff-lab-draws"):
            self.samples = gr.Slider(
                0,
                _SAMPLE_STEPS,
                value=SAMPLES,
                step=1,
                label=texts.LAB_SAMPLES,
                elem_id="hff-lab-samples",
                scale=2,
                min_width=150,
            )
            self.seed = gr.Number(
                0, precision=0, minimum=0, label=texts.LAB_SEED, elem_id="hff-lab-seed", scale=1, min_width=90
            )

    @property
    def values(self) -> list:
        """All components, in the order that ``state`` and ``show`` share."""
        corruption = [part for m in MODALITIES for part in vars(self.corruption[m]).values()]
        own = [self.text, self.by_hand, *self.alpha, self.parts, self.samples, self.seed, self.ear]
        return [self.source, *corruption, *own]

    @property
    def dragged(self) -> list:
        """Controls that change many times while they are used; the weights have ``weighed``."""
        return [*(d.severity for d in self.corruption.values()), self.samples]

    @property
    def chosen(self) -> list:
        """Controls that change once."""
        fixed = [part for d in self.corruption.values() for part in (d.kind, d.muted)]
        return [self.source, *fixed, self.by_hand, self.parts, self.seed, self.ear]

    def state(self, values: tuple) -> LabState:
        """The components' values -> what they mean. Raises ``InputError``."""
        source, *rest = values
        corruption, rest = rest[: 3 * len(MODALITIES)], rest[3 * len(MODALITIES) :]
        typed, by_hand, *alpha = rest[: 2 + len(MODALITIES)]
        parts, samples, seed, ear = rest[2 + len(MODALITIES) :]
        damage = {}
        for i, m in enumerate(MODALITIES):
            kind, percent, muted = corruption[3 * i : 3 * i + 3]
            damage[m] = {"kind": kind, "severity": round((percent or 0) / 100, _PLACES), "muted": muted}
        plain = {
            "source": source,
            "damage": damage,
            "alpha": dict(zip(MODALITIES, alpha, strict=True)) if by_hand else None,
            "without": [part for part in COMPONENTS if part not in (parts or [])],
            "samples": samples or 0,
            "seed": seed or 0,
            "text": typed or "",
            "speech_encoder": "" if ear == self._ears[0] else ear,
        }
        return LabState.from_dict(plain)

    def show(self, state: LabState, alpha: dict[str, float] | None = None) -> list:
        """Values for ``values``; ``alpha`` is what the weight sliders show while the model chooses by itself."""
        each = [state.corruption[m] for m in MODALITIES]
        corruption = [part for one in each for part in (one.kind, round(100 * one.severity, _PLACES), one.muted)]
        weights = state.alpha or (alpha and [alpha[m] for m in MODALITIES]) or [1 / len(MODALITIES)] * len(MODALITIES)
        parts = [part for part in COMPONENTS if part not in state.without]
        return [
            state.source,
            *corruption,
            state.text,
            state.alpha is not None,
            *in_hundredths(weights),
            parts,
            state.samples,
            state.seed,
            state.speech_encoder if state.speech_encoder in self._ears[1:] else self.ear.value,
        ]

    def _keep_sum(self, moved: gr.Slider):
        weights = [self.by_hand, moved, *(slider for slider in self.alpha if slider is not moved)]
        return moved.input(None, weights, weights, js=_SUM_TO_ONE, show_progress="hidden", api_visibility="private")


def _corruption_controls(modality: str) -> CorruptionControls:
    name = names.modality(modality)
    clean = Corruption(KINDS[modality][0])
    breakable = KINDS[modality] != (NO_KIND,)  # else it can only be taken away
    with gr.Column(elem_classes=f"hff-{modality} hff-lab-breaker", elem_id=f"hff-lab-break-{modality}"):
        with gr.Row(elem_classes="hff-lab-breaker-top"):
            gr.HTML(named(modality), scale=1, min_width=90)
            muted = gr.Checkbox(
                label=texts.LAB_MUTE.get(modality, texts.LAB_MUTE["other"]),
                container=False,
                scale=0,
                min_width=110,
                elem_id=f"hff-lab-{modality}-mute",
            )
        kinds = [(_kind_name(modality, kind), kind) for kind in KINDS[modality]]
        kind = gr.Dropdown(
            kinds,
            value=clean.kind,
            label=texts.LAB_KIND.format(modality=name),
            show_label=False,
            container=False,
            filterable=False,
            elem_id=f"hff-lab-{modality}-kind",
            visible=breakable,
        )
        severity = gr.Slider(
            0,
            100,
            value=100 * clean.severity,
            step=5,
            label=texts.LAB_SEVERITY_NAME.format(modality=name),
            show_label=False,
            container=False,
            elem_id=f"hff-lab-{modality}-severity",
            visible=breakable,
        )
    return CorruptionControls(kind, severity, muted)


def _kind_name(modality: str, kind: str) -> str:
    name = names.corruption_name(kind)
    return name if is_trained(modality, kind) else texts.LAB_NEW_TO_IT.format(name=name)
