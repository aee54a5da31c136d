"""Every game in two processes with half a batch each, against one process with the whole: the same but for rounding.

Both draw the same noise for the same item: what the two have drawn is noted, and given to the one. All is computed in
float64, so that hardly anything is rounding. As a script, this file is one of the two processes.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from imgen import dist

WORLD = 2
BATCH = 8
STEPS = 2
NEAR = 1e-6
"""Largest difference, as a share of how far a tensor has moved."""
NOTHING = 1e-11
"""What a tensor may move by where its gradient is nothing but rounding, as that of a bias before batch norm is."""

SHAPES = {"name": "shapes", "identities": 8, "photos": 4, "size": 16, "k": 2}
ONE_BY_ONE = SHAPES | {"k": 1}
DOMAINS = {"name": "drawn-domains", "pictures": 16, "n_test": 4, "size": 16}
# Attributes of two and of three values; few pictures have a label.
LABELS = {
    "name": "drawn-attributes",
    "attributes": ["shape", "colour"],
    "pictures": 48,
    "n_test": 4,
    "size": 16,
    "labels_per_value": 3,
    "sampler": "balanced",
    "labelled_fraction": 0.5,
}
PAIRS = {"name": "sddcgan", "d_identity": 4, "d_observation": 3, "dim": 4}
CODES = {"name": "infogan-cr", "num_codes": 3, "d_noise": 2, "dim": 4, "hidden": 8}
CONTRAST = CODES | {
    "cr_start": 1.0,
    "cr_times": 0,
    "gap_start": 1.5,
    "gap_decrease": 0.5,
    "gap_every": 1,
    "gap_times": 1,
}
CROSSING = {"name": "discogan", "levels": 3, "width": 4, "d_width": 4, "size_aware": True, "update_interval": 0}
EDITING = {"name": "sggan", "width": 4, "d_width": 4, "levels": 1, "blocks": 1, "n_critic": 1, "narrow": []}
STAR = {"name": "stargan", "width": 4, "d_width": 4, "blocks": 1, "n_critic": 1}


@dataclass(frozen=True)
class Case:
    """A game and its data.

    rows: of draws with so many rows in a process, which rows follow each other: (items, rows of each) by and by.
    Without it, all rows of an item are together.
    """

    algorithm: Mapping[str, Any]
    dataset: Mapping[str, Any]
    rows: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)


OWN = BATCH // WORLD
CASES = {
    "sddcgan, wgan-gp through batch norm": Case(
        PAIRS | {"objective": "wgan-gp", "norm": "batch", "batch_norm_penalty": True}, SHAPES
    ),
    "sddcgan, stacked, lsgan and r1": Case(PAIRS | {"siamese": False, "objective": "lsgan", "w_r1": 1.0}, SHAPES),
    # A balance between those of the two halves, so that one is above it and one below.
    "sdbegan, k_t": Case(
        {"name": "sdbegan", "d_identity": 4, "d_observation": 3, "hidden": 4, "gamma": 0.18, "lambda_k": 50.0}, SHAPES
    ),
    "discogan, feature matching and batch norm": Case(CROSSING, DOMAINS),
    "discogan, r1, spectral norm, augmented": Case(
        CROSSING
        | {"norm": "instance", "d_norm": "spectral", "w_r1": 1.0, "w_identity": 0.1, "augment": True, "flip": True},
        DOMAINS,
    ),
    "sggan, partly labelled, gradient penalty": Case(
        # Edits stand by attribute: of two values, then of three.
        EDITING | {"w_pseudo": 1.0, "w_agree": 1.0, "threshold": 0.51, "w_tie": 1.0, "w_keep": 1.0},
        LABELS,
        {5 * OWN: [(OWN, 2), (OWN, 3)]},
    ),
    "sggan, one edit of each, conditional, augmented": Case(
        EDITING
        | {"arch": "new", "conditional": True, "scaling": "mean", "edited": "share", "sources": "one", "w_gp": 0.0}
        | {"w_r1": 1.0, "augment": True, "loss": "hinge"},
        LABELS,
        {OWN + 5 * OWN // 2: [(OWN, 1), (OWN // 2, 2), (OWN // 2, 3)], 5 * OWN // 2: [(OWN // 2, 2), (OWN // 2, 3)]},
    ),
    "stargan, known": Case(STAR, LABELS),
    "stargan, guessed": Case(STAR | {"reconstruct": "guessed"}, LABELS),
    "infogan-cr, pairs, spectral norm, restart": Case(CONTRAST, ONE_BY_ONE),
    "infogan-cr, teapots": Case(CONTRAST | {"arch": "teapots"}, ONE_BY_ONE),
    "infogan-cr, faces, watched": Case(CODES | {"arch": "faces", "cr_times": 0, "watch": True}, ONE_BY_ONE),
    "factor-vae": Case({"name": "factor-vae", "num_codes": 3, "dim": 4, "hidden": 8}, ONE_BY_ONE),
    "identity-embedding": Case({"name": "identity-embedding", "dims": 4, "width": 4}, SHAPES),
}

DRAWING = {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "bernoulli", "normal", "multinomial"}
DRAWING |= {"uniform_", "normal_", "random_", "bernoulli_"}


class Draws(TorchFunctionMode):
    """Notes what is drawn or, told what each of the processes has drawn, gives that to all of their items.

    What asks for float32 gets float64.
    """

    def __init__(self, case: Case, given: Sequence[Sequence[Tensor]] = ()) -> None:
        super().__init__()
        self.case, self.noted = case, []
        self.given = list(zip(*given, strict=True))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        told = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in DRAWING:
            if self.given:
                told.copy_(self.joined(self.given[len(self.noted)], told.shape))
            self.noted.append(told.detach().clone())
        return told

    def joined(self, parts: Sequence[Tensor], shape: torch.Size) -> Tensor:
        """What the processes have drawn, in the order of the whole batch."""
        if parts[0].shape == shape:
            return parts[0]  # for the whole batch at once: the first one's choice
        (place,) = (place for place, size in enumerate(shape) if size != parts[0].shape[place])
        own = parts[0].shape[place]
        assert shape[place] == WORLD * own
        found = []
        for items, rows in self.case.rows.get(own, [(OWN, own // OWN)]):
            mine = (
                [part.narrow(place, sum(map(len, found)) // WORLD, items * rows) for part in parts]
                if place == 0
                else parts
            )
            apart = [each.unflatten(place, (items, rows)) for each in mine]
            found.append(torch.stack(apart, dim=place + 1).flatten(place, place + 2))
        return torch.cat(found, dim=place)


def play(name: str, folder: Path, given: Sequence[Sequence[Tensor]] = ()) -> dict[str, Any]:
    """Train a game for a few steps; gives its states, what was logged, and what was drawn."""
    from imgen import plugins
    from imgen.build import build
    from imgen.recipe import load
    from imgen.train.events import Logged
    from imgen.train.signals import StopSignals
    from imgen.train.trainer import Trainer
    from imgen.yaml_lines import dump

    case, found = CASES[name], plugins.installed()
    train = {"steps": STEPS, "batch": BATCH, "log_every": 1, "preview_every": 0, "tensorboard": False, "threads": 1}
    folder = folder / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    recipe = folder / f"{dist.rank()}.yaml"
    recipe.write_text(dump({"algorithm": dict(case.algorithm), "dataset": dict(case.dataset), "train": train}))
    built = build(load(str(recipe), [], found), found)
    logged: list[Mapping[str, float]] = []
    with computed_in(torch.float64), gentle_adam(), Draws(case, given) as draws:
        trainer = Trainer(
            built.algorithm.double(),
            built.dataset,
            built.recipe.train,
            folder,
            config=built.config,
            listeners=[lambda event: logged.append(dict(event.values)) if isinstance(event, Logged) else None],
        )
        states = [state(trainer)]
        for _ in trainer.going(StopSignals()):
            states.append(state(trainer))
    return {"states": states, "logged": logged, "drawn": draws.noted}


@contextmanager
def computed_in(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def gentle_adam() -> Iterator[None]:
    """With its own epsilon, Adam's first moves follow rounding as if it were a gradient."""
    from imgen.train import play

    seat = play.seat

    def gentle(player: Any, parameters: Any) -> Any:
        taken = seat(player, parameters)
        for group in taken.optimizer.param_groups:
            group["eps"] = 1e-4
        return taken

    play.seat = gentle
    try:
        yield
    finally:
        play.seat = seat


