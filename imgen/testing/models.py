"""Does a model do what the protocols of `imgen.model` promise?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from imgen.build import load_model
from imgen.data.spec import DataSpec
from imgen.model import Classifier, Embedder, Encoder, Generator, ModelConfig, Translator, Way, write_model
from imgen.testing.moving import alike, check_model_moves, made_by
from imgen.testing.told import blamed, copy

if TYPE_CHECKING:
    from imgen.testing.subjects import Subject


def check_model(model: nn.Module, data: DataSpec) -> None:
    """A model follows the protocols of `imgen.model` that it has the methods of, for pictures as in `data`.

    A `Classifier`, an `Embedder` or an `Encoder` may be a `Translator` or a `Generator`, too.
    """
    check_protocols(model, data)
    with blamed("a model must be one that copy.deepcopy can copy, as its averages are copies"):
        another = deepcopy(model)
    check_model_moves(another, data)


def check_protocols(model: nn.Module, data: DataSpec) -> None:
    """A model does what the protocols promise that it has the methods of, where it is."""
    if isinstance(model, Encoder):
        _check_encoder(model, data)
    if isinstance(model, Classifier):
        _check_classifier(model, data)
    if isinstance(model, Embedder):
        _check_embedder(model, data)
    if isinstance(model, Translator):
        _check_translator(model, data)
    if isinstance(model, (Classifier, Embedder, Encoder, Translator)) and not isinstance(model, Generator):
        return
    assert isinstance(model, Generator), (
        "a Generator has `codes`, `draw(code, n, generator)` and is called on latents; "
        "a Translator has `ways`, `multiple` and `translate(images, way)`; "
        "a Classifier has `attributes` and `classify(images)`; "
        "an Embedder has `embed(images)`; "
        "an Encoder has `encodes` and `encode(images, generator=None)`"
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
    # Not every paper ends in tanh: what first weights make may be a little beyond.
    assert made.abs().max() < 10, (
        f"pictures reach {made.abs().max():.3g}; they must go from -1, black, to 1, white, and not from 0 to 255"
    )
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
            shown = torch.rand(2, *shape) * 2 - 1
            for way in ways:
                _check_way(model, way, shown)
            if hasattr(model, "translate_all"):
                _check_all(model, ways, shown)
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


def _check_classifier(model: Classifier, data: DataSpec) -> None:
    network = cast("nn.Module", model)
    attributes = tuple(model.attributes)
    assert attributes == data.attributes and attributes, (
        f"`attributes` is {attributes}; it must be those of the data: {data.attributes}"
    )
    before, training = copy(network), network.training
    network.eval()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            shown = torch.rand(4, *data.image) * 2 - 1
            told, again = model.classify(shown), model.classify(shown)
            alone = [torch.cat(parts) for parts in zip(*(model.classify(one) for one in shown.split(1)), strict=True)]
    finally:
        network.train(training)
    shapes, wanted = [tuple(each.shape) for each in told], [(4, len(each.values)) for each in attributes]
    assert shapes == wanted, f"4 pictures are told as {shapes}; one for each attribute, they must be {wanted}"
    for attribute, shares, once_more, single in zip(attributes, told, again, alone, strict=True):
        where = f"classify: {attribute.name}"
        assert shares.is_floating_point() and shares.isfinite().all(), f"{where}: probabilities must be finite floats"
        sums = shares.float().sum(dim=1)
        assert (shares >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-3), (
            f"{where}: probabilities of its values must not be negative, and sum to 1"
        )
        assert torch.equal(shares, once_more), f"{where}: the same pictures are told otherwise when asked again"
        assert torch.allclose(shares, single, atol=1e-3), (
            f"{where}: in evaluation mode what is told hangs on the others of the batch; normalise with running "
            "averages, or each picture by itself"
        )
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items()), (
        "classifying in evaluation mode changes the model's state"
    )


def _check_embedder(model: Embedder, data: DataSpec) -> None:
    network = cast("nn.Module", model)
    before, training = copy(network), network.training
    network.eval()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            shown = torch.rand(4, *data.image) * 2 - 1
            places, again = model.embed(shown), model.embed(shown)
            alone = torch.cat([model.embed(one) for one in shown.split(1)])
    finally:
        network.train(training)
    assert places.dim() == 2 and len(places) == 4, f"embed: 4 pictures get places {tuple(places.shape)}, not (4, D)"
    assert places.is_floating_point() and places.isfinite().all(), "embed: places must be finite floats"
    assert torch.equal(places, again), "embed: the same pictures get other places when asked again"
    assert torch.allclose(places, alone, atol=1e-3), (
        "embed: in evaluation mode places hang on the others of the batch; normalise with running averages"
    )
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items()), (
        "embedding in evaluation mode changes the model's state"
    )


def _check_encoder(model: Encoder, data: DataSpec) -> None:
    network = cast("nn.Module", model)
    names = list(model.encodes)
    assert names and len(set(names)) == len(names), f"`encodes` is {names}; it must name every code once"
    before, training = copy(network), network.training
    network.eval()

    def drawn(seed: int) -> Tensor:
        return model.encode(shown, torch.Generator().manual_seed(seed))

    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            shown = torch.rand(4, *data.image) * 2 - 1
            codes, again = model.encode(shown), model.encode(shown)
            alone = torch.cat([model.encode(one) for one in shown.split(1)])
            noise = torch.get_rng_state()
            same = torch.equal(drawn(0), drawn(0)) and torch.equal(noise, torch.get_rng_state())
    finally:
        network.train(training)
    assert codes.shape == (4, len(names)), f"4 pictures become codes {tuple(codes.shape)}, not {(4, len(names))}"
    assert codes.is_floating_point() and codes.isfinite().all(), "codes must be finite floats"
    assert torch.equal(codes, again), "encode: the same pictures give other codes when asked again"
    assert torch.allclose(codes, alone, atol=1e-3), (
        "encode: in evaluation mode codes hang on the others of the batch; normalise with running averages"
    )
    assert same, "encode: with a generator, all that is drawn must come from it"
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items()), (
        "encoding in evaluation mode changes the model's state"
    )


def _check_all(model: Translator, ways: list[Way], shown: Tensor) -> None:
    # Some of them, and not in their order: what is asked for is what has to come.
    for asked in (ways, ways[::-2]):
        together = list(cast("Any", model).translate_all(shown, asked))
        assert len(together) == len(asked), f"translate_all gives {len(together)} for {len(asked)} ways"
        for way, made in zip(asked, together, strict=True):
            alone = model.translate(shown, way)
            assert made.shape == alone.shape and torch.allclose(made, alone, atol=1e-4), (
                f"{way}: translate_all gives another picture than translate"
            )


def protocols(subject: Subject) -> None:
    """A registered model does what its protocols promise."""
    check_protocols(*subject.model())


def moving(subject: Subject) -> None:
    """A registered model moves whole."""
    check_model_moves(*subject.model())


def saved(subject: Subject) -> None:
    """A weights file of a registered model gives it back: what it makes is the same, bit for bit."""
    model, data = subject.model()
    model.eval()
    name, plugins = subject.entry.name, subject.plugins
    config = ModelConfig(name=name, settings=subject.settings, data=data, plugin=plugins.owner(subject.entry.plugin))
    with TemporaryDirectory(prefix="imgen-contracts-") as folder:
        path = Path(folder) / "model.safetensors"
        write_model(path, config, model.state_dict())
        with blamed(f"model '{name}' must be rebuilt by its weights file"):
            rebuilt, _ = load_model(path, plugins)
    wanted, found = made_by(model, data), made_by(rebuilt, data)
    wrong = [what for what in wanted if not alike(wanted[what], found.get(what, []))]
    assert not wrong, (
        f"model '{name}' of its own weights file makes other {' and '.join(wrong)}; all that its first weights draw "
        "must be a parameter or a buffer, and all else follow from its settings"
    )
