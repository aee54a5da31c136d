"""The two games of SD-GAN: pairs of pictures that share an identity, drawn from data or made from one identity code.

Source: Donahue, Lipton, Balsubramani, McAuley, Semantically Decomposing the Latent Spaces of Generative Adversarial
Networks, ICLR 2018. Where paper and released code differ the code is followed, and each class lists what it does
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor

from imgen import whole_batch
from imgen.algorithm import Algorithm, Batch, Losses, Player, Turn, turn
from imgen.binding import Count, Fraction, NonNegative, Rate, Registered, Weight
from imgen.data.spec import DataSpec
from imgen.losses.adversarial import AdversarialLoss, least_squares, logistic, wasserstein
from imgen.losses.penalty import gradient_penalty, r1
from imgen.optim import OptimizerFactory, adam, rmsprop
from imgen.schedules import halve
from imgen_sdgan.networks import (
    BeganAutoencoder,
    BeganGenerator,
    DcganGenerator,
    Norm,
    SiameseDiscriminator,
    StackedDiscriminator,
    draw_grid,
    draw_tuples,
    pictures,
)
from imgen_sdgan.paper import SDBEGAN, SDDCGAN

Objective = Literal["dcgan", "lsgan", "wgan", "wgan-gp"]
Beta = Annotated[float, Ge(0), Le(0.9999)]
Played = tuple[Losses, Mapping[str, Tensor]]


def _halved(loss: AdversarialLoss) -> AdversarialLoss:
    """The authors take the mean of the discriminator's two terms, not their sum."""
    return AdversarialLoss(d=lambda real, fake: loss.d(real, fake) / 2, g=loss.g)


@dataclass(frozen=True)
class _Rules:
    """What an objective fixes. beta2: of Adam, None for RMSProp; clamp: bound on every weight of the critic."""

    loss: AdversarialLoss
    lr: float
    beta2: float | None = None
    clamp: float | None = None
    penalised: bool = False


_RULES: Mapping[Objective, _Rules] = {
    "dcgan": _Rules(_halved(logistic()), lr=2e-4, beta2=0.999),
    "lsgan": _Rules(_halved(least_squares()), lr=1e-4),
    "wgan": _Rules(wasserstein(), lr=5e-5, clamp=0.01),
    "wgan-gp": _Rules(wasserstein(), lr=1e-4, beta2=0.9, penalised=True),
}


