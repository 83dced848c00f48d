"""Where the parts of the model lie in its drawing: from left to right, and from top to bottom for a narrow screen."""

from __future__ import annotations

from dataclasses import dataclass

from hff.config import HFFConfig

Place = tuple[float, float]  # along and across

_WIDE = (1268, 312)
_TOP, _TALL = 44, 228  # of the columns of blocks
_NARROW = (360, 630)
_GAP = 12  # between encoders; half of it where there are more than three


@dataclass(frozen=True)
class Block:
    """A box of the drawing; ``key`` names its texts in ``texts.BLOCKS``, and a modality's its encoder."""

    key: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Blueprint:
    """A drawing's blocks. *Along* is the way of the flow, *across* is square to it."""

    kind: str  # its class in the style, which shows one of the two
    width: int
    height: int
    upright: bool  # from top to bottom
    full: float  # width of a band of weight 1
    blocks: dict[str, Block]
    levels: tuple[tuple[float, float], ...]  # left edge and width of each of ``texts.LEVELS``
    tokens: str  # the path on which attention looks back at the aligned tokens of every modality, round the fusion

    def ends(self, key: str) -> tuple[float, float]:
        """Where a block begins and ends along the flow."""
        block = self.blocks[key]
        return (block.y, block.y + block.height) if self.upright else (block.x, block.x + block.width)

    def middle(self, key: str) -> float:
        """The middle of a block across the flow."""
        block = self.blocks[key]
        return block.x + block.width / 2 if self.upright else block.y + block.height / 2

    def point(self, along: float, across: float) -> tuple[float, float]:
        """x and y."""
        return (across, along) if self.upright else (along, across)

    def curve(self, start: Place, end: Place) -> str:
        """A line that leaves and arrives along the flow, as a path."""
        return f"M{self._written(start)}{self._bend(start, end)}"

    def ribbon(self, start: Place, end: Place, width: float) -> str:
        """The same as an area that is ``width`` wide across the flow: areas side by side do not cover each other."""
        begin, finish = _shifted(start, -width / 2), _shifted(end, -width / 2)
        back, home = _shifted(end, width / 2), _shifted(start, width / 2)
        return f"{self.curve(begin, finish)}L{self._written(back)}{self._bend(back, home)}Z"

    def _bend(self, start: Place, end: Place) -> str:
        half = (start[0] + end[0]) / 2
        return "C" + " ".join(map(self._written, ((half, start[1]), (half, end[1]), end)))

    def _written(self, place: Place) -> str:
        return "{:.1f} {:.1f}".format(*self.point(*place))


def _shifted(place: Place, across: float) -> Place:
    return place[0], place[1] + across


def blueprints(config: HFFConfig) -> tuple[Blueprint, Blueprint]:
    return _wide(config), _narrow(config)


def _wide(config: HFFConfig) -> Blueprint:
    size, step = _spread(len(config.dims), _TALL)
    encoders = [Block(m, 6, _TOP + n * step, 222, size) for n, m in enumerate(config.dims)]
    half = (_TALL - 24) / 2
    others = [
        Block("align", 266, _TOP, 124, _TALL),
        Block("uncertainty", 434, _TOP + _TALL - half, 176, half),
        Block("weights", 434, _TOP, 176, half),
        Block("attention", 744, _TOP, 172, _TALL),
        Block("time", 960, _TOP, 116, _TALL),
        Block("classifier", 1144, _TOP, 118, _TALL),
    ]
    levels = ((6, 222), (266, 344), (744, 172), (960, 116), (1144, 118))
    under = _TOP + _TALL
    tokens = f"M328 {under + 2}V{under + 18}H830V{under + 4}"
    return Blueprint("wide", *_WIDE, False, 76, _by_key([*encoders, *others]), levels, tokens)


def _narrow(config: HFFConfig) -> Blueprint:
    size, step = _spread(len(config.dims), 342)
    encoders = [Block(m, 4 + n * step, 4, size, 56) for n, m in enumerate(config.dims)]
    others = [
        Block("align", 4, 92, 342, 50),
        Block("uncertainty", 188, 172, 158, 82),
        Block("weights", 4, 172, 158, 82),
        Block("attention", 4, 362, 342, 56),
        Block("time", 4, 456, 342, 56),
        Block("classifier", 4, 552, 342, 74),
    ]
    return Blueprint("narrow", *_NARROW, True, 64, _by_key([*encoders, *others]), (), "M348 117H355V390H350")


def _spread(count: int, room: float) -> tuple[float, float]:
    """Size of each of so many blocks in a row, and how far the next one begins after it."""
    gap = _GAP if count <= 3 else _GAP / 2
    size = (room - gap * (count - 1)) / count
    return size, size + gap


def _by_key(blocks: list[Block]) -> dict[str, Block]:
    return {block.key: block for block in blocks}
