"""The contracts of what plugins bring, as checks for anyone's test suite, and as a plugin of pytest.

`contracts("my-plugin")` in a test file, or `pytest --imgen-plugin my-plugin`, puts everything that a plugin registers
to the test. The checks beneath can be called by themselves: each raises an `AssertionError` that says what is wrong,
where, and what would be right. Give them small settings and small pictures: they train a few steps on the CPU.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "check_algorithm": "imgen.testing.algorithms",
    "check_dataset": "imgen.testing.datasets",
    "check_loss": "imgen.testing.losses",
    "check_metric": "imgen.testing.metrics",
    "check_model": "imgen.testing.models",
    "check_recipe": "imgen.testing.recipes",
    "check_settings": "imgen.testing.settings",
    "contracts": "imgen.testing.promises",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Load a check on first use: pytest imports this package in every run, and that must not import torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'imgen.testing' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
