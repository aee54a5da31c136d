"""InfoGAN-CR as one would write it by hand.

As in PyTorch's own DCGAN example the pictures that the discriminator has seen are those on which the generator moves
next: only its second move makes pictures anew. The same holds for pairs.
"""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.functional import softplus

from imgen.build import Built
from imgen.data.spec import fetch
from imgen.recipe import Part
from imgen.train_settings import TrainSettings
from plain import Contest, Plain, take
from plain.infogan_networks import Discriminator, Generator, PairDiscriminator, move_vectors


def decoded(built: Built) -> Built:
    """The same with all pictures in memory."""
    data = built.dataset
    columns = {name: fetch(column, np.arange(column.shape[0])) for name, column in data.columns.items()}
    return replace(built, dataset=SimpleNamespace(spec=data.spec, columns=columns))


class PlainInfoGanCr(Plain):
    """InfoGAN-CR's step: pairs where they count, the discriminator, and the generator twice."""

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(decoded(built), settings, device)
        game = built.algorithm
        latent = game.model.latent
        given = {"arch": "sprites", "dim": 32, "hidden": 128, **built.recipe.algorithm.settings}
        arch, dim, hidden = (given[name] for name in ("arch", "dim", "hidden"))
        image, self.codes, self.d_latent = built.dataset.spec.image, latent.d_codes, latent.size
        self.g = Generator(arch, image, self.d_latent, dim, hidden)
        self.d = Discriminator(arch, image, self.codes, dim, hidden)
        self.cr = PairDiscriminator(arch, image, self.codes, dim, hidden)
        take(self.g, game.model.generator)
        take(self.d.trunk, game.model.encoder.trunk)
        take(self.d.guess, game.model.encoder.head)
        take(self.d.score, game.d_head)
        take(self.cr, game.cr)
        for network in (self.g, self.d, self.cr):
            network.to(device)
        self.w_info, self.moves = game.w_info, game.g_moves
        # imgen draws pairs in every step: only who is compared does so as well, for the sake of equal noise.
        self.compared = False
        self.w_cr, self.gap = game.w_cr_of(0), game.gap_of(0)
        self.optim_g = torch.optim.Adam(self.g.parameters(), lr=game.lr_g, betas=(0.5, 0.999))
        self.optim_d = torch.optim.Adam(self.d.parameters(), lr=game.lr_d, betas=(0.5, 0.999))
        self.optim_cr = torch.optim.Adam(self.cr.parameters(), lr=game.lr_cr, betas=(0.5, 0.999))

    def play(self, batch: dict[str, Tensor]) -> None:
        n, pair, which, first, second = len(batch["images"]), None, *[torch.empty(0)] * 3
        if self.w_cr or self.compared:
            which, first, second = self.pairs(n)
        z = self.uniform(n, self.d_latent)
        if self.w_cr:
            pair = self.g(first), self.g(second)
            self.optim_cr.zero_grad()
            self.loss_cr(pair, which).backward()
            self.optim_cr.step()
        fake = self.g(z)
        self.optim_d.zero_grad()
        self.loss_d(batch["images"], fake, z).backward()
        self.optim_d.step()
        for move in range(self.moves):
            if move:
                fake = self.g(z)
                pair = (self.g(first), self.g(second)) if self.w_cr else None
            self.optim_g.zero_grad()
            self.loss_g(fake, z, pair, which).backward()
            self.optim_g.step()
        move_vectors(self.d, *([self.cr] if self.w_cr else []))

    def losses(self, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        self.compared = True
        torch.manual_seed(seed)
        which, first, second = self.pairs(len(batch["images"]))
        z = self.uniform(len(batch["images"]), self.d_latent)
        fake, pair, told = self.g(z), None, {}
        if self.w_cr:
            pair = self.g(first), self.g(second)
            told["contrast/cr"] = self.loss_cr(pair, which)
        told["judge/d"] = self.loss_d(batch["images"], fake, z)
        told["forge_pairs/g" if self.w_cr else "forge/g"] = self.loss_g(fake, z, pair, which)
        return told

    def loss_cr(self, pair: tuple[Tensor, Tensor], which: Tensor) -> Tensor:
        """Of telling which code is shared."""
        return F.cross_entropy(self.cr(pair[0].detach(), pair[1].detach()), which)

    def loss_d(self, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        """Of telling real from made, and of finding the codes."""
        real_score = self.d.score(self.d(real))
        features = self.d(fake.detach())
        adversarial = softplus(-real_score).mean() + softplus(self.d.score(features)).mean()
        return adversarial + self.w_info * self.surprise(features, z)

    def loss_g(self, fake: Tensor, z: Tensor, pair: tuple[Tensor, Tensor] | None, which: Tensor) -> Tensor:
        """Of passing for real, of codes that can be found, and of pairs that can be told apart."""
        features = self.d(fake)
        loss = softplus(-self.d.score(features)).mean() + self.w_info * self.surprise(features, z)
        return loss if pair is None else loss + self.w_cr * F.cross_entropy(self.cr(*pair), which)

    def surprise(self, features: Tensor, z: Tensor) -> Tensor:
        """Minus the log-density of the codes, the guesses being means with deviation 1."""
        miss = self.d.guess(features) - z[:, : self.codes]
        return (miss**2 / 2 + math.log(2 * math.pi) / 2).sum(dim=1).mean()

    def pairs(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Which code a pair shares, and both of its latents."""
        codes, gap = self.codes, self.gap
        shared = self.uniform(n, self.d_latent)
        which = torch.randint(codes, (n,), device=self.device)
        free = (gap / 2 - 1) + (2 - gap) * torch.rand(2, n, codes, device=self.device)
        apart = torch.where(free[0] > free[1], gap / 2, -gap / 2)
        same = F.one_hot(which, codes).bool()
        first = torch.where(same, shared[:, :codes], free[0] + apart)
        second = torch.where(same, shared[:, :codes], free[1] - apart)
        noise = shared[:, codes:]
        return which, torch.cat([first, noise], 1), torch.cat([second, noise], 1)

    def uniform(self, *sizes: int) -> Tensor:
        return torch.rand(*sizes, device=self.device) * 2 - 1


_TINY = {"algorithm.dim": 4, "algorithm.hidden": 8, "train.batch": 4}
_TINY_SPRITES = {**_TINY, "dataset.positions": 2}
# Batch norm leaves gradients that are nought but for rounding, of which Adam makes whole moves.
_TINY_TEAPOTS = {**_TINY, "algorithm.lr_g": 1e-6, "algorithm.lr_d": 1e-6, "algorithm.lr_cr": 1e-6}
_SPRITES = Part("drawn-sprites", {"size": 64, "shapes": 3, "scales": 4, "orientations": 4, "positions": 8})
_TEAPOTS = Part("drawn-attributes", {"size": 64, "pictures": 500, "n_test": 8})
_FACES = Part("drawn-attributes", {"size": 32, "pictures": 500, "n_test": 8})

RECIPES = {
    "infogan_cr": Contest(PlainInfoGanCr, dataset=_SPRITES, settings={"algorithm.cr_times": 0}, tiny=_TINY_SPRITES),
    "infogan_cr:pairs": Contest(
        PlainInfoGanCr,
        "infogan_cr",
        _SPRITES,
        settings={"algorithm.cr_start": 2.0, "algorithm.cr_times": 0},
        tiny=_TINY_SPRITES,
    ),
    "infogan_cr_teapots": Contest(
        PlainInfoGanCr,
        dataset=_TEAPOTS,
        settings={"algorithm.cr_start": 3.0, "algorithm.cr_times": 0},
        tiny=_TINY_TEAPOTS,
    ),
    "infogan_cr_cdsprites": Contest(PlainInfoGanCr, settings={"algorithm.cr_times": 0}, tiny=_TINY),
    "infogan_cr_celeba": Contest(PlainInfoGanCr, dataset=_FACES, settings={"algorithm.cr_times": 0}, tiny=_TINY),
}
