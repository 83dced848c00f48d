"""What a training step holds in memory, counted from its tensors: the same on every device and however busy it is."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

WEIGHT_COPIES = 4  # of the weights: themselves, their gradients, and the two moments of AdamW


def training_bytes(model: nn.Module, loss: Callable[[], Tensor]) -> int:
    """Bytes of the trained weights, four times (``WEIGHT_COPIES``), and of what ``loss()`` keeps for its gradient."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        value = loss()  # held on to while its tensors are counted, so that no two share a place
    weights = {p.untyped_storage().data_ptr(): p for p in model.parameters()}
    own = sum(p.numel() * p.element_size() for p in weights.values() if p.requires_grad)
    del value
    return WEIGHT_COPIES * own + sum(size for place, size in kept.items() if place not in weights)
