"""Learned perceptual distance: by hand on weights of chance, and the diversity that rests on it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import conv2d, max_pool2d

from imgen.errors import DataError
from imgen.metrics.quality.lpips import lpips_diversity
from imgen.metrics.quality.perceptual import read_distance

LAYERS = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}


def tensors() -> dict[str, torch.Tensor]:
    """Weights of chance under the names that torchvision and LPIPS have, and something else beside."""
    generator = torch.Generator().manual_seed(0)
    made = {"classifier.1.weight": torch.zeros(2, 2)}
    for place, (at, (out, into, side)) in enumerate(LAYERS.items()):
        scale = math.sqrt(2 / (into * side * side))
        made[f"features.{at}.weight"] = torch.randn(out, into, side, side, generator=generator) * scale
        made[f"features.{at}.bias"] = torch.randn(out, generator=generator) * 0.1
        made[f"lin{place}.model.1.weight"] = torch.rand(1, out, 1, 1, generator=generator)
    return made


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "lpips.safetensors"
    save_file(tensors(), path)
    return path


def by_hand(x: torch.Tensor, y: torch.Tensor) -> float:
    """The distance of two pictures (3, H, W) in [-1, 1], layer after layer and place after place."""
    told, w = 0.0, tensors()
    mean, std = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    maps = [
        torch.from_numpy((each.numpy() - mean[:, None, None]) / std[:, None, None]).float()[None] for each in (x, y)
    ]
    for place, at in enumerate(LAYERS):
        stride, padding = {0: (4, 2), 3: (1, 2)}.get(at, (1, 1))
        maps = [conv2d(each, w[f"features.{at}.weight"], w[f"features.{at}.bias"], stride, padding) for each in maps]
        maps = [each.clamp_min(0) for each in maps]
        a, b = (each[0].double().numpy() for each in maps)
        a, b = (each / (np.sqrt((each**2).sum(axis=0)) + 1e-10) for each in (a, b))
        lin = w[f"lin{place}.model.1.weight"].double().numpy()[0]
        told += float((lin * (a - b) ** 2).sum(axis=0).mean())
        if at in (0, 3):
            maps = [max_pool2d(each, 3, 2) for each in maps]
    return told


def test_the_distance_by_hand(plain, weights):
    network, digest = read_distance(weights)
    x, y = (plain.pictures(3, size=64, seed=seed).float() / 127.5 - 1 for seed in (0, 1))
    told = network(x, y)
    assert told.tolist() == pytest.approx([by_hand(*pair) for pair in zip(x, y, strict=True)], rel=1e-4)
    assert len(digest) == 64 and (told > 0.1).all()
    assert network(x, x).tolist() == [0, 0, 0] and torch.allclose(network(y, x), told)


def test_diversity_of_what_is_made_and_of_what_is_real(plain, weights):
    data = plain.dataset(plain.pictures(64, size=32))
    metric = lpips_diversity(weights=str(weights), pairs=32)
    told = metric(plain.evaluation(plain.Draws(32), data))
    assert told.counts == {"pictures": 64, "real": 64} and "LPIPS 0.1 over AlexNet" in told.protocol
    assert told.values["lpips"] == pytest.approx(told.values["lpips_real"], rel=0.15)
    collapsed = metric(plain.evaluation(plain.Draws(32, scale=0.0), data)).values
    assert collapsed["lpips"] == 0 and collapsed["lpips_real"] == told.values["lpips_real"]
    grey = metric(plain.evaluation(Grey(plain), plain.dataset(plain.pictures(64, size=32, channels=1))))
    assert grey.values["lpips"] == pytest.approx(grey.values["lpips_real"], rel=0.2)


def Grey(plain):
    model = plain.Draws(32)
    colours = model.forward
    model.forward = lambda z: colours(z)[:, :1]
    return model


def test_weights_that_are_none(plain, tmp_path):
    with pytest.raises(DataError, match=r"no such file; give a safetensors file with torchvision's AlexNet"):
        read_distance(tmp_path / "none.safetensors")
    (tmp_path / "text").write_text("not weights at all")
    with pytest.raises(DataError, match="not a safetensors file"):
        read_distance(tmp_path / "text")
    (tmp_path / "cut").write_bytes((100).to_bytes(8, "little") + b"{}")
    with pytest.raises(DataError, match="not a readable safetensors file"):
        read_distance(tmp_path / "cut")
    with pytest.raises(DataError, match="not a readable safetensors file"):
        read_distance(tmp_path)
    save_file({k: v for k, v in tensors().items() if k != "lin3.model.1.weight"}, tmp_path / "few")
    with pytest.raises(DataError, match=r"has no tensor 'lin3\.model\.1\.weight'; give"):
        read_distance(tmp_path / "few")
    save_file(tensors() | {"features.3.bias": torch.zeros(7)}, tmp_path / "other")
    with pytest.raises(DataError, match=r"'features\.3\.bias' is \(7,\), not \(192,\)"):
        read_distance(tmp_path / "other")


def test_what_cannot_be_measured(plain, weights):
    data = plain.dataset(plain.pictures(8, size=32))
    with pytest.raises(DataError, match=r"^lpips-diversity: needs weights; give the setting weights a safetensors"):
        lpips_diversity()(plain.evaluation(plain.Draws(32), data))
    small = plain.evaluation(plain.Draws(16), plain.dataset(plain.pictures(8)))
    with pytest.raises(DataError, match=r"^lpips-diversity: needs pictures of 31 pixels"):
        lpips_diversity(weights=str(weights))(small)
    alone = plain.evaluation(plain.Draws(32), plain.dataset(plain.pictures(1, size=32)))
    with pytest.raises(DataError, match=r"^lpips-diversity: needs 2 pictures or more of either kind; there are 1"):
        lpips_diversity(weights=str(weights))(alone)
