"""Latents made of named members, some of which are codes to be found again, and pairs that share one code.

Source: Lin, Thekumparampil, Fanti, Oh, InfoGAN-CR and ModelCentrality, ICML 2020, and the authors' code, which knows
uniform and Gaussian members and lists of them. Theirs draws pairs row by row; this draws all rows at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Uniform:
    """A member whose coordinates are uniform on [low, high).

    is_code: whether it is to be found again in pictures.
    spread: standard deviation that a guess of it is taken to have.
    """

    size: int = 1
    low: float = -1.0
    high: float = 1.0
    is_code: bool = True
    spread: float = 1.0

    @property
    def span(self) -> tuple[float, float]:
        """Where a traversal goes: the whole interval."""
        return self.low, self.high


@dataclass(frozen=True)
class Gaussian:
    """A member whose coordinates are normal."""

    size: int = 1
    mean: float = 0.0
    scale: float = 1.0
    is_code: bool = True
    spread: float = 1.0

    @property
    def span(self) -> tuple[float, float]:
        """Where a traversal goes: two standard deviations either way."""
        return self.mean - 2 * self.scale, self.mean + 2 * self.scale


Member = Uniform | Gaussian


def codes_and_noise(num_codes: int, d_noise: int, prior: str = "uniform") -> dict[str, Member]:
    """Members code1, code2 ... of one coordinate each, and one of noise where there is any."""
    kind: type[Uniform] | type[Gaussian] = Gaussian if prior == "gaussian" else Uniform
    members: dict[str, Member] = {f"code{number}": kind() for number in range(1, num_codes + 1)}
    return members | ({"noise": kind(size=d_noise, is_code=False)} if d_noise else {})


class Latent(nn.Module):
    """All members side by side, in their order: codes first.

    Raises: `ValueError` where a code stands behind noise.
    """

    low: Tensor
    width: Tensor
    uniform: Tensor
    spread: Tensor

    def __init__(self, members: Mapping[str, Member]) -> None:
        super().__init__()
        self.members = dict(members)
        kinds = [member.is_code for member in members.values()]
        if kinds != sorted(kinds, reverse=True):
            raise ValueError("codes stand before noise")
        of = [member for member in members.values() for _ in range(member.size)]  # a member for each coordinate
        uniform = [isinstance(member, Uniform) for member in of]
        self.all_uniform = all(uniform)
        starts = [member.low if isinstance(member, Uniform) else member.mean for member in of]
        widths = [member.high - member.low if isinstance(member, Uniform) else member.scale for member in of]
        spreads = [member.spread for member in of if member.is_code]
        for name, values in {"low": starts, "width": widths, "uniform": uniform, "spread": spreads}.items():
            self.register_buffer(name, torch.tensor(values), persistent=False)

    @property
    def codes(self) -> list[str]:
        """Names of the members that are to be found again."""
        return [name for name, member in self.members.items() if member.is_code]

    @property
    def d_codes(self) -> int:
        """Coordinates of all codes together: they are the first."""
        return sum(member.size for member in self.members.values() if member.is_code)

    @property
    def size(self) -> int:
        """Coordinates in all."""
        return sum(member.size for member in self.members.values())

    def draw(self, name: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws of one member, (n, size), on the generator's device or else on this one's."""
        member = self.members[name]
        device = generator.device if generator else self.low.device
        drawn = torch.empty(n, member.size, device=device)
        if isinstance(member, Uniform):
            return drawn.uniform_(member.low, member.high, generator=generator)
        return drawn.normal_(member.mean, member.scale, generator=generator)

    def sample(self, n: int) -> Tensor:
        """n latents, (n, size), on this device: all members in one or two kernels."""
        flat = torch.rand(n, self.size, device=self.low.device)
        if not self.all_uniform:
            normal = torch.randn(n, self.size, device=self.low.device)
            flat = torch.where(self.uniform, flat, normal)
        return self.low + self.width * flat

    def surprise(self, guess: Tensor, z: Tensor) -> Tensor:
        """How unlikely the codes of z are where `guess` is their mean: minus the log-density, a mean over the batch.

        Its constant, half the log of 2 pi for each coordinate where the spread is 1, moves nothing, and is what the
        authors log: 4.594693 for five codes.

        Shapes: guess: (B, d_codes), z: (B, size) -> ().
        """
        miss = (guess.float() - z[:, : self.d_codes]) / self.spread
        return (miss.square() / 2 + self.spread.log() + math.log(2 * math.pi) / 2).sum(dim=1).mean()

    def pair(self, n: int, gap: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """n pairs of latents that share all noise and one code: (which code (n,), first (n, size), second (n, size)).

        Of any other code the two values are uniform, with at least `gap` between them.

        Units: gap: of the code, at most the width of its interval.
        Source: section 4 of the paper; the authors draw two values from the interval shortened by the gap, and move
        them apart by half of it each.
        """
        codes = self.d_codes
        shared = self.sample(n)
        which = torch.randint(len(self.codes), (n,), device=shared.device)
        free = torch.rand(2, n, codes, device=shared.device)
        low, width = self.low[:codes], self.width[:codes]
        first, second = low + gap / 2 + (width - gap) * free
        apart = torch.where(first > second, gap, -gap) / 2
        same = self._owner(which)
        first = torch.where(same, shared[:, :codes], first + apart)
        second = torch.where(same, shared[:, :codes], second - apart)
        return which, torch.cat([first, shared[:, codes:]], 1), torch.cat([second, shared[:, codes:]], 1)

    def _owner(self, which: Tensor) -> Tensor:
        """Which coordinates belong to the code of each row, (n,) -> (n, d_codes) of truth values."""
        sizes = [member.size for member in self.members.values() if member.is_code]
        if set(sizes) == {1}:
            places = torch.arange(len(sizes), device=which.device)
        else:
            places = torch.cat([torch.full((size,), place, device=which.device) for place, size in enumerate(sizes)])
        return which[:, None] == places

    def traversals(self, z: Tensor, steps: int) -> Tensor:
        """Latents in which one member after another goes through its span, all its coordinates together.

        Shapes: z: (size,) -> (members, steps, size).
        """
        rows, start = [], 0
        for member in self.members.values():
            row = z.repeat(steps, 1)
            row[:, start : start + member.size] = torch.linspace(*member.span, steps, device=z.device)[:, None]
            rows.append(row)
            start += member.size
        return torch.stack(rows)
