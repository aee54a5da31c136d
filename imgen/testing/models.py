"""Does a model make pictures as `imgen.model.Generator`, or as `imgen.model.Translator`, promises?"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from imgen.data.spec import DataSpec
from imgen.model import Generator, Translator, Way
from imgen.testing.told import copy


def check_model(model: nn.Module, data: DataSpec) -> None:
    """A model follows the protocol `imgen.model.Generator`, or `imgen.model.Translator`, for pictures as in `data`."""
    if isinstance(model, Translator):
        _check_translator(model, data)
        return
    assert isinstance(model, Generator), (
        "a Generator has `codes`, `draw(code, n, generator)` and is called on latents; "
        "a Translator has `ways`, `multiple` and `translate(images, way)`"
    )
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


def _check_translator(model: Translator, data: DataSpec) -> None:
    network = cast("nn.Module", model)
    ways = list(model.ways)
    assert ways and all(isinstance(way, Way) for way in ways), f"`ways` is {ways!r}; it must list what it can do as Way"
    assert len(set(ways)) == len(ways), f"`ways` names one translation twice: {ways}"
    sources = {way.source for way in ways if way.source is not None}
    unknown = sources - set(data.domains)
    assert not unknown or not data.domains, f"`ways` starts from {sorted(unknown)}; the data's domains: {data.domains}"
    assert isinstance(model.multiple, int) and model.multiple > 0, "`multiple` must be a whole number of pixels from 1"
    before, training = copy(network), network.training
    network.eval()
    shape = (data.vector,) if data.vector else data.image
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            shown = torch.rand(4, *shape) * 2 - 1
            for way in ways:
                _check_way(model, way, shown)
            if not data.vector:
                channels, height, width = data.image
                wide = torch.rand(1, channels, height, width + model.multiple) * 2 - 1
                _check_way(model, ways[0], wide)
    finally:
        network.train(training)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items()), (
        "translating in evaluation mode changes the model's state"
    )


def _check_way(model: Translator, way: Way, shown: Tensor) -> None:
    made = model.translate(shown, way)
    assert made.shape == shown.shape, f"{way}: {tuple(shown.shape)} becomes {tuple(made.shape)}; sizes must be kept"
    assert made.is_floating_point() and made.isfinite().all(), f"{way}: translations must be finite floats"
    assert torch.equal(made, model.translate(shown, way)), f"{way}: the same pictures give others when asked again"
    alone = torch.cat([model.translate(one, way) for one in shown.split(1)])
    assert torch.allclose(made, alone, atol=1e-3), (
        f"{way}: in evaluation mode a translation hangs on the others of its batch; normalise with running averages, "
        "or each picture by itself"
    )
