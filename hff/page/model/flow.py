"""What flows between the parts of the drawing: bands as wide as the weight, and the figures that stand on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hff.locale import texts
from hff.moment import Moment, Shown
from hff.page.model.blueprint import Blueprint
from hff.page.shared.amounts import exact, visible_decimal

_THINNEST = 1.0  # of a band whose weight is nearly nothing: it is there
_APART = 13.0  # between the features of two modalities where they come together


@dataclass(frozen=True)
class Band:
    """An area as wide as the weight; a line for what has none yet, "hff-line", or is absent, "hff-nothing".

    Beside these ``style`` has a modality's class, or "hff-flow" for all of them together.
    """

    path: str
    style: str


@dataclass(frozen=True)
class Label:
    words: str
    x: float
    y: float
    anchor: str
    colour: str = ""


def arrows(plan: Blueprint) -> list[str]:
    """Ways that are the same at every moment, as paths: what uncertainty is read from, and w to the weights."""
    _, align = plan.ends("align")
    doubt, _ = plan.ends("uncertainty")
    weights, unsure = plan.blocks["weights"], plan.blocks["uncertainty"]
    if plan.upright:
        y = unsure.y + unsure.height / 2
        up = f"M{unsure.x - 2:.1f} {y:.1f}H{weights.x + weights.width + 4:.1f}"
    else:
        up = f"M{unsure.x + unsure.width / 2:.1f} {unsure.y - 2:.1f}V{weights.y + weights.height + 4:.1f}"
    across = plan.middle("uncertainty")
    return [plan.curve((align + 2, across), (doubt - 4, across)), up]


def bands(plan: Blueprint, modalities: Mapping[str, object], moment: Moment | None) -> list[Band]:
    """The flow of a moment, or that of any clip where there is none: everything thin."""
    return [
        *_to_the_weights(plan, modalities, moment),
        *_weighed(plan, modalities, moment),
        *_after(plan, moment),
    ]


def _to_the_weights(plan: Blueprint, modalities: Mapping[str, object], moment: Moment | None) -> Iterator[Band]:
    """Features that are not weighed yet."""
    begin, align = plan.ends("align")
    weights, _ = plan.ends("weights")
    for n, m in enumerate(modalities):
        lane = plan.middle(m)
        start, end = (plan.ends(m)[1], lane), (begin, lane)
        if moment is not None and m not in moment.weighings:
            yield Band(plan.curve(start, end), "hff-nothing")
            continue
        yield Band(plan.curve(start, end), f"hff-line hff-{m}")
        together = (weights, _side_by_side(plan, n, len(modalities)))
        yield Band(plan.curve((align, lane), together), f"hff-line hff-{m}")


def _weighed(plan: Blueprint, modalities: Mapping[str, object], moment: Moment | None) -> Iterator[Band]:
    """Side by side where they leave the weights, each in its own lane where they arrive."""
    weights = plan.ends("weights")[1]
    attention, _ = plan.ends("attention")
    left = plan.middle("weights") - plan.full / 2
    for n, m in enumerate(modalities):
        end = (attention, plan.middle(m))
        if moment is None:
            yield Band(plan.curve((weights, _side_by_side(plan, n, len(modalities))), end), f"hff-line hff-{m}")
        elif m not in moment.weighings:
            yield Band(plan.curve((weights, left), end), "hff-nothing")
        else:
            width = plan.full * moment.weighings[m].alpha
            yield Band(plan.ribbon((weights, left + width / 2), end, max(_THINNEST, width)), f"hff-{m}")
            left += width


def _side_by_side(plan: Blueprint, number: int, count: int) -> float:
    return plan.middle("weights") + _APART * (number - (count - 1) / 2)


def _after(plan: Blueprint, moment: Moment | None) -> Iterator[Band]:
    """All together, and of all moments this one's part."""
    middle = plan.middle("attention")
    ways = [
        ((plan.ends(one)[1], middle), (plan.ends(other)[0], middle))
        for one, other in (("attention", "time"), ("time", "classifier"))
    ]
    if moment is None:
        yield from (Band(plan.curve(*way), "hff-line hff-flow") for way in ways)
    elif not moment.weighings:
        yield from (Band(plan.curve(*way), "hff-nothing") for way in ways)
    else:
        yield Band(plan.ribbon(*ways[0], plan.full), "hff-flow")
        yield Band(plan.ribbon(*ways[1], plan.full), "hff-others")
        yield Band(plan.ribbon(*ways[1], max(_THINNEST, plan.full * moment.beta)), "hff-flow")


def flow_labels(
    plan: Blueprint, modalities: Mapping[str, str], moment: Moment, shown: Mapping[str, Shown]
) -> list[Label]:
    """Each modality's alpha at the end of its band, and beta; ``modalities``: key -> name."""
    attention, _ = plan.ends("attention")
    found = []
    for m, name in modalities.items():
        words = texts.WALK_WEIGHT.format(modality=name, alpha=exact(shown[m].alpha)) if m in shown else ""
        words = words or (texts.ABSENT if plan.upright else texts.WALK_WEIGHT_ABSENT.format(modality=name))
        lane = plan.middle(m)
        x, y = (lane, attention - 9) if plan.upright else (attention - 8, lane + 5)
        found.append(Label(words, x, y, "middle" if plan.upright else "end", f"hff-{m}"))
    if moment.weighings:
        start, end = plan.ends("time")[1], plan.ends("classifier")[0]
        across = plan.middle("time") - (0 if plan.upright else plan.full / 2 + 8)
        x, y = plan.point((start + end) / 2, across)
        x, y = (x + plan.full / 2 + 8, y + 5) if plan.upright else (x, y)
        words = texts.WALK_BETA.format(beta=visible_decimal(moment.beta))
        found.append(Label(words, x, y, "start" if plan.upright else "middle"))
    return found
