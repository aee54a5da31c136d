"""Pictures that models make, and what the encoders of all of them read there: nothing is written, little is kept."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgen.data.pictures import tell

BLOCK = 64
"""Pictures that an encoder draws codes of at once, whatever the batch: its generator draws for a block, in order."""
_ROOM = 2**28  # bytes of pictures that are made before all encoders read them


@dataclass
class Work:
    """Where it is done, in how large passes, and how much of it is done. Units: batch, done, total: pictures."""

    device: torch.device
    seed: int = 0
    batch: int = 256
    total: int = 0
    done: int = field(default=0, init=False)

    def read(self, count: int) -> None:
        """So many more pictures have been read by an encoder."""
        self.done += count
        tell(None, self.done, max(self.done, self.total))


def fixable(model: Any) -> list[str]:
    """Names of the codes that a model makes pictures from and reads again."""
    codes, encodes = getattr(model, "codes", {}), getattr(model, "encodes", ())
    return [name for name in codes if name in encodes]


def generator(seed: int, device: torch.device | str, *purpose: int | str) -> torch.Generator:
    """Draws that follow from a seed and from what they are for."""
    words = [zlib.crc32(word.encode()) if isinstance(word, str) else word for word in purpose]
    state = np.random.SeedSequence([seed, *words]).generate_state(2)
    return torch.Generator(device).manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)


def latents(model: Any, count: int, seed: int, purpose: str) -> dict[str, Tensor]:
    """Draws of every code, (count, its size), on the CPU: alike on every device, and for models alike in codes."""
    return {name: model.draw(name, count, generator(seed, "cpu", purpose, name)) for name in model.codes}


def fixed(drawn: dict[str, Tensor], names: Sequence[str], size: int) -> dict[str, Tensor]:
    """Latents in groups of `size`: in the first all have the first row's value of names[0], then names[1], in turn."""
    held = {name: value.unflatten(0, (-1, size)).clone() for name, value in drawn.items()}
    for place, name in enumerate(names):
        held[name][place :: len(names)] = held[name][place :: len(names), :1]
    return {name: value.flatten(0, 1) for name, value in held.items()}


def pictures(model: Any, z: dict[str, Tensor], work: Work) -> Iterator[Tensor]:
    """Pictures of latents, float32 in [-1, 1] on the device, in parts of whole blocks that fit into memory."""
    whole = torch.cat([z[name] for name in model.codes], dim=1)
    with torch.no_grad():
        first = model(whole[:1].to(work.device))
        room = max(BLOCK, _ROOM // (first[0].numel() * 4) // BLOCK * BLOCK)
        for part in whole.split(room):
            yield torch.cat([model(some.to(work.device)).float() for some in part.split(work.batch)])


def astray(model: Any, device: torch.device) -> str:
    """Which of a model's "pictures" and "codes" are no numbers, by a few that are drawn; empty where all are."""
    made = torch.cat(list(pictures(model, latents(model, BLOCK, 0, "probe"), Work(device))))
    if not made.isfinite().all():
        return "pictures"
    with torch.no_grad():
        return "" if model.encode(made).isfinite().all() else "codes"


def draws(model: Any, shape: Sequence[int], device: torch.device) -> bool:
    """Whether an encoder has a distribution of codes to draw from: whether it gives another code when it may draw."""
    shown = torch.rand(2, *shape, generator=generator(0, "cpu", "probe")).mul(2).sub(1).to(device)
    with torch.no_grad():
        best, drawn = model.encode(shown), model.encode(shown, generator(0, device, "probe"))
    return not torch.equal(best, drawn)


def read(model: Any, shown: Tensor, start: int, work: Work, sampled: bool, purpose: str) -> NDArray[np.float32]:
    """Codes (n, D) of pictures (n, C, H, W), the first of which is the `start`-th.

    sampled: draw them, block by block, each of which has noise of its own that follows from the seed.
    """
    with torch.no_grad():
        if sampled:
            parts = [
                model.encode(some, generator(work.seed, work.device, purpose, start + place * BLOCK))
                for place, some in enumerate(shown.split(BLOCK))
            ]
        else:
            parts = [model.encode(some) for some in shown.split(work.batch)]
    work.read(len(shown))
    codes: NDArray[np.float32] = torch.cat(parts).float().cpu().numpy()
    return codes


def read_by_all(
    models: Sequence[Any], parts: Iterable[Tensor], work: Work, sampled: Callable[[int], bool], purpose: str
) -> list[NDArray[np.float32]]:
    """Codes (n, D) that each model reads from the same pictures, which come in parts.

    sampled: whether the model of this place draws.
    """
    found: list[list[NDArray[np.float32]]] = [[] for _ in range(len(models))]
    start = 0
    for shown in parts:
        for place in range(len(models)):
            found[place].append(read(models[place], shown, start, work, sampled(place), purpose))
        start += len(shown)
    return [np.concatenate(some) for some in found]
