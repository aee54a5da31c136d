"""A plugin of small metrics, and a finished run to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PLUGIN = '''
    import math

    import torch

    from imgen.errors import DataError
    from imgen.hookspecs import hookimpl
    from imgen.metrics import Measured

    def weight(*, times: float = 1.0):
        """The sum of the model's weights.

        Settings:
            times: what it is multiplied with
        """
        def measure(evaluation):
            total = sum(each.double().sum().item() for each in evaluation.model.parameters())
            return {"weight": times * total}
        return measure

    def seed(*, times: float = 1.0):
        """Seven and the seed.

        Settings:
            times: what it is multiplied with
        """
        def measure(evaluation):
            once = evaluation.once("made", lambda: [])
            once.append(1)
            return Measured(
                values={"seed": times * (7 + evaluation.seed), "drawn": torch.rand(()).item(), "taken": len(once)},
                counts={"pictures": 1234},
                protocol="as it is",
                details={"matrix": [[1.0, math.nan]]},
                notes=["a note"],
            )
        return measure

    def undefined():
        """A number that is none."""
        return lambda evaluation: Measured(values={"score": math.nan}, notes=["code 3 never varies"])

    def unfit():
        """Fits nothing."""
        def measure(evaluation):
            raise DataError("tally-unfit: needs a third dimension")
        return measure

    def needy(*, weights: str):
        """Cannot do without a file.

        Settings:
            weights: a file
        """
        return lambda evaluation: {"needy": 1.0}

    @hookimpl
    def register_metrics(register):
        register(weight, name="tally-weight")
        register(seed, name="tally-seed-one")
        register(undefined, name="tally-undefined-one")
        register(seed, name="tally-seed-two")
        register(unfit, name="tally-unfit")
        register(needy, name="tally-needy")
'''


@pytest.fixture
def tallies(write_plugin: Callable[..., object]) -> Iterator[None]:
    """The plugin is installed."""
    from imgen.plugins import installed

    write_plugin("tallies", PLUGIN)
    installed.cache_clear()
    yield
    installed.cache_clear()


@pytest.fixture
def run(tallies: None, tiny: Path, cli: Callable[..., object]) -> Path:
    """A run of four steps, measured at its second and its last."""
    with tiny.open("a") as file:
        file.write("  measure_every: 2\n  seed: 3\nmetrics:\n  - name: tally-weight\n    times: 2.0\n")
    assert cli("train", tiny, "--out", "runs/tiny-0001").status == 0
    return Path("runs/tiny-0001")
