"""Means of losses and values, kept on the device and read only when they are shown."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from imgen import dist


class Meters:
    """Running means, and the first step at which each value was not a number."""

    def __init__(self, device: torch.device) -> None:
        """device: where the values are."""
        self.device = device
        self._sums: dict[tuple[str, ...], Tensor] = {}
        self._counts: dict[tuple[str, ...], int] = {}
        self._bad: dict[tuple[str, ...], Tensor] = {}

    def add(self, values: Mapping[str, Tensor], step: int) -> None:
        """Take the scalars of one turn; nothing here waits for the device."""
        if not values:
            return
        names = tuple(values)
        now = torch.stack([value.detach().float() for value in values.values()])
        if names not in self._sums:
            self._sums[names] = torch.zeros_like(now)
            self._bad[names] = torch.full(now.shape, -1, dtype=torch.int64, device=now.device)
            self._counts[names] = 0
        self._sums[names] += now
        self._counts[names] += 1
        fresh = (self._bad[names] < 0) & ~now.isfinite()
        self._bad[names].masked_fill_(fresh, step)

    def first_bad(self) -> tuple[int, str] | None:
        """Step and name of the first value that was no number, on any process; waits for the device."""
        found = [
            (int(step), name)
            for names, steps in self._bad.items()
            for name, step in zip(names, steps.tolist(), strict=True)
            if step >= 0
        ]
        none = torch.iinfo(torch.int64).max
        mine = min(found, default=(none, ""))
        step = dist.least(mine[0], self.device)
        if step == none:
            return None
        return mine if mine[0] == step else (step, "?/of another process")

    def read(self) -> dict[str, float]:
        """The means since the last read, over all processes; waits for the device."""
        means = {names: sums / self._counts[names] for names, sums in self._sums.items() if self._counts[names]}
        dist.average(list(means.values()))
        for names in means:
            self._sums[names].zero_()
            self._counts[names] = 0
        return {
            name: value for names, values in means.items() for name, value in zip(names, values.tolist(), strict=True)
        }
