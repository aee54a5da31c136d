"""The authors' published generator, and folders that only claim to hold it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from imgen.errors import ImgenError, WeightsError
from imgen.model import read_model
from imgen_sdgan.commands import sdgan
from imgen_sdgan.networks import BeganGenerator, pictures
from imgen_sdgan.web_demo import DATA, SETTINGS, read_generator, read_manifest, read_tensor

PUBLISHED = Path(__file__).parents[2].parent / "shared/data/sdbegan_548235"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder as the demo's, with first weights of ours; gives (folder, state)."""
    folder = tmp_path_factory.mktemp("web")
    state = BeganGenerator(DATA, **SETTINGS).state_dict()
    manifest = {}
    layers = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    for index, layer in enumerate(layers):
        scope = "G/fully_connected" if not index else "G/Conv" + (f"_{index - 1}" if index > 1 else "")
        weight = state[f"{layer}.weight"]
        weight = weight.T if weight.dim() == 2 else weight.permute(2, 3, 1, 0)
        for name, tensor in ((f"{scope}/weights", weight), (f"{scope}/biases", state[f"{layer}.bias"])):
            (folder / name.replace("/", "_")).write_bytes(tensor.contiguous().numpy().astype("<f4").tobytes())
            manifest[name] = {"filename": name.replace("/", "_"), "shape": list(tensor.shape)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder, state


@pytest.fixture
def broken(made, tmp_path):
    """A copy of that folder, which a test may spoil."""
    folder = tmp_path / "demo"
    shutil.copytree(made[0], folder)
    return folder


def change(folder, name, **entries):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest[name].update(entries)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def refused(folder, *words):
    with pytest.raises(WeightsError) as caught:
        read_generator(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 1000
    for word in words:
        assert word in text


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the authors' published weights are not here")
def test_the_published_latents_give_the_published_pictures():
    manifest = read_manifest(PUBLISHED)
    identity, observation = (read_tensor(PUBLISHED, manifest, f"fig1/grid_{code}", (4, 50)) for code in ("zis", "zos"))
    expected = read_tensor(PUBLISHED, manifest, "fig1/grid_Gzs", (4, 4, 64, 64, 3))
    model = BeganGenerator(DATA, **SETTINGS)
    model.load_state_dict(read_generator(PUBLISHED))
    z = torch.cat([identity[:, None].expand(4, 4, 50), observation[None].expand(4, 4, 50)], dim=-1)
    with torch.no_grad():
        found = ((pictures(model, z) + 1) * 127.5).clamp(0, 255).permute(0, 1, 3, 4, 2)
    assert (found - expected).abs().max() < 0.01


def test_layouts_are_turned_back(made):
    folder, state = made
    read = read_generator(folder)
    assert set(read) == set(state)
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_the_command_writes_a_model_and_says_where(made, tmp_path):
    folder, state = made
    out = tmp_path / "faces.safetensors"
    result = CliRunner().invoke(sdgan, ["import-web", str(folder), "--out", str(out)])
    assert (result.exit_code, result.stdout) == (0, f"{out}\n")
    config, tensors = read_model(out)
    assert (config.name, config.settings, config.data) == ("sdbegan", SETTINGS, DATA)
    assert all(torch.equal(tensors[name], state[name]) for name in state)
    again = CliRunner().invoke(sdgan, ["import-web", str(folder), "--out", str(out)])
    assert isinstance(again.exception, ImgenError)
    assert "--overwrite" in str(again.exception)
    forced = CliRunner().invoke(sdgan, ["import-web", str(folder), "--out", str(out), "--overwrite"])
    assert forced.exit_code == 0


def test_a_folder_as_output_gets_a_model_safetensors(made, tmp_path):
    result = CliRunner().invoke(sdgan, ["import-web", str(made[0]), "--out", str(tmp_path / "faces")])
    assert result.stdout.strip() == str(tmp_path / "faces" / "model.safetensors")


def test_an_output_that_cannot_be_written_is_said(made, tmp_path):
    (tmp_path / "file").touch()
    result = CliRunner().invoke(sdgan, ["import-web", str(made[0]), "--out", str(tmp_path / "file" / "x.safetensors")])
    assert isinstance(result.exception, ImgenError)
    assert "cannot be written" in str(result.exception)


def test_no_manifest(tmp_path):
    refused(tmp_path, "manifest.json", "web demo")
    refused(tmp_path / "absent", "manifest.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"G/Conv/weights": nul}'])
def test_a_manifest_that_is_no_json(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    refused(tmp_path, "manifest.json", "not valid JSON")


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"'])
def test_a_manifest_that_is_no_mapping(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    refused(tmp_path, "must map names")


def test_a_manifest_too_large_to_be_one(tmp_path):
    (tmp_path / "manifest.json").write_bytes(b" " * (2**20 + 1))
    refused(tmp_path, "too large")


@pytest.mark.parametrize("entry", [None, 3, [], "G_Conv_weights"])
def test_an_entry_that_is_none(broken, entry):
    manifest = json.loads((broken / "manifest.json").read_text())
    manifest["G/Conv/weights"] = entry
    (broken / "manifest.json").write_text(json.dumps(manifest))
    refused(broken, "'G/Conv/weights' is missing")


@pytest.mark.parametrize("shape", [None, [3, 3, 128], [128, 128, 3, 3], [10**12] * 4, "a\nb", [[]] * 999])
def test_another_shape(broken, shape):
    change(broken, "G/Conv/weights", shape=shape)
    refused(broken, "'G/Conv/weights' has", "shape", "[3, 3, 128, 128]")


@pytest.mark.parametrize(
    "name", ["../G_Conv_biases", "/etc/hostname", "a/../../b", "..", ".", "", None, 3, "a\0b", "x" * 5000, "a\nb"]
)
def test_files_outside_the_folder_are_not_touched(broken, name):
    (broken.parent / "G_Conv_biases").write_bytes(bytes(512))
    change(broken, "G/Conv/biases", filename=name)
    refused(broken)


def test_links_out_of_the_folder_are_not_followed(broken):
    outside = broken.parent / "outside"
    outside.write_bytes(bytes(512))
    (broken / "G_Conv_biases").unlink()
    (broken / "G_Conv_biases").symlink_to(outside)
    refused(broken, "G_Conv_biases", "not a file in this folder")


def test_a_missing_file(broken):
    (broken / "G_Conv_3_weights").unlink()
    refused(broken, "G_Conv_3_weights")


@pytest.mark.parametrize("size", [0, 511, 513, 4096])
def test_a_file_of_another_size(broken, size):
    (broken / "G_Conv_biases").write_bytes(bytes(size))
    refused(broken, "G_Conv_biases", f"{size:,} bytes", "512")


def test_numbers_that_are_none(broken):
    (broken / "G_Conv_biases").write_bytes(np.full(128, np.nan, "<f4").tobytes())
    refused(broken, "not finite")
