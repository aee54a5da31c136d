"""Functions of the step."""

from __future__ import annotations

import pytest

from imgen.schedules import constant, halve, linear


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