def state(trainer: Any) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in trainer.algorithm.state_dict().items()}


def two(folder: Path) -> None:
    """One of two processes: play all games."""
    dist.join("cpu")
    told = {name: play(name, folder / "two") for name in CASES}
    torch.save(told, folder / f"{dist.rank()}.pt")
    dist.leave()


def apart(one: Mapping[str, Tensor], other: Mapping[str, Tensor], first: Mapping[str, Tensor]) -> list[str]:
    """What differs between two states by more than rounding, and by how much of what it has moved from a first one."""
    assert one.keys() == other.keys()
    told = []
    for name, value in one.items():
        moved = (value - first[name]).abs().max().item() if name in first else value.abs().max().item()
        far = (value - other[name]).abs().max().item()
        if far > NEAR * moved + NOTHING:
            told.append(f"{name}: {far:.1e} of {moved:.1e}")
    return told


def test_two_processes_equal_one_in_every_game(process, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(server.getsockname()[1]), "WORLD_SIZE": str(WORLD)}
    both = [process(__file__, tmp_path, RANK=str(rank), LOCAL_RANK=str(rank), **group) for rank in range(WORLD)]
    for each in both:
        _, err = each.communicate(timeout=240)
        assert each.returncode == 0, err
    told = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]
    wrong = {name: compared(name, tmp_path, [each[name] for each in told]) for name in CASES}
    assert not any(wrong.values()), "\n".join(f"{name}: {what}" for name, found in wrong.items() for what in found[:8])


def compared(name: str, folder: Path, told: Sequence[Mapping[str, Any]]) -> list[str]:
    """What differs in a game between the two, and between one process and the first of them."""
    alone = play(name, folder / "one", [each["drawn"] for each in told])
    start, end = alone["states"][0], alone["states"][-1]
    still = [
        key for key, value in end.items() if key.endswith(("weight", "original")) and torch.equal(value, start[key])
    ]
    found = [f"{key} has not moved" for key in still]
    for step, (one, first, other) in enumerate(zip(alone["states"], *(each["states"] for each in told), strict=True)):
        found += [f"step {step}, the second process: {what}" for what in apart(first, other, start)]
        found += [f"step {step}: {what}" for what in apart(one, first, start)]
    for step, (one, first) in enumerate(zip(alone["logged"], told[0]["logged"], strict=True), 1):
        found += [
            f"step {step}: '{what}' is {first[what]:.8g}, not {value:.8g}"
            for what, value in one.items()
            if abs(value - first[what]) > 1e-6 * max(1e-3, abs(value))
        ]
    shipped = [load_file(folder / who / name.replace(" ", "-") / "model.safetensors") for who in ("one", "two")]
    return found + [f"shipped {what}" for what in apart(*shipped, {})]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    two(Path(sys.argv[1]))
