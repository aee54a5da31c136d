"""The network that tells attributes, for measuring what others make."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from imgen.binding import Count
from imgen.data.spec import DataSpec

_FIRST_LAYERS = ((128, 7, 4), (64, 5, 2), (0, 3, 1))  # from that side on [pixels]: kernel and stride of the first
_LAST_SIDE = 4  # pixels: no map gets smaller than this
_MOST = 8  # the widest stage, of the first


class AttributeClassifier(nn.Module):
    """Probabilities of the values of every attribute, from a narrow residual network.

    A convolution to `width` channels, of 3x3; from 64 pixels on of 5x5 and stride 2; from 128 pixels on of 7x7 and
    stride 4, so that pictures of 32, 64 and 128 pixels cost about the same. Then stages of one residual block each,
    twice 3x3 with batch normalisation: the first keeps the map, each of the others halves it and doubles its channels,
    up to 8 x `width`, until its shorter side is less than 8 pixels. Then the mean over places, and a linear layer for
    each attribute. The blocks are those of ResNet-18, half as many in a stage.

    Settings:
        width: channels of the first layer [channels]

    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016.
    Raises: `ValueError` where the data have no attributes.
    """

    def __init__(self, data: DataSpec, *, width: Count = 16) -> None:
        super().__init__()
        if not data.attributes:
            raise ValueError("a classifier of attributes needs data whose attributes are told")
        self.attributes = data.attributes
        side = min(data.image[1:])
        kernel, stride = next((kernel, stride) for start, kernel, stride in _FIRST_LAYERS if side >= start)
        self.first = nn.Conv2d(data.image[0], width, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(width)
        blocks, channels, side = [_Block(width, width, 1)], width, -(-side // stride)
        while side >= 2 * _LAST_SIDE:
            wider = min(2 * channels, _MOST * width)
            blocks.append(_Block(channels, wider, 2))
            channels, side = wider, -(-side // 2)
        self.blocks = nn.Sequential(*blocks)
        self.heads = nn.ModuleList(nn.Linear(channels, len(attribute.values)) for attribute in data.attributes)

    def embed(self, images: Tensor) -> Tensor:
        """What is seen before it is told. Shapes: images: (B, C, H, W) in [-1, 1] -> (B, D)."""
        maps: Tensor = self.blocks(relu(self.norm(self.first(images))))
        return maps.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> list[Tensor]:
        """For each attribute the logits of its values, (B, values), of pictures (B, C, H, W) in [-1, 1]."""
        seen = self.embed(images)
        return [head(seen) for head in self.heads]

    def classify(self, images: Tensor) -> list[Tensor]:
        """For each attribute the probabilities of its values, (B, values), of pictures (B, C, H, W) in [-1, 1]."""
        return [torch.softmax(logits.float(), dim=1) for logits in self(images)]


class _Block(nn.Module):
    """What came in, and twice a convolution of it."""

    def __init__(self, channels: int, wider: int, stride: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(channels, wider, 3, stride, 1, bias=False),
            nn.BatchNorm2d(wider),
            nn.ReLU(),
            nn.Conv2d(wider, wider, 3, 1, 1, bias=False),
            nn.BatchNorm2d(wider),
        )
        kept = channels == wider and stride == 1
        self.past = nn.Identity() if kept else nn.Conv2d(channels, wider, 1, stride, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        return relu(self.past(maps) + self.convs(maps))
