"""The authors' web demo: SD-BEGAN's generator as `manifest.json` and one raw file of float32 for each tensor.

The folder comes from anywhere, so nothing in it is believed: files lie in the folder itself, have just the size of
the tensor that is expected, and hold finite numbers.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import imgen
from imgen.data.spec import DataSpec
from imgen.errors import WeightsError
from imgen.model import ModelConfig, write_model
from imgen_sdgan.networks import BeganGenerator

SETTINGS = {"d_identity": 50, "d_observation": 50, "hidden": 128}
DATA = DataSpec(
    image=(3, 64, 64),
    group=2,
    about="Faces of celebrities from MS-Celeb-1M, a set that its publisher withdrew in 2019 over the privacy of "
    "those shown. The weights were published by SD-GAN's authors under the MIT licence.",
)
_MOST_MANIFEST = 2**20  # bytes; theirs has two thousand


def import_generator(folder: Path, out: Path) -> None:
    """Write the demo's generator as a weights file of ours.

    Raises: `WeightsError` where the folder is not that of the demo; `OSError` where `out` cannot be written.
    """
    origin = {
        "paper": "Semantically Decomposing the Latent Spaces of Generative Adversarial Networks, ICLR 2018",
        "source": "the authors' web demo",
        "folder": folder.resolve().name,
    }
    config = ModelConfig(
        name="sdbegan", settings=SETTINGS, data=DATA, plugin=f"sdgan (imgen {imgen.__version__})", origin=origin
    )
    write_model(out, config, read_generator(folder))


def read_generator(folder: Path) -> dict[str, Tensor]:
    """The demo's generator as a state of `BeganGenerator`.

    Raises: `WeightsError` where the folder is not that of the demo.
    """
    manifest = read_manifest(folder)
    generator = BeganGenerator(DATA, **SETTINGS)
    state = {}
    layers = [name.removesuffix(".weight") for name in generator.state_dict() if name.endswith(".weight")]
    for index, layer in enumerate(layers):
        # Slim names a scope's convolutions Conv, Conv_1, Conv_2 ... in the order of their making.
        scope = "G/fully_connected" if index == 0 else "G/Conv" if index == 1 else f"G/Conv_{index - 1}"
        weight, bias = generator.state_dict()[f"{layer}.weight"], generator.state_dict()[f"{layer}.bias"]
        # (in, out) and (height, width, in, out) there; (out, in) and (out, in, height, width) here.
        turned = (1, 0) if weight.dim() == 2 else (3, 2, 0, 1)
        theirs = [0] * weight.dim()
        for here, there in enumerate(turned):
            theirs[there] = weight.shape[here]
        read = read_tensor(folder, manifest, f"{scope}/weights", tuple(theirs))
        # Dense units are channels first in this archive, as they are here.
        state[f"{layer}.weight"] = read.permute(turned).contiguous()
        state[f"{layer}.bias"] = read_tensor(folder, manifest, f"{scope}/biases", tuple(bias.shape))
    return state


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the manifest says: name of a tensor -> its file and shape, none of it checked yet.

    Raises: `WeightsError` where there is none, or it is not a mapping.
    """
    path = folder / "manifest.json"
    try:
        if path.stat().st_size > _MOST_MANIFEST:
            raise WeightsError(f"{path}: too large for a manifest; one of at most {_MOST_MANIFEST:,} bytes is read")
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or error
        raise WeightsError(f"{path}: {why}; FOLDER must hold the files of SD-GAN's web demo") from None
    except (ValueError, RecursionError):
        raise WeightsError(f"{path}: not valid JSON; fetch the web demo's manifest.json again") from None
    if not isinstance(manifest, dict):
        raise WeightsError(f"{path}: must map names of tensors to their file and shape")
    return manifest


def read_tensor(folder: Path, manifest: dict[str, Any], name: str, shape: tuple[int, ...]) -> Tensor:
    """One tensor of the manifest.

    Raises: `WeightsError` where it is missing, of another shape, outside the folder, or not finite.
    """
    where = f"{folder / 'manifest.json'}: '{name}'"
    entry = manifest.get(name)
    if not isinstance(entry, dict):
        raise WeightsError(f"{where} is missing; the web demo of SD-BEGAN has it")
    told = entry.get("shape")
    if told != list(shape):
        readable = isinstance(told, list) and len(told) <= 8 and all(isinstance(size, int) for size in told)
        raise WeightsError(f"{where} has {f'shape {told}' if readable else 'no shape'}; SD-BEGAN's is {list(shape)}")
    file_name = entry.get("filename")
    if not _is_file_name(file_name):
        raise WeightsError(f"{where} has file name {str(file_name)[:80]!r}; it must be that of a file in this folder")
    path = folder / str(file_name)
    numbers = np.frombuffer(_read(path, 4 * math.prod(shape)), dtype="<f4").reshape(shape)
    if not np.isfinite(numbers).all():
        raise WeightsError(f"{path}: holds values that are not finite numbers; fetch it again")
    return torch.from_numpy(numbers.astype(np.float32))


def _is_file_name(told: object) -> bool:
    """Whether it names something in a folder, and nothing above or below."""
    return isinstance(told, str) and len(told) < 256 and told.isprintable() and Path(told).name == told


def _read(path: Path, size: int) -> bytes:
    """Exactly `size` bytes of a plain file, asked before it is opened."""
    try:
        if path.is_symlink() or not path.is_file():
            raise WeightsError(f"{path}: not a file in this folder; fetch all files of the web demo")
        found = path.stat().st_size
        content = path.read_bytes() if found == size else b""
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read: {error}") from None
    if len(content) != size:
        raise WeightsError(f"{path}: has {found:,} bytes, {size:,} are expected; fetch it again")
    return content
