"""The network that tells identities apart by hand: pairs against all others of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgen.build import Built
from imgen.schedules import linear
from imgen.train_settings import TrainSettings
from plain import Average, Contest, Plain, take
from plain.sdgan import FACES


class Block(nn.Module):
    """A residual block of ResNet-18."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out)
        self.conv2, self.norm2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out)
        self.past = nn.Identity() if c_in == c_out and stride == 1 else nn.Conv2d(c_in, c_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.past(x) + inner)


def network(channels: int, side: int, width: int, dims: int) -> nn.Module:
    kernel, stride = (5, 2) if side >= 64 else (3, 1)
    layers: list[nn.Module] = [nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)]
    layers += [nn.BatchNorm2d(width), nn.ReLU(), Block(width, width, 1)]
    wide, side = width, side // stride
    while side >= 8:
        narrow, wide, side = wide, min(2 * wide, 8 * width), side // 2
        layers.append(Block(narrow, wide, 2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(wide, dims))


class PlainEmbedding(Plain):
    """Crops, light and mirrors by chance, then a contrastive loss."""

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        super().__init__(built, settings, device)
        self.game = game = built.recipe.algorithm.settings
        channels, side, _ = built.dataset.spec.image

        def made() -> nn.Module:
            copy = network(channels, side, game["width"], game["dims"])
            take(copy, built.algorithm.model)
            return copy.to(device).train()

        self.network = made()
        self.optim = torch.optim.Adam(
            self.network.parameters(), lr=game["lr"], betas=(0.9, 0.999), weight_decay=game["weight_decay"]
        )
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optim, linear(game["decay_from"], game["decay_over"]))
        self.average = Average(self.network, made(), settings, 2 * settings.batch)
        identity = torch.as_tensor(built.dataset.identity)
        self.photos = int((identity == 0).sum())
        self.identities = len(identity) // self.photos

    def draw(self) -> dict[str, Tensor]:
        """Pairs of different photos of one identity, (batch, 2, C, H, W)."""
        who = torch.randint(self.identities, (self.batch, 1), device=self.device)
        photos = torch.rand(self.batch, self.photos, device=self.device).argsort(dim=1)[:, :2]
        return {"images": self.columns["images"][who * self.photos + photos].float() / 127.5 - 1}

    def changed(self, images: Tensor) -> Tensor:
        """A part of each picture in its place, lit and mirrored by chance."""
        n, least, light = len(images), self.game["crop"], self.game["light"]
        share, across, down = torch.rand(3, n, device=self.device)
        share = least + (1 - least) * share
        theta = torch.zeros(n, 2, 3, device=self.device)
        theta[:, 0, 0] = theta[:, 1, 1] = share
        theta[:, 0, 2], theta[:, 1, 2] = (2 * across - 1) * (1 - share), (2 * down - 1) * (1 - share)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        contrast, brightness = torch.rand(2, n, 1, 1, 1, device=self.device) * 2 - 1
        images = (images * (1 + light * contrast) + light * brightness).clamp(-1, 1)
        return torch.where(torch.rand(n, 1, 1, 1, device=self.device) < 0.5, images.flip(3), images)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Each picture is to pick its partner from all others."""
        rows = F.normalize(self.network(self.changed(batch["images"].flatten(0, 1))), dim=1)
        logits = rows @ rows.T / self.game["temperature"]
        logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool, device=self.device), float("-inf"))
        # Partners lie next to each other: 0 and 1, 2 and 3 ...
        partner = torch.arange(len(rows), device=self.device) ^ 1
        return F.cross_entropy(logits, partner)

    def play(self, batch: dict[str, Tensor]) -> None:
        """One move, and the average's."""
        self.optim.zero_grad()
        self.loss(batch).backward()
        self.optim.step()
        self.scheduler.step()
        self.average.update()

    def losses(self, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        return {"tell_apart/embedding": self.loss(batch)}


_TINY = {"train.batch": 6, "dataset.identities": 40, "dataset.photos": 3, "dataset.size": 16, "algorithm.width": 4}
_TINY |= {"algorithm.dims": 8}

RECIPES = {
    "embedding": Contest(PlainEmbedding, dataset=FACES, cpu_batch=64, tiny=_TINY),
    "embedding_drawn": Contest(PlainEmbedding, tiny=_TINY),
}
