"""The model drawn: a block for each part, with the paper's equations, and what flows between them at a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from hff import modalities
from hff.config import SPEECH_ENCODERS, HFFConfig
from hff.locale import names, texts
from hff.moment import Moment, Shown
from hff.page.model import flow
from hff.page.model.blueprint import Blueprint, blueprints
from hff.page.shared.amounts import percent
from hff.page.shared.render import render

FIRST_PART = "weights"  # whose numbers are shown before any was chosen
_SOFT_HYPHEN = "\u00ad"  # before a line break within a word
EQUATIONS = {  # of the paper, by block
    "align": "(16)",
    "weights": "(17), (18)",
    "uncertainty": "(19), (20)",
    "attention": "(21)–(23)",
    "time": "(24)–(28)",
    "classifier": "(29)–(31)",
}


@dataclass(frozen=True)
class ModelPart:
    """One block's words: its name (with a line break where it is drawn in two), a sentence about it, its equations."""

    key: str
    colour: str  # a modality's class, or none
    drawn: str
    sentence: str
    equations: str

    @property
    def title(self) -> str:
        return self.drawn.replace(f"{_SOFT_HYPHEN}\n", "").replace("\n", " ")


def parts(config: HFFConfig) -> list[ModelPart]:
    """In the order of the flow."""
    keys = (*config.dims, "align", "uncertainty", "weights", "attention", "time", "classifier")
    return [ModelPart(key, f"hff-{key}" if key in config.dims else "", *_texts(key, config)) for key in keys]


def _texts(key: str, config: HFFConfig) -> tuple[str, str, str]:
    """Title, sentence and equations of a block; a modality that the catalogue does not know has its name.

    The equations are the paper's, so another speech encoder than the paper's has none.
    """
    other = f"speech {config.speech_encoder}"  # has its own texts
    if key == "speech" and config.speech_encoder != SPEECH_ENCODERS[0] and other in texts.BLOCKS:
        return *texts.BLOCKS[other], ""
    title, sentence = texts.BLOCKS.get(key) or (names.modality(key), "")
    return title, sentence, EQUATIONS[key] if key in EQUATIONS else modalities.of(key).equations


def speech_title(encoder: str) -> str:
    """What a speech encoder is called in the drawing."""
    return parts(HFFConfig(speech_encoder=encoder))[0].title


def block_sizes(config: HFFConfig) -> dict[str, str]:
    """The figures that stand in the blocks, taken from the model's own config."""
    said = texts.BLOCK_SIZES
    step = {name: said["step"].format(count=size) for name, size in config.dims.items()}
    wide = said["values"].format(count=config.d_model)
    return step | {
        "align": wide,
        "weights": "",
        "uncertainty": "",
        "time": wide,
        "attention": said["attention"].format(layers=config.layers, heads=config.heads),
        "classifier": said["classifier"].format(count=len(config.labels)),
    }


def architecture_html(
    config: HFFConfig, moment: Moment | None = None, shown: Mapping[str, Shown] | None = None
) -> Markup:
    """The drawing, twice: the style shows the one that fits the screen. With the flow of a moment, or without."""
    drawings = [_drawing(plan, config, moment, shown or {}) for plan in blueprints(config)]
    return render("architecture.html", "architecture", drawings, FIRST_PART)


def _drawing(plan: Blueprint, config: HFFConfig, moment: Moment | None, shown: Mapping[str, Shown]) -> dict:
    named = {m: names.modality(m) for m in config.dims}
    return {
        "plan": plan,
        "levels": list(zip(texts.LEVELS, plan.levels, strict=True)) if plan.levels else [],
        "arrows": flow.arrows(plan),
        "bands": flow.bands(plan, config.dims, moment),
        "labels": flow.flow_labels(plan, named, moment, shown) if moment is not None else [],
        "blocks": [
            (part, plan.blocks[part.key], _lines(part, plan, config, moment), _is_absent(part, config, moment))
            for part in parts(config)
        ],
    }


def _lines(part: ModelPart, plan: Blueprint, config: HFFConfig, moment: Moment | None) -> list[tuple[str, str]]:
    """The lines in a block, each with its style."""
    title, figures = part.drawn, block_sizes(config)[part.key]
    if plan.upright:  # little room: a modality by its name alone, others on one line
        broad = plan.blocks[part.key].width > plan.width / 2
        title = names.modality(part.key) if part.colour else part.title if broad else part.drawn
        figures = "" if part.colour else figures
    lines = [(line.replace(_SOFT_HYPHEN, "-"), "hff-block-title") for line in title.split("\n")]
    if _is_absent(part, config, moment):
        figures = texts.ABSENT
    answer = _answer(moment) if part.key == "classifier" and moment is not None and moment.weighings else []
    small = [part.equations, figures]
    if plan.upright and part.colour:
        small = [figures or part.equations]
    elif plan.upright:
        small, answer = [" · ".join(filter(None, small))], [" ".join(answer)]
    more = [*((line, "hff-block-size") for line in small), *((line, "hff-block-answer") for line in answer)]
    return [*lines, *(line for line in more if line[0])]


def _answer(moment: Moment) -> list[str]:
    return [names.emotion(moment.emotion), percent(moment.probabilities[moment.emotion])]


def _is_absent(part: ModelPart, config: HFFConfig, moment: Moment | None) -> bool:
    return moment is not None and part.key in config.dims and part.key not in moment.weighings
