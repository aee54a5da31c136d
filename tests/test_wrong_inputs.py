"""Wrong inputs, each answered with one line that says where, what and the remedy; nothing is written."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgen.model import read_model, write_model


def photo(seed: int, format: str = "JPEG") -> bytes:
    file = BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)).save(file, format)
    return file.getvalue()


def people(root: Path, **photos: int) -> Path:
    """`<ID>_<OBS>_x.jpg` in train/."""
    (root / "train").mkdir(parents=True)
    for person, (name, count) in enumerate(photos.items()):
        for observation in range(count):
            (root / f"train/{name}_{observation}_x.jpg").write_bytes(photo(100 * person + observation))
    return root


def bomb(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes with a large header."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


FACES = """\
algorithm: {name: sddcgan, d_identity: 4, d_observation: 4, dim: 4}
dataset: {name: identities, size: 16}
train: {steps: 2, batch: 2, preview_every: 0, tensorboard: false}
"""


@pytest.fixture
def refused(cli, here, tree):
    """Runs a command that must be refused: gives its one line."""

    def run(*argv) -> str:
        before = tree(here)
        said = cli(*argv)
        assert said.status == 2, said
        assert said.out == ""
        assert len(said.lines) == 1 and said.err.startswith("imgen: "), said.err
        assert tree(here) == before, "something was written"
        return said.err.removeprefix("imgen: ").rstrip("\n")

    return run


@pytest.fixture
def faces(here) -> Path:
    (here / "faces.yaml").write_text(FACES)
    return here / "faces.yaml"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("  dim: 4", "  dmi: 4", "tiny.yaml:8: algorithm 'sddcgan' has no setting 'dmi'; did you mean 'dim'?"),
        ("steps: 4", "steps: four", "tiny.yaml:15: train: steps must be a whole number >= 1, not 'four'"),
        ("name: sddcgan", "name: sddgcan", "tiny.yaml:5: no algorithm is called 'sddgcan'; did you mean 'sddcgan'"),
        ("  batch: 4", "  steps: 5\n  batch: 4", "tiny.yaml:16: 'steps' stands twice, first in line 15; keep one"),
        ("size: 16", "size: [16", "tiny.yaml:14: not valid YAML: "),
        ("size: 16", "size: &s 16", ""),
    ],
    ids=["misspelt", "type", "algorithm", "duplicate", "broken", "anchor"],
)
def test_a_wrong_recipe(old, new, line, tiny, refused, cli):
    text = tiny.read_text()
    assert text.count(old) == 1
    tiny.write_text(text.replace(old, new))
    if line:
        assert refused("train", "tiny.yaml").startswith(line)
    else:
        assert cli("train", "tiny.yaml", "--dry-run").status == 0


def test_every_fault_of_a_recipe_has_a_line_of_its_own(tiny, cli):
    tiny.write_text(tiny.read_text().replace("dim: 4", "dmi: 4").replace("batch: 4", "batch: -4"))
    said = cli("train", "tiny.yaml")
    assert said.status == 2 and len(said.lines) == 2


def test_no_root(faces, refused):
    line = refused("train", "faces.yaml")
    assert line.startswith("faces.yaml:2: dataset 'identities' needs the setting 'root': ")
    assert line.endswith("give it with --root VALUE")


def test_a_missing_folder_says_how_to_get_the_data(faces, refused):
    line = refused("train", "faces.yaml", "--root", "nowhere")
    assert "nowhere" in line and "<ID>_<OBS>" in line
    line = refused("data", "inspect", "nowhere")
    assert "nowhere" in line


def test_an_empty_folder(faces, here, refused):
    (here / "empty").mkdir()
    assert "empty" in refused("train", "faces.yaml", "--root", "empty")


def test_nobody_has_enough_photos(faces, here, refused):
    people(here / "faces", anna=2, bert=1)
    line = refused("train", "faces.yaml", "--root", "faces", "--k", "3")
    assert "faces" in line and "3" in line and "2" in line


def test_a_truncated_photo_among_good_ones_is_reported_and_skipped(faces, here, cli):
    people(here / "faces", anna=3, bert=3)
    bad = here / "faces/train/anna_1_x.jpg"
    bad.write_bytes(bad.read_bytes()[:-200])
    said = cli("train", "faces.yaml", "--root", "faces")
    assert said.status == 0, said.err
    told = [line for line in said.lines if "anna_1_x.jpg" in line]
    assert len(told) == 1 and "Traceback" not in said.err
    assert any("5 images of 2 identities" in line for line in said.lines)
    said = cli("data", "inspect", "faces")
    assert said.status == 0 and "anna_1_x.jpg" in said.out


def test_only_bad_photos(faces, here, refused):
    people(here / "faces", anna=2)
    for path in (here / "faces/train").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert "faces" in refused("train", "faces.yaml", "--root", "faces")


def test_a_header_of_60000_by_60000_costs_no_memory(faces, here):
    """The picture would take 10.8 GB; the process may have 4 GiB in all, most of it PyTorch's own addresses."""
    people(here / "faces", anna=3, bert=3)
    (here / "faces/train/anna_9_x.png").write_bytes(bomb(60_000, 60_000))
    limit = 4 * 2**30
    done = subprocess.run(
        [sys.executable, "-m", "imgen", "train", "faces.yaml", "--root", "faces"],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "anna_9_x.png" in line]
    assert "skipped" in line and "pixels" in line