class SDDcgan(Algorithm):
    """SD-DCGAN: a discriminator scores whole tuples, so fakes must agree on identity and differ in observation.

    Settings:
        d_identity: size of the identity code, shared by the pictures of a tuple
        d_observation: size of the observation code, each picture's own
        dim: channels next to the picture, in both networks; each layer further in has twice as many
        siamese: whether one tower looks at every picture of a tuple; false stacks the pictures as channels
        objective: adversarial loss with the optimizer, rates and extras that the authors' code pairs it with
        loss: adversarial loss in place of the objective's, which still chooses the rest
        norm: the discriminator's normalisation; auto is layer where a gradient is penalised, else batch
        batch_norm_penalty: whether to allow batch norm under a gradient penalty, as the authors' code has it
        critic_steps: moves of the discriminator, each on a new batch, for one of the generator
        w_penalty: weight of wgan-gp's gradient penalty
        w_r1: weight gamma of the zero-centred gradient penalty on real tuples, gamma / 2 times R1; 0 for none
        lr_g: learning rate of the generator; null for the objective's
        lr_d: learning rate of the discriminator; null for the objective's
        beta1: Adam's first beta, for dcgan and wgan-gp

    Shapes: `images`: (B, k, C, H, W) in [-1, 1], square, a power of two from 16 up; k of 2 and more.
    Units: a step is one batch and one move of the discriminator; the paper counts moves of the generator.
    Source: algorithm 1 and the authors' code, but for these:
    - pictures are scaled by x / 127.5 - 1, theirs by x / 128 - 1;
    - the gradient penalty takes one norm over a whole tuple; theirs sums squares over tuple and height alone, and
      pushes each of the 64 x 3 sums to 1;
    - wgan-gp has layer norm unless told otherwise, for batch norm lets the penalty of one tuple hang on the others;
    - RMSProp (lsgan, wgan) starts its mean square at 0, TensorFlow at 1, so that first moves differ;
    - R1, the choice of norm and a loss by name are additions; so is the trainer's averaging of the generator.
    """

    ships = "sddcgan"
    paper = SDDCGAN
    shows_data: ClassVar[bool] = False
    expects: ClassVar[Mapping[str, str]] = {"images": "B K C H W"}
    model: DcganGenerator

    def __init__(
        self,
        data: DataSpec,
        *,
        d_identity: Count = 50,
        d_observation: Count = 50,
        dim: Count = 64,
        siamese: bool = True,
        objective: Objective = "dcgan",
        loss: Annotated[AdversarialLoss, Registered("losses")] | None = None,
        norm: Literal["auto", "batch", "layer", "none"] = "auto",
        batch_norm_penalty: bool = False,
        critic_steps: Count = 1,
        w_penalty: Weight = 10.0,
        w_r1: Weight = 0.0,
        lr_g: Rate | None = None,
        lr_d: Rate | None = None,
        beta1: Beta = 0.5,
    ) -> None:
        super().__init__()
        self.k = _tuple_size(data)
        self.rules = _RULES[objective]
        self.loss = loss or self.rules.loss
        self.w_penalty, self.w_r1 = w_penalty if self.rules.penalised else 0.0, w_r1
        self.critic_steps, self.beta1 = critic_steps, beta1
        self.lr_g, self.lr_d = lr_g or self.rules.lr, lr_d or self.rules.lr
        self.model = DcganGenerator(data, d_identity=d_identity, d_observation=d_observation, dim=dim)
        discriminator = SiameseDiscriminator if siamese else StackedDiscriminator
        self.norm = self._norm(norm, batch_norm_penalty)
        self.d = discriminator(data, dim=dim, norm=self.norm)

    def players(self) -> dict[str, Player]:
        return {
            "d": Player([self.d], self._optimizer(self.lr_d), clamp=self.rules.clamp),
            "g": Player([self.model], self._optimizer(self.lr_g)),
        }

    def turns(self, step: int) -> Sequence[Turn]:
        judge = self.judge_smoothly if self._penalises else self.judge
        return [judge, self.forge] if (step + 1) % self.critic_steps == 0 else [judge]

    @turn("d")
    def judge(self, batch: Batch) -> Played:
        """The discriminator tells real tuples from made ones."""
        score_real, score_fake = self._told(batch["images"], self.fakes(len(batch["images"])))
        return {"d": self.loss.d(score_real, score_fake)}, _scores(score_real, score_fake)

    @turn("d", second_order=True)
    def judge_smoothly(self, batch: Batch) -> Played:
        """The discriminator tells real tuples from made ones, and pays for steep scores."""
        real, fake = batch["images"], self.fakes(len(batch["images"]))
        score_real, score_fake = self._told(real, fake)
        loss, shown = self.loss.d(score_real, score_fake), _scores(score_real, score_fake)
        if self.w_penalty:
            shown["penalty"] = gradient_penalty(self.d, real, fake)
            loss = loss + self.w_penalty * shown["penalty"]
        if self.w_r1:
            shown["r1"] = r1(self.d, real)
            loss = loss + self.w_r1 / 2 * shown["r1"]
        return {"d": loss}, shown

    @turn("g")
    def forge(self, batch: Batch) -> Played:
        """The generator makes new tuples that pass for real ones."""
        return {"g": self.loss.g(self.d(self.fakes(len(batch["images"]))))}, {}

    def fakes(self, n: int) -> Tensor:
        """n tuples of pictures, (n, k, C, H, W), each of one identity."""
        return pictures(self.model, draw_tuples(self.model, n, self.k))

    def preview(self, batch: Batch) -> Tensor:
        """A row is an identity, a column an observation."""
        return pictures(self.model, draw_grid(self.model, 6, 8))

    def _told(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        # Batch norm gives real tuples and fakes statistics of their own; else one pass is the same as two.
        if self.norm == "batch":
            return self.d(real), self.d(fake)
        scores = self.d(torch.cat([real, fake]))
        return scores[: len(real)], scores[len(real) :]

    @property
    def _penalises(self) -> bool:
        return bool(self.w_penalty or self.w_r1)

    def _norm(self, asked: Literal["auto"] | Norm, batch_norm_penalty: bool) -> Norm:
        if asked == "auto":
            return "layer" if self._penalises else "batch"
        if asked == "batch" and self._penalises and not batch_norm_penalty:
            raise ValueError(
                "norm 'batch' mixes the tuples whose gradients are penalised one by one; "
                "take norm 'layer', or set batch_norm_penalty to true"
            )
        return asked

    def _optimizer(self, lr: float) -> OptimizerFactory:
        return adam(lr, (self.beta1, self.rules.beta2)) if self.rules.beta2 else rmsprop(lr)


class SDBegan(Algorithm):
    """SD-BEGAN: the discriminator is an autoencoder of whole tuples whose bottleneck has room for one identity.

    Settings:
        d_identity: size of the identity code, shared by the pictures of a tuple
        d_observation: size of the observation code, each picture's own
        hidden: channels of generator and decoder, and of the encoder's first stage
        gamma: error on fakes aimed at, as a share of that on real tuples; less gives less diverse pictures
        lambda_k: gain of the control of k
        lr: learning rate of both players at the start
        lr_floor: share of lr below which it is not halved
        halve_every: time between halvings of the learning rate; 0 for never [steps]
        beta1: Adam's first beta
        beta2: Adam's second beta

    Shapes: `images`: (B, k, C, H, W) in [-1, 1], square, a power of two from 16 up; k of 2 and more.
    Logged: `measure`, BEGAN's measure of convergence; `k`, the weight of the fakes; `balance`, what moves it.
    Source: section 3 and the authors' archive, whose pictures are scaled by x / 127.5 - 1 like these, but for these:
    - their optimizer moves the layers that split the bottleneck twice at every step, by an accident of names; here
      once;
    - their discriminator is fixed to pairs; here the bottleneck is d_identity + k * d_observation for any k. The
      paper's own run with k of 4 collapsed;
    - they draw from identities with more than k pictures: set dataset.min_images, as the recipe does;
    - the trainer's averaging of the generator is an addition.
    """

    ships = "sdbegan"
    paper = SDBEGAN
    shows_data: ClassVar[bool] = False
    expects: ClassVar[Mapping[str, str]] = {"images": "B K C H W"}
    model: BeganGenerator
    k: Tensor
    gap: Tensor

    def __init__(
        self,
        data: DataSpec,
        *,
        d_identity: Count = 50,
        d_observation: Count = 50,
        hidden: Count = 128,
        gamma: Fraction = 0.5,
        lambda_k: Weight = 0.001,
        lr: Rate = 8e-5,
        lr_floor: Fraction = 0.25,
        halve_every: NonNegative = 100_000,
        beta1: Beta = 0.9,
        beta2: Beta = 0.999,
    ) -> None:
        super().__init__()
        self.tuple_size = _tuple_size(data)
        self.gamma, self.lambda_k = gamma, lambda_k
        self.lr, self.betas, self.pace = lr, (beta1, beta2), halve(halve_every, lr_floor)
        self.model = BeganGenerator(data, d_identity=d_identity, d_observation=d_observation, hidden=hidden)
        self.d = BeganAutoencoder(data, d_identity=d_identity, d_observation=d_observation, hidden=hidden)
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("gap", torch.zeros(()))

    def players(self) -> dict[str, Player]:
        optimizer = adam(self.lr, self.betas)
        return {"d": Player([self.d], optimizer, self.pace), "g": Player([self.model], optimizer, self.pace)}

    def turns(self, step: int) -> Sequence[Turn]:
        return [self.balance]

    def prepare(self, step: int) -> None:
        self.k.add_(self.lambda_k * self.gap).clamp_(0, 1)

    @turn("d", "g")
    def balance(self, batch: Batch) -> Played:
        """Both move at once: the autoencoder rebuilds real tuples and spoils fakes, the generator makes it rebuild."""
        real, fake = batch["images"], self.fakes(len(batch["images"]))
        # The fakes that are to be rebuilt are not detached: the generator also learns through the target.
        err_real, err_fake = ((self.d(images) - images).abs().mean() for images in (real, fake))
        gap = whole_batch.mean((self.gamma * err_real - err_fake).detach())
        self.gap.copy_(gap)  # evidence, which moves k before the next step
        shown = {"measure": err_real + gap.abs(), "k": self.k.clone(), "balance": gap}
        return {"d": err_real - self.k * err_fake, "g": err_fake}, shown

    def fakes(self, n: int) -> Tensor:
        """n tuples of pictures, (n, k, C, H, W), each of one identity."""
        return pictures(self.model, draw_tuples(self.model, n, self.tuple_size))

    def preview(self, batch: Batch) -> Tensor:
        """A row is an identity, a column an observation."""
        return pictures(self.model, draw_grid(self.model, 6, 8))


def _tuple_size(data: DataSpec) -> int:
    if data.group < 2:
        raise ValueError(
            "SD-GAN learns from tuples of pictures of one identity, and this data set gives single ones; "
            "take one with identities and set its k to 2 or more"
        )
    return data.group


def _scores(real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    return {"score_real": real.mean(), "score_fake": fake.mean()}
