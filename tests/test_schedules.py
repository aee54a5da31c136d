"""Functions of the step."""

from __future__ import annotations

import pytest

from imgen.schedules import Stairs, constant, halve, linear


def test_constant():
    assert [constant()(step) for step in (0, 10**9)] == [1, 1]
    assert constant(0.3)(5) == 0.3


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 1), (99_999, 1), (100_000, 0.5), (199_999, 0.5), (200_000, 0.25), (300_000, 0.25), (10**9, 0.25)],
)
def test_halved_down_to_a_floor(step, factor):
    assert halve(100_000, floor=0.25)(step) == factor


def test_never_halved_and_without_a_floor():
    assert halve(0)(10**9) == 1
    assert halve(1)(3) == 0.125


def test_linear_falls_to_zero_and_stays_there():
    pace = linear(10, 4)
    assert [pace(step) for step in (0, 10, 11, 12, 14, 99)] == [1, 1, 0.75, 0.5, 0, 0]


def test_stairs_change_so_many_times_and_never_below_zero():
    gap = Stairs(start=1.9, rise=-1.9, every=5, times=1)
    assert [gap(step) for step in (0, 4, 5, 10)] == [1.9, 1.9, 0, 0]
    assert [step for step in range(12) if gap.changes(step)] == [5]
    rise = Stairs(start=0.5, rise=1.0, every=3, times=2)
    assert [rise(step) for step in range(0, 13, 3)] == [0.5, 1.5, 2.5, 2.5, 2.5]
    assert [step for step in range(13) if rise.changes(step)] == [3, 6]
    assert Stairs(start=0.2, rise=-1.0, every=1, times=3)(2) == 0
    never = Stairs(start=2.0, rise=1.0, every=0, times=1)
    assert never(1000) == 2.0 and not any(never.changes(step) for step in range(10))
