"""Networks of SD-GAN: two generators of pictures from two codes, and the judges of whole tuples.

Their padding is TensorFlow's SAME, so that weights of the authors give the authors' pictures.

Source: Donahue et al., Semantically Decomposing the Latent Spaces of GANs, 2018; the authors' code for SD-DCGAN and
their archive for SD-BEGAN. At 64x64 all layers are theirs. Other sizes, powers of two from 16 up, have more or fewer
stages; channels, tuple size and widths are free.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from imgen.binding import Count
from imgen.data.spec import DataSpec
from imgen.model import Generator
from imgen.nn.doubling import DoublingConv2d

Norm = Literal["batch", "layer", "none"]
_SPREAD = 0.02 * math.sqrt(3)  # half-width of the uniform distribution whose standard deviation is 0.02


# ---- layers ----


def conv(c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Module:
    """A convolution with SAME padding: the output has 1/stride of the input's height and width."""
    if stride == 1:
        return nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2)
    # The odd row and column go to the end, which Conv2d's own symmetric padding cannot say.
    before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
    return nn.Sequential(nn.ZeroPad2d((before, after, before, after)), nn.Conv2d(c_in, c_out, kernel, stride))


def double(c_in: int, c_out: int) -> nn.Module:
    """A transposed 5x5 convolution with SAME padding: twice the height and width."""
    return nn.Sequential(nn.ConvTranspose2d(c_in, c_out, 5, stride=2, padding=1), _DropLast())


class _DropLast(nn.Module):
    """All but the last row and column: SAME drops one at the start and two at the end, `padding=1` one at each."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :-1, :-1]


def _batch_norm(channels: int, running: bool) -> nn.Module:
    """TensorFlow's batch norm; without running averages it uses its batch's statistics even in evaluation."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01, track_running_stats=running)


def _norm(kind: Norm, channels: int) -> nn.Module:
    if kind == "batch":
        return _batch_norm(channels, running=False)
    return nn.GroupNorm(1, channels) if kind == "layer" else nn.Identity()


def _start(network: nn.Module, xavier: bool) -> None:
    """Initial weights: Xavier's uniform, or uniform with standard deviation 0.02; biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if xavier:
                nn.init.xavier_uniform_(module.weight)
            else:
                nn.init.uniform_(module.weight, -_SPREAD, _SPREAD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def halvings(data: DataSpec, smallest: int) -> int:
    """How often the pictures' size can be halved until it is `smallest`.

    Raises: `ValueError` where the pictures are not square with a power of two from 16 up.
    """
    _, height, width = data.image
    if height != width or height < 16 or height & (height - 1):
        raise ValueError(f"SD-GAN takes square pictures of 16, 32, 64, 128 ... pixels, not {height}x{width}")
    return (height // smallest).bit_length() - 1


# ---- latents ----


def _draw(model: nn.Module, size: int, n: int, generator: torch.Generator | None) -> Tensor:
    device = generator.device if generator else next(model.parameters()).device
    return torch.empty(n, size, device=device).uniform_(-1, 1, generator=generator)


def draw_tuples(model: Generator, n: int, k: int) -> Tensor:
    """Latents of n tuples, (n, k, sum of the codes): one identity in a tuple, k observations."""
    identity, observation = model.draw("identity", n), model.draw("observation", n * k)
    return torch.cat([identity.unsqueeze(1).expand(-1, k, -1), observation.unflatten(0, (n, k))], dim=-1)


def draw_grid(model: Generator, rows: int, columns: int) -> Tensor:
    """Latents (rows, columns, sum of the codes) in which a row is an identity and a column an observation."""
    identity, observation = model.draw("identity", rows), model.draw("observation", columns)
    return torch.cat(
        [identity.unsqueeze(1).expand(-1, columns, -1), observation.unsqueeze(0).expand(rows, -1, -1)], dim=-1
    )


def pictures(model: Generator, z: Tensor) -> Tensor:
    """Pictures (n, k, C, H, W) of latents (n, k, D): the generator knows nothing of tuples."""
    return model(z.flatten(0, 1)).unflatten(0, z.shape[:2])


# ---- SD-DCGAN ----


class DcganGenerator(nn.Module):
    """SD-DCGAN's generator: an identity and an observation make a picture.

    Settings:
        d_identity: size of the identity code
        d_observation: size of the observation code
        dim: channels next to the picture; each layer further in has twice as many

    Shapes: latents (B, d_identity + d_observation) in [-1, 1] to pictures (B, C, H, W) in [-1, 1].
    Source: the dense layer is reshaped to channels first; the authors' to channels last, the same but for the order
    of its units.
    """

    codes: Mapping[str, int]

    def __init__(self, data: DataSpec, *, d_identity: Count = 50, d_observation: Count = 50, dim: Count = 64) -> None:
        super().__init__()
        self.codes = {"identity": d_identity, "observation": d_observation}
        self.spans = dict.fromkeys(self.codes, (-1.0, 1.0))
        widths = [dim << stage for stage in reversed(range(halvings(data, smallest=4)))]
        self.dense = nn.Linear(d_identity + d_observation, 4 * 4 * widths[0])
        layers: list[nn.Module] = [_batch_norm(widths[0], running=True), nn.ReLU()]
        for c_in, c_out in pairwise(widths):
            layers += [double(c_in, c_out), _batch_norm(c_out, running=True), nn.ReLU()]
        self.layers = nn.Sequential(*layers, double(widths[-1], data.image[0]), nn.Tanh())
        _start(self, xavier=False)

    def draw(self, code: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws of a code, uniform on [-1, 1]."""
        return _draw(self, self.codes[code], n, generator)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(self.dense(z).unflatten(1, (-1, 4, 4))).float()


