"""FactorVAE by hand: the autoencoder moves, then the discriminator of codes on codes that are read anew."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgen.build import Built
from imgen.recipe import Part
from imgen.train_settings import TrainSettings
from plain import Contest, Plain, take
from plain.infogan_cr import decoded


def networks(image: tuple[int, int, int], num_codes: int, dim: int, hidden: int) -> tuple[nn.Module, ...]:
    """The encoder's trunk and its two heads, the decoder, and the discriminator of codes."""
    channels, side, _ = image
    widths = [dim] * (int(math.log2(side)) - 4) + [2 * dim] * 2
    down: list[nn.Module] = []
    for narrow, wide in zip([channels, *widths], widths, strict=False):
        down += [nn.Conv2d(narrow, wide, 4, 2, 1), nn.ReLU()]
    trunk = nn.Sequential(*down, nn.Flatten(), nn.Linear(16 * widths[-1], hidden))
    up: list[nn.Module] = [nn.Linear(num_codes, hidden), nn.ReLU(), nn.Linear(hidden, 16 * widths[-1]), nn.ReLU()]
    up.append(nn.Unflatten(1, (widths[-1], 4, 4)))
    for wide, narrow in zip(widths[::-1], widths[-2::-1], strict=False):
        up += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1), nn.ReLU()]
    decoder = nn.Sequential(*up, nn.ConvTranspose2d(widths[0], channels, 4, 2, 1))
    dense: list[nn.Module] = []
    for d_in in (num_codes, 1000, 1000, 1000, 1000):
        dense += [nn.Linear(d_in, 1000), nn.LeakyReLU(0.2)]
    return (
        trunk,
        nn.Linear(hidden, num_codes),
        nn.Linear(hidden, num_codes),
        decoder,
        nn.Sequential(*dense, nn.Linear(1000, 2)),
    )


class PlainFactorVae(Plain):
    """FactorVAE's step."""

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(decoded(built), settings, device)
        game = built.algorithm
        given = {"num_codes": 10, "dim": 32, "hidden": 128, **built.recipe.algorithm.settings}
        made = networks(built.dataset.spec.image, given["num_codes"], given["dim"], given["hidden"])
        theirs = game.model.encoder.layers, game.model.encoder.mean, game.model.encoder.logvar
        for mine, other in zip(made, (*theirs, game.model.decoder, game.tc), strict=True):
            take(mine, other)
            mine.to(device)
        self.trunk, self.mean, self.logvar, self.decoder, self.tc = made
        self.w_tc = game.w_tc
        autoencoder = [parameter for network in made[:4] for parameter in network.parameters()]
        self.optim_vae = torch.optim.Adam(autoencoder, lr=game.lr, betas=(0.9, 0.999))
        self.optim_tc = torch.optim.Adam(self.tc.parameters(), lr=game.lr_tc, betas=(0.5, 0.9))

    def play(self, batch: dict[str, Tensor]) -> None:
        self.optim_vae.zero_grad()
        self.loss_vae(batch["images"]).backward()
        self.optim_vae.step()
        self.optim_tc.zero_grad()
        self.loss_tc(batch["images"]).backward()
        self.optim_tc.step()

    def losses(self, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        told = {"reconstruct/vae": self.loss_vae(batch["images"])}
        torch.manual_seed(seed)
        return {**told, "separate/tc": self.loss_tc(batch["images"])}

    def loss_vae(self, images: Tensor) -> Tensor:
        """Of rebuilding pictures from few and independent codes."""
        pixels = (images + 1) / 2
        z, mean, logvar = self.encode(pixels)
        rebuilt = F.binary_cross_entropy_with_logits(self.decoder(z), pixels, reduction="sum") / len(images)
        divergence = (mean**2 + logvar.exp() - 1 - logvar).sum(dim=1).mean() / 2
        told = self.tc(z)
        return rebuilt + divergence + self.w_tc * (told[:, 0] - told[:, 1]).mean()

    def loss_tc(self, images: Tensor) -> Tensor:
        """Of telling codes of one picture from codes that are mixed within the batch."""
        z = self.encode((images + 1) / 2)[0].detach()
        mixed = z.gather(0, torch.rand_like(z).argsort(dim=0))
        zeros = torch.zeros(len(z), dtype=torch.long, device=self.device)
        return (F.cross_entropy(self.tc(z), zeros) + F.cross_entropy(self.tc(mixed), zeros + 1)) / 2

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.trunk(pixels)
        mean, logvar = self.mean(features), self.logvar(features)
        return mean + (logvar / 2).exp() * torch.randn_like(mean), mean, logvar


_SPRITES = Part("drawn-sprites", {"size": 64, "shapes": 3, "scales": 4, "orientations": 4, "positions": 8})
_TINY = {"algorithm.dim": 4, "algorithm.hidden": 8, "algorithm.num_codes": 4, "train.batch": 4, "dataset.positions": 2}

RECIPES = {"factor_vae": Contest(PlainFactorVae, dataset=_SPRITES, tiny=_TINY)}
