"""Where on a face the network looked for what it says of it: class activation maps.

LayerCAM (Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE Transactions on
Image Processing 30, 2021): activations times their positive gradients, summed over channels. Unlike Zhou et al.'s map
(CVPR 2016) it can be taken at any stage. The last convolution has 3x3 places for a 48x48 face, and removing what such
a map calls hottest lowers the answer no more than removing the middle of the face does; the second stage has 12x12, and
its map does (``python -m train saliency``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hff.cancel import checkpoint
from hff.config import FACE_SIZE
from hff.encoders.resnet import normalise_faces
from hff.pipeline.analyzer import Analyzer
from hff.saliency.own_answer import own_answer

MAP_STAGE = 1  # of the ResNet's four, counted from 0, at which the map is taken
HOTTEST_SHARE = 0.2  # of a face that counts as hottest, in what is drawn and in what is measured
FACES_AT_ONCE = 16


@dataclass(frozen=True)
class FaceMap:
    """What the face alone says at one moment, and where that comes from."""

    emotion: str
    probability: float
    heat: np.ndarray  # (48,48) float32, 0 to 1 at the hottest place; all 0 where nothing speaks for the answer

    @property
    def hottest(self) -> np.ndarray:
        """(48,48) bool: the hottest ``HOTTEST_SHARE`` of the face; nothing of a map that is all 0."""
        return hottest(self.heat[None])[0] & (self.heat > 0)


def face_maps(analyzer: Analyzer, crops: Sequence[np.ndarray]) -> list[FaceMap]:
    """The maps of aligned grey crops (48,48) uint8. Raises ``Cancelled`` where the work in force is to stop."""
    found = []
    for first in range(0, len(crops), FACES_AT_ONCE):
        checkpoint()
        said, heat = layer_cam(analyzer, np.stack(crops[first : first + FACES_AT_ONCE]))
        best = said.max(1)
        found += [
            FaceMap(analyzer.config.labels[int(label)], float(share), each)
            for label, share, each in zip(best.indices, best.values, heat.numpy(), strict=True)
        ]
    return found


def layer_cam(analyzer: Analyzer, crops: np.ndarray, stage: int = MAP_STAGE) -> tuple[Tensor, Tensor]:
    """Crops (N,48,48) uint8 -> probabilities of the face alone (N,C), and the likeliest one's maps (N,48,48), 0 to 1.

    A face's features are the mean over it and its mirror image, so its map is that over both.
    """
    encoder = analyzer.encoders.vision
    with torch.inference_mode(False), torch.enable_grad():
        faces = normalise_faces(crops).to(analyzer.device).requires_grad_()
        stages = [encoder.stages(faces), encoder.stages(faces.flip(-1))]
        said = own_answer(analyzer.model, "vision", sum(maps[-1].mean((2, 3)) for maps in stages) / 2)
        answer = said.max(1).values.clamp_min(torch.finfo(said.dtype).tiny).log().sum()
        gradients = torch.autograd.grad(answer, [maps[stage] for maps in stages])
    straight, mirrored = (
        (maps[stage].detach() * slope.clamp_min(0)).sum(1) for maps, slope in zip(stages, gradients, strict=True)
    )
    return said.detach().cpu(), _scaled(straight + mirrored.flip(-1)).cpu()


def _scaled(maps: Tensor) -> Tensor:
    """(N,h,w) -> (N,48,48), each from 0 to 1."""
    large = F.interpolate(maps[:, None], (FACE_SIZE, FACE_SIZE), mode="bilinear", align_corners=False)[:, 0]
    return large / large.amax((1, 2), keepdim=True).clamp_min(torch.finfo(large.dtype).tiny)


def hottest(maps: np.ndarray, share: float = HOTTEST_SHARE) -> np.ndarray:
    """(N,48,48) bool: of each map the ``share`` of its places that are hottest."""
    flat = maps.reshape(len(maps), -1)
    count = round(share * flat.shape[1])
    chosen = np.zeros(flat.shape, bool)
    np.put_along_axis(chosen, np.argsort(-flat, axis=1, kind="stable")[:, :count], True, axis=1)
    return chosen.reshape(maps.shape)
