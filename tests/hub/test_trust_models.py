"""Weights files of others: what their headers say builds nothing large, runs nothing, and steers no terminal."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from imgen import bounds, build
from imgen.build import load_model
from imgen.data.spec import Attribute, DataSpec
from imgen.errors import HubError, ImgenError, RecipeError, WeightsError
from imgen.model import LARGEST, ModelConfig, _digest, read_config, read_model, write_model
from imgen.plugins import Plugins, installed
from imgen.strict_json import parse

SPEC = DataSpec(
    image=(3, 16, 16), attributes=(Attribute("Male", ("not Male", "Male")), Attribute("Hair", ("Blond", "Black")))
)
SETTINGS = {"width": 4, "blocks": 1, "d_width": 4}


@pytest.fixture
def plugins() -> Plugins:
    return installed()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Weights of an editor, whose settings count its layers."""
    entry = installed().registry("models").get("stargan")
    path = tmp_path_factory.mktemp("made") / "model.safetensors"
    torch.manual_seed(0)
    owner = installed().owner(entry.plugin)
    config = ModelConfig(name="stargan", settings=SETTINGS, data=SPEC, plugin=owner, origin={"step": 3})
    write_model(path, config, entry.load()(SPEC, **SETTINGS).state_dict())
    return path


@pytest.fixture
def signed(made, tmp_path):
    """Writes the weights with another configuration and a sum that matches: `signed(lambda told: told.update(...))`."""
    config, tensors = read_model(made)

    def write(change) -> Path:
        told = json.loads(json.dumps(config.to_json()))
        change(told)
        text = json.dumps({**told, "sha256": _digest(told, tensors.items())})
        save_file(tensors, tmp_path / "model.safetensors", metadata={"imgen": text})
        return tmp_path / "model.safetensors"

    return write


def refused(path: Path, plugins: Plugins) -> str:
    with pytest.raises(WeightsError) as caught:
        load_model(path, plugins)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    assert len(text) < 600
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda told: told["settings"].update(blocks=LARGEST), "far more parts than the"),
        (lambda told: told["settings"].update(blocks=10**9), "the setting 'blocks' is 1000000000, not a whole number"),
        (lambda told: told["settings"].update(width=-4), "width must be a whole number >= 1"),
        (lambda told: told["settings"].update(width=LARGEST), "its tensors are not those"),
        (lambda told: told["settings"].update(levels=10_000), "model 'stargan'"),
        (lambda told: told["settings"].update(width=float("nan")), "NaN is no number"),
        (lambda told: told["settings"].update(blocks=[[2**70]]), "1180591620717411303424, not a whole number"),
        (lambda told: told["settings"].update(x="a" * 30_000), "has 30,000 characters"),
        (lambda told: told["settings"].update({"x\x1b[2J": 1}), "control character U+001B"),
        (lambda told: told.update(settings=[1]), "settings is a list of 1, not an object"),
        (lambda told: told["data"].update(image=[3, 4097, 16]), "height is 4097, not a whole number from 1 to 4,096"),
        (lambda told: told["data"].update(image=[True, 16, 16]), "channels is True"),
        (lambda told: told["data"].update(image=[3, 16.5, 16]), "height is 16.5"),
        (lambda told: told["data"].update(group=10**6), "group is 1000000"),
        (lambda told: told["data"]["attributes"].extend([{"name": "x", "values": ["y"]}] * 2000), "has 2,002 items"),
        (lambda told: told["data"]["attributes"][0].update(values=["y"] * 30_000), "has 30,000 items"),
        (lambda told: told["data"]["attributes"][0].update(name=5), "an attribute is 5, not a text"),
        (
            lambda told: told["data"]["attributes"][0].update(name="x\nimgen: all is well"),
            "an attribute has several lines",
        ),
        (lambda told: told["data"].update(attributes=[]), "cannot be rebuilt"),
        (lambda told: told["data"].update(about="a" * 30_000), "about has 30,000 characters"),
        (lambda told: told["data"].update(about="\x1b[2J"), "control character U+001B"),
        (lambda told: told.update(name="os:system"), "its model 'os:system' comes from"),
        (lambda told: told.update(name=["stargan"]), "name is a list of 1, not a text"),
        (lambda told: told.pop("settings"), "it has no 'settings'"),
        (lambda told: told.update(format="1\x1b"), "control character U+001B"),
    ],
)
def test_a_signed_header_that_lies(change, says, signed, plugins):
    assert says in refused(signed(change), plugins)


def test_tensors_of_another_kind(signed, made, plugins, tmp_path):
    config, tensors = read_model(made)
    write_model(tmp_path / "x", config, {name: tensor.double() for name, tensor in tensors.items()})
    assert "its tensors are not those of the model 'stargan'" in refused(tmp_path / "x", plugins)


