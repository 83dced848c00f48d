"""The model drawn: one block for each part, with the numbers of the paper's equations."""

from __future__ import annotations

from dataclasses import dataclass

from hff import modalities
from hff.config import MODALITIES, HFFConfig
from hff.locale import names, texts
from hff.page.shared.cards import text

_WIDTH, _HEIGHT = 1180, 430
_TOP, _TALL, _GAP = 70, 314, 31  # of the column of encoders; the gap shrinks where there are more than three
_LEVELS = ((20, 190), (262, 360), (674, 176), (902, 130), (1072, 98))  # left edge and width of each of ``texts.LEVELS``
EQUATIONS = {  # of the paper, by block
    "align": "(16)", "weights": "(17), (18)",
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
    return [
        *_encoders(),
        Block("align", 262, 70, 118, 314),
        Block("weights", 432, 70, 190, 140),
        Block("uncertainty", 432, 244, 190, 140),
        Block("attention", 674, 70, 176, 314),
        Block("time", 902, 70, 130, 314),
        Block("classifier", 1072, 70, 98, 314),
    ]


def _encoders() -> list[Block]:
    count = len(MODALITIES)
    gap = _GAP if count <= 3 else _GAP // 2
    height = (_TALL - gap * (count - 1)) // count
    return [Block(m, 20, _TOP + n * (height + gap), 190, height, f"hff-{m}") for n, m in enumerate(MODALITIES)]


def _texts(key: str) -> tuple[str, str, str]:
    """Title, sentence and equations of a block; a modality that the catalogue does not know has its name."""
    title, sentence = texts.BLOCKS.get(key) or (names.modality(key), "")
    return title, sentence, EQUATIONS[key] if key in EQUATIONS else modalities.of(key).equations


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


def architecture_html(config: HFFConfig) -> str:
    """The drawing and, below it, a sentence for each block."""
    figures = sizes(config)
    shapes = "".join(_block(block, figures[block.key]) for block in blocks())
    levels = "".join(
        f'<text class="hff-level" x="{x}" y="34">{text(name)}</text>'
        f'<line class="hff-level-line" x1="{x}" x2="{x + width}" y1="46" y2="46"/>'
        for name, (x, width) in zip(texts.LEVELS, _LEVELS, strict=True)
    )
    drawing = (
        f'<svg class="hff-figure hff-architecture" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{text(texts.ARCHITECTURE_LABEL)}"><defs><marker id="hff-arrow" viewBox="0 0 10 10" '
        'refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z"/></marker></defs>'
        f"{levels}{_arrows()}{shapes}</svg>"
    )
    items = "".join(
        f'<li class="{block.colour}"><strong>{text(_title(block.key))}</strong> '
        f'<span class="hff-equations">{text(_texts(block.key)[2])}</span> {text(_texts(block.key)[1])}</li>'
        for block in blocks()
    )
    return f'<div class="hff-scroll" tabindex="0">{drawing}</div><ol class="hff-blocks">{items}</ol>'


def _title(key: str) -> str:
    return _texts(key)[0].replace("\n", " ")


def _block(block: Block, figures: str) -> str:
    title, _, equations = _texts(block.key)
    lines = [(line, "hff-block-title") for line in title.split("\n")] + [(equations, "hff-block-equations")]
    if figures:
        lines.append((figures, "hff-block-size"))
    middle, first = block.x + block.width / 2, block.y + block.height / 2 - (len(lines) - 1) * 10 + 5
    words = "".join(
        f'<text class="{style}" x="{middle}" y="{first + 20 * row}" text-anchor="middle">{text(line)}</text>'
        for row, (line, style) in enumerate(lines)
    )
    return (
        f'<g class="hff-block {block.colour}"><rect x="{block.x}" y="{block.y}" width="{block.width}" '
        f'height="{block.height}" rx="8"/>{words}</g>'
    )


def _arrows() -> str:
    middles = [block.y + block.height / 2 for block in _encoders()]
    lines = [(212, middle, 258, middle) for middle in middles]
    lines += [(382, 140, 428, 140), (382, 314, 428, 314), (624, 140, 670, 140), (527, 242, 527, 214)]
    lines += [(852, 227, 898, 227), (1034, 227, 1068, 227)]
    drawn = "".join(
        f'<path class="hff-flow" d="M{a} {b}L{c} {d}" marker-end="url(#hff-arrow)"/>' for a, b, c, d in lines
    )
    # Attention looks back at the aligned tokens of every modality, round the fusion.
    return (
        f'{drawn}<path class="hff-flow hff-tokens" d="M321 386V408H762V388" marker-end="url(#hff-arrow)"/>'
        f'<text class="hff-block-size" x="540" y="424" text-anchor="middle">{text(texts.TOKENS)}</text>'
    )
