"""What a run will take is told without loading what it does not need."""

from __future__ import annotations

import sys

import torch

from imgen.build import build
from imgen.plugins import installed
from imgen.recipe import Part, Recipe
from imgen.train.estimate import estimate
from imgen.train_settings import TrainSettings


def test_an_estimate_loads_no_compiler(monkeypatch):
    """Torch's operations on no device ask for it at their first call, and that takes seconds."""
    game, data = Part("sddcgan", {"dim": 4}), Part("shapes", {"identities": 4, "photos": 2, "size": 16, "k": 2})
    built = build(Recipe("tiny", game, data, TrainSettings(batch=2)), installed())
    probe = torch._disable_dynamo(lambda drawn: drawn)
    share = type(built.algorithm).share
    monkeypatch.setattr(type(built.algorithm), "share", lambda self, batch: probe(share(self, batch)))
    with monkeypatch.context() as changed:
        changed.delitem(sys.modules, "torch._dynamo", raising=False)
        told = estimate(built.algorithm, built.dataset, built.recipe.train)
        assert told.activations and "torch._dynamo" not in sys.modules
    assert not hasattr(probe.__wrapped__, "__dynamo_disable"), "the compiler is asked again afterwards"
