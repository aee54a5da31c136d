"""Does a network, or a whole game, move to another device, and leave nothing behind?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from imgen.data.spec import DataSpec
from imgen.model import Classifier, Embedder, Encoder, Generator, Translator
from imgen.testing.told import blamed, names

_DEEP = 3  # containers in containers that are looked into


def check_whole(module: nn.Module, who: str) -> None:
    """Everything that a module holds goes with it to another device: tensors are parameters or buffers, networks parts.

    It is moved, and has no values from then on.
    """
    parts = {id(part) for part in module.modules()}
    module.to("meta")
    stays = [name for name, tensor in (*module.named_parameters(), *module.named_buffers()) if not tensor.is_meta]
    assert not stays, f"{who}: .to(device) leaves {names(stays)} behind; leave `_apply` as nn.Module has it"
    for name, held in _held(module):
        if isinstance(held, nn.Module):
            assert id(held) in parts, (
                f"{who}: {name} holds a {type(held).__name__} that neither moves nor is saved with it; make it an "
                "attribute of its own, or use nn.ModuleList or nn.ModuleDict"
            )
        elif isinstance(held, torch.Generator):
            raise AssertionError(
                f"{who}: {name} is a torch.Generator, which neither moves nor is saved with it; draw from torch's own "
                "random numbers, which follow from the run's seed and the step"
            )
        else:
            assert held.is_meta, (
                f"{who}: {name} is a plain tensor, which neither moves nor is saved with it; use "
                f"self.register_buffer('{name.rpartition('.')[2].partition('[')[0]}', ...)"
            )


def _held(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Tensors, networks and random generators that stand in plain attributes, under their names."""
    for place, part in module.named_modules():
        for key, value in vars(part).items():
            if key not in ("_parameters", "_buffers", "_modules"):
                yield from _inside(f"{place}.{key}" if place else key, value, _DEEP)


def _inside(name: str, value: Any, deep: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (Tensor, nn.Module, torch.Generator)):
        yield name, value
    elif deep and isinstance(value, Mapping):
        for key, each in value.items():
            yield from _inside(f"{name}[{key!r}]", each, deep - 1)
    elif deep and isinstance(value, (list, tuple, set, frozenset)):
        for place, each in enumerate(value):
            yield from _inside(f"{name}[{place}]", each, deep - 1)


def check_model_moves(model: nn.Module, data: DataSpec) -> None:
    """A model moves whole, and makes and draws everything where it is and where its inputs are.

    It is moved, and has no values from then on.
    """
    who = type(model).__name__
    check_whole(model.eval(), who)
    shape = (data.vector,) if data.vector else data.image
    shown = torch.empty(3, *shape, device="meta")
    with torch.no_grad():
        for call, made in _made(model, shown):
            with blamed(
                f"{who}.{call} does not work where the model has moved; it must make all tensors on its inputs'"
            ):
                for each in made():
                    assert each.is_meta, (
                        f"{who}.{call} gives a tensor on '{each.device}', not where the model and its inputs are; say "
                        "device= wherever tensors are made"
                    )


def _made(model: nn.Module, shown: Tensor) -> Iterator[tuple[str, Any]]:
    if isinstance(model, Generator):
        for code in model.codes:
            yield f"draw('{code}', 3)", lambda code=code: [model.draw(code, 3)]
        yield "forward(z)", lambda: [model(torch.empty(3, sum(model.codes.values()), device="meta"))]
    if isinstance(model, Translator):
        yield "translate(images, way)", lambda: [model.translate(shown, way) for way in model.ways]
    if isinstance(model, Encoder):
        yield "encode(images)", lambda: [model.encode(shown)]
    if isinstance(model, Embedder):
        yield "embed(images)", lambda: [model.embed(shown)]
    if isinstance(model, Classifier):
        yield "classify(images)", lambda: model.classify(shown)


def made_by(model: nn.Module, data: DataSpec) -> dict[str, list[Tensor]]:
    """What a model makes of the same inputs each time, by the call that makes it."""
    shape = (data.vector,) if data.vector else data.image
    made: dict[str, list[Tensor]] = {}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        shown = torch.rand(4, *shape) * 2 - 1
        if isinstance(model, Generator):
            z = torch.cat([model.draw(code, 4) for code in model.codes], dim=1)
            made["pictures"] = [z, model(z)]
        if isinstance(model, Translator):
            made["translations"] = [model.translate(shown, way) for way in model.ways]
        if isinstance(model, Encoder):
            made["codes"] = [model.encode(shown)]
        if isinstance(model, Embedder):
            made["places"] = [model.embed(shown)]
        if isinstance(model, Classifier):
            made["answers"] = list(cast(Any, model).classify(shown))
    return made


def alike(ones: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    """Whether tensors are the same, bit for bit."""
    return len(ones) == len(others) and all(torch.equal(one, other) for one, other in zip(ones, others, strict=True))
