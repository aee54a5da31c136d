"""StarGAN's game, made for labels of which some are not known.

Source: Choi et al., StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation, 2018.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor

from imgen import whole_batch
from imgen.algorithm import Algorithm, Batch, Losses, Player, Turn, turn
from imgen.binding import Count, NonNegative, Rate, Registered, Weight
from imgen.data.labels import UNKNOWN
from imgen.data.spec import DataSpec
from imgen.losses.adversarial import AdversarialLoss, wasserstein
from imgen.losses.penalty import gradient_penalty, r1
from imgen.nn.augment import mirrored
from imgen.optim import adam
from imgen.schedules import constant, linear
from imgen_sggan.paper import STARGAN
from imgen_sggan.stargan.networks import StarGan
from imgen_sggan.unlabelled import masked_class_loss

Beta = Annotated[float, Ge(0), Le(0.9999)]
Played = tuple[Losses, Mapping[str, Tensor]]


class StarGanGame(Algorithm):
    """StarGAN, SG-GAN's baseline: one generator that is told all attributes that its picture is to show.

    Settings:
        width: channels of the generator next to the picture
        blocks: residual blocks in the middle of the generator
        d_width: channels of the discriminator next to the picture; each level further in has twice as many
        levels: convolutions of the discriminator's trunk; null: as many as lead to a map of 2x2
        loss: adversarial loss; the paper's is wasserstein
        reconstruct: which pictures are made again from their edits: known, those all of whose labels are known, or
            guessed, all of them, the discriminator telling what is not known
        w_gp: weight of the gradient penalty between real and edited pictures; 0 for none
        w_r1: weight gamma of the zero-centred gradient penalty, gamma / 2 times R1; 0 for none
        w_class: weight of telling the labelled attributes of real pictures, and of edits being told as what they are
            to be
        w_rec: weight of pictures made again from their edits
        n_critic: the discriminator moves at every step, the generator at every so manieth
        lr: learning rate of both players
        beta1: Adam's first beta
        beta2: Adam's second beta
        decay_from: when the learning rate begins to fall [steps]
        decay_over: time in which it falls to zero; 0: never [steps]
        flip: mirror half of the pictures; not where left and right mean something

    Shapes: `images`: (B, C, H, W) in [-1, 1]; `attributes`: (B, A), places of values, or -1 where they are not known.
    Logged: `adv_d`, `class`, `penalty`, `adv_g`, `aim`, `rec` before they are weighted; class losses are sums over
    attributes.
    Source: section 3 and the appendix, but for these, which the paper has no need of:
    - the class loss of real pictures is the mean over those whose value is known, for each attribute by itself;
    - targets are labels of other pictures, with random values in place of unknown ones;
    - undoing an edit takes all labels of the picture. By default, `known`, only pictures that have them are made again,
      which is nearest to the paper: where no picture of a batch has all labels, that loss is 0. Labels that are drawn
      for each attribute by itself leave few such pictures; `guessed` is for those.
    - values that exclude each other, such as colours of hair, are one attribute with one softmax, where the paper has a
      sigmoid for each. A binary attribute has a sigmoid and a channel, as there.
    """

    ships = "stargan"
    paper = STARGAN
    expects: ClassVar[Mapping[str, str]] = {"images": "B C H W", "attributes": "B A"}
    spellings: ClassVar[Mapping[str, str | Mapping[str, Mapping[str, str]]]] = {
        "g_conv_dim": "algorithm.width",
        "d_conv_dim": "algorithm.d_width",
        "g_repeat_num": "algorithm.blocks",
        "d_repeat_num": "algorithm.levels",
        "lambda_cls": "algorithm.w_class",
        "lambda_rec": "algorithm.w_rec",
        "lambda_gp": "algorithm.w_gp",
        "num_iters": "train.steps",
        "num_iters_decay": "algorithm.decay_over",
        "batch_size": "train.batch",
        "image_size": "dataset.size",
        "celeba_crop_size": "dataset.crop",
        "celeba_image_dir": "dataset.root",
        "selected_attrs": "dataset.attrs",
    }
    model: StarGan

    def __init__(
        self,
        data: DataSpec,
        *,
        width: Count = 64,
        blocks: NonNegative = 6,
        d_width: Count = 64,
        levels: Count | None = None,
        loss: Annotated[AdversarialLoss, Registered("losses")] | None = None,
        reconstruct: Literal["known", "guessed"] = "known",
        w_gp: Weight = 10.0,
        w_r1: Weight = 0.0,
        w_class: Weight = 1.0,
        w_rec: Weight = 10.0,
        n_critic: Count = 5,
        lr: Rate = 1e-4,
        beta1: Beta = 0.5,
        beta2: Beta = 0.999,
        decay_from: NonNegative = 100_000,
        decay_over: NonNegative = 100_000,
        flip: bool = True,
    ) -> None:
        super().__init__()
        self.model = StarGan(data, width=width, blocks=blocks, d_width=d_width, levels=levels)
        self.loss = loss or wasserstein()
        self.values = [len(attribute.values) for attribute in data.attributes]
        self.reconstruct = reconstruct
        self.w_gp, self.w_r1, self.w_class, self.w_rec = w_gp, w_r1, w_class, w_rec
        self.n_critic, self.flip = n_critic, flip
        self.optimizer = adam(lr, (beta1, beta2))
        self.pace = linear(decay_from, decay_over) if decay_over else constant()

    def players(self) -> dict[str, Player]:
        return {
            "d": Player([self.model.d], self.optimizer, self.pace),
            "g": Player([self.model.g], self.optimizer, self.pace),
        }

    def turns(self, step: int) -> Sequence[Turn]:
        judge = self.judge_smoothly if self.w_gp or self.w_r1 else self.judge
        return [judge, self.edit] if step % self.n_critic == self.n_critic - 1 else [judge]

    def share(self, batch: Batch) -> dict[str, Tensor]:
        """What each picture is to become, and half of the pictures mirrored, where that is asked for."""
        shared = {"target": self._targets(batch["attributes"])}
        return {**shared, "images": mirrored(batch["images"])} if self.flip else shared

    @turn("d")
    def judge(self, batch: Batch) -> Played:
        """The discriminator tells real pictures from edits, and what the labelled ones show."""
        loss, told, _ = self._judged(batch)
        return {"d": loss}, told

    @turn("d", second_order=True)
    def judge_smoothly(self, batch: Batch) -> Played:
        """The same, and it pays for scores that are too steep, or too flat."""
        loss, told, edits = self._judged(batch)
        images, d = batch["images"], self.model.d
        if self.w_gp:
            # The gradient is that of the sum over patches, as in the authors' code.
            rough = gradient_penalty(d.scores, images, edits)
            loss, told["penalty"] = loss + self.w_gp * rough, rough
        if self.w_r1:
            steep = r1(d.scores, images)
            loss, told["r1"] = loss + self.w_r1 / 2 * steep, steep
        return {"d": loss}, told

    @turn("g")
    def edit(self, batch: Batch) -> Played:
        """Edits are to pass for real, to show what they are to show, and to become again what they were made from."""
        edits = self.model.g(batch["images"], batch["target"])
        scores, logits = self.model.d(edits)
        adv = self.loss.g(scores)
        aim = masked_class_loss(logits, batch["target"]).sum()
        rec = self._rec(batch, edits)
        loss = adv + self.w_class * aim + self.w_rec * rec
        return {"g": loss}, {"adv_g": adv, "aim": aim, "rec": rec}

    def preview(self, batch: Batch) -> Tensor:
        """A row for each of eight pictures: the picture, then every value of every attribute in order."""
        images = batch["images"][:8]
        return torch.stack([images, *self.model.translate_all(images, self.model.ways)], dim=1)

    def _targets(self, labels: Tensor) -> Tensor:
        """Labels of other pictures, with random values where those are unknown."""
        n, device = len(labels), labels.device
        every = whole_batch.rows(labels)
        others = whole_batch.share(every[whole_batch.same(torch.randperm(len(every), device=device))])
        chance = torch.stack([torch.randint(values, (n,), device=device) for values in self.values], dim=1)
        return torch.where(others == UNKNOWN, chance, others)

    def _judged(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The discriminator's loss without its penalties, what to log, and the edits that it saw."""
        images = batch["images"]
        edits = self.model.g(images, batch["target"])
        scores, logits = self.model.d(torch.cat([images, edits]))
        adv = self.loss.d(scores[: len(images)], scores[len(images) :])
        known = masked_class_loss([each[: len(images)] for each in logits], batch["attributes"]).sum()
        return adv + self.w_class * known, {"adv_d": adv, "class": known}, edits

    def _rec(self, batch: Batch, edits: Tensor) -> Tensor:
        """How far pictures that are made again from their edits are from themselves."""
        images, labels = batch["images"], batch["attributes"]
        unknown = labels == UNKNOWN
        if self.reconstruct == "guessed":
            guess = torch.stack([told.argmax(dim=1) for told in self.model.d(images)[1]], dim=1)
            source, counts = torch.where(unknown, guess, labels), torch.ones_like(images[:, 0, 0, 0])
        else:
            # The others are computed and do not count, so that sizes hang on no value.
            source, counts = labels.clamp(min=0), (~unknown).all(dim=1).to(images.dtype)
        apart = (self.model.g(edits, source) - images).abs().mean(dim=(1, 2, 3))
        return whole_batch.ratio((apart * counts).sum(), counts.sum())
