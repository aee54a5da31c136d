"""Weights files: what is written is read back, and whatever else a file holds is a `WeightsError`."""

from __future__ import annotations

import json
import random
import struct

import pytest
import torch
from safetensors.torch import save_file

from imgen.binding import settings_of
from imgen.build import load_model
from imgen.data.spec import Attribute, DataSpec, Factor
from imgen.errors import WeightsError
from imgen.model import ModelConfig, _digest, read_config, read_model, write_model

SPEC = DataSpec(
    image=(3, 16, 16),
    group=2,
    attributes=(Attribute("Male", ("not Male", "Male")),),
    factors=(Factor("shape", 3, ordered=False), Factor("x", 0)),
    about="drawn",
)
SETTINGS = {"d_identity": 4, "d_observation": 4, "dim": 4}


@pytest.fixture
def config(plugins):
    return ModelConfig(name="sddcgan", settings=SETTINGS, data=SPEC, plugin="imgen 0.1.0", origin={"step": 3})


@pytest.fixture
def file(tmp_path, config, plugins):
    """A weights file of a real model."""
    torch.manual_seed(0)
    factory = plugins.registry("models").get("sddcgan").load()
    assert set(SETTINGS) == set(settings_of(factory))
    write_model(tmp_path / "model.safetensors", config, factory(SPEC, **SETTINGS).state_dict())
    return tmp_path / "model.safetensors"


def test_what_is_written_is_read_back(file, config):
    assert read_config(file) == config
    found, tensors = read_model(file)
    assert found == config and tensors
    for _ in range(8):
        write_model(file.with_name("again"), found, tensors)
        assert file.with_name("again").read_bytes() == file.read_bytes(), "the same weights give the same bytes"


def test_every_kind_of_tensor_is_kept(tmp_path, config):
    tensors = {
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 2),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "flag": torch.tensor([True, False]),
        "last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "cut": torch.arange(10)[::2],
    }
    write_model(tmp_path / "m", config, tensors)
    _, found = read_model(tmp_path / "m")
    assert found.keys() == tensors.keys()
    assert all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in tensors.items()
    )


def test_a_model_is_rebuilt_from_its_file_alone(file, plugins):
    model, config = load_model(file, plugins)
    assert not model.training and not any(parameter.requires_grad for parameter in model.parameters())
    assert config.data == SPEC
    assert model(torch.zeros(2, 8)).shape == (2, 3, 16, 16)


def regions(content: bytes) -> dict[str, range]:
    length = int.from_bytes(content[:8], "little")
    return {
        "length": range(8),
        "header": range(8, 8 + length),
        "data": range(8 + length, len(content)),
    }


@pytest.mark.parametrize("region", ["length", "header", "data"])
def test_a_flip_anywhere_is_a_weights_error(region, file, plugins):
    """Of every bit of the length, and of bits all over the rest."""
    content = file.read_bytes()
    places = regions(content)[region]
    rng = random.Random(region)
    chosen = places if region == "length" else rng.sample(places, 250)
    for place in chosen:
        for bit in range(8) if region == "length" else [rng.randrange(8)]:
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            file.write_bytes(flipped)
            with pytest.raises(WeightsError) as caught:
                load_model(file, plugins)
            assert str(caught.value).startswith(f"{file}: ")
            assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("length", [0, 7, 8, 100, 10_000, -1])
def test_a_truncated_file_is_a_weights_error(length, file, plugins):
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(WeightsError, match="not a "):
        load_model(file, plugins)


def test_an_absurd_header_costs_no_memory(tmp_path):
    path = tmp_path / "big"
    with path.open("wb") as big:
        big.write(struct.pack("<Q", 2**40))
        big.truncate(2**41)  # sparse: it takes no room
    with pytest.raises(WeightsError, match="claims a header of 1,099,511,627,776 bytes"):
        read_config(path)


def test_foreign_files(tmp_path, plugins):
    save_file({"w": torch.ones(2)}, tmp_path / "foreign.safetensors", metadata={"format": "pt"})
    (tmp_path / "text").write_text("hello, this is no weights file at all")
    (tmp_path / "pickle.pt").write_bytes(b"PK\x03\x04" + b"\0" * 100)
    for name, says in {
        "foreign.safetensors": "holds weights but no imgen configuration",
        "text": "not a",
        "pickle.pt": "not a",
        "missing": "no such file",
    }.items():
        with pytest.raises(WeightsError, match=says):
            load_model(tmp_path / name, plugins)
    with pytest.raises(WeightsError):
        load_model(tmp_path, plugins)


def rewritten(file, change) -> None:
    """Write a weights file's configuration anew, with a sum that matches."""
    config, tensors = read_model(file)
    told = config.to_json()
    told = change(told) or told
    if not isinstance(told, str):
        told = json.dumps({**told, "sha256": _digest(told, tensors.items())})
    save_file(tensors, file, metadata={"imgen": told})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda told: "no json", "configuration cannot be read"),
        (lambda told: "[]", "configuration cannot be read"),
        (lambda told: "{}", "configuration cannot be read"),
        (lambda told: "[" * 100_000, "configuration cannot be read"),
        (lambda told: told.update(format=99), "format 99"),
        (lambda told: told.pop("data") and None, "configuration cannot be read"),
        (lambda told: told["data"].update(image=[3, 16]), "configuration cannot be read"),
        (lambda told: told["data"].update(image=[3, 32, 32]), "its tensors are not those of the model"),
        (lambda told: told["data"].update(image=[3, 17, 17]), "cannot be rebuilt"),
        (lambda told: told["data"].update(image=[3, -16, -16]), "height is -16, not a whole number from 1 to 4,096"),
        (lambda told: told["data"].update(image=[3, 2**40, 2**40]), "height is 1099511627776, not a whole"),
        (lambda told: told["settings"].update(dim=8), "its tensors are not those of the model"),
        (lambda told: told["settings"].update(dim=10**6), "its tensors are not those of the model"),
        (lambda told: told["settings"].update(dim=10**15), "the setting 'dim' is 1000000000000000, not a whole"),
        (lambda told: told["settings"].update(dim="x"), "dim must be a whole number"),
        (lambda told: told["settings"].update(what=1), "has no setting 'what'"),
    ],
)
def test_a_header_that_lies_is_a_weights_error(change, says, file, plugins):
    rewritten(file, change)
    with pytest.raises(WeightsError, match=says) as caught:
        load_model(file, plugins)
    assert str(caught.value).startswith(f"{file}: ") and "\n" not in str(caught.value)


def test_a_missing_plugin_is_named(file, plugins):
    rewritten(file, lambda told: told.update(name="hologan", plugin="hologan (imgen-hologan 2.1)"))
    with pytest.raises(WeightsError) as caught:
        load_model(file, plugins)
    assert "'hologan' comes from the plugin hologan (imgen-hologan 2.1), which is not installed" in str(caught.value)
    assert read_config(file).name == "hologan", "what it is can still be told"


def test_a_spec_survives_its_json():
    assert DataSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC
