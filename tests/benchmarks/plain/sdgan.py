"""SD-DCGAN and SD-BEGAN by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgen.build import Built
from imgen.recipe import Part
from imgen.train_settings import TrainSettings
from plain import Average, Contest, Plain, take


def same(c_in: int, c_out: int, kernel: int) -> list[nn.Module]:
    """A convolution that halves the picture, padded as TensorFlow does."""
    before, after = (kernel - 2) // 2, (kernel - 1) // 2
    return [nn.ZeroPad2d((before, after, before, after)), nn.Conv2d(c_in, c_out, kernel, stride=2)]


class Doubled(nn.ConvTranspose2d):
    """A transposed convolution that doubles the picture, cut as TensorFlow does."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 5, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :, :-1, :-1]


def batch_norm(channels: int, running: bool) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01, track_running_stats=running)


def dcgan_generator(latent: int, dim: int, channels: int, size: int) -> nn.Module:
    widths = [dim << stage for stage in reversed(range(int(math.log2(size // 4))))]
    layers: list[nn.Module] = [nn.Linear(latent, widths[0] * 16), nn.Unflatten(1, (widths[0], 4, 4))]
    layers += [batch_norm(widths[0], True), nn.ReLU()]
    for c_in, c_out in pairwise(widths):
        layers += [Doubled(c_in, c_out), batch_norm(c_out, True), nn.ReLU()]
    return nn.Sequential(*layers, Doubled(widths[-1], channels), nn.Tanh())


class DcganDiscriminator(nn.Module):
    """One tower for every picture of a tuple, whose features meet."""

    def __init__(self, k: int, dim: int, channels: int, size: int) -> None:
        super().__init__()
        widths = [dim << stage for stage in range(int(math.log2(size // 4)))]
        tower = [*same(channels, widths[0], 5), nn.LeakyReLU(0.2)]
        for c_in, c_out in pairwise(widths):
            tower += [*same(c_in, c_out, 5), batch_norm(c_out, False), nn.LeakyReLU(0.2)]
        self.tower = nn.Sequential(*tower)
        wide = widths[-1]
        self.verdict = nn.Sequential(
            *same(k * wide, wide, 3), batch_norm(wide, False), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(4 * wide, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        features = [self.tower(images[:, place]) for place in range(images.shape[1])]
        return self.verdict(torch.cat(features, dim=1)).squeeze(1)


class PlainTuples(Plain):
    """What both games share: pairs of pictures of one identity, and latents of them."""

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(built, settings, device)
        self.game, self.k = built.recipe.algorithm.settings, built.dataset.spec.group
        self.channels, self.size, _ = built.dataset.spec.image
        self.codes = self.game["d_identity"], self.game["d_observation"]
        identity = torch.as_tensor(built.dataset.identity)
        # Pictures of an identity lie next to each other, and all have as many.
        self.photos = int((identity == 0).sum())
        self.identities = len(identity) // self.photos

    def draw(self) -> dict[str, Tensor]:
        """Tuples of different photos of one identity, (batch, k, C, H, W)."""
        who = torch.randint(self.identities, (self.batch, 1), device=self.device)
        photos = torch.rand(self.batch, self.photos, device=self.device).argsort(dim=1)[:, : self.k]
        return {"images": self.columns["images"][who * self.photos + photos].float() / 127.5 - 1}

    def fakes(self, n: int) -> Tensor:
        """Tuples of made pictures, (n, k, C, H, W)."""
        d_identity, d_observation = self.codes
        identity = torch.empty(n, d_identity, device=self.device).uniform_(-1, 1)
        observation = torch.empty(n * self.k, d_observation, device=self.device).uniform_(-1, 1)
        z = torch.cat([identity.repeat_interleave(self.k, dim=0), observation], dim=1)
        return self.g(z).view(n, self.k, self.channels, self.size, self.size)


class PlainDcgan(PlainTuples):
    """SD-DCGAN: the logistic loss with Adam, or least squares with RMSProp."""

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(built, settings, device)
        game = self.game
        assert game["objective"] in ("dcgan", "lsgan") and game["siamese"] and game["critic_steps"] == 1

        def generator() -> nn.Module:
            made = dcgan_generator(sum(self.codes), game["dim"], self.channels, self.size)
            take(made, built.algorithm.model)
            return made.to(device).train()

        self.g = generator()
        self.d = DcganDiscriminator(self.k, game["dim"], self.channels, self.size)
        take(self.d, built.algorithm.d)
        self.d.to(device).train()
        self.logistic = game["objective"] == "dcgan"
        self.optim_g, self.optim_d = self.optimizer(self.g, game["lr_g"]), self.optimizer(self.d, game["lr_d"])
        self.average = Average(self.g, generator(), settings, settings.batch * self.k)

    def optimizer(self, network: nn.Module, lr: float | None) -> torch.optim.Optimizer:
        if self.logistic:
            return torch.optim.Adam(network.parameters(), lr=lr or 2e-4, betas=(self.game["beta1"], 0.999))
        return torch.optim.RMSprop(network.parameters(), lr=lr or 1e-4, alpha=0.9, eps=1e-10)

    def loss_d(self, real: Tensor) -> Tensor:
        """The discriminator's loss."""
        score_real = self.d(real)
        score_fake = self.d(self.fakes(len(real)).detach())
        if self.logistic:
            return (F.softplus(-score_real).mean() + F.softplus(score_fake).mean()) / 2
        return (((score_real - 1) ** 2).mean() + (score_fake**2).mean()) / 2

    def loss_g(self, n: int) -> Tensor:
        """The generator's loss."""
        score = self.d(self.fakes(n))
        return F.softplus(-score).mean() if self.logistic else ((score - 1) ** 2).mean()

    def play(self, batch: dict[str, Tensor]) -> None:
        """The discriminator moves, then the generator, then the average."""
        real = batch["images"]
        self.optim_d.zero_grad()
        self.loss_d(real).backward()
        self.optim_d.step()
        self.optim_g.zero_grad()
        self.loss_g(len(real)).backward()
        self.optim_g.step()
        self.average.update()

    def losses(self, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        judged = self.loss_d(batch["images"])
        torch.manual_seed(seed)
        return {"judge/d": judged, "forge/g": self.loss_g(len(batch["images"]))}


def began_decoder(code: int, hidden: int, channels: int, size: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(code, hidden * 64), nn.Unflatten(1, (hidden, 8, 8))]
    for stage in range(int(math.log2(size // 8)) + 1):
        layers += [nn.Upsample(scale_factor=2)] if stage else []
        layers += [nn.Conv2d(hidden, hidden, 3, padding=1), nn.ELU(), nn.Conv2d(hidden, hidden, 3, padding=1), nn.ELU()]
    return nn.Sequential(*layers, nn.Conv2d(hidden, channels, 3, padding=1))


def began_encoder(code: int, hidden: int, channels: int, size: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(channels, hidden, 3, padding=1), nn.ELU()]
    width, stages = hidden, int(math.log2(size // 8))
    for stage in range(1, stages + 2):
        narrow, width = width, stage * hidden
        layers += [nn.Conv2d(narrow, width, 3, padding=1), nn.ELU(), nn.Conv2d(width, width, 3, padding=1), nn.ELU()]
        if stage <= stages:
            layers += [*same(width, width, 3), nn.ELU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 64, code))


class BeganDiscriminator(nn.Module):
    """An autoencoder of tuples."""

    def __init__(self, k: int, codes: tuple[int, int], hidden: int, channels: int, size: int) -> None:
        super().__init__()
        code, narrow = sum(codes), codes[0] + k * codes[1]
        self.encoder = began_encoder(code, hidden, channels, size)
        self.merge = nn.Linear(k * code, narrow)
        self.split = nn.ModuleList(nn.Linear(narrow, code) for _ in range(k))
        self.decoder = began_decoder(code, hidden, channels, size)

    def forward(self, images: Tensor) -> Tensor:
        merged = self.merge(self.encoder(images.flatten(0, 1)).view(len(images), -1))
        codes = torch.stack([head(merged) for head in self.split], dim=1)
        return self.decoder(codes.flatten(0, 1)).view_as(images)


class PlainBegan(PlainTuples):
    """SD-BEGAN: both players move at once, from one and the same tuple of made pictures.

    The generator's backward pass comes first, as it leaves gradients in the discriminator, too; these are zeroed and
    the discriminator's own follow, on made pictures that are detached.
    """

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(built, settings, device)
        game = self.game

        def generator() -> nn.Module:
            made = began_decoder(sum(self.codes), game["hidden"], self.channels, self.size)
            take(made, built.algorithm.model)
            return made.to(device).train()

        self.g = generator()
        self.d = BeganDiscriminator(self.k, self.codes, game["hidden"], self.channels, self.size)
        take(self.d, built.algorithm.d)
        self.d.to(device).train()
        betas = game["beta1"], game["beta2"]
        self.optim_g = torch.optim.Adam(self.g.parameters(), lr=game["lr"], betas=betas)
        self.optim_d = torch.optim.Adam(self.d.parameters(), lr=game["lr"], betas=betas)
        self.average = Average(self.g, generator(), settings, settings.batch * self.k)
        self.control = torch.zeros((), device=device)

    def error(self, images: Tensor) -> Tensor:
        """How far the discriminator is from rebuilding them."""
        return (self.d(images) - images).abs().mean()

    def play(self, batch: dict[str, Tensor]) -> None:
        """Both backward passes, both moves, the control of the weight of made pictures, and the average."""
        game, real = self.game, batch["images"]
        if self.done and game["halve_every"] and self.done % game["halve_every"] == 0:
            for group in (*self.optim_g.param_groups, *self.optim_d.param_groups):
                group["lr"] = max(group["lr"] / 2, game["lr"] * game["lr_floor"])
        fake = self.fakes(len(real))
        self.optim_g.zero_grad()
        self.error(fake).backward()
        self.optim_d.zero_grad()
        err_real, err_fake = self.error(real), self.error(fake.detach())
        (err_real - self.control * err_fake).backward()
        self.optim_d.step()
        self.optim_g.step()
        with torch.no_grad():
            gap = game["gamma"] * err_real - err_fake
            self.control = (self.control + game["lambda_k"] * gap).clamp(0, 1)
        self.average.update()

    def losses(self, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        fake = self.fakes(len(batch["images"]))
        judged = self.error(batch["images"]) - self.control * self.error(fake.detach())
        return {"balance/d": judged, "balance/g": self.error(fake)}


FACES = Part("shapes", {"identities": 500, "photos": 5, "size": 64, "k": 2})
_TINY = {"algorithm.d_identity": 3, "algorithm.d_observation": 4, "train.batch": 3, "dataset.size": 16}
_TINY |= {"dataset.identities": 6, "dataset.photos": 3, "train.ema_half_life": 20}

RECIPES = {
    "sddcgan": Contest(PlainDcgan, dataset=FACES, tiny={**_TINY, "algorithm.dim": 4}),
    "sdbegan": Contest(PlainBegan, dataset=FACES, cpu_batch=4, tiny={**_TINY, "algorithm.hidden": 4}),
    "quickstart": Contest(PlainDcgan, tiny={**_TINY, "algorithm.dim": 4}),
}
