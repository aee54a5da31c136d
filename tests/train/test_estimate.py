"""What a run will take is told without loading what it does not need."""

from __future__ import annotations

import textwrap

SCRIPT = """\
    import sys
    import torch
    from imgen.build import build
    from imgen.plugins import installed
    from imgen.recipe import Part, Recipe
    from imgen.train.estimate import estimate
    from imgen.train_settings import TrainSettings

    game, data = Part("sddcgan", {"dim": 4}), Part("shapes", {"identities": 4, "photos": 2, "size": 16, "k": 2})
    built = build(Recipe("tiny", game, data, TrainSettings(batch=2)), installed())
    probe = torch._disable_dynamo(lambda drawn: drawn)
    share = built.algorithm.share
    object.__setattr__(built.algorithm, "share", lambda batch: probe(share(batch)))
    assert estimate(built.algorithm, built.dataset, built.recipe.train).activations
    assert "torch._dynamo" not in sys.modules
    assert not hasattr(probe.__wrapped__, "__dynamo_disable"), "the compiler is asked again afterwards"
"""


def test_an_estimate_loads_no_compiler(process):
    """Torch's operations on no device ask for it at their first call, and that takes seconds."""
    ran = process("-c", textwrap.dedent(SCRIPT))
    _, err = ran.communicate(timeout=60)
    assert ran.returncode == 0, err