@pytest.mark.parametrize(
    ("plugin", "says"),
    [
        ("mine (imgen-mine 1.2)", "`imgen install imgen-mine`"),
        ("imgen-mine 1.2", "`imgen install imgen-mine`"),
        ("imgen (imgen 99.0)", "upgrade imgen"),
        ("mine (imgen-mine; rm -rf ~ 1.2)", "in no known way"),
        ("mine (git+https://evil/x 1.2)", "in no known way"),
        ("mine (--index-url=http://evil 1.2)", "in no known way"),
        ("mine ($(touch gone) 1.2)", "in no known way"),
        ("`x` (x 1.2)\nimgen: all is well", "plugin has several lines"),
        ("`x` (x 1.2)", "in no known way"),
    ],
)
def test_a_missing_plugin_is_named_and_no_command_is_made_by_the_file(plugin, says, signed, plugins):
    text = refused(signed(lambda told: told.update(name="mine", plugin=plugin)), plugins)
    assert says in text
    assert not any(word in text for word in ("rm -rf", "evil", "touch", "all is well"))


def test_info_shows_it_as_plain_text(signed, cli):
    """What a file says of itself stands beside what imgen says, and not in its place."""
    facts = {"title": "a\n\tb", "file": "/elsewhere", "plugin": "trusted", "long": "c" * 9000}
    path = signed(lambda told: told["origin"].update(facts))
    said = cli("info", path)
    assert said.status == 0, said.err
    assert f"file: {path}" in said.out and "/elsewhere" not in said.out and "trusted" not in said.out
    assert "title: a b\n" in said.out
    assert max(map(len, said.out.splitlines())) < 3000


def test_errors_steer_no_terminal():
    for kind in (ImgenError, HubError, WeightsError, RecipeError):
        text = str(kind("one \x1b[2J\x9b \u202e\ntwo " + "a" * 9000))
        assert len(text.splitlines()) == 2, "several lines are several errors"
        assert len(text) < 3000
        assert not any(sign in text for sign in "\x1b\x9b\u202e")


def test_what_could_not_be_read_back_is_not_trained(tiny, cli, monkeypatch):
    monkeypatch.setattr("imgen.model.LARGEST", 3)
    said = cli("train", "tiny.yaml")
    assert said.status == 2
    assert "model 'sddcgan' could not be read back: the setting 'd_identity' is 4, not a whole number" in said.err
    assert not Path("runs").exists()


def test_a_model_that_reads_numbers_while_it_is_built_is_not_trained(tiny, cli, monkeypatch):
    factory = installed().registry("models").get("sddcgan").load()
    plain = factory.__init__

    @functools.wraps(plain)
    def reading(self, *arguments, **settings) -> None:
        plain(self, *arguments, **settings)
        self.rates = torch.ones(3).tolist()

    monkeypatch.setattr(factory, "__init__", reading)
    said = cli("train", "tiny.yaml")
    assert said.status == 2 and len(said.err.splitlines()) == 1
    assert "model 'sddcgan' could not be read back: " in said.err and 'makes these with device="cpu"' in said.err
    assert not Path("runs").exists()


