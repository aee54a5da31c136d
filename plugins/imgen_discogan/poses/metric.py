"""Whether a translation keeps the azimuth: read from pictures by small networks that learn it from the data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, smooth_l1_loss

from imgen.binding import Count
from imgen.data.spec import fetch
from imgen.data.views import Views
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics.pixels import correlation
from imgen.metrics.translation import directions, held_out, rows_of, translate

if TYPE_CHECKING:
    from imgen.data.spec import Column
    from imgen.metrics import Evaluation

VIEWS = tuple(range(75, -76, -15))
"""The eleven views whose bins are counted [degrees]."""
SPAN = float(VIEWS[0] - VIEWS[-1])
OCCUPIED = 0.01
"""The part of all pictures that a bin must hold to be occupied: a single misread picture is no view."""
FARTHEST = 90.0
_SIDE = 32  # pixels of what a regressor sees
_MOST = 4000
_BATCH = 64
_CHUNK = 512


def agreement(before: Tensor, after: Tensor) -> tuple[float, bool]:
    """|Pearson's r| of two lists of azimuths, and whether r is negative; 0 where one of them never varies.

    Nothing tells the two domains apart from their mirror images, so that either sign is a right answer.
    """
    # Rounding leaves what is read from equal pictures some 1e-5 degrees apart.
    if min(float(values.max() - values.min()) for values in (before, after)) < 1e-3:
        return 0.0, False
    r = correlation(before, after)
    return abs(r), r < 0


def relative_rmse(before: Tensor, after: Tensor) -> float:
    """The root mean squared difference of azimuths over 150 degrees; of `after` and its mirror image, the smaller."""
    errors = [float((before.double() - sign * after.double()).square().mean().sqrt()) for sign in (1, -1)]
    return min(errors) / SPAN


def histogram(azimuth: Tensor) -> Tensor:
    """How many azimuths are nearest to each of the eleven views, (11,); what lies beyond counts for the outermost."""
    place = ((VIEWS[0] - azimuth.double()) / 15).round().long().clamp(0, len(VIEWS) - 1)
    return torch.bincount(place, minlength=len(VIEWS))


def occupied(counts: Tensor) -> int:
    """How many bins hold 1 % of all or more."""
    return int(((counts > 0) & (counts >= OCCUPIED * counts.sum())).sum())


def entropy(counts: Tensor) -> float:
    """The entropy of a histogram [nats]: 0 where all is in one bin, at most ln 11 = 2.40 for eleven."""
    share = counts[counts > 0].double() / counts.sum()
    return abs(float((share * share.log()).sum()))


def pose(*, steps: Count = 300, pictures: Count = 500) -> Callable[[Evaluation], dict[str, float]]:
    """Whether a translation keeps the azimuth, and whether its pictures show all azimuths at all.

    For each domain a small network learns azimuths from the pictures to train on. `regressor_mae_a` and
    `regressor_mae_b` are its mean absolute errors on held-out pictures [degrees]: above 5, mistrust all else.

    Held-out pictures of "a", taken evenly, are translated to "b", and the network of "b" reads the azimuth of what
    comes out. `correlation_ab` is |Pearson's r| between the true azimuth of the input and what was read, and
    `mirrored_ab` 1 where r is negative: nothing pairs the domains, so the mirror image is a right answer, too.
    `rmse_ab` is the root mean squared error over 150 degrees, of the reading or its mirror image, whichever is
    smaller: 0 is exact, and a single view for every input gives about 0.32. `bins_ab` is how many of the eleven views
    from +75 to -75 degrees are nearest to 1 % of the outputs or more, and `entropy_ab` the entropy of that histogram
    [nats], at most ln 11 = 2.40. `..._ba` are the same the other way, for models that have it.

    Settings:
        steps: training steps of each network [steps]
        pictures: held-out pictures of each domain, at most as many as there are [pictures]

    Raises: `DataError` where the data set does not know its azimuths, or holds no pictures out, or has azimuths more
    than 90 degrees from the front, or the model has neither way.
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        ways = directions(evaluation, "pose")
        dataset = _views(evaluation.dataset)
        told: dict[str, float] = {}
        readers: dict[str, Reader] = {}
        for place, name in enumerate("ab"):
            seed = 2 * evaluation.seed + place
            reader = learn(dataset.columns[name], dataset.azimuth[name], steps, seed, evaluation.device)
            error = reader.read(held_out(evaluation, name, pictures)) - _true(dataset, name, pictures)
            readers[name], told[f"regressor_mae_{name}"] = reader, float(error.abs().mean())
        for key, way in ways.items():
            made = translate(evaluation, held_out(evaluation, key[0], pictures), way)
            before, after = _true(dataset, key[0], pictures), readers[key[1]].read(made)
            told |= compare(before, after, key)
        return told

    return measure


