"""Functions of the step: factors on a learning rate, or coefficients of a loss."""

from __future__ import annotations

from collections.abc import Callable

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
