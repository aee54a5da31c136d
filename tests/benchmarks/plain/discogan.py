"""DiscoGAN by hand: pictures with batch or instance norm, and points.

Where both players move in one step, the generators' translations serve both, as in the tutorial: the discriminators
see them detached first. The real features that made ones are matched with are detached, too.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from imgen.build import Built
from imgen.recipe import Part
from imgen.schedules import linear
from imgen.train_settings import TrainSettings
from plain import Average, Contest, Plain, take


def down(c_in: int, c_out: int) -> nn.Module:
    return nn.Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=False)


def up(c_in: int, c_out: int, upsample: str) -> list[nn.Module]:
    if upsample == "transposed":
        return [nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, bias=False)]
    return [nn.Upsample(scale_factor=2), nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)]


def normed(channels: int, norm: str) -> list[nn.Module]:
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.InstanceNorm2d(channels, affine=True)] if norm == "instance" else []


def generator(channels: int, levels: int, width: int, norm: str, upsample: str) -> nn.Module:
    widths = [width << level for level in range(min(levels, 4))]
    layers: list[nn.Module] = [down(channels, width), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        layers += [down(narrow, wide), *normed(wide, norm), nn.LeakyReLU(0.2)]
    if levels == 5:
        assert norm == "batch"
        layers += [nn.Conv2d(widths[-1], 100, 4, bias=False), nn.BatchNorm2d(100), nn.LeakyReLU(0.2)]
        layers += [nn.ConvTranspose2d(100, widths[-1], 4, bias=False), nn.BatchNorm2d(widths[-1]), nn.ReLU()]
    for wide, narrow in pairwise(widths[::-1]):
        layers += [*up(wide, narrow, upsample), *normed(narrow, norm), nn.ReLU()]
    return nn.Sequential(*layers, *up(width, channels, upsample), nn.Sigmoid())


class Discriminator(nn.Module):
    """Scores, and features from the second level on."""

    def __init__(self, channels: int, levels: int, width: int, norm: str) -> None:
        super().__init__()
        spectral: Callable[[nn.Module], nn.Module] = spectral_norm if norm == "spectral" else lambda layer: layer
        widths = [min(width << level, 8 * width) for level in range(levels)]
        self.levels = nn.ModuleList([nn.Sequential(spectral(down(channels, width)), nn.LeakyReLU(0.2))])
        for narrow, wide in pairwise(widths):
            level = [spectral(down(narrow, wide)), *normed(wide, norm), nn.LeakyReLU(0.2)]
            self.levels.append(nn.Sequential(*level))
        self.verdict = spectral(nn.Conv2d(widths[-1], 1, 4, bias=False))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return self.verdict(x).flatten(1), features[1:]


def point_generator(size: int, hidden: int) -> nn.Module:
    sizes = [size, hidden, hidden, hidden]
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(hidden, size))


def point_discriminator(size: int, hidden: int) -> nn.Module:
    network = Discriminator.__new__(Discriminator)
    nn.Module.__init__(network)
    sizes = [size, *[hidden] * 5]
    network.levels = nn.ModuleList(nn.Sequential(nn.Linear(*pair), nn.ReLU()) for pair in pairwise(sizes))
    network.verdict = nn.Linear(hidden, 1)
    return network


class PlainDisco(Plain):
    """Two generators and two discriminators, an optimizer for either pair."""

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(built, settings, device)
        self.game, self.data = built.recipe.algorithm.settings, built.dataset.spec
        game, ours = self.game, built.algorithm
        self.every = game["update_interval"]
        assert game["variant"] == "discogan" and not game["augment"] and not game["w_r1"]
        self.g_ab, self.g_ba = self.made(ours.model.ab), self.made(ours.model.ba)
        self.d_a, self.d_b = self.judging(ours.d_a), self.judging(ours.d_b)
        betas, decay = (game["beta1"], game["beta2"]), game["weight_decay"]
        both = [*self.g_ab.parameters(), *self.g_ba.parameters()], [*self.d_a.parameters(), *self.d_b.parameters()]
        self.optim_g, self.optim_d = (
            torch.optim.Adam(one, lr=game["lr"], betas=betas, weight_decay=decay) for one in both
        )
        self.pace = linear(game["decay_from"], game["decay_over"]) if game["decay_over"] else None
        self.averages = []
        if settings.ema_half_life:
            pictures = 2 * settings.batch
            for network, weights in ((self.g_ab, ours.model.ab), (self.g_ba, ours.model.ba)):
                self.averages.append(Average(network, self.made(weights), settings, pictures))
        self.distance = F.l1_loss if game["distance"] == "l1" else F.mse_loss

    def made(self, weights: nn.Module) -> nn.Module:
        """A generator with these weights."""
        game = self.game
        if self.data.vector:
            network = point_generator(self.data.vector, game["hidden"])
        else:
            network = generator(self.data.image[0], game["levels"], game["width"], game["norm"], game["upsample"])
        take(network, weights)
        return network.to(self.device).train()

    def judging(self, weights: nn.Module) -> nn.Module:
        """A discriminator with these weights."""
        game = self.game
        if self.data.vector:
            network = point_discriminator(self.data.vector, game["hidden"])
        else:
            levels = (self.data.image[1] // 4).bit_length() - 1 if game["size_aware"] else 4
            network = Discriminator(self.data.image[0], levels, game["d_width"], game["d_norm"])
        take(network, weights)
        return network.to(self.device).train()

    def seen(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Both domains as the networks see them: in [0, 1], half of them mirrored where the recipe has that."""
        a, b = batch["a"], batch["b"]
        if self.data.vector:
            return a, b
        if self.game["flip"]:
            a, b = (torch.where(torch.rand(len(x), 1, 1, 1, device=self.device) < 0.5, x.flip(3), x) for x in (a, b))
        return (a + 1) / 2, (b + 1) / 2

    def loss_d(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Tensor:
        """Both discriminators' loss."""
        loss = 0.0
        for d, real, fake in ((self.d_b, b, fake_b), (self.d_a, a, fake_a)):
            score_real, score_fake = d(real)[0], d(fake.detach())[0]
            if self.game["loss"] == "least-squares":
                loss = loss + ((score_real - 1) ** 2).mean() + (score_fake**2).mean()
            else:
                loss = loss + F.softplus(-score_real).mean() + F.softplus(score_fake).mean()
        return self.game["w_judge"] * loss

    def loss_g(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Tensor:
        """Both generators' loss."""
        game = self.game
        fool = 0.0
        for d, real, fake in ((self.d_b, b, fake_b), (self.d_a, a, fake_a)):
            score, features = d(fake)
            adversarial = ((score - 1) ** 2).mean() if game["loss"] == "least-squares" else F.softplus(-score).mean()
            fool = fool + game["w_adv"] * adversarial
            if game["w_fm"]:
                wanted = d(real)[1]
                for one, other in list(zip(wanted, features, strict=True))[game["matched"] == "deep" :]:
                    fool = fool + game["w_fm"] * ((one.detach().mean(0) - other.mean(0)) ** 2).mean()
        rebuilt = self.distance(self.g_ba(fake_b), a) + self.distance(self.g_ab(fake_a), b)
        if game["w_identity"]:
            kept = self.distance(self.g_ab(b), b) + self.distance(self.g_ba(a), a)
            rebuilt = rebuilt + game["w_identity"] * kept
        if game["default_rate"] is None:
            return fool + game["w_rec"] * rebuilt
        rate = game["starting_rate"] if self.done < game["curriculum"] else game["default_rate"]
        return (1 - rate) * fool + rate * game["w_rec"] * rebuilt

    def play(self, batch: dict[str, Tensor]) -> None:
        """The discriminators' move, the generators', or both, as the recipe has it."""
        if self.pace:
            for group in (*self.optim_g.param_groups, *self.optim_d.param_groups):
                group["lr"] = self.game["lr"] * self.pace(self.done)
        a, b = self.seen(batch)
        fake_a, fake_b = self.g_ba(b), self.g_ab(a)
        if not self.every or self.done % self.every == 0:
            self.optim_d.zero_grad()
            self.loss_d(a, b, fake_a, fake_b).backward()
            self.optim_d.step()
        if not self.every or self.done % self.every:
            self.optim_g.zero_grad()
            self.loss_g(a, b, fake_a, fake_b).backward()
            self.optim_g.step()
        for average in self.averages:
            average.update()

    def losses(self, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        a, b = self.seen(batch)
        fakes = self.g_ba(b), self.g_ab(a)
        return {"judge/d": self.loss_d(a, b, *fakes), "translate/g": self.loss_g(a, b, *fakes)}


DOMAINS = Part("drawn-domains", {"domain_A": "square", "domain_B": "disc", "shared": "both", "size": 64})
_TINY = {"train.batch": 3, "algorithm.width": 4, "algorithm.d_width": 4}
_DRAWN = {**_TINY, "dataset.pictures": 12, "dataset.n_test": 3}
_SMALL = {**_DRAWN, "dataset.size": 16, "algorithm.levels": 3}
_SOLIDS = {**_TINY, "dataset.individuals": 3, "dataset.n_test": 1, "dataset.views": 2}

RECIPES = {
    "discogan": Contest(PlainDisco, dataset=DOMAINS, cpu_batch=16, cycle=3, tiny=_DRAWN),
    "discogan_paper": Contest(PlainDisco, dataset=DOMAINS, cpu_batch=16, tiny=_DRAWN),
    "discogan_modern": Contest(PlainDisco, dataset=DOMAINS, cpu_batch=8, tiny=_SMALL),
    "discogan_toy": Contest(PlainDisco, tiny={"train.batch": 8, "dataset.points": 50, "algorithm.hidden": 8}),
    "discogan_poses": Contest(PlainDisco, cpu_batch=16, cycle=3, tiny=_SOLIDS),
    "discogan_drawn": Contest(PlainDisco, cycle=3, tiny=_SMALL),
}
