"""Hostile repositories over HTTP: refused in one line each, nothing outside the cache, little memory."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
import torch
from PIL import Image
from server import Planted

from imgen.data.spec import DataSpec
from imgen.model import ModelConfig, write_model
from imgen.plugins import installed


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, bytes]:
    """The files of a sound repository."""
    entry = installed().registry("models").get("sddcgan")
    spec, settings = DataSpec(image=(3, 16, 16), group=2), {"d_identity": 4, "d_observation": 4, "dim": 4}
    path = tmp_path_factory.mktemp("good") / "model.safetensors"
    owner = installed().owner(entry.plugin)
    config = ModelConfig(name="sddcgan", settings=settings, data=spec, plugin=owner, origin={"step": 3})
    torch.manual_seed(0)
    write_model(path, config, entry.load()(spec, **settings).state_dict())
    picture = io.BytesIO()
    Image.new("L", (4, 4)).save(picture, "PNG")
    return {
        "model.safetensors": path.read_bytes(),
        "config.json": json.dumps(config.to_json()).encode(),
        "recipe.yaml": b"algorithm: {name: sddcgan}\ndataset: {name: shapes}\n",
        "README.md": b"# Mine\n",
        "metrics.jsonl": b"{}\n",
        "sheets/preview.png": picture.getvalue(),
    }


def header(told: object, data: bytes = b"") -> bytes:
    text = json.dumps(told).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor(shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


OVERLAPPING = header({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12))
HUGE = header({"a": tensor([2_000_000_000], 0, 8_000_000_000)}, bytes(8))
ABSURD: dict[str, tuple[dict[str, bytes | Planted], str]] = {
    "tensor": ({"model.safetensors": HUGE}, "its tensors take 8,000,000,000 bytes, but it holds 8"),
    "overlap": ({"model.safetensors": OVERLAPPING}, "its tensor 'b' overlaps another"),
    "length": ({"model.safetensors": (2**62).to_bytes(8, "little") + b"{}"}, "more than the file has"),
    "link": ({"model.safetensors": b"../../../../etc/passwd"}, "not a readable safetensors file"),
    "config": ({"config.json": b" " * (100 * 2**20)}, "config.json: 104,857,600 bytes; 1,048,576 are allowed"),
    "large": ({"config.json": Planted(b" " * (20 * 2**20), size=5)}, "config.json"),
    "deep": ({"config.json": b"[" * 500_000}, "config.json: nested deeper than 32"),
    "card": ({"README.md": b"# Mine\n\x1b]0;gone\x07\x1b[2J"}, "README.md: holds the control character U+001B"),
    "code": ({"recipe.yaml": b"algorithm: {name: os:system, x: ls}"}, "'os:system' is no name of a registered thing"),
    "import": ({"recipe.yaml": b"dataset: {name: pkg.mod.Class}"}, "'pkg.mod.Class' is no name of a registered thing"),
    "object": ({"recipe.yaml": b"a: !!python/object/apply:os.system [ls]"}, "a recipe holds plain values only"),
    "laughs": ({"recipe.yaml": b"a: &a [x]\nb: [*a, *a]"}, "aliases are not allowed"),
    "numbers": ({"metrics.jsonl": b"not json\n"}, "metrics.jsonl: line 1: not JSON"),
    "sheet": ({"sheets/preview.png": b"<svg onload=...>"}, "sheets/preview.png: not a picture"),
    "broken": ({"model.safetensors": b""}, "model.safetensors"),
}
NAMES = ("../pwned", "sheets/../../../pwned", "/tmp/pwned", "..\\pwned", "C:/pwned", "pwned\x1b[2J", "gnp\u202egnp.exe")


def one_line(err: str, repo: str, says: str = "") -> None:
    assert err.startswith((f"imgen: {repo}: ", f"imgen: {repo}@main: "))
    assert says in err
    assert err.removesuffix("\n").isprintable(), "one line, and nothing that steers"


def outside(folder: Path, cache: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(cache)]


@pytest.mark.parametrize("name", ABSURD)
def test_what_is_not_what_it_says(name, hub, cli, good, here):
    changed, says = ABSURD[name]
    hub.plant("ben/bad", good | changed)
    said = cli("pull", "ben/bad")
    assert said.status in (1, 2) and said.out == ""
    one_line(said.err, "ben/bad", says)
    assert not any(here.iterdir())
    wanted = "README.md" if name == "card" else next(iter(changed))
    assert not list(hub.home.rglob(wanted)), "what is refused is not kept where another command would find it"


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_elsewhere(name, hub, cli, good, here):
    entry = {"type": "file", "path": name, "size": 1, "oid": "0" * 40}
    hub.plant("ben/bad", good, tree_entries=[entry])
    hub.forget()
    said = cli("pull", "ben/bad")
    assert said.status == 2 and said.out == ""
    one_line(said.err, "ben/bad", "nothing of it is fetched")
    assert not hub.seen("GET", "/resolve/"), "nothing was fetched"
    assert not any(here.iterdir())
    assert not list(hub.home.parent.rglob("*pwned*"))


@pytest.mark.parametrize("command", ["sample", "info", "translate", "encode"])
def test_every_command_that_takes_a_model_refuses(command, hub, cli, good, here):
    hub.plant("ben/bad", good | {"model.safetensors": OVERLAPPING})
    said = cli(command, "ben/bad", *(["x.png"] if command in ("translate", "encode") else []))
    assert said.status == 2
    one_line(said.err, "ben/bad", "overlaps another")


def test_links_that_were_put_into_the_cache(hub, cli, good, fresh_cache, here, hub_environment):
    """A cache that somebody else could write to: offline, what lies there is checked all the same."""
    hub.plant("ben/mine", good)
    assert cli("pull", "ben/mine").status == 0
    (here / "secret").write_text("{}")
    (config,) = hub.home.rglob("snapshots/*/config.json")
    config.unlink()
    config.symlink_to(here / "secret")
    hub_environment(HF_HUB_OFFLINE="1")
    said = cli("pull", "ben/mine")
    assert said.status == 2
    one_line(said.err, "ben/mine", "config.json: is a symbolic link that leads elsewhere")


PULLS = """\
import resource, sys
from imgen.cli import main
import imgen.build, imgen.hub.pull, imgen.card
from imgen.plugins import installed
assert main(["pull", "ben/good"]) == 0
assert main(["info", "ben/good"]) == 0
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for repo in sys.argv[1:]:
    assert main(["pull", repo, "--full"]) in (1, 2), repo
    assert main(["sample", repo]) in (1, 2), repo
print("grown by", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_and_what_is_written(hub, good, process, here):
    """All of them by one process, as a user would; measured over what a sound repository takes."""
    weights = {name: changed for name, (changed, _) in ABSURD.items() if "model.safetensors" in changed}
    for name, changed in weights.items():
        hub.plant(f"ben/{name}", good | changed)
    long = b"{" + b'"a":[],' * 1_100_000 + b'"b":1}'
    hub.plant("ben/long", good | {"model.safetensors": len(long).to_bytes(8, "little") + long})
    hub.plant("ben/good", good)
    env = {**hub.env, "IMGEN_CACHE": os.environ["IMGEN_CACHE"]}
    running = process("-c", PULLS, *(f"ben/{name}" for name in [*weights, "long"]), **env)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert int(out.split()[-1]) < 500, "MiB"
    assert "Traceback" not in err
    assert not any(here.iterdir())
    assert not outside(hub.home, hub.home / "hub"), "nothing outside the cache"
