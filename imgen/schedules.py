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


def linear(start: int, length: int) -> Schedule:
    """1 up to a step, then down to 0 in a straight line.

    start, length: steps; length at least 1.
    """
    return lambda step: max(0.0, 1 - max(0, step - start) / length)
