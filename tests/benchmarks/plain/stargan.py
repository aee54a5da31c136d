"""StarGAN as its authors' own PyTorch code has it, and what labels that are not known ask for beside it.

Edits are detached for the discriminator, both of whose heads look at whatever it is given, and made anew for the
generator, at every fifth step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgen.build import Built
from imgen.data.labels import is_binary
from imgen.data.spec import Attribute
from imgen.recipe import Part
from imgen.train_settings import TrainSettings
from plain import Contest, Plain, take


class Block(nn.Module):
    """x + f(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def normed(layer: nn.Module, width: int) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(width, affine=True), nn.ReLU()]


class Generator(nn.Module):
    """Pictures and what they are to show to pictures."""

    def __init__(self, channels: int, told: int, width: int, blocks: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *normed(nn.Conv2d(channels + told, width, 7, padding=3, bias=False), width),
            *normed(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), 2 * width),
            *normed(nn.Conv2d(2 * width, 4 * width, 4, 2, 1, bias=False), 4 * width),
            *[Block(4 * width) for _ in range(blocks)],
            *normed(nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False), 2 * width),
            *normed(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), width),
            nn.Conv2d(width, channels, 7, padding=3, bias=False),
            nn.Tanh(),
        )

    def forward(self, images: Tensor, told: Tensor) -> Tensor:
        told = told[:, :, None, None].repeat(1, 1, images.shape[2], images.shape[3])
        return self.layers(torch.cat([images, told], dim=1))


