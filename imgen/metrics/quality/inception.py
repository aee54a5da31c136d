"""The network whose features most published figures rest on: Inception-v3 as TensorFlow had it in 2015."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imgen.errors import DataError
from imgen.extras import need
from imgen.metrics.quality.fetching import cache_folder, fetch, is_right

NAME = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{NAME}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
BYTES = 95_628_359
_LAYERS = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_2"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    *("Mixed_7a", "Mixed_7b", "Mixed_7c", "AvgPool"),
)

See = Callable[[Tensor], tuple[Tensor, Tensor]]


def reference_inception(weights: str | None, device: torch.device) -> tuple[See, str]:
    """What turns pictures into its features and probabilities, and the digest of its weights.

    Pictures are (B, 3, 299, 299) in [0, 255]; features are the 2048 of the last pooling; probabilities are of the 1008
    classes, from logits without bias, as the published inception scores take them. The layers are those of
    torch-fidelity, whose resizing is left to `imgen.metrics.quality.resizing`.

    Raises: `DataError` where the extra is not installed, does not load, or the weights cannot be had.
    """
    fidelity = _fidelity()
    path = weights_file(weights)
    # What it unpickles has the sha256 that was published: nobody else's file gets there.
    extractor = fidelity.FeatureExtractorInceptionV3(
        "imgen-inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
    )
    return seeing(extractor.to(device)), SHA256


def seeing(extractor: Any) -> See:
    """What an extractor of torch-fidelity sees in pictures that are resized already."""

    def see(images: Tensor) -> tuple[Tensor, Tensor]:
        maps = (images - 128) / 128
        for name in _LAYERS:
            maps = getattr(extractor, name)(maps)
        features = maps.flatten(1)
        return features, torch.softmax(features @ extractor.fc.weight.T, dim=1)

    return see


def weights_file(given: str | None) -> Path:
    """The file of weights: the given one, or that of the cache, which is fetched where it is missing or damaged.

    Raises: `DataError` where the given one is not it, or it cannot be fetched.
    """
    path = Path(given).expanduser() if given else cache_folder() / NAME
    if is_right(path, SHA256):
        return path
    if given:
        what = "does not have the sha256 of" if path.exists() else "no such file; it should be"
        raise DataError(f"{given}: {what} {NAME} ({SHA256}); get it from {URL}")
    return fetch(URL, path, SHA256, most=BYTES)


def _fidelity() -> Any:
    try:
        return need("torch_fidelity", "fidelity", "network inception")
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"network inception: the package 'torch_fidelity' is there and does not load ({reason}); its torchvision "
            "must be made for this torch: pip install 'imgen[fidelity]' into a new environment"
        ) from error
