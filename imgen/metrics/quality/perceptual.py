"""Learned perceptual distance of two pictures (LPIPS), by features of an AlexNet that whoever measures brings along."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from imgen.errors import DataError

_STAGES = (
    (0, 64, 3, 11, 4, 2),
    (3, 192, 64, 5, 1, 2),
    (6, 384, 192, 3, 1, 1),
    (8, 256, 384, 3, 1, 1),
    (10, 256, 256, 3, 1, 1),
)
"""Of each convolution: place among torchvision's layers, channels out and in, kernel, stride, padding."""
_POOLED = (0, 3)  # places of the convolutions after whose activation maps are pooled
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EPSILON = 1e-10  # beside the length of a feature
_MOST_HEADER = 2**20
LEAST_SIDE = 31
"""Pixels: smaller pictures leave nothing after the layers."""
WANTED = (
    "a safetensors file with torchvision's AlexNet features (features.0.weight, features.0.bias, and so on for 3, 6, 8 "
    "and 10) and the linear layers of LPIPS 0.1 (lin0.model.1.weight to lin4.model.1.weight)"
)


class PerceptualDistance(nn.Module):
    """LPIPS of version 0.1 over AlexNet: 0 for equal pictures, about 1 for very different ones.

    Features after each of five activations are scaled to length 1 at every place; squared differences are weighted by
    channel, averaged over places and added up. Pictures are taken at their own size.

    Source: Zhang, Isola, Efros, Shechtman, Wang, "The unreasonable effectiveness of deep features as a perceptual
    metric", 2018, equation 1.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict(
            {str(at): nn.Conv2d(into, out, kernel, stride, pad) for at, out, into, kernel, stride, pad in _STAGES}
        )
        self.weights = nn.ParameterList(torch.zeros(1, out, 1, 1) for _, out, *_ in _STAGES)
        self.pool = nn.MaxPool2d(3, 2)
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1), persistent=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Shapes: first, second: (B, 3, H, W) in [-1, 1] -> (B,)."""
        told = torch.zeros(len(first), device=first.device)
        for weight, a, b in zip(self.weights, self._maps(first), self._maps(second), strict=True):
            told = told + (weight * (a - b) ** 2).sum(dim=1).mean(dim=(1, 2))
        return told

    def _maps(self, images: Tensor) -> list[Tensor]:
        maps, found = (images - self.shift) / self.scale, []
        for at, *_ in _STAGES:
            maps = relu(self.features[str(at)](maps))
            found.append(maps / (maps.norm(dim=1, keepdim=True) + _EPSILON))
            maps = self.pool(maps) if at in _POOLED else maps
        return found


def read_distance(path: Path) -> tuple[PerceptualDistance, str]:
    """The distance of a weights file, in evaluation mode, and the file's sha256. See `WANTED`; all else is left out.

    Raises: `DataError` where the file is missing, damaged, or has not these tensors in these shapes.
    """
    from safetensors import SafetensorError, safe_open

    network = PerceptualDistance()
    wanted = {f"features.{at}.{part}": f"features.{at}.{part}" for at, *_ in _STAGES for part in ("weight", "bias")}
    wanted |= {f"lin{place}.model.1.weight": f"weights.{place}" for place in range(len(_STAGES))}
    own = network.state_dict()
    try:
        with path.open("rb") as file:
            # Asked before the library reads it: a file can claim any size for its header.
            if int.from_bytes(file.read(8), "little") > _MOST_HEADER:
                raise DataError(f"{path}: not a safetensors file; give {WANTED}")
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with safe_open(path, framework="pt") as file:
            there = set(file.keys())
            for theirs, ours in wanted.items():
                if theirs not in there:
                    raise DataError(f"{path}: has no tensor '{theirs}'; give {WANTED}")
                shape = tuple(file.get_slice(theirs).get_shape())
                if shape != tuple(own[ours].shape):
                    raise DataError(f"{path}: '{theirs}' is {shape}, not {tuple(own[ours].shape)}; give {WANTED}")
                own[ours] = file.get_tensor(theirs).float()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give {WANTED}") from None
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: not a readable safetensors file: {error}; give {WANTED}") from None
    network.load_state_dict(own)
    return network.eval().requires_grad_(False), digest
