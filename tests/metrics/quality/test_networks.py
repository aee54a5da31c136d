"""Feature networks, resizing, and what is kept of real pictures."""

from __future__ import annotations

import sys
import types
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from imgen.errors import DataError
from imgen.metrics.quality import cache
from imgen.metrics.quality.features import fitted, seen, seen_real
from imgen.metrics.quality.networks import NETWORKS, Network, NetworkName, network_of
from imgen.metrics.quality.pictures import real_pictures
from imgen.metrics.quality.resizing import bilinear, clean, resized, tensorflow

CPU = torch.device("cpu")


def test_every_name_is_in_the_table():
    assert set(get_args(NetworkName)) == set(NETWORKS)
    with pytest.raises(DataError, match="fid: no network 'vgg'; there are inception, classifier, random"):
        network_of("vgg", None, CPU, "fid")


def test_random_features_are_the_same_everywhere(plain):
    network = network_of("random", None, CPU, "fid")
    assert network.digest.startswith("733846547b60"), "other weights need another name: figures would not compare"
    assert not network.classes and "no other network" in network.notes[0]
    x = fitted(plain.pictures(5), network, "bilinear")
    features, chances = network.see(x)
    assert features.shape == (5, network.dimension) and chances.shape == (5, 0)
    assert torch.allclose(network.see(x[2:3])[0], features[2:3], atol=1e-6)
    # Left and right are apart: the quarters of the last map see where things are.
    assert (network.see(x.flip(3))[0] - features).abs().max() > 0.01
    with pytest.raises(DataError, match="fid: network random takes no weights"):
        network_of("random", "some.safetensors", CPU, "fid")


def test_a_classifier_of_ones_own(plain, tmp_path):
    path, model = plain.classifier(tmp_path / "judge.safetensors")
    network = network_of("classifier", path, CPU, "fid")
    assert network.classes == {"a": 2, "b c": 3} and network.shape == (3, 16, 16)
    images = plain.pictures(4)
    with torch.no_grad():
        features, chances = network.see(fitted(images, network, "bilinear"))
        wanted = model.embed(images.float() / 127.5 - 1)
    assert torch.equal(features, wanted) and features.shape[1] == network.dimension
    assert chances.shape == (4, 5) and torch.allclose(chances[:, :2].sum(dim=1), torch.ones(4))


def test_classifiers_that_do_not_fit(plain, tmp_path):
    with pytest.raises(DataError, match="fid: network classifier needs the setting weights"):
        network_of("classifier", None, CPU, "fid")
    with pytest.raises(DataError, match=r"fid: .*none\.safetensors: no such file"):
        network_of("classifier", str(tmp_path / "none.safetensors"), CPU, "fid")
    grey, _ = plain.classifier(tmp_path / "grey.safetensors", channels=1)
    network = network_of("classifier", grey, CPU, "fid")
    with pytest.raises(DataError, match="takes pictures of 1 channels, not of 3"):
        fitted(plain.pictures(2), network, "bilinear")
    larger, _ = plain.classifier(tmp_path / "larger.safetensors", size=32)
    network = network_of("classifier", larger, CPU, "fid")
    assert fitted(plain.pictures(2, channels=1), network, "clean").shape == (2, 3, 32, 32)


def test_the_reference_needs_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(
        DataError, match=r"fid: network inception needs the package 'torch_fidelity': pip install 'imgen"
    ):
        network_of("inception", None, CPU, "fid")


def test_a_reference_that_does_not_load_says_so(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("imgen.extras.importlib.import_module", broken)
    with pytest.raises(DataError, match=r"fid: network inception: .*torchvision::nms does not exist.*new environment"):
        network_of("inception", None, CPU, "fid")


def test_the_reference_takes_its_layers_in_order():
    from imgen.metrics.quality.inception import _LAYERS, seeing

    order: list[str] = []

    def layer(name):
        return lambda maps: (order.append(name), maps.mean(dim=(2, 3), keepdim=True) + 1)[1]

    extractor = types.SimpleNamespace(**{name: layer(name) for name in _LAYERS})
    extractor.fc = types.SimpleNamespace(weight=torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))
    features, chances = seeing(extractor)(torch.full((2, 3, 4, 4), 192.0))
    assert order == list(_LAYERS) and len(order) == 19
    assert torch.equal(features, torch.full((2, 3), 0.5 + 19)) and torch.equal(chances, torch.full((2, 2), 0.5))


def test_clean_resizing_is_pils_without_rounding(plain):
    images = plain.pictures(2, size=32)
    made = clean(images, (12, 20))
    one = Image.fromarray(images[1, 2].numpy().astype(np.float32)).resize((20, 12), Image.Resampling.BICUBIC)
    assert made.shape == (2, 3, 12, 20) and np.array_equal(made[1, 2].numpy(), np.array(one).clip(0, 255))
    assert (made != made.round()).any() and made.min() >= 0 and made.max() <= 255


