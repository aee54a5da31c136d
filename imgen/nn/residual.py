"""The narrow residual network of what imgen measures with."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import relu

_FIRST_LAYERS = ((128, 7, 4), (64, 5, 2), (0, 3, 1))  # from that side on [pixels]: kernel and stride of the first
_LAST_SIDE = 4  # pixels: no map gets smaller than this
_MOST = 8  # the widest stage, of the first


class Stages(NamedTuple):
    """Layers of a network, which go into it under names of its own; channels: of what comes out."""

    first: nn.Conv2d
    norm: nn.BatchNorm2d
    blocks: nn.Sequential
    channels: int


def stages(channels: int, side: int, width: int) -> Stages:
    """Layers for pictures of so many channels, `side` pixels being the shorter of their sides.

    A convolution to `width` channels, of 3x3; from 64 pixels on of 5x5 and stride 2; from 128 pixels on of 7x7 and
    stride 4, so that pictures of 32, 64 and 128 pixels cost about the same. Then stages of one residual block each,
    twice 3x3 with batch normalisation: the first keeps the map, each of the others halves it and doubles its channels,
    up to 8 x `width`, until its shorter side is less than 8 pixels. The blocks are those of ResNet-18, half as many in
    a stage.

    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016.
    """
    kernel, stride = next((kernel, stride) for start, kernel, stride in _FIRST_LAYERS if side >= start)
    first = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
    norm = nn.BatchNorm2d(width)
    blocks, channels, side = [_Block(width, width, 1)], width, -(-side // stride)
    while side >= 2 * _LAST_SIDE:
        wider = min(2 * channels, _MOST * width)
        blocks.append(_Block(channels, wider, 2))
        channels, side = wider, -(-side // 2)
    return Stages(first, norm, nn.Sequential(*blocks), channels)


def seen(network: nn.Module, images: Tensor) -> Tensor:
    """The mean over places of the last maps, (B, channels), by a network whose layers bear the names of `Stages`."""
    maps: Tensor = network.blocks(relu(network.norm(network.first(images))))  # type: ignore[operator]
    return maps.mean(dim=(2, 3))


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
