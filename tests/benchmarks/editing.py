"""What a training step of SG-GAN costs, and what is gained by computing only the heads that are asked for.

    python tests/benchmarks/editing.py

For each preset one batch is played by the discriminator and by the generator, as the trainer does it. The generator's
turn is played once more with every head computed in every pass of the reconstruction, where one is needed: both give
the same loss. The two take turns. Memory is what the backward pass keeps.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from types import MethodType

import torch
from machine import machine, rows
from torch import Tensor

from imgen import binding
from imgen.algorithm import Algorithm, Turn
from imgen.data.spec import Attribute, DataSpec
from imgen.plugins import installed
from imgen.recipe import Draft, find
from imgen.train.play import Eager, House, take_seats

PRESETS = ("sggan", "sggan_new", "sggan_modern")


def build(preset: str, args: argparse.Namespace) -> Algorithm:
    """The game of a shipped recipe, on as many binary attributes as it names."""
    plugins = installed()
    content = Draft.read(find(preset, plugins), plugins).content
    attributes = tuple(Attribute(name, (f"not {name}", name)) for name in content["dataset"]["attrs"])
    data = DataSpec(image=(3, args.size, args.size), attributes=attributes)
    given = {name: value for name, value in content["algorithm"].items() if name != "name"}
    if args.width:
        given |= {"width": args.width, "d_width": args.width, "blocks": args.blocks}
    factory = plugins.registry("algorithms").get("sggan").load()
    settings, problems = binding.check(factory, given, plugins.build)
    assert not problems, problems
    torch.manual_seed(args.seed)
    return binding.build(factory, data, settings=settings, resolve=plugins.build)


def with_all_heads(generator: torch.nn.Module, images: Tensor, attribute: int, value: int, features: Tensor) -> Tensor:
    """One edit as a generator gives it that can only give all of them."""
    every = [generator.edits(images, place, features) for place in range(len(generator.heads))]
    return every[attribute][:, value]


def seconds_of(turn: Turn, batch: dict[str, Tensor], made: Algorithm, device: torch.device) -> float:
    """How long it takes to play a turn and to move its player."""
    seats = take_seats(made)
    torch.manual_seed(0)
    began = time.perf_counter()
    House(Eager(device)).play(turn, batch, made, seats)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def kept(turn: Turn, batch: dict[str, Tensor], made: Algorithm) -> int:
    """Bytes that the backward pass of a turn keeps, weights left out."""
    own = {parameter.untyped_storage()._cdata for parameter in made.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            found[storage._cdata] = storage.nbytes()
        return tensor

    torch.manual_seed(0)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        turn(batch)
    return sum(found.values())


def measure(preset: str, args: argparse.Namespace, device: torch.device) -> list[str]:
    """A row: images a second in whole steps, both turns, the generator's with all heads, and memory."""
    made = build(preset, args).to(device)
    made.prepare(10**6)
    batch = {
        "images": torch.rand(args.batch, 3, args.size, args.size, device=device) * 2 - 1,
        "attributes": torch.randint(-1, 2, (args.batch, len(made.values)), device=device),
    }
    judge, generator = made.turns(made.edit_at + 1 if made.n_critic > 1 else 0)[0], made.model.g
    own, naive = generator.edit, MethodType(with_all_heads, generator)
    memory = []
    for edit in (own, naive):
        generator.edit = edit
        memory.append(kept(made.edit, batch, made))
    times: dict[str, list[float]] = {"judge": [], "own": [], "naive": []}
    for number in range(args.rounds + 1):
        for name, edit in (("own", own), ("naive", naive))[:: 1 if number % 2 else -1]:
            generator.edit = edit
            times[name].append(seconds_of(made.edit, batch, made, device))
        times["judge"].append(seconds_of(judge, batch, made, device))
    # The first round warms up.
    judged, on_demand, all_heads = (median(times[name][1:]) for name in ("judge", "own", "naive"))
    step = judged + on_demand / made.n_critic
    return [
        preset,
        f"{args.batch / step:.2f}",
        f"{judged:.2f}",
        f"{on_demand:.2f}",
        f"{all_heads:.2f}",
        f"{all_heads / on_demand:.2f}",
        f"{memory[0] / 2**20:,.0f}",
        f"{memory[1] / 2**20:,.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", "--dim", type=int, default=0, help="0: that of the recipe")
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--rounds", "--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    lines = [measure(preset, args, torch.device(args.device)) for preset in args.presets]
    print(machine(args.seed))
    print(f"{args.size}x{args.size}, batches of {args.batch}; seconds a turn, medians of {args.rounds} rounds")
    head = ["preset", "images/s", "judge", "edit", "all heads", "times as fast", "edit MiB", "all heads MiB"]
    print(rows(head, lines))


if __name__ == "__main__":
    main()
