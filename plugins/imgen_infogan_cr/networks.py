"""Networks of InfoGAN-CR: a generator, an encoder that reads its codes back, and the contrastive discriminator.

Source: Lin et al., InfoGAN-CR and ModelCentrality, ICML 2020; layers, first weights and their order are those of the
authors' code at 64x64 (dSprites, CdSprites, teapots) and 32x32 (CelebA). Other sizes, powers of two from 16 up, have
more or fewer stages. Padding is TensorFlow's SAME.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from imgen.binding import Count, NonNegative
from imgen.data.spec import DataSpec
from imgen_infogan_cr.latents import Latent, codes_and_noise
from imgen_infogan_cr.spectral import SpectralConv2d, SpectralLinear

Arch = Literal["sprites", "teapots", "faces"]
Prior = Literal["uniform", "gaussian"]
_SPREAD = 0.02


# ---- layers ----


def conv(c_in: int, c_out: int, kernel: int = 4, *, spectral: bool = False) -> nn.Module:
    """A convolution with stride 2 and SAME padding: half the height and width."""
    kind = SpectralConv2d if spectral else nn.Conv2d
    if kernel == 4:
        return kind(c_in, c_out, 4, 2, 1)
    # Three pixels to share between two sides: SAME puts the odd one at the end.
    before, after = (kernel - 2) // 2, (kernel - 1) // 2
    return nn.Sequential(nn.ZeroPad2d((before, after, before, after)), kind(c_in, c_out, kernel, 2))


def deconv(c_in: int, c_out: int, kernel: int = 4) -> nn.Module:
    """A transposed convolution with stride 2 and SAME padding: twice the height and width."""
    layer = nn.ConvTranspose2d(c_in, c_out, kernel, 2, 1)
    return layer if kernel == 4 else nn.Sequential(layer, _DropLast())


class _DropLast(nn.Module):
    """All but the last row and column: a 5x5 kernel at stride 2 gives one more than SAME keeps."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :-1, :-1]


