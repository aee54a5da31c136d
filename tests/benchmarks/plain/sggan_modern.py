"""The step of the recipe sggan_modern, by hand: see `sggan`, whose networks it has."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgen.build import Built
from imgen.train_settings import TrainSettings
from plain import Average, Contest
from plain.sggan import SIZES, PlainSgGanAsked, attributes, disturbed, loss_class


class PlainSgGanModern(PlainSgGanAsked):
    """The batch shared out among attributes, a critic of pictures with their values, hinge, R1, unlabelled pictures."""

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(built, settings, device)
        game = built.algorithm
        self.game |= {name: getattr(game, name) for name in ("w_tie", "w_keep", "w_agree", "w_pseudo", "threshold")}
        self.ramp, count = game.ramp, len(self.values)
        starts = [place * self.batch // count for place in range(count + 1)]
        # In a batch with fewer pictures than attributes some are edited twice.
        self.parts = [slice(a, max(b, a + 1)) for a, b in pairwise(starts)]
        both = nn.ModuleList([self.g, self.d])
        self.average = Average(both, copy.deepcopy(both), settings, self.batch)

    def play(self, batch: dict[str, Tensor]) -> None:
        super().play(batch)
        self.average.update()

    def edits(self, images: Tensor) -> list[Tensor]:
        """Of each attribute's own part of the batch the edits to all of its values."""
        features = self.g.trunk(images)
        return [self.g.edits(features[part], images[part], place) for place, part in enumerate(self.parts)]

    def ramped(self) -> float:
        """What part of their weights some terms have by now."""
        return min(1.0, self.done / self.ramp) if self.ramp else 1.0

    def loss_d(self, images: Tensor, labels: Tensor) -> Tensor:
        flat = torch.cat([each.detach().flatten(0, 1) for each in self.edits(images)])
        seen = disturbed(torch.cat([images, flat]))
        score, told = self.d(seen[: len(images)])
        fake, made = self.d(seen[len(images) :])
        real = torch.cat(self.with_values(score, told, labels))
        loss = F.relu(1 - real).mean() + F.relu(1 + fake + self.aimed(made)).mean()
        loss = loss + self.game["w_class"] * loss_class(told, labels).mean()
        loss = loss + self.ramped() * self.loss_unlabelled(images, labels, told)
        points = images.detach().requires_grad_()
        score, told = self.d(disturbed(points))
        score = torch.stack(self.with_values(score, told, labels)).mean(dim=0)
        (gradient,) = torch.autograd.grad(score.sum(), points, create_graph=True)
        return loss + self.game["w_r1"] / 2 * gradient.flatten(1).square().sum(dim=1).mean()

    def loss_unlabelled(self, images: Tensor, labels: Tensor, told: list[Tensor]) -> Tensor:
        """Of telling the same of pictures that are disturbed once more, and what is told with certainty."""
        again = self.d(disturbed(images))[1]
        before = [logits.detach().softmax(dim=1) for logits in told]
        agree = torch.stack([F.mse_loss(b.softmax(dim=1), a) for a, b in zip(before, again, strict=True)]).mean()
        columns = []
        for place, chances in enumerate(before):
            chance, value = chances.max(dim=1)
            sure = (labels[:, place] < 0) & (chance >= self.game["threshold"])
            columns.append(torch.where(sure, value, -1))
        pseudo = loss_class(again, torch.stack(columns, dim=1)).mean()
        return self.game["w_agree"] * agree + self.game["w_pseudo"] * pseudo

    def loss_g(self, images: Tensor, labels: Tensor) -> Tensor:
        edits = self.edits(images)
        counts = [len(each) * each.shape[1] for each in edits]
        score, told = self.d(disturbed(torch.cat([each.flatten(0, 1) for each in edits])))
        rec = torch.cat(list(map(self.apart_from_one, edits, self.made_again(edits)))).mean()
        loss = -(score + self.aimed(told)).mean() + self.game["w_rec"] * rec
        loss = loss + self.game["w_aim"] * self.loss_aim(told, counts)
        with torch.no_grad():
            shares = self.shares(self.d(images)[1], labels)
        loss = loss + self.game["w_tie"] * self.loss_tie(images, edits, shares)
        return loss + self.game["w_keep"] * self.ramped() * self.loss_keep(told, counts, shares)

    def apart_from_one(self, edits: Tensor, again: Tensor) -> Tensor:
        """How far edits are from the same made again, each of another edit of the attribute: (values,)."""
        values = edits.shape[1]
        every = torch.arange(values, device=self.device)
        source = (every + torch.randint(1, values, (), device=self.device)) % values
        return (again[:, source, every] - edits).abs().mean(dim=(0, 2, 3, 4))

    def loss_tie(self, images: Tensor, edits: list[Tensor], shares: list[Tensor]) -> Tensor:
        """Of edits to the value that a picture has already."""
        moved = [
            (share[part] * (each - images[part][:, None]).abs().mean(dim=(2, 3, 4))).sum(dim=1).mean()
            for each, part, share in zip(edits, self.parts, shares, strict=True)
        ]
        return torch.stack(moved).mean()

    def loss_keep(self, told: list[Tensor], counts: list[int], shares: list[Tensor]) -> Tensor:
        """Of what is told of edits in the attributes that are not edited."""
        kept = []
        for place, (logits, share) in enumerate(zip(told, shares, strict=True)):
            for edited, (own, part) in enumerate(zip(logits.split(counts), self.parts, strict=True)):
                if edited != place:
                    kept.append(F.cross_entropy(own, share[part].repeat_interleave(self.values[edited], dim=0)))
        return torch.stack(kept).mean()

    def with_values(self, score: Tensor, told: list[Tensor], labels: Tensor) -> list[Tensor]:
        """Scores of pictures with their value of each attribute."""
        shares = self.shares(told, labels)
        return [score + (share * logits).sum(1, keepdim=True) for share, logits in zip(shares, told, strict=True)]

    def shares(self, told: list[Tensor], labels: Tensor) -> list[Tensor]:
        """How likely each value is: certain where it is known."""
        found = []
        for place, logits in enumerate(told):
            label = labels[:, place]
            certain = F.one_hot(label.clamp(min=0), logits.shape[1]).float()
            found.append(torch.where(label[:, None] >= 0, certain, logits.detach().softmax(dim=1)))
        return found

    def aimed(self, told: list[Tensor]) -> Tensor:
        """The logit of the value that each edit is to show."""
        counts = [self.values[place] * (part.stop - part.start) for place, part in enumerate(self.parts)]
        own = [logits.split(counts)[place].unflatten(0, (-1, self.values[place])) for place, logits in enumerate(told)]
        return torch.cat([each.diagonal(dim1=1, dim2=2).flatten() for each in own])[:, None]


RECIPES = {
    "sggan_modern": Contest(
        PlainSgGanModern, dataset=attributes(["shape", "pattern", "colour", "border"], "balanced", 0.5), cpu_batch=4,
        tiny={**SIZES, "train.batch": 4},
    ),
}  # fmt: skip
