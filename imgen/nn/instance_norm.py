"""Instance normalisation."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import group_norm


class InstanceNorm2d(nn.InstanceNorm2d):
    """Each channel of each picture by its own mean and spread, then scaled and shifted; without running statistics.

    The same as torch's. On a CPU that one turns every map to contiguous memory and leaves it there; groups of a single
    channel are the same function, which does neither.

    Shapes: (B, channels, H, W) to the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, input: Tensor) -> Tensor:
        # Of a single place there is no spread: torch's says so.
        if input.device.type == "cpu" and input.dim() == 4 and input.shape[2:].numel() > 1:
            return group_norm(input, self.num_features, self.weight, self.bias, self.eps)
        return super().forward(input)
