"""The game of FactorVAE: an autoencoder whose codes are to be independent, and the discriminator of whether they are.

Source: Kim and Mnih, Disentangling by Factorising, ICML 2018, as InfoGAN-CR's authors run it for a baseline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from imgen import whole_batch
from imgen.algorithm import Algorithm, Batch, Losses, Player, Turn, turn
from imgen.binding import Count, Rate, Weight
from imgen.data.spec import DataSpec
from imgen.optim import adam
from imgen_infogan_cr.old_flags import OLD_VAE_FLAGS
from imgen_infogan_cr.paper import FACTOR_VAE
from imgen_infogan_cr.vae_networks import TcDiscriminator, Vae

Played = tuple[Losses, Mapping[str, Tensor]]
_SHOWN = 10  # values of a code in a preview


def shuffled(z: Tensor) -> Tensor:
    """Each code permuted by itself within the batch, so that no two belong together: (B, D) -> (B, D)."""
    codes, chance = (whole_batch.rows(each) for each in (z, torch.rand_like(z)))
    return whole_batch.share(codes.gather(0, chance.argsort(dim=0)))


def reconstruction(logits: Tensor, images: Tensor) -> Tensor:
    """Cross-entropy of pixels, a sum over the picture and a mean over the batch; pictures are in [-1, 1].

    Colours are taken as chances, too.
    """
    return F.binary_cross_entropy_with_logits(logits, (images + 1) / 2, reduction="sum") / len(images)


def divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """Kullback-Leibler divergence from the standard normal, a sum over codes and a mean over the batch."""
    return (mean.square() + logvar.exp() - 1 - logvar).sum(dim=1).mean() / 2


class FactorVae(Algorithm):
    """FactorVAE: a variational autoencoder that is told how much its codes depend on each other.

    Settings:
        num_codes: codes, each standard normal
        dim: channels next to the picture
        hidden: units of the dense layers
        w_tc: weight of the total correlation, gamma of the paper
        lr: learning rate of encoder and decoder
        lr_tc: learning rate of the discriminator of codes

    Source: the discriminator sees codes of the same pictures in both roles, and they are permuted within that one
    batch; Kim and Mnih take a second batch.
    """

    ships = "factor-vae"
    paper = FACTOR_VAE
    expects: ClassVar[Mapping[str, str]] = {"images": "B C H W"}
    spellings = OLD_VAE_FLAGS

    model: Vae

    def __init__(
        self,
        data: DataSpec,
        *,
        num_codes: Count = 10,
        dim: Count = 32,
        hidden: Count = 128,
        w_tc: Weight = 40.0,
        lr: Rate = 1e-4,
        lr_tc: Rate = 1e-4,
    ) -> None:
        super().__init__()
        self.model = Vae(data, num_codes=num_codes, dim=dim, hidden=hidden)
        self.tc = TcDiscriminator(num_codes)
        self.w_tc, self.lr, self.lr_tc = w_tc, lr, lr_tc

    def players(self) -> dict[str, Player]:
        """The autoencoder, and the discriminator of codes."""
        return {
            "vae": Player([self.model.encoder, self.model.decoder], adam(self.lr, betas=(0.9, 0.999))),
            "tc": Player([self.tc], adam(self.lr_tc, betas=(0.5, 0.9))),
        }

    def turns(self, step: int) -> Sequence[Turn]:
        """Both, on the same pictures."""
        return [self.reconstruct, self.separate]

    @turn("vae")
    def reconstruct(self, batch: Batch) -> Played:
        """Pictures from their codes, which are to be few, likely, and independent."""
        z, mean, logvar = self._codes(batch["images"])
        rebuilt = reconstruction(self.model.decoder(z), batch["images"])
        kl = divergence(mean, logvar)
        together, apart = self.tc(z).unbind(1)
        total = (together - apart).mean()
        return {"vae": rebuilt + kl + self.w_tc * total}, {"reconstruction": rebuilt, "kl": kl, "tc": total}

    @turn("tc")
    def separate(self, batch: Batch) -> Played:
        """Do these codes come from one picture?"""
        z = self._codes(batch["images"])[0]
        together, apart = self.tc(z), self.tc(shuffled(z))
        loss = -(together.log_softmax(1)[:, 0].mean() + apart.log_softmax(1)[:, 1].mean()) / 2
        right = ((together[:, 0] > together[:, 1]).float().mean() + (apart[:, 1] > apart[:, 0]).float().mean()) / 2
        return {"tc": loss}, {"accuracy": right}

    def _codes(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.model.encoder(images)
        return mean + (logvar / 2).exp() * torch.randn_like(mean), mean, logvar

    def preview(self, batch: Batch) -> Tensor:
        """A row for each code: a picture, what becomes of it, and that as the code goes through its range."""
        shown = batch["images"][:1]
        mean = self.model.encode(shown)
        z = self.model.latent.traversals(mean[0], _SHOWN)
        made = self.model(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        head = torch.cat([shown, self.model(mean)])
        return torch.cat([head.expand(len(made), *head.shape), made], dim=1)
