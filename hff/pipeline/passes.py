"""Features in passes: what makes a clip's features asks for one pass of an encoder after the other.

So the clips of a batch can be put through an encoder together, each being asked for its next inputs when the last are
answered; a clip alone is the same with a batch of one.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from hff.pipeline.clip_work import ClipWork

Encoded = tuple[Tensor, Tensor]  # features (T,d) and presence (T,) bool


@dataclass(frozen=True)
class Pass:
    """N inputs, of which ``run(encoder, inputs)`` gives the features (N,d), each whatever the others are, but for
    rounding."""

    run: Callable[[Any, Any], Tensor]
    encoder: Any
    inputs: Tensor | list[str]


Encoding = Generator[Pass, Tensor, Any]  # asks for passes, is sent their features, and returns what it made of them


@torch.inference_mode()
def run_alone(encoding: Encoding) -> Any:
    """What an encoding makes, pass by pass."""
    made = _go_on(encoding, None)
    while isinstance(made, Pass):
        made = _go_on(encoding, made.run(made.encoder, made.inputs))
    return made


@torch.inference_mode()
def run_together(encodings: Sequence[Encoding], works: Sequence[ClipWork]) -> list[Any]:
    """What the encodings of several clips make; the passes that they wait for at one time are one.

    works: whose clip each is; it goes on with that one's flag and budget, and is charged with its share of a pass.
    """
    made = [work.run(_go_on, encoding, None) for encoding, work in zip(encodings, works, strict=True)]
    while asking := [i for i, one in enumerate(made) if isinstance(one, Pass)]:
        begun = time.perf_counter()
        answers = _answers([made[i] for i in asking])
        each = (time.perf_counter() - begun) / sum(map(len, answers))
        for i, features in zip(asking, answers, strict=True):
            works[i].charge(each * len(features))
            made[i] = works[i].run(_go_on, encodings[i], features)
    return made


def _go_on(encoding: Encoding, features: Tensor | None) -> Any:
    """The next pass that it asks for, or what it made in the end."""
    try:
        return next(encoding) if features is None else encoding.send(features)
    except StopIteration as end:
        return end.value


def _answers(asked: list[Pass]) -> list[Tensor]:
    """The features of each; those of one encoder are computed together."""
    alike = defaultdict(list)
    for number, one in enumerate(asked):
        alike[one.run, id(one.encoder)].append(number)
    answers: dict[int, Tensor] = {}
    for (run, _), numbers in alike.items():
        inputs = [asked[number].inputs for number in numbers]
        features = run(asked[numbers[0]].encoder, _joined(inputs))
        answers |= zip(numbers, features.split([len(part) for part in inputs]), strict=True)
    return [answers[number] for number in range(len(asked))]


def _joined(inputs: list[Any]) -> Any:
    if len(inputs) == 1:
        return inputs[0]
    return torch.cat(inputs) if isinstance(inputs[0], Tensor) else list(chain.from_iterable(inputs))
