"""Pictures of twice the size."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, pad


class DoublingConv2d(nn.Conv2d):
    """Twice the size by nearest neighbours and then a 3x3 convolution, in one: at 4/9 of the multiplications.

    Each pixel of the enlarged map sees two by two pixels of the small one, some through several weights of the kernel.
    These are added up first, which leaves a transposed convolution of 4x4 and stride 2: the same function of the same
    weights, borders included, but for rounding. The enlarged map is never made.

    Shapes: (B, c_in, H, W) to (B, c_out, 2 H, 2 W).
    """

    def __init__(self, c_in: int, c_out: int, bias: bool = True) -> None:
        super().__init__(c_in, c_out, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        # Along a side: (w0, w1, w2) becomes (w2, w1 + w2, w0 + w1, w0), as a transposed kernel stands the other way.
        turned = self.weight.flip(2, 3).transpose(0, 1)
        wide = pad(turned, (0, 1)) + pad(turned, (1, 0))
        kernel = pad(wide, (0, 0, 0, 1)) + pad(wide, (0, 0, 1, 0))
        return conv_transpose2d(input, kernel, self.bias, stride=2, padding=1)
