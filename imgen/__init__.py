"""imgen trains and uses GANs for generation with control and image-to-image translation."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "AdversarialLoss": "imgen.losses.adversarial",
    "Algorithm": "imgen.algorithm",
    "DataSpec": "imgen.data.spec",
    "Dataset": "imgen.data.spec",
    "Encoder": "imgen.model",
    "Evaluation": "imgen.metrics",
    "Generator": "imgen.model",
    "ImgenError": "imgen.errors",
    "Player": "imgen.algorithm",
    "adam": "imgen.optim",
    "hookimpl": "imgen.hookspecs",
    "load": "imgen.loading",
    "rmsprop": "imgen.optim",
    "turn": "imgen.algorithm",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    """Load a public name on first use: importing imgen must not import torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'imgen' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
