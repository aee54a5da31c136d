"""A data set, a loss, a generator, and the game that trains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from imgen import AdversarialLoss, Algorithm, Dataset, DataSpec, Player, adam, turn
from imgen.algorithm import Batch, Losses, Turn
from imgen.binding import Count, NonNegative, Rate, Registered

Played = tuple[Losses, Mapping[str, Tensor]]


def discs(*, count: Count = 2000, size: Count = 16, seed: NonNegative = 0) -> Dataset:
    """Bright discs before a dark ground, drawn by a program.

    Settings:
        count: how many are drawn [pictures]
        size: width and height of a picture, a multiple of 4 [pixels]
        seed: what all that is drawn follows from
    """
    x, y, radius, *rgb = torch.rand(6, count, 1, 1, generator=torch.Generator().manual_seed(seed))
    across = (torch.arange(size) + 0.5) / size
    distance = torch.hypot(across - (0.3 + 0.4 * x), across[:, None] - (0.3 + 0.4 * y))
    disc = ((0.1 + 0.2 * radius - distance) * size).clamp(0, 1)
    images = 255 * disc[:, None] * (0.4 + 0.6 * torch.stack(rgb, dim=1))
    spec = DataSpec(image=(3, size, size), about="discs drawn by a program; nobody's face")
    return SimpleNamespace(spec=spec, columns={"images": images.to(torch.uint8)})


def margin() -> AdversarialLoss:
    """The logistic loss with a margin: the discriminator is content only when scores are 1 beyond zero."""
    return AdversarialLoss(
        d=lambda real, fake: softplus(1 - real).mean() + softplus(1 + fake).mean(),
        g=lambda fake: softplus(-fake).mean(),
    )


class ToyGenerator(nn.Module):
    """A latent becomes a picture.

    Settings:
        d_latent: size of the latent code
        dim: channels next to the picture
    """

    def __init__(self, data: DataSpec, *, d_latent: Count = 32, dim: Count = 32) -> None:
        super().__init__()
        self.codes = {"latent": d_latent}
        channels, height, width = data.image
        small = (2 * dim, height // 4, width // 4)
        self.layers = nn.Sequential(
            *(nn.Linear(d_latent, small[0] * small[1] * small[2]), nn.Unflatten(1, small)),
            *(nn.BatchNorm2d(2 * dim), nn.ReLU(), nn.ConvTranspose2d(2 * dim, dim, 4, stride=2, padding=1)),
            *(nn.BatchNorm2d(dim), nn.ReLU(), nn.ConvTranspose2d(dim, channels, 4, stride=2, padding=1), nn.Tanh()),
        )

    def draw(self, code: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws of a code from a normal distribution."""
        device = generator.device if generator else next(self.parameters()).device
        return torch.randn(n, self.codes[code], device=device, generator=generator)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class ToyDcgan(Algorithm):
    """DCGAN: a generator against a discriminator, each moving once in a step.

    Settings:
        d_latent: size of the latent code
        dim: channels next to the picture, in both networks
        loss: adversarial loss, one of those that `imgen losses` lists
        lr: learning rate of both players
    """

    ships = "toy-dcgan"
    expects: ClassVar = {"images": "B C H W"}

    def __init__(
        self,
        data: DataSpec,
        *,
        d_latent: Count = 32,
        dim: Count = 32,
        loss: Annotated[AdversarialLoss, Registered("losses")] = "toy-margin",
        lr: Rate = 1e-3,
    ) -> None:
        super().__init__()
        self.loss, self.lr = loss, lr
        self.model = ToyGenerator(data, d_latent=d_latent, dim=dim)
        channels, height, width = data.image
        self.d = nn.Sequential(
            *(nn.Conv2d(channels, dim, 4, stride=2, padding=1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(dim, 2 * dim, 4, stride=2, padding=1), nn.LeakyReLU(0.2)),
            *(nn.Flatten(), nn.Linear(2 * dim * (height // 4) * (width // 4), 1)),
        )

    def players(self) -> dict[str, Player]:
        return {"d": Player([self.d], adam(self.lr)), "g": Player([self.model], adam(self.lr))}

    def turns(self, step: int) -> Sequence[Turn]:
        return [self.judge, self.forge]

    @turn("d")
    def judge(self, batch: Batch) -> Played:
        real = batch["images"]
        return {"d": self.loss.d(self.d(real), self.d(self.fakes(len(real))))}, {}

    @turn("g")
    def forge(self, batch: Batch) -> Played:
        return {"g": self.loss.g(self.d(self.fakes(len(batch["images"]))))}, {}

    def fakes(self, n: int) -> Tensor:
        """n new pictures."""
        return self.model(self.model.draw("latent", n))

    def preview(self, batch: Batch) -> Tensor:
        """Every cell is a new picture."""
        return self.fakes(48).unflatten(0, (6, 8))
