"""Networks of FactorVAE: an encoder and a decoder, and the discriminator that tells whether codes hang together.

Source: Kim and Mnih, Disentangling by Factorising, 2018, as InfoGAN-CR's authors implement it: their first weights,
and no activation behind the encoder's dense layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from imgen.binding import Count
from imgen.data.spec import DataSpec
from imgen_infogan_cr.latents import Gaussian, Latent
from imgen_infogan_cr.networks import conv, deconv, narrow_widths, start


class Vae(nn.Module):
    """FactorVAE's decoder, which makes pictures from codes, and its encoder.

    Settings:
        num_codes: codes, each standard normal
        dim: channels next to the picture
        hidden: units of the dense layers

    Shapes: codes (B, num_codes) to pictures (B, C, H, W) in [-1, 1] and back. Inside, pictures are in [0, 1].
    """

    codes: Mapping[str, int]
    spans: Mapping[str, tuple[float, float]]
    encodes: Sequence[str]

    def __init__(self, data: DataSpec, *, num_codes: Count = 10, dim: Count = 32, hidden: Count = 128) -> None:
        super().__init__()
        self.latent = Latent({f"code{number}": Gaussian() for number in range(1, num_codes + 1)})
        self.codes = {name: member.size for name, member in self.latent.members.items()}
        self.spans = {name: member.span for name, member in self.latent.members.items()}
        self.encodes = self.latent.codes
        self.encoder = VaeEncoder(data, num_codes, dim, hidden)
        self.decoder = VaeDecoder(data, num_codes, dim, hidden)

    def draw(self, code: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws of a code from its prior."""
        return self.latent.draw(code, n, generator)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(z)) * 2 - 1

    def encode(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The mean of what the codes may be; with a generator, a draw from it, which the paper's metrics are given."""
        mean, logvar = self.encoder(images)
        if generator is None:
            return mean
        noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
        return mean + (logvar / 2).exp() * noise


class VaeEncoder(nn.Module):
    """Pictures (B, C, H, W) in [-1, 1] to means and log-variances of codes, (B, num_codes) each."""

    def __init__(self, data: DataSpec, num_codes: int, dim: int, hidden: int) -> None:
        super().__init__()
        widths = narrow_widths(data, dim)
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise([data.image[0], *widths]):
            layers += [conv(c_in, c_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * widths[-1], hidden))
        self.mean = nn.Linear(hidden, num_codes)
        self.logvar = nn.Linear(hidden, num_codes)
        start(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.layers((images + 1) / 2)
        return self.mean(features).float(), self.logvar(features).float()


class VaeDecoder(nn.Module):
    """Codes (B, num_codes) to logits of pixels (B, C, H, W)."""

    def __init__(self, data: DataSpec, num_codes: int, dim: int, hidden: int) -> None:
        super().__init__()
        widths = narrow_widths(data, dim)[::-1]
        self.dense = nn.Sequential(
            nn.Linear(num_codes, hidden), nn.ReLU(), nn.Linear(hidden, 16 * widths[0]), nn.ReLU()
        )
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise(widths):
            layers += [deconv(c_in, c_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers, deconv(widths[-1], data.image[0]))
        start(self)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(self.dense(z).unflatten(1, (-1, 4, 4))).float()


class TcDiscriminator(nn.Module):
    """Do codes come from one picture, or each from another? (B, num_codes) to logits (B, 2): together, shuffled."""

    def __init__(self, num_codes: int, width: int = 1000, layers: int = 5) -> None:
        super().__init__()
        sizes = [num_codes, *[width] * layers]
        dense = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
        self.layers = nn.Sequential(*dense, nn.Linear(width, 2))
        start(self)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).float()
