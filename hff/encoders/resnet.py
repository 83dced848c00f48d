"""The vision encoder: face crops to features, equations (13) to (15) of the paper.

ResNet-18 for small grey faces: the stem is a 3x3 convolution with stride 1 instead of 7x7 with stride
2, so that a 48x48 crop keeps 24x24 places in the first stage (the layout usual for small pictures, He
et al. 2016, section 4.2). Colour is dropped because the faces it learned from (FER2013) have none.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import resnet18
from torchvision.models.resnet import BasicBlock

MIN_CONTRAST = 0.02  # standard deviation of grey values below which the crop is left unstretched


def normalise_faces(faces: np.ndarray | Tensor) -> Tensor:
    """Grey crops (N,48,48), uint8, -> network input (N,1,48,48), float32.

    Each crop is shifted and scaled to mean 0 and deviation 1, so that a dim room and a bright one
    look alike; a crop with next to no contrast (a covered lens) stays flat.
    """
    x = torch.as_tensor(np.ascontiguousarray(faces) if isinstance(faces, np.ndarray) else faces)
    x = x.float().div(255).unsqueeze(1)
    mean = x.mean((2, 3), keepdim=True)
    std = x.std((2, 3), keepdim=True, correction=0).clamp_min(MIN_CONTRAST)
    return (x - mean) / std


class VisionEncoder(nn.Module):
    """ResNet-18 and global average pooling, with the head it was trained with.

    The head (C classes of one face) is used while training the encoder, and to say what the face
    alone shows.
    """

    feature_dim = 512

    def __init__(self, labels: int) -> None:
        super().__init__()
        backbone = resnet18(weights=None)
        backbone.conv1 = nn.Conv2d(1, 64, kernel_size=3, stride=1, padding=1, bias=False)
        backbone.fc = nn.Identity()
        nn.init.kaiming_normal_(backbone.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.backbone = backbone
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(self.feature_dim, labels))

    def for_inference(self) -> VisionEncoder:
        """The same numbers in two thirds of the time, to be trained no more.

        Each batch normalisation becomes a part of the convolution before it, and the channels of a place lie side by
        side in memory, as oneDNN's and cuDNN's convolutions like them best.
        """
        net = self.eval().backbone
        net.conv1, net.bn1 = fuse_conv_bn_eval(net.conv1, net.bn1), nn.Identity()
        for block in net.modules():
            if isinstance(block, BasicBlock):
                block.conv1, block.bn1 = fuse_conv_bn_eval(block.conv1, block.bn1), nn.Identity()
                block.conv2, block.bn2 = fuse_conv_bn_eval(block.conv2, block.bn2), nn.Identity()
                if block.downsample is not None:
                    block.downsample = fuse_conv_bn_eval(*block.downsample)
        return self.to(memory_format=torch.channels_last)

    def features(self, faces: Tensor) -> Tensor:
        """(N,1,48,48) -> (N,512): equations (14) and (15)."""
        return self.backbone(faces)

    def stages(self, faces: Tensor) -> list[Tensor]:
        """(N,1,48,48) -> the maps (N,c,h,w) after each of the four stages; ``features`` is the last one's mean."""
        net = self.backbone
        maps = [net.maxpool(net.relu(net.bn1(net.conv1(faces))))]
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            maps.append(stage(maps[-1]))
        return maps[1:]

    def mirrored_features(self, faces: Tensor) -> Tensor:
        """(N,1,48,48) -> (N,512): the mean over each face and its mirror image.

        A face and its mirror image show the same emotion, so what differs between the two is noise.
        """
        both = self.features(torch.cat([faces, faces.flip(-1)]))
        return both.unflatten(0, (2, -1)).mean(0)

    def forward(self, faces: Tensor) -> Tensor:
        """(N,1,48,48) -> logits (N,C)."""
        return self.head(self.features(faces))


def pool_frames(features: Tensor, steps: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Average the frames of each time step (section 3.1 (3) of the paper).

    features (N,512), steps (N,) the step each frame belongs to -> (count,512) and which steps have a
    frame (count,), bool.
    """
    total = features.new_zeros(count, features.shape[-1]).index_add_(0, steps, features)
    frames = features.new_zeros(count).index_add_(0, steps, features.new_ones(len(steps)))
    return total / frames.clamp_min(1)[:, None], frames > 0
