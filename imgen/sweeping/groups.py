"""Runs that one process trains side by side: those that differ in their seeds alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from imgen.errors import RecipeError
from imgen.sweeping.grid import Point, but_for_its_seed


class Waiting:
    """Runs that wait for a process, in order; those that go together are taken together."""

    def __init__(self, points: Sequence[Point], most: int = 1) -> None:
        """most: runs in one process."""
        self.most = most
        self._kinds = {point.name: but_for_its_seed(point.recipe) if most > 1 else point.name for point in points}
        self._left: dict[str, deque[str]] = {}
        for point in points:
            self.put(point.name)

    def __len__(self) -> int:
        return sum(map(len, self._left.values()))

    def __bool__(self) -> bool:
        return bool(self._left)

    def put(self, name: str) -> None:
        """One of the runs waits again."""
        self._left.setdefault(self._kinds[name], deque()).append(name)

    def take(self) -> tuple[str, ...]:
        """The runs of the next process: the first that waits, and those after it that go with it."""
        kind, names = next(iter(self._left.items()))
        taken = tuple(names.popleft() for _ in range(min(self.most, len(names))))
        if not names:
            del self._left[kind]
        return taken

    def clear(self) -> None:
        """Nobody waits any more."""
        self._left.clear()


def processes(points: Sequence[Point], most: int) -> list[tuple[str, ...]]:
    """The runs of each process, where all of these wait."""
    waiting, found = Waiting(points, most), []
    while waiting:
        found.append(waiting.take())
    return found


def check(points: Sequence[Point], most: int) -> None:
    """Raises: `RecipeError` where several runs are to share a process, but no two of them go together."""
    if most > 1 and all(len(names) == 1 for names in processes(points, most)):
        raise RecipeError(
            f"--seeds-per-process {most}: no two runs of this sweep differ in their seeds alone; give several with "
            "--seeds, or leave the option out"
        )
