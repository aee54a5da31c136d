"""Does a model make pictures as `imgen.model.Generator` promises?"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from imgen.data.spec import DataSpec
from imgen.model import Generator
from imgen.testing.told import copy


def check_model(model: nn.Module, data: DataSpec) -> None:
    """A model follows the protocol `imgen.model.Generator` for pictures as in `data`."""
    assert isinstance(model, Generator), "a Generator has `codes`, `draw(code, n, generator)` and is called on latents"
    assert model.codes and all(isinstance(size, int) and size > 0 for size in model.codes.values()), (
        f"`codes` is {model.codes!r}; it must map the name of each code to its size, such as {{'latent': 100}}"
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        parts = [_check_draw(model, code, size) for code, size in model.codes.items()]
        _check_pictures(model, torch.cat(parts, dim=1), data)


def _check_draw(model: Generator, code: str, size: int) -> Tensor:
    def drawn(n: int = 16, seed: int = 0) -> Tensor:
        return model.draw(code, n, torch.Generator().manual_seed(seed))

    z = drawn()
    assert z.shape == (16, size), f"draw('{code}', 16) gives {tuple(z.shape)}; it must give (16, {size})"
    assert z.is_floating_point() and z.isfinite().all(), f"draw('{code}', ...) must give finite floats"
    noise = torch.get_rng_state()
    assert torch.equal(z, drawn()), f"draw('{code}', ...) must give the same for the same generator"
    assert torch.equal(noise, torch.get_rng_state()), f"draw('{code}', ...) must draw from the generator it is given"
    assert not torch.equal(z, drawn(seed=1)), f"draw('{code}', ...) gives the same whatever the generator"
    torch.manual_seed(0)
    free = model.draw(code, 16)
    torch.manual_seed(0)
    assert torch.equal(free, model.draw(code, 16)), f"draw('{code}', 16) must follow from torch.manual_seed"
    assert free.shape == z.shape, f"draw('{code}', 16) gives another shape without a generator"
    return z


def _check_pictures(model: Generator, z: Tensor, data: DataSpec) -> None:
    network = cast("nn.Module", model)
    training, before = network.training, copy(network)
    network.eval()
    try:
        made, alone, again = model(z), torch.cat([model(one) for one in z.split(1)]), model(z)
    finally:
        network.train(training)
    assert made.shape == (len(z), *data.image), (
        f"{len(z)} latents give pictures {tuple(made.shape)}; they must be {(len(z), *data.image)}"
    )
    assert made.is_floating_point() and made.isfinite().all(), "pictures must be finite floats"
    assert torch.equal(made, again), "the same latents give other pictures when asked again in evaluation mode"
    assert torch.allclose(made, alone, atol=1e-3), (
        "in evaluation mode a picture hangs on the others of its batch; normalise with running averages"
    )
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items()), (
        "making pictures in evaluation mode changes the model's state"
    )
