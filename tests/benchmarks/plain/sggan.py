"""SG-GAN as one would write it by hand: the paper's game, the later code's, and the one of imgen's recipe sggan_modern.

What a step takes hangs on how a generator with so many outputs is written. The paper's has one input and gives an edit
for every value of every attribute, and so does the plain one wherever the paper's method is played (`HEADS = "all"`):
an edit passes through it again, and those of the outputs that the loss needs are taken. `PlainSgGanAsked` has thought
about that: it can be asked for the values of one attribute (`HEADS = "attribute"`), and is what is measured for
sggan_modern, where no picture needs all of them to begin with. No plain step asks for one value of an attribute alone.

As in StarGAN's PyTorch code edits are detached for the discriminator, both of whose heads look at whatever it is
given, and are made anew for the generator.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from imgen.build import Built
from imgen.recipe import Part
from imgen.train_settings import TrainSettings
from plain import Contest, Plain, take
from plain.sggan_networks import Discriminator, Generator


def disturbed(images: Tensor) -> Tensor:
    """Pictures moved by up to an eighth, with noise, and with a square of grey somewhere."""
    n, _, height, width = images.shape
    device = images.device
    places = []
    for side in (height, width):
        reach = max(1, round(side / 8))
        moved = torch.arange(side, device=device) + torch.randint(-reach, reach + 1, (n, 1), device=device)
        places.append(moved.clamp(0, side - 1))
    item = torch.arange(n, device=device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[item, places[0][:, :, None], places[1][:, None, :]].permute(0, 3, 1, 2)
    inside = []
    for side in (height, width):
        hole = max(1, round(side / 8))
        start = torch.randint(0, side - hole + 1, (n, 1), device=device)
        place = torch.arange(side, device=device)
        inside.append((place >= start) & (place < start + hole))
    hidden = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return (moved + 0.05 * torch.randn_like(moved)).masked_fill(hidden, 0)


def loss_class(told: list[Tensor], labels: Tensor) -> Tensor:
    """For each attribute cross-entropy, the mean over pictures whose value is known."""
    losses = [
        F.cross_entropy(logits, labels[:, place], ignore_index=-1, reduction="sum")
        / (labels[:, place] >= 0).sum().clamp(min=1)
        for place, logits in enumerate(told)
    ]
    return torch.stack(losses)


class PlainSgGan(Plain):
    """SG-GAN's step with what both of the authors' programs have: every edit of every picture."""

    HEADS: ClassVar[str] = "all"

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(built, settings, device)
        game, spec = built.algorithm, built.dataset.spec
        given = built.recipe.algorithm.settings
        old = given["arch"] == "old"
        self.values = [len(each.values) for each in spec.attributes]
        narrow = given.get("narrow") or ([1, 2] if old else [])
        self.mask = bool(given.get("mask"))
        self.make_g = lambda: Generator(
            old, spec.image[0], self.values, given["width"], given["blocks"], narrow, self.mask
        )
        self.g, self.d = self.make_g(), Discriminator(old, spec.image, self.values, given["d_width"])
        take(self.g, game.model.g)
        take(self.d, game.model.d)
        self.g.to(device)
        self.d.to(device)
        self.game = {name: getattr(game, name) for name in ("w_gp", "w_r1", "w_class", "w_aim", "w_rec", "n_critic")}
        self.heads, self.scaling, self.idempotent = game.heads, game.scaling, game.idempotent
        self.edit_at, self.flip = game.edit_at, game.flip
        rates = {"lr": given["lr"], "betas": (given["beta1"], given["beta2"])}
        self.optim_g = torch.optim.Adam(self.g.parameters(), **rates)
        self.optim_d = torch.optim.Adam(self.d.parameters(), **rates)

    def draw(self) -> dict[str, Tensor]:
        rows = torch.randint(len(self.columns["images"]), (self.batch,), device=self.device)
        images = self.columns["images"][rows].float() / 127.5 - 1
        return {"images": images, "attributes": self.columns["attributes"][rows]}

    def play(self, batch: dict[str, Tensor]) -> None:
        images, labels = self.mirrored(batch["images"]), batch["attributes"]
        self.optim_d.zero_grad()
        self.loss_d(images, labels).backward()
        self.optim_d.step()
        if self.done % self.game["n_critic"] == self.edit_at:
            self.optim_g.zero_grad()
            self.loss_g(images, labels).backward()
            self.optim_g.step()

    def losses(self, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        images, labels = self.mirrored(batch["images"]), batch["attributes"]
        torch.manual_seed(seed)
        told = {"judge_smoothly/d": self.loss_d(images, labels)}
        torch.manual_seed(seed)
        return {**told, "edit/g": self.loss_g(images, labels)}

    def mirrored(self, images: Tensor) -> Tensor:
        """Half of the pictures with left and right exchanged."""
        if not self.flip:
            return images
        chosen = torch.rand(len(images), 1, 1, 1, device=self.device) < 0.5
        return torch.where(chosen, images.flip(3), images)

    def loss_d(self, images: Tensor, labels: Tensor) -> Tensor:
        """Of telling real pictures from edits, and what they show, with the penalty for each edit."""
        edits = [each.detach() for each in self.g(images)]
        flat = torch.cat([each.flatten(0, 1) for each in edits])
        real, told = self.d(images)
        fake, _ = self.d(flat)
        classes = loss_class(told, labels)
        classes = classes.sum() if self.scaling == "sum" else classes.mean()
        originals = torch.cat([images.repeat_interleave(count, dim=0) for count in self.values])
        mix = torch.rand(len(flat), 1, 1, 1, device=self.device)
        between = ((1 - mix) * originals + mix * flat).requires_grad_()
        score, _ = self.d(between)
        (gradient,) = torch.autograd.grad(score, between, torch.ones_like(score), create_graph=True)
        penalty = ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean() * self.heads
        adversarial = (fake.mean() - real.mean()) * self.heads
        return adversarial + self.game["w_class"] * classes + self.game["w_gp"] * penalty

    def loss_g(self, images: Tensor, labels: Tensor) -> Tensor:
        """Of edits that pass for real, show what they are to show, and can be made from one another."""
        edits = self.g(images)
        score, told = self.d(torch.cat([each.flatten(0, 1) for each in edits]))
        aim = self.loss_aim(told, [len(each) * each.shape[1] for each in edits]) * self.heads
        apart = torch.cat([self.apart(each, again) for each, again in zip(edits, self.made_again(edits), strict=True)])
        rec = apart.sum() / len(self.values) if self.scaling == "attribute" else apart.mean()
        return -score.mean() * self.heads + self.game["w_aim"] * aim + self.game["w_rec"] * rec

    def made_again(self, edits: list[Tensor]) -> list[Tensor]:
        """Edits of edits to the values of the same attribute: (B, sources, values, C, H, W) for each attribute."""
        counts = [len(each) * each.shape[1] for each in edits]
        flat = torch.cat([each.flatten(0, 1) for each in edits])
        if self.HEADS == "attribute":
            given = zip(self.g.trunk(flat).split(counts), flat.split(counts), strict=True)
            again = [self.g.edits(features, some, place) for place, (features, some) in enumerate(given)]
        else:
            again = [each.split(counts)[place] for place, each in enumerate(self.g(flat))]
        return [one.unflatten(0, each.shape[:2]) for one, each in zip(again, edits, strict=True)]

    def apart(self, edits: Tensor, again: Tensor) -> Tensor:
        """Mean differences of edits, (B, values, ...), and the same made again of others, (B, sources, values, ...)."""
        means = (again - edits[:, None]).abs().mean(dim=(0, 3, 4, 5))
        if self.idempotent:
            return means.flatten()
        return means[~torch.eye(len(means), dtype=torch.bool, device=self.device)]

    def loss_aim(self, told: list[Tensor], counts: list[int]) -> Tensor:
        """Cross-entropy of what edits are to show: of each attribute's logits its own edits."""
        sums = []
        for place, logits in enumerate(told):
            own = logits.split(counts)[place]
            target = torch.arange(self.values[place], device=self.device).repeat(len(own) // self.values[place])
            sums.append(F.cross_entropy(own, target, reduction="sum"))
        return torch.stack(sums).sum() / sum(counts)


class PlainSgGanAsked(PlainSgGan):
    """The same with a generator that can be asked for one attribute."""

    HEADS = "attribute"


def attributes(names: list[str], sampler: str = "uniform", labelled: float = 0.25) -> Part:
    """Figures at 128x128 with a few labels, as the recipes have faces."""
    return Part(
        "drawn-attributes",
        {
            "attributes": names, "size": 128, "pictures": 200, "n_test": 8, "labels_per_value": 50, "sampler": sampler,
            "labelled_fraction": labelled,
        },
    )  # fmt: skip


SIZES = {
    "algorithm.width": 4, "algorithm.blocks": 1, "algorithm.d_width": 4, "dataset.size": 16, "dataset.pictures": 40,
    "dataset.labels_per_value": 5, "train.batch": 2,
}  # fmt: skip
"""Small ones for tests."""
# As many values as the faces' gender, smile, hair and lipstick have.
_FACES = attributes(["shape", "pattern", "colour", "border"])
# The recipe has seven attributes of two values; here are five, one of three values: 11 outputs in place of 14.
_MORE = attributes(["shape", "pattern", "colour", "border", "ground"])

RECIPES = {
    "sggan": Contest(PlainSgGan, dataset=_FACES, cpu_batch=2, cycle=5, tiny=SIZES),
    "sggan:asked": Contest(PlainSgGanAsked, "sggan", _FACES, cpu_batch=2, cycle=5, tiny=SIZES),
    "sggan_new": Contest(PlainSgGan, dataset=_MORE, cpu_batch=2, cycle=5, tiny=SIZES),
    "sggan_new:asked": Contest(PlainSgGanAsked, "sggan_new", _MORE, cpu_batch=2, cycle=5, tiny=SIZES),
}
