"""SG-GAN's game: one generator with an output for every value, and labels for few of the pictures.

Source: Zhang et al., Sparsely Grouped Multi-task Generative Adversarial Networks for Facial Attribute Manipulation,
2018, and the authors' code of that time. Its equations are those of the code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor

from imgen.algorithm import Algorithm, Batch, Losses, Player, Turn, turn
from imgen.binding import Count, Fraction, NonNegative, Rate, Registered, Weight
from imgen.data.spec import DataSpec
from imgen.losses.adversarial import AdversarialLoss, wasserstein
from imgen.losses.penalty import gradient_penalty, r1
from imgen.nn.augment import mirrored
from imgen.optim import adam
from imgen.schedules import constant, linear
from imgen_sggan.editor import Editor
from imgen_sggan.edits import Edits, aim, keep, made_again, tie
from imgen_sggan.networks import Arch, Init, Norm
from imgen_sggan.old_flags import OLD_FLAGS
from imgen_sggan.paper import SGGAN
from imgen_sggan.unlabelled import agreement, disturbed, filled, masked_class_loss, of_values, pseudo_labels

Beta = Annotated[float, Ge(0), Le(0.9999)]
Played = tuple[Losses, Mapping[str, Tensor]]


class SgGan(Algorithm):
    """SG-GAN: edits many attributes with one generator, from pictures of which few are labelled.

    Settings:
        arch: old, the paper's networks, or new, those of the later code
        width: channels of the generator next to the picture
        levels: times that the generator halves a picture
        blocks: residual blocks in the middle of the generator
        narrow: attributes, by place from 0, whose heads end in two small kernels; null: those of the arch's code, which
            are smile and hair of old and none of new
        mask: mix new content into the picture by a soft mask, so that what need not change can stay
        init: first weights, N(0, 0.02) or He's; null: those of the arch's code
        d_width: channels of the discriminator next to the picture
        d_norm: the discriminator's normalisation
        loss: adversarial loss; the authors' is wasserstein, and they offer hinge and logistic (softplus)
        conditional: the critic judges a picture together with the value that it shows, or is to show, so that no edit
            passes for real by halves; a value that is not known counts as far as it is told
        scaling: sum: losses are sums over heads and attributes, the old code's; attribute: those divided by the number
            of attributes, the new code's; mean: over heads, and over attributes, so that weights do not depend on how
            many there are
        edited: all: every picture in every attribute; share: each in one, the batch being shared out among them
        penalised: edits that w_gp is asked for: all, or one of each picture, which stands for the others
        sources: edits from which each is made again: all others of its attribute, or one of them
        idempotent: an edit also has to leave alone what it made itself, as in the new code
        w_gp: weight of the gradient penalty between real and edited pictures; 0 for none
        w_r1: weight gamma of the zero-centred gradient penalty, gamma / 2 times R1; 0 for none
        w_class: weight of telling the labelled attributes of real pictures
        w_aim: weight of edits being told as what they are to be; null: as w_class
        w_rec: weight of edits made from one another
        w_tie: weight of the edit to the value that a picture has already leaving the picture alone
        w_keep: weight of edits leaving what is told of all other attributes alone
        w_agree: weight of telling the same of a disturbed picture, labelled or not
        w_pseudo: weight of telling of a disturbed unlabelled picture what is told of it undisturbed
        threshold: probability from which that counts as told
        ramp: time in which w_agree, w_pseudo and w_keep grow from 0 to their values [steps]
        n_critic: the discriminator moves at every step, the generator at every so manieth
        edit_first: the generator moves at the first of these steps, as in the new code, not at the last
        lr: learning rate of the generator, and of the discriminator where that has none of its own
        d_lr: learning rate of the discriminator; null: as lr
        beta1: Adam's first beta
        beta2: Adam's second beta
        decay_from: when learning rates begin to fall [steps]
        decay_over: time in which they would fall to zero; 0: never [steps]
        decay_every: they are set anew at every so manieth step [steps]
        decay_floor: part of the learning rate at which it stays
        augment: disturb all that the discriminator sees, real or not: move it, hide a part, add noise; for few labels
        flip: mirror half of the pictures; not where left and right mean something

    Shapes: `images`: (B, C, H, W) in [-1, 1]; `attributes`: (B, A), places of values, or -1 where they are not known.
    Logged: `adv`, `class`, `penalty`, `aim`, `rec` and others before they are weighted, each as `scaling` says.
    Source: section 3 of the paper and the authors' code, but for these:
    - a picture whose hair is neither black nor blond is unlabelled for hair; their flag for it entered no loss;
    - the critic's score of a real picture is not computed anew for every head;
    - the penalty sees the spectral norm where there is one.
    """

    ships = "sggan"
    paper = SGGAN
    spellings = OLD_FLAGS
    expects: ClassVar[Mapping[str, str]] = {"images": "B C H W", "attributes": "B A"}
    model: Editor
    ramped: Tensor

    def __init__(
        self,
        data: DataSpec,
        *,
        arch: Arch = "old",
        width: Count = 64,
        levels: Count = 2,
        blocks: NonNegative = 6,
        narrow: tuple[NonNegative, ...] | None = None,
        mask: bool = False,
        init: Init | None = None,
        d_width: Count = 64,
        d_norm: Norm = "none",
        loss: Annotated[AdversarialLoss, Registered("losses")] | None = None,
        conditional: bool = False,
        scaling: Literal["sum", "attribute", "mean"] = "sum",
        edited: Literal["all", "share"] = "all",
        penalised: Literal["all", "one"] = "all",
        sources: Literal["all", "one"] = "all",
        idempotent: bool = False,
        w_gp: Weight = 10.0,
        w_r1: Weight = 0.0,
        w_class: Weight = 1.0,
        w_aim: Weight | None = None,
        w_rec: Weight = 10.0,
        w_tie: Weight = 0.0,
        w_keep: Weight = 0.0,
        w_agree: Weight = 0.0,
        w_pseudo: Weight = 0.0,
        threshold: Fraction = 0.95,
        ramp: NonNegative = 0,
        n_critic: Count = 5,
        edit_first: bool = False,
        lr: Rate = 1e-4,
        d_lr: Rate | None = None,
        beta1: Beta = 0.5,
        beta2: Beta = 0.999,
        decay_from: NonNegative = 100_000,
        decay_over: NonNegative = 100_000,
        decay_every: Count = 5,
        decay_floor: Fraction = 0.1,
        augment: bool = False,
        flip: bool = True,
    ) -> None:
        super().__init__()
        self.model = Editor(
            data,
            arch=arch,
            width=width,
            levels=levels,
            blocks=blocks,
            narrow=narrow,
            mask=mask,
            init=init,
            d_width=d_width,
            d_norm=d_norm,
        )
        if conditional and w_gp:
            raise ValueError("a conditional critic goes with w_r1 and not with w_gp; set w_gp to 0")
        self.loss, self.conditional = loss or wasserstein(), conditional
        self.values = [len(attribute.values) for attribute in data.attributes]
        # What makes a mean over edits what `scaling` asks for.
        heads = sum(self.values)
        self.heads = {"sum": heads, "attribute": heads / len(self.values), "mean": 1.0}[scaling]
        self.scaling, self.edited, self.penalised = scaling, edited, penalised
        self.sources, self.idempotent = sources, idempotent
        self.w_gp, self.w_r1, self.w_class, self.w_rec = w_gp, w_r1, w_class, w_rec
        self.w_aim = w_class if w_aim is None else w_aim
        self.w_tie, self.w_keep, self.w_agree, self.w_pseudo = w_tie, w_keep, w_agree, w_pseudo
        self.threshold, self.ramp = threshold, ramp
        self.n_critic, self.edit_at = n_critic, 0 if edit_first else n_critic - 1
        self.augment, self.flip = augment, flip
        self.optimizers = adam(d_lr or lr, (beta1, beta2)), adam(lr, (beta1, beta2))
        self.pace = linear(decay_from, decay_over, decay_every, decay_floor) if decay_over else constant()
        self.register_buffer("ramped", torch.zeros(()))

    def players(self) -> dict[str, Player]:
        d, g = self.optimizers
        return {"d": Player([self.model.d], d, self.pace), "g": Player([self.model.g], g, self.pace)}

    def turns(self, step: int) -> Sequence[Turn]:
        judge = self.judge_smoothly if self.w_gp or self.w_r1 else self.judge
        return [judge, self.edit] if step % self.n_critic == self.edit_at else [judge]

    def prepare(self, step: int) -> None:
        self.ramped.fill_(min(1.0, step / self.ramp) if self.ramp else 1.0)

    def share(self, batch: Batch) -> dict[str, Tensor]:
        """Half of the pictures mirrored, where that is asked for."""
        return {"images": mirrored(batch["images"])} if self.flip else {}

    @turn("d")
    def judge(self, batch: Batch) -> Played:
        """The discriminator tells real pictures from edits, and what the labelled ones show."""
        loss, told, _ = self._judged(batch)
        return {"d": loss}, told

    @turn("d", second_order=True)
    def judge_smoothly(self, batch: Batch) -> Played:
        """The same, and it pays for scores that are too steep, or too flat."""
        loss, told, edits = self._judged(batch)
        images = batch["images"]
        if self.w_gp:
            between = edits.with_originals(images, one=self.penalised == "one")
            rough = gradient_penalty(self._scores, *between) * self.heads
            loss, told["penalty"] = loss + self.w_gp * rough, rough
        if self.w_r1:
            score = self._scores_of_values(batch["attributes"]) if self.conditional else self._scores
            steep = r1(score, images)
            loss, told["r1"] = loss + self.w_r1 / 2 * steep, steep
        return {"d": loss}, told

    @turn("g")
    def edit(self, batch: Batch) -> Played:
        """Edits are to pass for real, to show what they are to show, and to be made again from one another."""
        images, g, d = batch["images"], self.model.g, self.model.d
        edits = self._edits(images)
        score, logits = d(self._seen(edits.flat()))
        told_of = [edits.by_attribute(each.float()) for each in logits]
        adv = self.loss.g(score + edits.aimed(logits) if self.conditional else score) * self.heads
        right = aim([by_edit[place] for place, by_edit in enumerate(told_of)]) * self.heads
        apart = made_again(edits, g, one=self.sources == "one", idempotent=self.idempotent)
        rec = apart.sum() / len(self.values) if self.scaling == "attribute" else apart.mean()
        loss, told = adv + self.w_aim * right + self.w_rec * rec, {"adv": adv, "aim": right, "rec": rec}
        if self.w_tie or self.w_keep:
            shares = filled(batch["attributes"], d(images)[1])
            if self.w_tie:
                told["tie"] = tie(images, edits, shares)
                loss = loss + self.w_tie * told["tie"]
            if self.w_keep:
                told["keep"] = keep(told_of, edits, shares)
                loss = loss + self.w_keep * self.ramped * told["keep"]
        return {"g": loss}, told

    def preview(self, batch: Batch) -> Tensor:
        """A row for each of eight pictures: the picture, then every value of every attribute in order."""
        images = batch["images"][:8]
        return torch.cat([images[:, None], self.model.g(images)], dim=1)

    def _judged(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor], Edits]:
        """The discriminator's loss without its penalties, what to log, and the edits that it saw."""
        images, labels, d = batch["images"], batch["attributes"], self.model.d
        edits = self._edits(images)
        scores, logits = d(self._seen(torch.cat([images, edits.flat()])))
        real, fake = scores[: len(images)], scores[len(images) :]
        made, logits = zip(*((each[len(images) :], each[: len(images)]) for each in logits), strict=True)
        if self.conditional:
            real, fake = torch.cat(of_values(real, logits, labels)), fake + edits.aimed(made)
        adv = self.loss.d(real, fake) * self.heads
        known = masked_class_loss(logits, labels)
        known = known.sum() if self.scaling == "sum" else known.mean()
        loss, told = adv + self.w_class * known, {"adv": adv, "class": known}
        if self.w_agree or self.w_pseudo:
            again = d(disturbed(images))[1]
            told["agree"] = agreement(logits, again)
            told["pseudo"] = masked_class_loss(again, pseudo_labels(logits, labels, self.threshold)).mean()
            loss = loss + self.ramped * (self.w_agree * told["agree"] + self.w_pseudo * told["pseudo"])
        return loss, told, edits

    def _edits(self, images: Tensor) -> Edits:
        return Edits.of(images, self.model.g, shared=self.edited == "share")

    def _seen(self, images: Tensor) -> Tensor:
        return disturbed(images) if self.augment else images

    def _scores(self, images: Tensor) -> Tensor:
        return self.model.d.scores(self._seen(images))

    def _scores_of_values(self, labels: Tensor) -> Callable[[Tensor], Tensor]:
        def scores(images: Tensor) -> Tensor:
            score, logits = self.model.d(self._seen(images))
            return torch.stack(of_values(score, logits, labels)).mean(dim=0)

        return scores
