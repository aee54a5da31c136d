"""Runs that one process trains side by side: those that differ in their seeds alone."""

from __future__ import annotations

from collections.abc import Sequence

from imgen.errors import RecipeError
from imgen.sweeping.grid import Point, but_for_its_seed


class Groups:
    """Which of some runs go together, and how many of them."""

    def __init__(self, points: Sequence[Point], most: int = 1) -> None:
        """most: runs in one process."""
        self.most = most
        self._alike = {point.name: but_for_its_seed(point.recipe) if most > 1 else point.name for point in points}

    def next(self, waiting: Sequence[str]) -> tuple[str, ...]:
        """The runs of the next process: the first of those that wait, and those after it that go with it."""
        alike = [name for name in waiting if self._alike[name] == self._alike[waiting[0]]]
        return tuple(alike[: self.most])

    def all(self, waiting: Sequence[str]) -> list[tuple[str, ...]]:
        """The processes of all that wait, in order."""
        left, found = list(waiting), []
        while left:
            found.append(self.next(left))
            left = [name for name in left if name not in found[-1]]
        return found

    def check(self) -> None:
        """Raises: `RecipeError` where no two of the runs go together, though they were to."""
        if self.most > 1 and len(set(self._alike.values())) == len(self._alike):
            raise RecipeError(
                f"--seeds-per-process {self.most}: no two runs of this sweep differ in their seeds alone; give several "
                "with --seeds, or leave the option out"
            )