class Discriminator(nn.Module):
    """Scores of patches, and logits of attributes side by side."""

    def __init__(self, channels: int, told: int, side: int, width: int, levels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level in range(levels):
            wide = width << level
            layers += [nn.Conv2d(channels, wide, 4, 2, 1), nn.LeakyReLU(0.01)]
            channels = wide
        self.trunk = nn.Sequential(*layers)
        self.critic = nn.Conv2d(channels, 1, 3, padding=1, bias=False)
        self.teller = nn.Conv2d(channels, told, side >> levels, bias=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(images)
        return self.critic(features), self.teller(features).flatten(1)


def gradient_penalty(score: Tensor, between: Tensor) -> Tensor:
    """How far the norm of the scores' gradient is from 1."""
    (gradient,) = torch.autograd.grad(score, between, torch.ones_like(score), create_graph=True)
    return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()


class PlainStarGan(Plain):
    """StarGAN's step."""

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(built, settings, device)
        game, spec = built.algorithm, built.dataset.spec
        given = {"width": 64, "blocks": 6, "d_width": 64, **built.recipe.algorithm.settings}
        self.attributes: tuple[Attribute, ...] = spec.attributes
        self.sizes = [1 if is_binary(each) else len(each.values) for each in self.attributes]
        channels, side, _ = spec.image
        levels = given.get("levels") or side.bit_length() - 2
        self.g = Generator(channels, sum(self.sizes), given["width"], given["blocks"])
        self.d = Discriminator(channels, sum(self.sizes), side, given["d_width"], levels)
        take(self.g, game.model.g)
        take(self.d, game.model.d)
        self.g.to(device)
        self.d.to(device)
        self.w_gp, self.w_class, self.w_rec, self.n_critic = game.w_gp, game.w_class, game.w_rec, game.n_critic
        self.optim_g = torch.optim.Adam(self.g.parameters(), lr=given["lr"], betas=(given["beta1"], given["beta2"]))
        self.optim_d = torch.optim.Adam(self.d.parameters(), lr=given["lr"], betas=(given["beta1"], given["beta2"]))

    def draw(self) -> dict[str, Tensor]:
        rows = torch.randint(len(self.columns["images"]), (self.batch,), device=self.device)
        images = self.columns["images"][rows].float() / 127.5 - 1
        return {"images": images, "attributes": self.columns["attributes"][rows]}

    def play(self, batch: dict[str, Tensor]) -> None:
        images, labels, target = self.prepared(batch)
        self.optim_d.zero_grad()
        self.loss_d(images, labels, target).backward()
        self.optim_d.step()
        if (self.done + 1) % self.n_critic == 0:
            self.optim_g.zero_grad()
            self.loss_g(images, labels, target).backward()
            self.optim_g.step()

    def losses(self, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        prepared = self.prepared(batch)
        torch.manual_seed(seed)
        told = {"judge_smoothly/d": self.loss_d(*prepared)}
        torch.manual_seed(seed)
        return {**told, "edit/g": self.loss_g(*prepared)}

    def prepared(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures, half of them mirrored; their labels; those of others, with values by chance for unknown ones."""
        images, labels = batch["images"], batch["attributes"]
        target = labels[torch.randperm(len(labels), device=self.device)]
        chance = [torch.randint(len(each.values), (len(labels),), device=self.device) for each in self.attributes]
        target = torch.where(target < 0, torch.stack(chance, dim=1), target)
        chosen = torch.rand(len(images), 1, 1, 1, device=self.device) < 0.5
        return torch.where(chosen, images.flip(3), images), labels, target

    def loss_d(self, images: Tensor, labels: Tensor, target: Tensor) -> Tensor:
        """Of telling real pictures from edits, and what they show, with the penalty."""
        real, told = self.d(images)
        edits = self.g(images, self.encoded(target)).detach()
        fake, _ = self.d(edits)
        mix = torch.rand(len(images), 1, 1, 1, device=self.device)
        between = ((1 - mix) * images + mix * edits).requires_grad_()
        penalty = gradient_penalty(self.d(between)[0], between)
        return fake.mean() - real.mean() + self.w_class * self.loss_class(told, labels) + self.w_gp * penalty

    def loss_g(self, images: Tensor, labels: Tensor, target: Tensor) -> Tensor:
        """Of edits that pass for real, show what they are to show, and become again what they were."""
        edits = self.g(images, self.encoded(target))
        fake, told = self.d(edits)
        again = self.g(edits, self.encoded(labels.clamp(min=0)))
        known = (labels >= 0).all(dim=1).float()
        rec = ((again - images).abs().mean(dim=(1, 2, 3)) * known).sum() / known.sum().clamp(min=1)
        return -fake.mean() + self.w_class * self.loss_class(told, target) + self.w_rec * rec

    def loss_class(self, told: Tensor, labels: Tensor) -> Tensor:
        """Over attributes the sum of the mean over pictures whose value is known."""
        loss = torch.zeros((), device=self.device)
        for place, logits in enumerate(told.split(self.sizes, dim=1)):
            label = labels[:, place]
            known = (label >= 0).float()
            if logits.shape[1] == 1:
                each = F.binary_cross_entropy_with_logits(logits[:, 0], label.clamp(min=0).float(), reduction="none")
            else:
                each = F.cross_entropy(logits, label.clamp(min=0), reduction="none")
            loss = loss + (each * known).sum() / known.sum().clamp(min=1)
        return loss

    def encoded(self, labels: Tensor) -> Tensor:
        """Labels as the generator is told them."""
        parts = [
            labels[:, place : place + 1].float() if size == 1 else F.one_hot(labels[:, place], size).float()
            for place, size in enumerate(self.sizes)
        ]
        return torch.cat(parts, dim=1)


_TINY = {
    "algorithm.width": 4, "algorithm.blocks": 1, "algorithm.d_width": 4, "dataset.size": 16, "dataset.pictures": 40,
    "dataset.labels_per_value": 5, "train.batch": 4,
}  # fmt: skip
_FACES = Part(
    "drawn-attributes",
    {"attributes": ["colour", "border", "ground"], "size": 128, "pictures": 200, "n_test": 8, "labels_per_value": 50},
)

RECIPES = {"stargan": Contest(PlainStarGan, dataset=_FACES, cpu_batch=2, cycle=5, tiny=_TINY)}
