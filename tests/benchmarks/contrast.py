"""What a step of InfoGAN-CR costs, without and with pairs, and how much of the machine it uses.

    python tests/benchmarks/contrast.py
    python tests/benchmarks/contrast.py --device cuda

Steps of the real trainer at the paper's size, the data resident on the device. Operations are counted from the layers:
with G, D and H the multiplications of a forward pass of generator, discriminator with the codes' head, and contrastive
discriminator, a step has 7 G + 10 D of them for each picture without pairs, and 21 G + 10 D + 7 H with them. They are
compared with the rate at which this very machine multiplies two large matrices.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from machine import machine, rows
from torch import Tensor, nn

from imgen.build import build
from imgen.plugins import installed
from imgen.recipe import Part, Recipe
from imgen.train.trainer import Trainer
from imgen.train_settings import TrainSettings

PHASES = {"without pairs": {"cr_times": 0}, "with pairs": {"cr_start": 2.0, "cr_times": 0}}


def multiplications(network: nn.Module, *inputs: Tensor) -> int:
    """Of weights with values, in a forward pass; batch norm and activations are not counted."""
    found = 0

    def count(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        nonlocal found
        weight = layer.get_parameter("weight")
        # Each weight of a kernel meets every pixel of what the convolution gives, or of what the transposed one takes.
        pixels = given[0][0, 0] if isinstance(layer, nn.ConvTranspose2d) else made[0, 0]
        found += weight.numel() * pixels.numel()

    kinds = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, kinds)]
    training = network.training
    with torch.no_grad():
        network.eval()(*inputs)
    network.train(training)
    for hook in hooks:
        hook.remove()
    return found


def counts(algorithm: nn.Module, data: tuple[int, int, int]) -> dict[str, int]:
    """G, D and H of the module's docstring."""
    model, device = algorithm.model, algorithm.w_cr.device
    picture, z = torch.zeros(1, *data, device=device), torch.zeros(1, model.latent.size, device=device)
    features = model.encoder(picture)
    heads = multiplications(model.encoder.head, features) + multiplications(algorithm.d_head, features)
    return {
        "G": multiplications(model.generator, z),
        "D": multiplications(model.encoder, picture) + heads,
        "H": multiplications(algorithm.cr, picture, picture),
    }


def step_of(phase: str, args: argparse.Namespace, run: Path) -> tuple[Callable[[], None], dict[str, int]]:
    """A function that plays one step of the real trainer, and what its networks cost."""
    settings = TrainSettings(
        batch=args.batch, seed=args.seed, resident="always", precision="fp32", tf32=False, ema_half_life=0,
        channels_last=False, threads=args.threads,
    )  # fmt: skip
    game = Part("infogan-cr", {"dim": args.dim, **PHASES[phase]})
    recipe = Recipe("bench", game, Part("drawn-sprites", {"size": args.size, "positions": 8}), settings)
    built = build(recipe, installed())
    trainer = Trainer(built.algorithm, built.dataset, settings, run, config=built.config, device=args.device)

    def step() -> None:
        trainer._play_step(trainer.step)
        trainer.step += 1

    return step, counts(trainer.algorithm, built.dataset.spec.image)


def seconds(work: Callable[[], object], times: int, device: torch.device) -> float:
    """The median of so many runs; the first warms up and is not counted."""
    taken = []
    for _ in range(times + 1):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return median(taken[1:])


def peak(device: torch.device, side: int) -> float:
    """Multiplications and additions a second of two square matrices, in float32 without TF32."""
    a = torch.rand(side, side, device=device)
    return 2 * side**3 / seconds(lambda: a @ a, 7, device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in {"batch": 64, "dim": 32, "size": 64, "steps": 15, "threads": 0, "seed": 0, "side": 2048}.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    device = torch.device(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    most = peak(device, args.side)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for place, phase in enumerate(PHASES):
            step, cost = step_of(phase, args, Path(folder) / str(place))
            times = (7, 10, 0) if place == 0 else (21, 10, 7)
            work = 2 * args.batch * sum(n * cost[name] for n, name in zip(times, "GDH", strict=True))
            taken = seconds(step, args.steps, device)
            rate = work / taken
            lines.append(
                [phase, f"{1000 * taken:.1f}", f"{work / 1e9:.1f}", f"{rate / 1e9:.1f}", f"{100 * rate / most:.0f} %"]
            )
    print(machine(args.seed))
    print(f"{args.size}x{args.size}, batches of {args.batch}, on {args.device}; two matrices: {most / 1e9:.1f} GFLOP/s")
    print(", ".join(f"{name} {count / 1e6:.2f} million" for name, count in cost.items()) + " multiplications a picture")
    print(rows(["a step", "ms", "GFLOP", "GFLOP/s", "of the machine"], lines))


if __name__ == "__main__":
    main()
