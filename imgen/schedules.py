"""Functions of the step: factors on a learning rate, or coefficients of a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[int], float]


def constant(value: float = 1.0) -> Schedule:
    """The same value at every step."""
    return lambda step: value


def halve(every: int, floor: float = 0.0) -> Schedule:
    """1, then half as much after every so many steps, never below the floor.

    every: steps; 0 for never.
    """
    return lambda step: max(floor, 0.5 ** (step // every)) if every else 1.0


def linear(start: int, length: int, every: int = 1, floor: float = 0.0) -> Schedule:
    """1 up to a step, then down to 0 in a straight line, but never below the floor.

    start, length, every: steps, the last two at least 1; the value is set anew at multiples of `every`.
    """
    return lambda step: max(floor, 1 - max(0, step - step % every - start) / length)


@dataclass(frozen=True)
class Stairs:
    """A value that changes by the same amount at every so many steps, so many times, and never falls below 0.

    every: steps from one change to the next, the first at step `every`; 0 for never.
    """

    start: float
    rise: float
    every: int
    times: int

    def __call__(self, step: int) -> float:
        taken = min(step // self.every, self.times) if self.every else 0
        return max(self.start + taken * self.rise, 0.0)

    def changes(self, step: int) -> bool:
        """Whether the value of this step is a new one."""
        return bool(self.every) and step > 0 and step % self.every == 0 and step // self.every <= self.times