def test_a_flipped_byte_in_a_checkpoint(tiny, cli, refused, here):
    assert cli("train", "tiny.yaml", "--out", "run").status == 0
    for name in ("algorithm", "optim", "ema"):
        file = here / f"run/checkpoints/step-00000004/{name}.safetensors"
        whole = file.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 8
        file.write_bytes(flipped)
        line = refused("train", "run", "--steps", "6")
        assert f"{name}.safetensors: damaged" in line and "remove " in line
        file.write_bytes(whole)
    assert cli("train", "run", "--steps", "6").status == 0


def test_a_checkpoint_of_another_recipe(tiny, cli, refused, here):
    assert cli("train", "tiny.yaml", "--out", "run").status == 0
    line = refused("train", "tiny.yaml", "--out", "run", "--dim", "8", "--batch", "2", "--steps", "8")
    assert "algorithm.dim: 4 -> 8; train.batch: 4 -> 2" in line
    assert "--new" in line or "--out" in line
    assert "algorithm.dim: 4 -> 8" in refused("train", "run", "--dim", "8")
    # The recipe was changed by hand to match other weights: the tensors do not fit.
    recipe = here / "run/recipe.yaml"
    recipe.write_text(recipe.read_text().replace("dim: 4", "dim: 8").replace("steps: 4", "steps: 6"))
    assert "does not fit this algorithm" in refused("train", "run")


def test_a_model_of_a_plugin_that_is_not_installed(tiny, cli, refused, here):
    assert cli("train", "tiny.yaml", "--out", "run").status == 0
    config, tensors = read_model(here / "run/model.safetensors")
    object.__setattr__(config, "name", "hologan")
    object.__setattr__(config, "plugin", "imgen-hologan 2.1")
    write_model(here / "foreign.safetensors", config, tensors)
    line = refused("sample", "foreign.safetensors")
    assert "foreign.safetensors" in line and "'hologan'" in line and "imgen-hologan 2.1" in line
    assert "pip" in line


def test_a_recipe_of_a_plugin_that_is_silenced(tiny, real_cli, here, tree):
    before = tree(here)
    said = real_cli("train", "tiny.yaml", IMGEN_PLUGINS="")
    assert said.status == 2 and len(said.lines) == 1
    assert said.err.startswith("imgen: tiny.yaml:5: no algorithm is called 'sddcgan'")
    assert tree(here) == before


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--size", "20"], "powers of two"),
        (["-s", "dataset.k=1"], "set its k to 2 or more"),
        (["--k", "9"], "k=9"),
        (["--objective", "wgan-gp", "--norm", "batch"], "take norm 'layer'"),
        (["--loss", "hing"], "did you mean 'hinge'"),
        (["--critic-steps", "0"], "critic_steps must be a whole number >= 1"),
    ],
)
def test_settings_that_do_not_go_together(argv, says, tiny, refused):
    line = refused("train", "tiny.yaml", *argv)
    assert says in line or (says == "powers of two" and "16, 32, 64" in line)


def test_damaged_and_foreign_weights(tiny, cli, refused, here):
    assert cli("train", "tiny.yaml", "--out", "run").status == 0
    content = bytearray((here / "run/model.safetensors").read_bytes())
    content[-5] ^= 1
    (here / "flipped.safetensors").write_bytes(content)
    assert "damaged" in refused("sample", "flipped.safetensors")
    (here / "text.safetensors").write_text("no weights")
    assert "text.safetensors: not a" in refused("sample", "text.safetensors")


def test_a_folder_that_is_in_the_way(tiny, refused, here):
    (here / "full").mkdir()
    (here / "full/thesis.tex").touch()
    assert "full: is not empty and not a run; choose a new folder" in refused("train", "tiny.yaml", "--out", "full")


def test_a_packed_file_is_not_overwritten(here, cli, refused):
    people(here / "faces", anna=2, bert=2)
    argv = ("data", "pack", "faces", "faces.pack", "--size", "16")
    assert cli(*argv).status == 0
    said = cli(*argv)
    assert said.status == 2 and "--overwrite" in said.err and "Traceback" not in said.err
