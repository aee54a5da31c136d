"""Two processes with half a batch each against one with the whole, through the command line."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from imgen import dist

PLUGIN = '''\
"""A game without batch norm whose noise comes with the batch, and a controller that lives on evidence."""

import torch
from torch import nn

from imgen.algorithm import Algorithm, Player, turn
from imgen.binding import Count
from imgen.data.spec import DataSpec
from imgen.hookspecs import hookimpl
from imgen.optim import adam


@hookimpl
def register_algorithms(register):
    register(Halves, name="halves")


@hookimpl
def register_models(register):
    register(Maker, name="halves")


@hookimpl
def register_datasets(register):
    register(pictures, name="with-noise")


class Pictures:
    def __init__(self, size):
        self.spec = DataSpec(image=(3, size, size))
        noise = torch.Generator().manual_seed(1)
        self.columns = {
            "images": torch.randint(0, 256, (24, 3, size, size), dtype=torch.uint8, generator=noise),
            "z": torch.randn(24, 4, generator=noise),
        }


def pictures(*, size: Count = 4) -> Pictures:
    """Pictures of noise, each with a latent."""
    return Pictures(size)


class Maker(nn.Module):
    """Makes pictures."""

    def __init__(self, data, *, width: Count = 8):
        super().__init__()
        self.codes = {"latent": 4}
        self.shape = data.image
        size = data.image[0] * data.image[1] * data.image[2]
        self.net = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, size))

    def draw(self, code, n, generator=None):
        return torch.randn(n, 4, generator=generator)

    def forward(self, z):
        return self.net(z).tanh().unflatten(1, self.shape)


class Halves(Algorithm):
    """An autoencoder that tells pictures apart by their errors, and a weight that balances them."""

    ships = "halves"
    expects = {"images": "B C H W", "z": "B 4"}

    def __init__(self, data, *, width: Count = 8, lr: float = 1e-2):
        super().__init__()
        self.lr = lr
        self.model = Maker(data, width=width)
        size = data.image[0] * data.image[1] * data.image[2]
        self.d = nn.Sequential(nn.Linear(size, width), nn.Tanh(), nn.Linear(width, size))
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("gap", torch.zeros(()))

    def players(self):
        return {"d": Player([self.d], adam(self.lr)), "g": Player([self.model], adam(self.lr))}

    def turns(self, step):
        return [self.balance]

    def prepare(self, step):
        self.k.add_(0.1 * self.gap).clamp_(0, 1)

    @turn("d", "g")
    def balance(self, batch):
        real, fake = batch["images"].flatten(1), self.model(batch["z"]).flatten(1)
        err_real, err_fake = ((self.d(x) - x).square().mean() for x in (real, fake))
        gap = (err_real - 0.5 * err_fake).detach()
        self.gap.copy_(gap)
        return {"d": err_real - self.k * err_fake, "g": err_fake}, {"k": self.k.clone()}

    def preview(self, batch):
        return self.model(batch["z"][:4]).unflatten(0, (2, 2))
'''

RECIPE = """\
algorithm: {name: halves}
dataset: {name: with-noise}
train: {steps: 12, batch: 8, log_every: 1, save_every: 6, preview_every: 6, ema_half_life: 50, tensorboard: false}
"""


def state(run: Path) -> dict[str, torch.Tensor]:
    last = sorted((run / "checkpoints").iterdir())[-1]
    names = ("algorithm", "optim", "ema")
    return {f"{n}/{key}": value for n in names for key, value in load_file(last / f"{n}.safetensors").items()}


def logged(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == "logged"]


@pytest.fixture
def env(write_plugin) -> dict[str, str]:
    """The surroundings of a process that has the game installed."""
    write_plugin("halves", PLUGIN)
    return {"PYTHONPATH": str(write_plugin.home)}


@pytest.fixture
def together(process, env):
    """Runs a command line in two processes that know of each other; gives their (status, stdout, stderr)."""

    def run(*argv):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        both = [
            process("-m", "imgen", *argv, **env, **group, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(2)
        ]
        said = [each.communicate(timeout=120) for each in both]
        return [(each.returncode, *words) for each, words in zip(both, said, strict=True)]

    return run


def test_two_with_half_the_batch_equal_one_with_the_whole(together, real_cli, env, here):
    (here / "halves.yaml").write_text(RECIPE)
    assert real_cli("train", "halves.yaml", "--out", "one", **env).status == 0
    (status, out, err), (other, quiet, mute) = together("train", "halves.yaml", "--out", "two")
    assert (status, other) == (0, 0), err + mute
    assert out == "two/model.safetensors\n" and "step 12: saved" in err
    assert (quiet, mute) == ("", ""), "one of them speaks for both"
    one, two = state(here / "one"), state(here / "two")
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.allclose(value, two[name], rtol=1e-3, atol=1e-4), name
    moved = {"algorithm/k", "algorithm/gap", "algorithm/d.0.weight", "ema/net.0.weight"}
    assert moved <= one.keys() and 0 < one["algorithm/k"] < 1, "the controller moved and did not get stuck"
    for a, b in zip(logged(here / "one"), logged(here / "two"), strict=True):
        assert a["values"] == pytest.approx(b["values"], rel=1e-3, abs=1e-4)


def test_a_batch_that_two_cannot_share_is_refused(together, here):
    (here / "halves.yaml").write_text(RECIPE)
    for status, _, err in together("train", "halves.yaml", "--batch", "7", "--out", "run"):
        assert status == 2
        assert "a batch of 7 items cannot be shared by 2 processes; take a multiple of 2" in err
        assert "Traceback" not in err


def test_processes_wait_while_the_first_one_measures(monkeypatch):
    """For hours: the ten minutes that NCCL waits if nobody says otherwise would end a run at its first long metric."""
    asked = {}
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(dist, "_meet", lambda rank, world: None)
    monkeypatch.setattr(dist.td, "init_process_group", lambda backend, **told: asked.update(told))
    assert dist.join("cpu") == "cpu"
    assert asked["timeout"].total_seconds() >= 6 * 3600