class SiameseDiscriminator(nn.Module):
    """Scores tuples: one tower looks at every picture, and the pictures meet in its 4x4 features.

    Batch norm has the statistics of one place in the tuple at a time, as if every tower were called alone.

    Shapes: pictures (B, k, C, H, W) to scores (B,).
    """

    def __init__(self, data: DataSpec, *, dim: int = 64, norm: Norm = "batch") -> None:
        super().__init__()
        self.apart = norm == "batch"
        self.tower, width = _tower(data, data.image[0], dim, norm)
        self.verdict = _verdict(data.group * width, width, norm)
        _start(self, xavier=False)

    def forward(self, images: Tensor) -> Tensor:
        if self.apart:
            seen = torch.cat([self.tower(image) for image in images.unbind(1)], dim=1)
        else:
            seen = self.tower(images.flatten(0, 1)).unflatten(0, images.shape[:2]).flatten(1, 2)
        return self.verdict(seen).squeeze(1).float()


class StackedDiscriminator(nn.Module):
    """Scores tuples as single pictures of k times as many channels (the paper's SD-DCGAN-SC).

    Shapes: pictures (B, k, C, H, W) to scores (B,).
    """

    def __init__(self, data: DataSpec, *, dim: int = 64, norm: Norm = "batch") -> None:
        super().__init__()
        self.tower, width = _tower(data, data.group * data.image[0], dim, norm)
        self.verdict = _verdict(width, width, norm)
        _start(self, xavier=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.verdict(self.tower(images.flatten(1, 2))).squeeze(1).float()


def _tower(data: DataSpec, c_in: int, dim: int, norm: Norm) -> tuple[nn.Module, int]:
    """Convolutions from pictures to 4x4 features, and the number of those."""
    widths = [dim << stage for stage in range(halvings(data, smallest=4))]
    layers: list[nn.Module] = [conv(c_in, widths[0], 5, stride=2), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        layers += [conv(narrow, wide, 5, stride=2), _norm(norm, wide), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers), widths[-1]


def _verdict(c_in: int, width: int, norm: Norm) -> nn.Module:
    """From the 4x4 features of a whole tuple to its score."""
    return nn.Sequential(
        conv(c_in, width, 3, stride=2), _norm(norm, width), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(4 * width, 1)
    )


# ---- SD-BEGAN ----


class BeganDecoder(nn.Module):
    """From codes to pictures: the generator's layers, and with other weights the autoencoder's second half.

    Shapes: codes (B, D) to pictures (B, C, H, W), linear, so they may leave [-1, 1] a little.
    """

    def __init__(self, data: DataSpec, d_code: int, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(d_code, hidden * 8 * 8)
        layers: list[nn.Module] = []
        for stage in range(halvings(data, smallest=8) + 1):
            first = DoublingConv2d(hidden, hidden) if stage else conv(hidden, hidden, 3)
            layers += [first, nn.ELU(), conv(hidden, hidden, 3), nn.ELU()]
        self.layers = nn.Sequential(*layers, conv(hidden, data.image[0], 3))

    def forward(self, code: Tensor) -> Tensor:
        return self.layers(self.dense(code).unflatten(1, (-1, 8, 8))).float()


class BeganGenerator(nn.Module):
    """SD-BEGAN's generator: an identity and an observation make a picture.

    Settings:
        d_identity: size of the identity code
        d_observation: size of the observation code
        hidden: channels of every layer

    Shapes: latents (B, d_identity + d_observation) in [-1, 1] to pictures (B, C, H, W), made for [-1, 1]. The last
    layer is linear, as in the authors' code, and what lies outside is clipped where pictures become pixels.
    """

    codes: Mapping[str, int]

    def __init__(
        self, data: DataSpec, *, d_identity: Count = 50, d_observation: Count = 50, hidden: Count = 128
    ) -> None:
        super().__init__()
        self.codes = {"identity": d_identity, "observation": d_observation}
        self.spans = dict.fromkeys(self.codes, (-1.0, 1.0))
        self.decoder = BeganDecoder(data, d_identity + d_observation, hidden)
        _start(self, xavier=True)

    def draw(self, code: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws of a code, uniform on [-1, 1]."""
        return _draw(self, self.codes[code], n, generator)

    def forward(self, z: Tensor) -> Tensor:
        return self.decoder(z)


class BeganAutoencoder(nn.Module):
    """SD-BEGAN's discriminator: rebuilds a tuple from one identity part and k observation parts.

    Pictures are encoded one by one, their codes merged into a bottleneck too small for k identities, split again by
    k separate layers, and decoded one by one.

    Shapes: pictures (B, k, C, H, W) to the same, linear.
    """

    def __init__(self, data: DataSpec, *, d_identity: int = 50, d_observation: int = 50, hidden: int = 128) -> None:
        super().__init__()
        d_code, d_tuple = d_identity + d_observation, d_identity + data.group * d_observation
        self.encoder = _encoder(data, d_code, hidden)
        self.merge = nn.Linear(data.group * d_code, d_tuple)
        self.split = nn.ModuleList(nn.Linear(d_tuple, d_code) for _ in range(data.group))
        self.decoder = BeganDecoder(data, d_code, hidden)
        _start(self, xavier=True)

    def forward(self, images: Tensor) -> Tensor:
        codes = self.encoder(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        merged = self.merge(codes.flatten(1))
        codes = torch.stack([head(merged) for head in self.split], dim=1)
        return self.decoder(codes.flatten(0, 1)).unflatten(0, images.shape[:2])


def _encoder(data: DataSpec, d_code: int, hidden: int) -> nn.Module:
    """Convolutions from pictures to 8x8 features, wider after each halving, and a dense layer to the code."""
    stages = halvings(data, smallest=8)
    layers = [conv(data.image[0], hidden, 3), nn.ELU()]
    width = hidden
    for stage in range(1, stages + 1):
        narrow, width = width, stage * hidden
        layers += [conv(narrow, width, 3), nn.ELU(), conv(width, width, 3), nn.ELU()]
        layers += [conv(width, width, 3, stride=2), nn.ELU()]
    narrow, width = width, (stages + 1) * hidden
    layers += [conv(narrow, width, 3), nn.ELU(), conv(width, width, 3), nn.ELU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 8 * 8, d_code))