class TestBounds:
    @pytest.mark.parametrize(
        "work", ["[i for i in range(10**9)]", "x = 0\nwhile True:\n    x += 1", "sum(i for i in range(10**9))"]
    )
    def test_work_without_end_is_stopped(self, work):
        with pytest.raises(bounds.TooMuch, match="more than 100,000 steps"), bounds.bounded({"mine"}, steps=100_000):
            exec(work, {"__name__": "mine.networks"})

    def test_memory(self):
        with pytest.raises(bounds.TooMuch, match="more than 64 MiB"), bounds.bounded({"mine"}, memory=64 * 2**20):
            exec("[bytearray(2**20) for i in range(10**6)]", {"__name__": "mine"})

    def test_a_module_that_is_imported_on_the_way_costs_nothing(self, tmp_path, monkeypatch):
        (tmp_path / "heavy_module.py").write_text("held = b'a' * (96 * 2**20)\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        with bounds.bounded({"mine"}, memory=64 * 2**20):
            exec("import heavy_module\nfor i in range(10_000):\n    i += 1", {"__name__": "mine"})
        assert sys.modules.pop("heavy_module").held

    def test_others_and_what_comes_after_are_free(self):
        before = sys.gettrace()
        with bounds.bounded({"mine"}, steps=10):
            exec("for i in range(1000):\n    i += 1", {"__name__": "theirs"})
        assert sys.gettrace() is before

    def test_a_model_on_no_device_has_all_its_parts(self, made, plugins):
        """First weights are left out, and nothing else."""
        config = read_config(made)
        model = build.outline(config, plugins, made)
        assert {name: tensor.shape for name, tensor in model.state_dict().items()} == {
            name: tensor.shape for name, tensor in read_model(made)[1].items()
        }
        assert all(tensor.is_meta for tensor in model.state_dict().values())


class Odd(nn.Module):
    """A model of somebody else's."""

    def __init__(self, data: DataSpec, *, width: int = 4) -> None:
        """width: [channels]"""
        super().__init__()
        self.register_buffer("count", torch.zeros(3, dtype=torch.uint16))
        self.register_buffer("coarse", torch.zeros(3).to(torch.float8_e4m3fn))
        self.rates = torch.linspace(0, 0.1, width, device="cpu").tolist()
        self.layer = nn.utils.parametrizations.spectral_norm(nn.Linear(width, width))


class Reading(Odd):
    """One that reads numbers from tensors while it is built."""

    def __init__(self, data: DataSpec, *, width: int = 4) -> None:
        """width: [channels]"""
        super().__init__(data, width=width)
        self.rates = torch.linspace(0, 0.1, width).tolist()


@pytest.mark.parametrize("kind", [Odd, Reading])
def test_models_of_others(kind, plugins, tmp_path, monkeypatch):
    """Unusual kinds of numbers come back; what needs numbers of tensors says what to write."""
    monkeypatch.setattr(build, "_model_factory", lambda *_: kind)
    made = kind(SPEC)
    config = ModelConfig(name="odd", settings={"width": 4}, data=SPEC, plugin="odd (odd 1.0)")
    write_model(tmp_path / "x", config, made.state_dict())
    if kind is Reading:
        assert 'a constructor that reads numbers from tensors makes these with device="cpu"' in refused(
            tmp_path / "x", plugins
        )
    else:
        again = load_model(tmp_path / "x", plugins)[0].state_dict()
        assert {name: tensor.dtype for name, tensor in again.items()} == {
            name: tensor.dtype for name, tensor in made.state_dict().items()
        }


@pytest.mark.parametrize("work", ["raise RuntimeError('no memory')", "raise MemoryError"])
def test_a_model_that_cannot_be_built_for_real(work, made, plugins, monkeypatch):
    """What it takes beside its tensors shows only then."""
    factory, on_meta = build._model_factory, True

    def once(*arguments):
        nonlocal on_meta
        kind, here, on_meta = factory(*arguments), on_meta, False

        class Heavy(kind):
            def __init__(self, data: DataSpec, *, width: int = 64, blocks: int = 6, d_width: int = 64) -> None:
                super().__init__(data, width=width, blocks=blocks, d_width=d_width)
                if not here:
                    exec(work)

        return Heavy

    monkeypatch.setattr(build, "_model_factory", once)
    assert "does not fit the model 'stargan'" in refused(made, plugins)


@pytest.mark.parametrize("text", ["[1, 2", "01", '{"a": 1, "a": 2}', "[" * 100, "-Infinity", "9" * 50, '"\\ud800"', ""])
def test_json_that_is_not_strict(text):
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert str(caught.value).isprintable()


HOSTILE = """\
import json, resource, sys
from pathlib import Path
from imgen.build import load_model
from imgen.errors import ImgenError
from imgen.hub.trust import check_file
from imgen.plugins import installed
plugins = installed()
load_model(Path(sys.argv[1]), plugins)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[2:]:
    refused = 0
    for use in (lambda: check_file(Path(path).name, Path(path), "user/name"), lambda: load_model(Path(path), plugins)):
        try:
            use()
        except ImgenError as error:
            assert len(str(error).splitlines()) == 1
            refused += 1
    assert refused, f"{path} was taken"
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_and_time_of_hostile_files(made, tmp_path):
    """Measured in a process of its own, over what the same process takes for a model that is sound."""
    config, tensors = read_model(made)
    paths = []

    def write(content: bytes) -> None:
        paths.append(tmp_path / str(len(paths)) / "model.safetensors")
        paths[-1].parent.mkdir()
        paths[-1].write_bytes(content)

    def header(told: bytes, data: bytes = b"") -> None:
        write(len(told).to_bytes(8, "little") + told + data)

    tensor = {"dtype": "F32", "shape": [2_000_000_000], "data_offsets": [0, 8_000_000_000]}
    header(json.dumps({"a": tensor}).encode(), bytes(8))
    header(b"{" + b'"a":[],' * 10**6 + b'"b":1}')
    header(b'{"__metadata__":{"imgen":"' + b"[" * (7 * 2**20) + b'"}}')
    header(b'{"__metadata__":{"imgen":"' + b"[]," * (2 * 2**20) + b'"}}')
    for settings in ({"blocks": LARGEST}, {"width": LARGEST, "d_width": LARGEST}, {"levels": LARGEST}):
        told = {**config.to_json(), "settings": {**SETTINGS, **settings}}
        text = json.dumps({**told, "sha256": _digest(told, tensors.items())})
        paths.append(tmp_path / str(len(paths)) / "model.safetensors")
        paths[-1].parent.mkdir()
        save_file(tensors, paths[-1], metadata={"imgen": text})
    big = paths[-1].parent / "config.json"
    with big.open("wb") as file:
        file.truncate(100 * 2**20)
    ran = subprocess.run(
        [sys.executable, "-c", HOSTILE, str(made), *map(str, paths), str(big)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert int(ran.stdout) < 500, "MiB"
