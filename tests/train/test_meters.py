"""Means, and the first step at which a value was no number."""

from __future__ import annotations

import pytest
import torch

from imgen.train.meters import Meters


@pytest.fixture
def meters():
    return Meters(torch.device("cpu"))


def test_means_since_the_last_read_over_the_steps_that_told_a_value(meters):
    for step in range(4):
        meters.add({"d": torch.tensor(float(step))}, step)
        if step % 2:
            meters.add({"g": torch.tensor(10.0 * step), "other": torch.tensor(1)}, step)
    assert meters.read() == {"d": 1.5, "g": 20.0, "other": 1.0}
    meters.add({"d": torch.tensor(7.0)}, 4)
    assert meters.read() == {"d": 7.0}
    assert meters.read() == {}
    meters.add({}, 5)


def test_values_are_detached_and_of_any_precision(meters):
    value = torch.tensor(2.0, dtype=torch.bfloat16, requires_grad=True)
    meters.add({"d": value}, 0)
    assert meters.read() == {"d": 2.0}


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_the_first_bad_step_is_kept_with_its_name(bad, meters):
    for step in range(6):
        broken = bad if step >= 3 else 1.0
        meters.add({"d": torch.tensor(1.0), "g": torch.tensor(broken)}, step)
        meters.add({"late": torch.tensor(bad if step >= 5 else 0.0)}, step)
        assert meters.first_bad() == (None if step < 3 else (3, "g"))
    meters.read()
    assert meters.first_bad() == (3, "g"), "reading does not forget it"
