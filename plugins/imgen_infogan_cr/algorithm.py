"""The game of InfoGAN-CR: codes that can be read from a picture, and told apart in a pair that shares one of them.

Source: Lin, Thekumparampil, Fanti, Oh, InfoGAN-CR and ModelCentrality: Self-supervised Model Training and Selection for
Disentangling GANs, ICML 2020 (arXiv 1906.06034). Where paper and released code differ the code is followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgen.algorithm import Algorithm, Batch, Losses, Player, Turn, turn
from imgen.binding import Count, NonNegative, Rate, Registered, Weight
from imgen.data.spec import DataSpec
from imgen.losses.adversarial import AdversarialLoss, logistic
from imgen.optim import adam
from imgen.schedules import Stairs
from imgen_infogan_cr.losses import accuracy
from imgen_infogan_cr.networks import Arch, CrDiscriminator, InfoGan, Prior
from imgen_infogan_cr.old_flags import OLD_FLAGS
from imgen_infogan_cr.paper import INFOGAN_CR
from imgen_infogan_cr.spectral import SpectralLinear, iterate

Played = tuple[Losses, Mapping[str, Tensor]]
SNAPSHOT = "infogan-modified"
_SHOWN = 10  # values of a code in a preview
_NOTHING = 1e-8  # the authors' bound below which the regulariser counts as switched off


class InfoGanCr(Algorithm):
    """InfoGAN-CR: of two pictures that share a code a discriminator tells which one, and the generator helps it.

    Settings:
        arch: sprites (dSprites, CdSprites), teapots (batch norm in pairs' discriminator) or faces (CelebA at 32x32)
        num_codes: codes that are to be found again
        d_noise: coordinates of the latent that are not
        prior: what codes and noise are drawn from; the contrastive regulariser takes uniform ones only
        dim: channels next to the picture
        hidden: units of the dense layers
        loss: adversarial loss; null: logistic; clipped-logistic writes it as the authors do
        w_info: weight of the codes' surprise, lambda of the paper
        cr_start: weight of the contrastive regulariser at first, alpha of the paper
        cr_increase: by how much it rises
        cr_every: when it rises, and rises again; 0 never [steps]
        cr_times: how often it rises
        gap_start: least distance of the values of the codes that a pair does not share, at first
        gap_decrease: by how much it falls
        gap_every: when it falls, and falls again; 0 never [steps]
        gap_times: how often it falls
        lr_g: learning rate of the generator
        lr_d: learning rate of the discriminator and encoder
        lr_cr: learning rate of the contrastive discriminator
        g_moves: moves of the generator in a step
        watch: train the contrastive discriminator while its weight is 0, too: it then tells how far apart codes are

    The state before the regulariser's weight first rises is kept: RUN@infogan-modified, the paper's baseline of that
    name. The contrastive discriminator starts afresh, with its optimizer, whenever weight or gap change.

    Source: the generator moves twice in a step on the same latents, as in the code. The authors train the contrastive
    discriminator all along; while its weight is 0 that changes nothing in the end but its vectors of spectral norm, so
    it is left out here unless watched.
    """

    ships = "infogan"
    paper = INFOGAN_CR
    shows_data: ClassVar[bool] = False
    expects: ClassVar[Mapping[str, str]] = {"images": "B C H W"}
    spellings = OLD_FLAGS

    model: InfoGan
    gap: Tensor
    w_cr: Tensor

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
        loss: Annotated[AdversarialLoss, Registered("losses")] | None = None,
        w_info: Weight = 0.05,
        cr_start: Weight = 0.0,
        cr_increase: Weight = 2.0,
        cr_every: NonNegative = 288_000,
        cr_times: NonNegative = 1,
        gap_start: Weight = 0.0,
        gap_decrease: Weight = 0.0,
        gap_every: NonNegative = 0,
        gap_times: NonNegative = 0,
        lr_g: Rate = 1e-3,
        lr_d: Rate = 2e-3,
        lr_cr: Rate = 2e-3,
        g_moves: Count = 2,
        watch: bool = False,
    ) -> None:
        super().__init__()
        self.model = InfoGan(data, arch=arch, num_codes=num_codes, d_noise=d_noise, prior=prior, dim=dim, hidden=hidden)
        self.d_head = SpectralLinear(self.model.encoder.features, 1)
        nn.init.normal_(self.d_head.weight, std=0.02)
        nn.init.zeros_(self.d_head.bias)
        self.cr = CrDiscriminator(data, num_codes, arch, dim, hidden)
        self.loss, self.w_info = loss or logistic(), w_info
        self.lr_g, self.lr_d, self.lr_cr = lr_g, lr_d, lr_cr
        self.g_moves, self.watch = g_moves, watch
        self.w_cr_of = Stairs(cr_start, cr_increase, cr_every, cr_times)
        self.gap_of = Stairs(gap_start, -gap_decrease, gap_every, gap_times)
        _check(prior, self.w_cr_of, gap_start, num_codes, watch)
        self.register_buffer("w_cr", torch.zeros(()))
        self.register_buffer("gap", torch.zeros(()))

    def players(self) -> dict[str, Player]:
        """The generator; discriminator and encoder, which share their trunk; the contrastive discriminator."""
        return {
            "g": Player([self.model.generator], adam(self.lr_g)),
            "d": Player([self.model.encoder, self.d_head], adam(self.lr_d)),
            "cr": Player([self.cr], adam(self.lr_cr)),
        }

    def turns(self, step: int) -> Sequence[Turn]:
        """Pairs, pictures, and the generator twice; no pairs while they do not matter."""
        if self.w_cr_of(step) > _NOTHING:
            return [self.contrast, self.judge, *[self.forge_pairs] * self.g_moves]
        return [*([self.observe] if self.watch else []), self.judge, *[self.forge] * self.g_moves]

    def restarts(self, step: int) -> Sequence[str]:
        """The contrastive discriminator, whenever what it is asked changes."""
        return ["cr"] if self.w_cr_of.changes(step) or self.gap_of.changes(step) else ()

    def milestones(self) -> Mapping[int, str]:
        """The last state without the regulariser."""
        first = self.w_cr_of.every
        return {first: SNAPSHOT} if first and self.w_cr_of.times and self.w_cr_of(0) <= _NOTHING else {}

    def prepare(self, step: int) -> None:
        """Weight and gap of the step."""
        self.w_cr.fill_(self.w_cr_of(step))
        self.gap.fill_(self.gap_of(step))

    def conclude(self, step: int) -> None:
        """One power iteration for every layer with spectral norm, with the weights that the step led to."""
        iterate(self.model.encoder)
        iterate(self.d_head)
        if self.w_cr_of(step) > _NOTHING or self.watch:
            iterate(self.cr)

    def share(self, batch: Batch) -> dict[str, Tensor]:
        """Latents of the step, and its pairs: the same in every turn."""
        n, latent = len(batch["images"]), self.model.latent
        which, first, second = latent.pair(n, self.gap)
        return {"z": latent.sample(n), "which": which, "first": first, "second": second}

    @turn("cr")
    def contrast(self, batch: Batch) -> Played:
        """Which code does a pair share?"""
        logits = self.cr(*self._pictures_of_pairs(batch))
        return {"cr": F.cross_entropy(logits, batch["which"])}, {"accuracy": accuracy(logits, batch["which"])}

    @turn("cr")
    def observe(self, batch: Batch) -> Played:
        """The same, leaving no trace in the generator: its batch norm uses running averages and keeps them."""
        with _at_rest(self.model.generator):
            return self.contrast(batch)

    @turn("d")
    def judge(self, batch: Batch) -> Played:
        """Real or fake? And from which codes?"""
        fake = self.model.generator(batch["z"])
        features = self.model.encoder(torch.cat([batch["images"], fake]))
        real_score, fake_score = self.d_head(features).float().chunk(2)
        surprise = self.model.latent.surprise(self.model.encoder.head(features.chunk(2)[1]), batch["z"])
        return {"d": self.loss.d(real_score, fake_score) + self.w_info * surprise}, {"surprise": surprise}

    @turn("g")
    def forge(self, batch: Batch) -> Played:
        """Pictures that pass for real, and from which the codes can be read."""
        return {"g": self._forged(batch)}, {}

    @turn("g")
    def forge_pairs(self, batch: Batch) -> Played:
        """And pairs of which can be told what they share."""
        logits = self.cr(*self._pictures_of_pairs(batch))
        apart = F.cross_entropy(logits, batch["which"])
        return {"g": self._forged(batch) + self.w_cr * apart}, {"contrast": apart}

    def _forged(self, batch: Batch) -> Tensor:
        features = self.model.encoder(self.model.generator(batch["z"]))
        surprise = self.model.latent.surprise(self.model.encoder.head(features), batch["z"])
        return self.loss.g(self.d_head(features).float()) + self.w_info * surprise

    def _pictures_of_pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        # Two batches for batch norm, not one of twice the size: each half has statistics of its own.
        return self.model.generator(batch["first"]), self.model.generator(batch["second"])

    def preview(self, batch: Batch) -> Tensor:
        """A row for each code, the last for the noise: what becomes of a picture as it goes through its range."""
        z = self.model.latent.traversals(batch["z"][0], _SHOWN)
        return self.model(z.flatten(0, 1)).unflatten(0, z.shape[:2])


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """A network in evaluation mode."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _check(prior: Prior, w_cr: Stairs, gap: float, num_codes: int, watch: bool) -> None:
    """Raises: `ValueError` where pairs are asked for that cannot be drawn."""
    wanted = watch or w_cr.start > 0 or (w_cr.rise > 0 and w_cr.every > 0 and w_cr.times > 0)
    if prior == "gaussian" and wanted:
        raise ValueError(
            "the contrastive regulariser needs prior uniform; with gaussian set cr_start and cr_times to 0, no watch"
        )
    if gap > 2:
        raise ValueError(f"gap_start is {gap:g}, but codes are in [-1, 1], so that no two are more than 2 apart")
    if num_codes < 2 and wanted:
        raise ValueError("the contrastive regulariser tells codes apart, so it needs num_codes 2 or more")