def test_a_fine_pattern_aliases_unless_it_is_resized_cleanly():
    stripes = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    stripes[..., ::4] = 255
    assert clean(stripes, (16, 16))[..., 2:-2].std() < 1  # the border sees half
    assert tensorflow(stripes, (16, 16)).mean() == 255 and bilinear(stripes, (16, 16)).mean() == 0


def test_tensorflows_resizing_by_hand():
    row = torch.tensor([0, 100, 200], dtype=torch.uint8).view(1, 1, 1, 3)
    # Places 0, 0.5, 1, 1.5, 2 and 2.5; beyond the last pixel it is repeated.
    assert tensorflow(row, (1, 6)).flatten().tolist() == [0, 50, 100, 150, 200, 200]
    assert torch.equal(resized(row, (1, 3), "tensorflow"), row.float())


def counted(monkeypatch) -> list[int]:
    """Pictures that the network is shown, pass by pass."""
    shown: list[int] = []
    made = NETWORKS["random"]

    def make(weights, device):
        network = made(weights, device)
        return Network(**{**vars(network), "see": lambda x: (shown.append(len(x)), network.see(x))[1]})

    monkeypatch.setitem(NETWORKS, "random", make)
    return shown


def real_of(plain, images, resizing="bilinear"):
    evaluation = plain.evaluation(None, plain.dataset(images))
    network = network_of("random", None, CPU, "fid")
    return seen_real(evaluation, network, resizing, real_pictures(evaluation, 1000, "fid"))


def test_what_is_kept_equals_what_was_seen(plain, monkeypatch):
    shown, images = counted(monkeypatch), plain.pictures(70)
    first, how = real_of(plain, images)
    assert how == "seen" and sum(shown) == 70
    again, how = real_of(plain, images)
    assert how == "kept" and sum(shown) == 70
    assert np.array_equal(first.features, again.features) and again.chances.shape == (70, 0)
    assert real_of(plain, images, "clean")[1] == "seen"
    other = images.clone()
    other[69, 2, 15, 15] ^= 1
    assert real_of(plain, other)[1] == "seen"
    assert real_of(plain, images[:69])[1] == "seen"


@pytest.mark.parametrize("damage", ["flipped", "short", "header", "empty", "folder"])
def test_damaged_features_are_seen_anew(plain, damage):
    images = plain.pictures(20)
    first, _ = real_of(plain, images)
    (path,) = cache.cache_folder().glob("*.features.safetensors")
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-3] ^= 1
    path.write_bytes({"short": content[:-4], "header": b"\xff" * 64, "empty": b""}.get(damage, bytes(content)))
    if damage == "folder":
        path.unlink()
        path.mkdir()
    again, how = real_of(plain, images)
    assert how == "seen" and np.array_equal(first.features, again.features)
    assert real_of(plain, images)[1] == ("seen" if damage == "folder" else "kept")


def test_features_of_another_shape_or_type_are_not_taken():
    x = {"features": np.ones((4, 3), np.float32)}
    cache.remember("k" * 64, x)
    assert np.array_equal(cache.recall("k" * 64, {"features": (4, 3)})["features"], x["features"])
    assert cache.recall("k" * 64, {"features": (3, 4)}) is None
    assert cache.recall("k" * 64, {"features": (4, 3), "chances": (4, 0)}) is None
    assert cache.recall("l" * 64, {"features": (4, 3)}) is None


def test_the_oldest_are_let_go_and_the_largest_not_kept(monkeypatch):
    import os

    monkeypatch.setattr(cache, "MOST", 5000)
    for place, key in enumerate("abc"):
        cache.remember(key * 64, {"features": np.ones((500, 1), np.float32)})
        path = cache.cache_folder() / f"{key * 40}.features.safetensors"
        os.utime(path, (place, place))
    kept = [key for key in "abc" if cache.recall(key * 64, {"features": (500, 1)}) is not None]
    assert kept == ["b", "c"]
    cache.remember("d" * 64, {"features": np.ones((1000, 1), np.float32)})
    assert cache.recall("d" * 64, {"features": (1000, 1)}) is None


def test_a_disk_that_cannot_be_written_is_no_error(plain, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMGEN_CACHE", str(tmp_path / "file"))
    assert [real_of(plain, plain.pictures(8))[1] for _ in range(2)] == ["seen", "seen"]


def test_features_that_are_no_numbers_are_refused(plain):
    network = network_of("random", None, CPU, "fid")
    broken = Network(**{**vars(network), "see": lambda x: (network.see(x)[0] * np.nan, x.new_zeros(len(x), 0))})
    evaluation = plain.evaluation(None, plain.dataset(plain.pictures(8)))
    with pytest.raises(DataError, match="features that are no numbers"):
        seen(evaluation, broken, "bilinear", real_pictures(evaluation, 8, "fid"))
