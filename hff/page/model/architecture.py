"""The model drawn: one block for each part, with the numbers of the paper's equations."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from hff.config import MODALITIES, HFFConfig
from hff.locale import texts
from hff.page.shared.render import render

_WIDTH, _HEIGHT = 1180, 430
_ROWS = {"speech": 70, "text": 185, "vision": 300}  # top of each modality's blocks
_BLOCK_HEIGHT = 84
_LEVELS = ((20, 190), (262, 360), (674, 176), (902, 130), (1072, 98))  # left edge and width of each of ``texts.LEVELS``
# Attention looks back at the aligned tokens of every modality, round the fusion.
_TOKENS = "M321 386V408H762V388"
EQUATIONS = {  # of the paper, by block
    "speech": "(1)–(8)", "text": "(9)–(12)", "vision": "(13)–(15)", "align": "(16)", "weights": "(17), (18)",
    "uncertainty": "(19), (20)", "attention": "(21)–(23)", "time": "(24)–(28)", "classifier": "(29)–(31)",
}  # fmt: skip


@dataclass(frozen=True)
class Block:
    """A box of the drawing; ``key`` names its texts in ``texts.BLOCKS``."""

    key: str
    x: int
    y: int
    width: int
    height: int
    colour: str = ""  # a modality's class, or none


def blocks() -> list[Block]:
    encoders = [Block(name, 20, top, 190, _BLOCK_HEIGHT, f"hff-{name}") for name, top in _ROWS.items()]
    return [
        *encoders,
        Block("align", 262, 70, 118, 314),
        Block("weights", 432, 70, 190, 140),
        Block("uncertainty", 432, 244, 190, 140),
        Block("attention", 674, 70, 176, 314),
        Block("time", 902, 70, 130, 314),
        Block("classifier", 1072, 70, 98, 314),
    ]


def sizes(config: HFFConfig) -> dict[str, str]:
    """The figures that stand in the blocks, taken from the model's own config."""
    said = texts.BLOCK_SIZES
    step = {name: said["step"].format(count=size) for name, size in zip(MODALITIES, config.input_dims, strict=True)}
    wide = said["values"].format(count=config.d_model)
    return step | {
        "align": wide, "weights": "", "uncertainty": "", "time": wide,
        "attention": said["attention"].format(layers=config.layers, heads=config.heads),
        "classifier": said["classifier"].format(count=len(config.labels)),
    }  # fmt: skip


def architecture_html(config: HFFConfig) -> Markup:
    """The drawing and, below it, a sentence for each block."""
    figures = sizes(config)
    levels = zip(texts.LEVELS, _LEVELS, strict=True)
    shown = []
    for block in blocks():
        title, sentence = texts.BLOCKS[block.key]
        lines = _lines(title, EQUATIONS[block.key], figures[block.key])
        shown.append((block, title.replace("\n", " "), EQUATIONS[block.key], sentence, lines))
    return render("architecture.html", "architecture", _WIDTH, _HEIGHT, levels, _arrows(), _TOKENS, shown)


def _lines(title: str, equations: str, figures: str) -> list[tuple[str, str]]:
    """The lines in a block, each with its style."""
    lines = [(line, "hff-block-title") for line in title.split("\n")]
    lines.append((equations, "hff-block-equations"))
    return [*lines, (figures, "hff-block-size")] if figures else lines


def _arrows() -> list[tuple[float, float, float, float]]:
    """Each from (x, y) to (x, y)."""
    half = _BLOCK_HEIGHT / 2
    encoders = [(212, top + half, 258, top + half) for top in _ROWS.values()]
    return [
        *encoders, (382, 140, 428, 140), (382, 314, 428, 314), (624, 140, 670, 140), (527, 242, 527, 214),
        (852, 227, 898, 227), (1034, 227, 1068, 227),
    ]  # fmt: skip