def start(network: nn.Module) -> None:
    """First weights: normal with deviation 0.02, of convolutions cut off at twice that; biases 0; batch norm as new.

    The vectors of spectral norm stay as they are.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.trunc_normal_(layer.weight, std=_SPREAD, a=-2 * _SPREAD, b=2 * _SPREAD)
        elif isinstance(layer, nn.Linear | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=_SPREAD)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.reset_parameters()
            continue
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def halvings(data: DataSpec, smallest: int = 4) -> int:
    """How often the pictures' size can be halved until it is `smallest`.

    Raises: `ValueError` where pictures are not square with a power of two from 16 up.
    """
    _, height, width = data.image
    if height != width or height < 16 or height & (height - 1):
        raise ValueError(f"this network takes square pictures of 16, 32, 64, 128 ... pixels, not {height}x{width}")
    return (height // smallest).bit_length() - 1


def narrow_widths(data: DataSpec, dim: int) -> list[int]:
    """Channels of the stages from the picture inwards: the two innermost have twice as many."""
    stages = halvings(data)
    return [dim] * (stages - 2) + [2 * dim] * 2


# ---- generator and encoder ----


class SpriteGenerator(nn.Module):
    """Latents to pictures for dSprites and teapots: batch norm stands behind each activation.

    Shapes: (B, d_latent) to (B, C, H, W) in [-1, 1]; the authors' are in [0, 1], out of a sigmoid.
    """

    def __init__(self, data: DataSpec, d_latent: int, dim: int, hidden: int) -> None:
        super().__init__()
        widths = narrow_widths(data, dim)[::-1]
        self.dense = nn.Sequential(
            *(nn.Linear(d_latent, hidden), nn.ReLU(), nn.BatchNorm1d(hidden)),
            *(nn.Linear(hidden, 16 * widths[0]), nn.ReLU(), nn.BatchNorm1d(16 * widths[0])),
        )
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise(widths):
            layers += [deconv(c_in, c_out), nn.LeakyReLU(0.2), nn.BatchNorm2d(c_out)]
        self.layers = nn.Sequential(*layers, deconv(widths[-1], data.image[0]), nn.Sigmoid())
        start(self)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(self.dense(z).unflatten(1, (-1, 4, 4))).float() * 2 - 1


class FaceGenerator(nn.Module):
    """Latents to pictures for CelebA: kernels of five, and batch norm before each activation.

    Shapes: (B, d_latent) to (B, C, H, W) in [-1, 1].
    """

    def __init__(self, data: DataSpec, d_latent: int, dim: int, hidden: int) -> None:
        super().__init__()
        widths = [dim << stage for stage in reversed(range(halvings(data)))]
        self.dense = nn.Sequential(
            *(nn.Linear(d_latent, hidden), nn.BatchNorm1d(hidden), nn.ReLU()),
            *(nn.Linear(hidden, 16 * widths[0]), nn.BatchNorm1d(16 * widths[0]), nn.ReLU()),
        )
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise(widths):
            layers += [deconv(c_in, c_out, 5), nn.BatchNorm2d(c_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers, deconv(widths[-1], data.image[0], 5), nn.Tanh())
        start(self)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(self.dense(z).unflatten(1, (-1, 4, 4))).float()


class Encoder(nn.Module):
    """What the discriminator and the encoder share (`trunk`), and the head that guesses the codes.

    Shapes: `forward`: pictures (B, C, H, W) in [-1, 1] to features (B, features); `head`: those to codes (B, d_codes),
    linear and unbounded.
    """

    def __init__(self, data: DataSpec, d_codes: int, arch: Arch, dim: int, hidden: int) -> None:
        super().__init__()
        self.from_zero = arch != "faces"
        if arch == "faces":
            widths = [dim << stage for stage in range(halvings(data, smallest=2))]
            self.trunk = _tower(data.image[0], widths, kernel=5)
            self.features = 4 * widths[-1]
            self.head: nn.Module = SpectralLinear(self.features, d_codes)
        else:
            widths = narrow_widths(data, dim)
            self.trunk = _tower(data.image[0], widths, kernel=4)
            self.trunk.extend([SpectralLinear(16 * widths[-1], hidden), nn.LeakyReLU(0.2)])
            self.features = hidden
            self.head = nn.Sequential(
                SpectralLinear(hidden, hidden), nn.LeakyReLU(0.2), SpectralLinear(hidden, d_codes)
            )
        start(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.trunk((images + 1) / 2 if self.from_zero else images)


def _tower(c_in: int, widths: Sequence[int], kernel: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for narrow, wide in pairwise([c_in, *widths]):
        layers += [conv(narrow, wide, kernel, spectral=True), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten())


class InfoGan(nn.Module):
    """InfoGAN's generator, and the encoder that finds its codes in pictures.

    Settings:
        arch: sprites and teapots have kernels of four and pictures in [0, 1]; faces has kernels of five and a tanh
        num_codes: codes that are to be found again
        d_noise: coordinates of the latent that are not
        prior: what codes and noise are drawn from: uniform on [-1, 1], or standard normal
        dim: channels next to the picture
        hidden: units of the dense layers

    Shapes: latents (B, num_codes + d_noise) to pictures (B, C, H, W) in [-1, 1]; pictures to codes (B, num_codes).
    Source: the encoder is what the discriminator has learnt to see, with the head of the codes; what it gives is not
    cut to the prior's range.
    """

    codes: Mapping[str, int]
    spans: Mapping[str, tuple[float, float]]
    encodes: Sequence[str]

    def __init__(
        self,
        data: DataSpec,
        *,
        arch: Arch = "sprites",
        num_codes: Count = 5,
        d_noise: NonNegative = 5,
        prior: Prior = "uniform",
        dim: Count = 32,
        hidden: Count = 128,
    ) -> None:
        super().__init__()
        self.latent = Latent(codes_and_noise(num_codes, d_noise, prior))
        self.codes = {name: member.size for name, member in self.latent.members.items()}
        self.spans = {name: member.span for name, member in self.latent.members.items()}
        self.encodes = self.latent.codes
        kind = FaceGenerator if arch == "faces" else SpriteGenerator
        self.generator = kind(data, self.latent.size, dim, hidden)
        self.encoder = Encoder(data, self.latent.d_codes, arch, dim, hidden)

    def draw(self, code: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws of a code, or of the noise, from its prior."""
        return self.latent.draw(code, n, generator)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)

    def encode(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The codes that pictures seem to have been made from; nothing is drawn."""
        return self.encoder.head(self.encoder(images)).float()


# ---- contrastive discriminator ----


class CrDiscriminator(nn.Module):
    """Which code do two pictures share? The contrastive regulariser's discriminator, with weights of its own.

    Batch norm, in the kinds that have it, knows its batch alone: the authors never let it use running averages.

    Shapes: two times (B, C, H, W) in [-1, 1] to logits (B, num_codes).
    """

    def __init__(self, data: DataSpec, num_codes: int, arch: Arch, dim: int, hidden: int) -> None:
        super().__init__()
        self.from_zero = arch != "faces"
        build: Mapping[Arch, Callable[[], list[nn.Module]]] = {
            "sprites": lambda: _sprite_tower(data, dim, hidden),
            "teapots": lambda: _teapot_tower(data, dim, hidden),
            "faces": lambda: _face_tower(data, dim),
        }
        features = 4 * (dim << (halvings(data, smallest=2) - 1)) if arch == "faces" else hidden
        self.layers = nn.Sequential(*build[arch](), nn.Linear(features, num_codes))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """First weights anew; the vectors of spectral norm stay."""
        start(self)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        pair = torch.cat([first, second], dim=1)
        return self.layers((pair + 1) / 2 if self.from_zero else pair).float()


def _sprite_tower(data: DataSpec, dim: int, hidden: int) -> list[nn.Module]:
    widths = narrow_widths(data, dim)
    tower = _tower(2 * data.image[0], widths, kernel=4)
    return [*tower, SpectralLinear(16 * widths[-1], hidden), nn.LeakyReLU(0.2)]


def _teapot_tower(data: DataSpec, dim: int, hidden: int) -> list[nn.Module]:
    widths = narrow_widths(data, dim)
    layers: list[nn.Module] = [conv(2 * data.image[0], widths[0]), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        layers += [conv(narrow, wide), nn.LeakyReLU(0.2), _batch_norm(wide)]
    dense = [nn.Linear(16 * widths[-1], hidden), nn.LeakyReLU(0.2), nn.BatchNorm1d(hidden, track_running_stats=False)]
    return [*layers, nn.Flatten(), *dense]


def _face_tower(data: DataSpec, dim: int) -> list[nn.Module]:
    widths = [dim << stage for stage in range(halvings(data, smallest=2))]
    layers: list[nn.Module] = [conv(2 * data.image[0], widths[0], 5), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        layers += [conv(narrow, wide, 5), _batch_norm(wide), nn.LeakyReLU(0.2)]
    return [*layers, nn.Flatten()]


def _batch_norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, track_running_stats=False)
