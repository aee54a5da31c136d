"""DiscoGAN's game: two generators that undo each other, against a discriminator for each domain.

Source: Kim, Cha, Kim, Lee, Kim, Learning to Discover Cross-Domain Relations with Generative Adversarial Networks, ICML
2017. Where paper and released code differ, defaults are the code's; the recipe `discogan_paper` has the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional as F

from imgen import whole_batch
from imgen.algorithm import Algorithm, Batch, Losses, Player, Turn, turn
from imgen.binding import Count, Fraction, NonNegative, Rate, Registered, Weight
from imgen.data.spec import DataSpec
from imgen.losses.adversarial import AdversarialLoss, logistic
from imgen.losses.penalty import r1
from imgen.nn.augment import mirrored
from imgen.optim import adam
from imgen.schedules import constant, linear
from imgen_discogan.augment import jitter
from imgen_discogan.networks import (
    CrossDomain,
    Discriminator,
    DiscriminatorNorm,
    Init,
    Levels,
    Norm,
    PointDiscriminator,
    Upsample,
    Variant,
    initialise,
    unit,
)
from imgen_discogan.old_flags import OLD_FLAGS
from imgen_discogan.paper import DISCOGAN
from imgen_discogan.toy.plot import plots

Beta = Annotated[float, Ge(0), Le(0.9999)]
Played = tuple[Losses, Mapping[str, Tensor]]


class DiscoGan(Algorithm):
    """DiscoGAN: translates between two domains and back, from pictures that nothing pairs.

    Settings:
        variant: discogan; recongan rebuilds A alone; gan rebuilds nothing
        levels: convolutions on either side of a generator: 4 for appearance, 5 for poses, 3 for edges
        width: channels next to the picture; each level further in has twice as many
        norm: the generators' normalisation; batch is the authors'
        upsample: transposed convolutions, or nearest neighbours and a convolution, against checkerboards
        init: first weights: those of the authors' framework in 2017, of today's, or N(0, 0.02)
        hidden: width of the layers where items are vectors
        d_width: channels of a discriminator next to the picture
        d_norm: the discriminators' normalisation; batch is the authors'
        size_aware: a discriminator with as many levels as the size asks for; false: the authors' four, made for 64x64
        loss: adversarial loss; the authors' is logistic
        w_judge: weight of the discriminators' loss; the authors take the mean of its two terms, not their sum
        w_adv: weight of the adversarial term
        w_fm: weight of feature matching
        w_rec: weight of the reconstruction
        w_identity: weight, beside the reconstruction, of leaving alone what is in the target's domain already
        w_r1: weight gamma of the zero-centred gradient penalty, gamma / 2 times R1; 0 for none
        matched: features that are matched: all, or the deep ones (without the first), as for poses
        distance: of a picture from its reconstruction
        starting_rate: share of the reconstruction while the curriculum lasts; the other terms have the rest
        default_rate: share of the reconstruction after it; null: no shares, the terms are added as they are
        curriculum: how long starting_rate lasts [steps]
        update_interval: the discriminators move at every so manieth step, the generators at the others; 0: both at all
        lr: learning rate of both players
        beta1: Adam's first beta
        beta2: Adam's second beta
        weight_decay: pull of all weights to zero, as an L2 term inside Adam
        decay_from: when the learning rate begins to fall [steps]
        decay_over: time in which it falls to zero; 0: never [steps]
        flip: mirror half of the pictures; not where left and right mean something, as in poses
        augment: change colours and place of all that the discriminators see, for small data sets

    Shapes: `a`, `b`: (B, C, H, W) in [-1, 1], or (B, V) where items are vectors.
    Logged: `rec_a`, `rec_b`: distances of pictures in [0, 1] from their reconstructions; `adv`, `fm`: sums over both
    directions; `share`: the reconstruction's weight.
    Source: sections 2 and 3 and the authors' code, but for these:
    - pictures are in RGB order, theirs in BGR; the channels mean nothing to either;
    - each domain is walked through in epochs of its own; theirs end with the smaller domain;
    - feature matching is written as the squared distance of batch means, which is what their hinge loss comes to;
    - the game of `recongan` and `gan` has one discriminator, theirs builds a second that never moves;
    - running statistics, which they never use, follow real inputs alone.
    """

    ships = "discogan"
    paper = DISCOGAN
    spellings = OLD_FLAGS
    expects: ClassVar[Mapping[str, str]] = {"a": "B ...", "b": "B ..."}
    model: CrossDomain
    w_game: Tensor
    w_cycle: Tensor

    def __init__(
        self,
        data: DataSpec,
        *,
        variant: Variant = "discogan",
        levels: Levels = 4,
        width: Count = 64,
        norm: Norm = "batch",
        upsample: Upsample = "transposed",
        init: Init = "official2017",
        hidden: Count = 128,
        d_width: Count = 64,
        d_norm: DiscriminatorNorm = "batch",
        size_aware: bool = False,
        loss: Annotated[AdversarialLoss, Registered("losses")] | None = None,
        w_judge: Rate = 0.5,
        w_adv: Weight = 0.1,
        w_fm: Weight = 0.9,
        w_rec: Weight = 1.0,
        w_identity: Weight = 0.0,
        w_r1: Weight = 0.0,
        matched: Literal["all", "deep"] = "all",
        distance: Literal["mse", "l1"] = "mse",
        starting_rate: Fraction = 0.01,
        default_rate: Fraction | None = 0.5,
        curriculum: NonNegative = 10_000,
        update_interval: NonNegative = 3,
        lr: Rate = 2e-4,
        beta1: Beta = 0.5,
        beta2: Beta = 0.999,
        weight_decay: Weight = 1e-5,
        decay_from: NonNegative = 0,
        decay_over: NonNegative = 0,
        flip: bool = False,
        augment: bool = False,
    ) -> None:
        super().__init__()
        _check(data, update_interval, bool(w_r1) and d_norm == "batch", flip or augment)
        self.data, self.variant, self.loss = data, variant, loss or logistic()
        self.w_judge, self.w_adv, self.w_fm, self.w_rec = w_judge, w_adv, w_fm, w_rec
        self.w_identity, self.w_r1 = w_identity, w_r1
        self.first_matched = 1 if matched == "deep" else 0
        self.distance = F.l1_loss if distance == "l1" else F.mse_loss
        self.rates, self.curriculum = (starting_rate, default_rate), curriculum
        self.update_interval, self.flip, self.augment = update_interval, flip, augment
        # Batch norm gives real pictures and fakes statistics of their own; else one pass is the same as two.
        self.d_mixes = d_norm == "batch" and not data.vector
        self.optimizer = adam(lr, (beta1, beta2), weight_decay=weight_decay)
        self.pace = linear(decay_from, decay_over) if decay_over else constant()
        self.model = CrossDomain(
            data,
            variant=variant,
            levels=levels,
            width=width,
            norm=norm,
            upsample=upsample,
            init=init,
            hidden=hidden,
        )

        def judge() -> nn.Module:
            if data.vector:
                return PointDiscriminator(data.vector, hidden)
            network = Discriminator(data, width=d_width, norm=d_norm, size_aware=size_aware)
            initialise(network, init)
            return network

        self.d_b = judge()
        self.d_a = judge() if variant == "discogan" else None
        self.register_buffer("w_game", torch.zeros(()))
        self.register_buffer("w_cycle", torch.zeros(()))

    def players(self) -> dict[str, Player]:
        judges = [judge for judge in (self.d_a, self.d_b) if judge is not None]
        return {
            "d": Player(judges, self.optimizer, self.pace),
            "g": Player([self.model], self.optimizer, self.pace),
        }

    def turns(self, step: int) -> Sequence[Turn]:
        judge = self.judge_smoothly if self.w_r1 else self.judge
        if not self.update_interval:
            return [judge, self.translate]
        return [judge] if step % self.update_interval == 0 else [self.translate]

    def prepare(self, step: int) -> None:
        starting, default = self.rates
        rate = starting if step < self.curriculum else default
        shared = default is not None and self.variant != "gan"
        self.w_game.fill_(1 - rate if shared and rate is not None else 1)
        self.w_cycle.fill_(rate * self.w_rec if shared and rate is not None else self.w_rec)

    def share(self, batch: Batch) -> dict[str, Tensor]:
        """Half of the pictures mirrored, where that is asked for."""
        return {name: mirrored(batch[name]) for name in ("a", "b")} if self.flip else {}

    @turn("d")
    def judge(self, batch: Batch) -> Played:
        """The discriminators tell pictures of their domain from translations into it."""
        told = [self._told(d, real, fake) for d, real, fake in self._cases(batch)]
        loss = torch.stack([self.loss.d(real, fake) for real, fake in told]).sum()
        return {"d": self.w_judge * loss}, _scores(told)

    @turn("d", second_order=True)
    def judge_smoothly(self, batch: Batch) -> Played:
        """The same, and they pay for steep scores."""
        told, steep = [], []
        for d, real, fake in self._cases(batch):
            told.append(self._told(d, real, fake))
            steep.append(r1(lambda x, d=d: d(self._seen(x))[0].mean(1), real))  # type: ignore[misc]
        loss = torch.stack([self.loss.d(real, fake) for real, fake in told]).sum()
        rough = torch.stack(steep).sum()
        return {"d": self.w_judge * loss + self.w_r1 / 2 * rough}, {**_scores(told), "r1": rough}

    @turn("g")
    def translate(self, batch: Batch) -> Played:
        """The generators make pictures that pass for the other domain and from which theirs can be made again."""
        a, b = self._inside(batch)
        ab, ba = self.model.ab, self.model.ba
        fake_b = ab(a)
        adv, fm = self._fool(self.d_b, b, fake_b)
        shown = {}
        rec = torch.zeros((), device=a.device)
        if self.variant != "gan":
            # The way back of `recongan` meets nothing but translations: its statistics have to follow those.
            rec = shown["rec_a"] = self.distance(ba(fake_b, follow=self.d_a is None), a)
        if self.d_a is not None:
            fake_a = ba(b)
            adv_a, fm_a = self._fool(self.d_a, a, fake_a)
            adv, fm = adv + adv_a, fm + fm_a
            shown["rec_b"] = self.distance(ab(fake_a, follow=False), b)
            rec = rec + shown["rec_b"]
        if self.w_identity:
            still = self.distance(ab(b, follow=False), b) + self.distance(ba(a, follow=False), a)
            rec, shown["still"] = rec + self.w_identity * still, still
        loss = self.w_game * (self.w_adv * adv + self.w_fm * fm) + self.w_cycle * rec
        return {"g": loss}, {**shown, "adv": adv, "fm": fm, "share": self.w_cycle.clone()}

    def settle(self, batch: Batch) -> None:
        """Real pictures of either domain; `recongan`'s way back is only ever given translations."""
        a, b = self._inside(batch)
        made = self.model.ab(a)
        self.model.ba(made if self.variant == "recongan" else b)

    def preview(self, batch: Batch) -> Tensor:
        """A row for each of eight pictures of either domain: A, AB, ABA, then B, BA, BAB.

        Of points, one plot for each direction: where they went, in the colour of the mode they came from.
        """
        if self.data.vector:
            return plots(self.model, batch, {"a": self.d_a, "b": self.d_b}, self.data.image[1])
        a, b = batch["a"][:8], batch["b"][:8]
        there, *back = self.model.ways
        columns = [a, ab := self.model.translate(a, there)]
        if back:
            columns.append(self.model.translate(ab, back[0]))
            columns += [b, ba := self.model.translate(b, back[0]), self.model.translate(ba, there)]
        rows = min(len(column) for column in columns)
        return torch.stack([column[:rows] for column in columns], dim=1)

    def _inside(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return (batch["a"], batch["b"]) if self.data.vector else (unit(batch["a"]), unit(batch["b"]))

    def _cases(self, batch: Batch) -> list[tuple[nn.Module, Tensor, Tensor]]:
        """Each discriminator with its real pictures and the fakes."""
        a, b = self._inside(batch)
        cases = [(self.d_b, b, self.model.ab(a, follow=False))]
        if self.d_a is not None:
            cases.append((self.d_a, a, self.model.ba(b, follow=False)))
        return cases

    def _told(self, d: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = self._seen(real), self._seen(fake)
        if self.d_mixes:
            return d(real)[0], d(fake)[0]
        scores = d(torch.cat([real, fake]))[0]
        return scores[: len(real)], scores[len(real) :]

    def _fool(self, d: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The adversarial term and feature matching of one direction."""
        score, made = d(self._seen(fake))
        fm = torch.zeros((), device=fake.device)
        if self.w_fm:
            pairs = list(zip(d(self._seen(real))[1], made, strict=True))[self.first_matched :]
            # Means over the batch in full precision: their difference is small.
            for apart in whole_batch.means([wanted.float().mean(0) - found.float().mean(0) for wanted, found in pairs]):
                fm = fm + apart.square().mean()
        return self.loss.g(score), fm

    def _seen(self, images: Tensor) -> Tensor:
        return jitter(images) if self.augment else images


def _check(data: DataSpec, update_interval: int, mixes_penalised: bool, changes_pictures: bool) -> None:
    if update_interval == 1:
        raise ValueError("with update_interval 1 the generators never move; take 2 or more, or 0 for both at once")
    if mixes_penalised:
        raise ValueError("a gradient penalty needs d_norm instance, spectral or none: batch mixes the pictures")
    if data.vector and changes_pictures:
        raise ValueError("flip and augment are for pictures, and the items of this data set are vectors")


def _scores(told: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Any]:
    real, fake = zip(*told, strict=True)
    means = (torch.stack([score.mean() for score in scores]).mean() for scores in (real, fake))
    return dict(zip(("score_real", "score_fake"), means, strict=True))