def compare(before: Tensor, after: Tensor, key: str) -> dict[str, float]:
    """All figures of one direction, from the azimuths of inputs and outputs."""
    counts = histogram(after)
    r, mirrored = agreement(before, after)
    return {
        f"correlation_{key}": r,
        f"mirrored_{key}": float(mirrored),
        f"rmse_{key}": relative_rmse(before, after),
        f"bins_{key}": float(occupied(counts)),
        f"entropy_{key}": entropy(counts),
    }


class Reader(nn.Module):
    """Reads azimuths from pictures, in grey and at 32x32 pixels, whatever they were."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(4, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, seen: Tensor) -> Tensor:
        """(N, 1, 32, 32), as `look` gives them -> (N,) azimuths over 90 degrees."""
        return self.layers(seen)[:, 0]

    def read(self, images: Tensor) -> Tensor:
        """Azimuths of pictures (N, C, H, W) in [-1, 1]: (N,) on the CPU [degrees]."""
        device = next(self.parameters()).device
        with torch.no_grad():
            parts = [self(look(some).to(device)).float().cpu() for some in images.split(_CHUNK)]
        return FARTHEST * torch.cat(parts)


def look(images: Tensor) -> Tensor:
    """What a reader sees of pictures (N, C, H, W) in [-1, 1]: (N, 1, 32, 32), grey."""
    return adaptive_avg_pool2d(images.float().mean(dim=1, keepdim=True), _SIDE)


def learn(column: Tensor | Column, azimuth: Tensor, steps: int, seed: int, device: torch.device) -> Reader:
    """A reader that has learnt the azimuths of a column's pictures: a function of these and the seed.

    The generators of random numbers that others use are left as they were.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(int(column.shape[0]), generator=generator)[:_MOST]
    seen = torch.cat([look(to_float(fetch(column, some.numpy()))) for some in rows.split(_CHUNK)]).to(device)
    wanted = (azimuth[rows] / FARTHEST).to(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = Reader()
    reader.to(device)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=max(steps, 2))
    with torch.enable_grad():
        for _ in range(steps):
            chosen = torch.randint(len(rows), (_BATCH,), generator=generator)
            loss = smooth_l1_loss(reader(_varied(seen[chosen.to(device)], generator)), wanted[chosen.to(device)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return reader.eval()


def _varied(seen: Tensor, generator: torch.Generator) -> Tensor:
    """The same pictures, but lighter or darker, moved by a pixel or two and noisy: a generator's are never exact."""
    n = len(seen)
    gain = (0.8 + 0.4 * torch.rand(n, 1, 1, 1, generator=generator)).to(seen.device)
    lift = (0.3 * torch.rand(n, 1, 1, 1, generator=generator) - 0.15).to(seen.device)
    noise = (0.04 * torch.randn(seen.shape, generator=generator)).to(seen.device)
    down, right = torch.randint(-1, 2, (2,), generator=generator).tolist()
    return torch.roll(seen, (down, right), (2, 3)) * gain + lift + noise


def _true(dataset: Views, name: str, pictures: int) -> Tensor:
    """The azimuths of the pictures that `held_out` gives."""
    azimuth = dataset.test_azimuth[name]
    return azimuth[torch.from_numpy(rows_of(len(azimuth), pictures))]


def _views(dataset: Any) -> Views:
    """The data set, if its azimuths can be learnt and checked."""
    if not isinstance(dataset, Views):
        raise DataError("pose: needs a data set whose azimuths are known, such as 'solids' or 'pose-pairs'")
    for name, shows in zip("ab", dataset.spec.domains, strict=True):
        told: Mapping[str, Tensor]
        for told, of in ((dataset.azimuth, "to train on"), (dataset.test_azimuth, "held out")):
            if name not in told:
                raise DataError(f"pose: needs pictures of '{shows}' {of} whose azimuths are known")
            if float(told[name].abs().max()) > FARTHEST:
                raise DataError(f"pose: '{shows}' is seen from behind, and azimuths must be within 90 degrees of 0")
    return dataset
