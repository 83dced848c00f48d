"""The model drawn: one block for each part, with the numbers of the paper's equations."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from hff import modalities
from hff.config import SPEECH_ENCODERS, HFFConfig
from hff.locale import names, texts
from hff.page.shared.render import render

_WIDTH, _HEIGHT = 1180, 430
_TOP, _TALL, _GAP = 70, 314, 31  # of the column of encoders; the gap shrinks where there are more than three
_LEVELS = ((20, 190), (262, 360), (674, 176), (902, 130), (1072, 98))  # left edge and width of each of ``texts.LEVELS``
# Attention looks back at the aligned tokens of every modality, round the fusion.
_TOKENS = "M321 386V408H762V388"
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
class Block:
    """A box of the drawing; ``key`` names its texts in ``texts.BLOCKS``."""

    key: str
    x: int
    y: int
    width: int
    height: int
    colour: str = ""  # a modality's class, or none


def blocks(config: HFFConfig) -> list[Block]:
    return [
        *_encoders(config),
        Block("align", 262, 70, 118, 314),
        Block("weights", 432, 70, 190, 140),
        Block("uncertainty", 432, 244, 190, 140),
        Block("attention", 674, 70, 176, 314),
        Block("time", 902, 70, 130, 314),
        Block("classifier", 1072, 70, 98, 314),
    ]


def _encoders(config: HFFConfig) -> list[Block]:
    count = len(config.dims)
    gap = _GAP if count <= 3 else _GAP // 2
    height = (_TALL - gap * (count - 1)) // count
    return [Block(m, 20, _TOP + n * (height + gap), 190, height, f"hff-{m}") for n, m in enumerate(config.dims)]


def _texts(key: str, config: HFFConfig) -> tuple[str, str, str]:
    """Title, sentence and equations of a block; a modality that the catalogue does not know has its name.

    The equations are the paper's, so another speech encoder than the paper's has none.
    """
    other = f"speech {config.speech_encoder}"  # has its own texts
    if key == "speech" and config.speech_encoder != SPEECH_ENCODERS[0] and other in texts.BLOCKS:
        return *texts.BLOCKS[other], ""
    title, sentence = texts.BLOCKS.get(key) or (names.modality(key), "")
    return title, sentence, EQUATIONS[key] if key in EQUATIONS else modalities.of(key).equations


def sizes(config: HFFConfig) -> dict[str, str]:
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


def architecture_html(config: HFFConfig) -> Markup:
    """The drawing and, below it, a sentence for each block."""
    figures = sizes(config)
    levels = zip(texts.LEVELS, _LEVELS, strict=True)
    shown = []
    for block in blocks(config):
        title, sentence, equations = _texts(block.key, config)
        lines = _lines(title, equations, figures[block.key])
        shown.append((block, _in_one_line(title), equations, sentence, lines))
    return render("architecture.html", "architecture", _WIDTH, _HEIGHT, levels, _arrows(config), _TOKENS, shown)


def _lines(title: str, equations: str, figures: str) -> list[tuple[str, str]]:
    """The lines in a block, each with its style."""
    lines = [(line.replace(_SOFT_HYPHEN, "-"), "hff-block-title") for line in title.split("\n")]
    more = [(equations, "hff-block-equations"), (figures, "hff-block-size")]
    return [*lines, *(line for line in more if line[0])]


def _in_one_line(title: str) -> str:
    return title.replace(f"{_SOFT_HYPHEN}\n", "").replace("\n", " ")


def _arrows(config: HFFConfig) -> list[tuple[float, float, float, float]]:
    """Each from (x, y) to (x, y)."""
    middles = [block.y + block.height / 2 for block in _encoders(config)]
    encoders = [(212, middle, 258, middle) for middle in middles]
    return [
        *encoders,
        (382, 140, 428, 140),
        (382, 314, 428, 314),
        (624, 140, 670, 140),
        (527, 242, 527, 214),
        (852, 227, 898, 227),
        (1034, 227, 1068, 227),
    ]
