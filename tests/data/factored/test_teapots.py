"""The data set of teapots: from our files, and from such as others wrote."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from imgen.data.factored.teapot.rendering import METRIC, TRAIN, Plan, make
from imgen.data.factored.teapot.scene import VARIANTS
from imgen.data.factored.teapots import teapots
from imgen.data.factors import BINS, Factored
from imgen.data.loader import Loader
from imgen.errors import DataError
from imgen.testing.datasets import check_dataset

NAMES = {
    "colours": ["azimuth", "elevation", "red", "green", "blue"],
    "turns": ["gamma", "beta", "alpha"],
    "lights": ["gamma", "beta", "alpha", "light_azimuth", "light_polar"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """A small data set of each variant."""
    folder = tmp_path_factory.mktemp("teapots")
    for name in VARIANTS:
        make(folder / name, Plan(variant=name, images=9, groups=1 if name == "turns" else 0))
    return {name: folder / name for name in VARIANTS}


@pytest.fixture(scope="module")
def arrays_of(made) -> dict[str, np.ndarray]:
    with np.load(made["turns"] / TRAIN, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture
def written(tmp_path, arrays_of):
    """The turns, with other arrays in place of theirs, as numpy writes them: `written(imgs=...)`."""

    def write(compressed: bool = True, **others: np.ndarray | None) -> Path:
        path = tmp_path / "data.npz"
        found = {name: array for name, array in (arrays_of | others).items() if array is not None}
        (np.savez_compressed if compressed else np.savez)(path, **found)
        return path

    return write


@pytest.mark.parametrize("name", list(VARIANTS))
def test_a_data_set_with_known_factors(made, name):
    data = teapots(root=str(made[name]))
    check_dataset(data)
    assert isinstance(data, Factored)
    assert data.variant is VARIANTS[name], "which is recognised by its latents"
    assert [factor.name for factor in data.spec.factors] == NAMES[name]
    assert all(factor.size == 0 and factor.ordered for factor in data.spec.factors)
    assert data.spec.image == (3, 64, 64)
    assert "nobody's face" in data.spec.about
    assert data.report.lines() == ["9 images"]
    rows = np.array([4, 0, 7])
    shown = data.show(data.factors_of(rows))
    assert shown.dtype == torch.uint8
    assert torch.equal(shown, data.columns["images"].fetch(rows))
    drawn = data.draw_factors(500, np.random.default_rng(0))
    assert drawn.shape == (500, len(NAMES[name]))
    assert data.places(drawn).min() == 0
    assert data.places(drawn).max() == BINS - 1
    again = data.draw_factors(500, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, again)


def test_what_imgen_wrote_is_mapped_and_the_whole_column_is_a_tensor(made, arrays_of):
    data = teapots(root=str(made["turns"] / TRAIN), variant="turns")
    column = data.columns["images"]
    assert isinstance(column._array, np.memmap)
    expected = torch.from_numpy(arrays_of["imgs"]).permute(0, 3, 1, 2)
    assert torch.equal(column.decode_all(2), expected)
    assert torch.equal(column.fetch(np.array([3])), expected[3:4])
    loader = Loader(data, batch=4, seed=0, device=torch.device("cpu"), resident="never")
    assert torch.equal(loader.batch(0)["images"], expected[torch.from_numpy(loader.rows(0)["images"])])
    loader.close()


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", [np.uint8, np.float64, np.float32])
def test_files_of_others_are_read_whatever_their_numbers(written, arrays_of, kind, compressed):
    pictures = arrays_of["imgs"] if kind == np.uint8 else (arrays_of["imgs"] / 255).astype(kind)
    data = teapots(root=str(written(compressed, imgs=pictures)))
    column = data.columns["images"]
    assert isinstance(column._array, np.memmap) == (kind == np.uint8 and not compressed)
    np.testing.assert_array_equal(column.decode_all(1).permute(0, 2, 3, 1), arrays_of["imgs"])
    assert data.show(data.factors_of(np.array([1]))).shape == (1, 3, 64, 64)


def test_places_cut_intervals_into_equal_parts(made):
    data = teapots(root=str(made["turns"]))
    low, high = np.zeros(3), np.array([2 * np.pi, np.pi, 2 * np.pi])
    values = np.stack([low, high, high / 2 + 1e-9, high * 0.0999, high * 0.1001])
    assert data.places(values).tolist() == [[0] * 3, [19] * 3, [10] * 3, [1] * 3, [2] * 3]
    assert data.places(values.astype(np.float32).astype(float))[1].tolist() == [19] * 3
    with pytest.raises(DataError, match=r"beta is 3\.2"):
        data.places(np.array([[1, 3.2, 1]]))
    with pytest.raises(DataError, match=r"beta is 3\.2"):
        data.show(np.array([[1, 3.2, 1]]))


def test_pictures_that_imgen_did_not_draw_cannot_be_shown_anew(written, arrays_of):
    other = arrays_of["imgs"].copy()
    other[2, 30, 30] ^= 1
    data = teapots(root=str(written(imgs=other)))
    with pytest.raises(DataError, match="not drawn by this version of imgen") as told:
        data.show(data.factors_of(np.array([0])))
    assert "\n" not in str(told.value)


def test_groups_in_which_one_factor_stays(made, tmp_path):
    data = teapots(root=str(made["turns"]))
    groups = data.groups()
    assert groups.labels.tolist() == [0]
    assert groups.images.shape == (1, 100, 3, 64, 64)
    fetched = groups.images.fetch(np.array([0]))
    assert fetched.shape == (1, 100, 3, 64, 64)
    with np.load(made["turns"] / METRIC, allow_pickle=False) as file:
        np.testing.assert_array_equal(fetched[0].permute(0, 2, 3, 1), file["imgs"][0])
        np.savez(tmp_path / "floats.npz", imgs=file["imgs"] / 255.0, labels=file["labels"])
        np.savez(tmp_path / "beyond.npz", imgs=file["imgs"], labels=np.array([3], np.int32))
        np.savez(tmp_path / "labels.npz", imgs=file["imgs"], labels=np.array([0, 1], np.int32))
        np.savez(tmp_path / "flat.npz", imgs=file["imgs"][0], labels=file["labels"])
    floats = teapots(root=str(made["turns"]), metric_data=str(tmp_path / "floats.npz")).groups()
    assert torch.equal(floats.images.fetch(np.array([0])), fetched)
    for name, told in (("beyond", "labels from 3 to 3"), ("labels", "'labels' is"), ("flat", "groups of teapots are")):
        with pytest.raises(DataError, match=told):
            teapots(root=str(made["turns"]), metric_data=str(tmp_path / f"{name}.npz")).groups()
    with pytest.raises(DataError, match=r"has no metric_data/data\.npz beside it"):
        teapots(root=str(made["colours"])).groups()
    with pytest.raises(DataError, match="no such file"):
        teapots(root=str(made["turns"]), metric_data=str(tmp_path / "nothing.npz")).groups()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"imgs": None}, "has no array 'imgs', but latents"),
        ({"latents": None}, "has no array 'latents'"),
        ({"imgs": np.zeros((9, 32, 32, 3), np.uint8)}, r"'imgs' is \(9, 32, 32, 3\); teapots are \(N, 64, 64, 3\)"),
        ({"imgs": np.zeros((0, 64, 64, 3), np.uint8)}, "'imgs' is"),
        ({"imgs": np.zeros((8, 64, 64, 3), np.uint8)}, r"'latents' is \(9, 3\) of float64, not \(8, K\)"),
        ({"imgs": np.zeros((9, 64, 64, 3), np.int32)}, "'imgs' is of int32"),
        ({"imgs": np.full((9, 64, 64, 3), 255.0)}, "floats outside of 0 to 1"),
        ({"imgs": np.full((9, 64, 64, 3), np.nan)}, "floats outside of 0 to 1"),
        ({"latents": np.zeros((9, 3), np.int64)}, "'latents' is"),
        ({"latents": np.zeros((9, 4))}, "are those of no variant"),
        ({"latents": np.full((9, 3), 7.0)}, "are those of no variant"),
        ({"latents": np.full((9, 3), np.nan)}, "are those of no variant"),
    ],
)
def test_files_that_are_not_of_teapots_are_refused_in_one_line(written, change, told):
    with pytest.raises(DataError, match=told) as error:
        teapots(root=str(written(**change)))
    assert "\n" not in str(error.value)


def test_what_is_missing_damaged_or_of_another_variant_is_refused(made, tmp_path, written):
    with pytest.raises(DataError, match=r"has no train_data/data.npz; draw the teapots with `imgen data make teapots`"):
        teapots(root=str(tmp_path))
    with pytest.raises(DataError, match="no such file"):
        teapots(root=str(tmp_path / "nothing.npz"))
    with pytest.raises(DataError, match=r"not of variant A \(colours\)"):
        teapots(root=str(made["turns"]), variant="colours")
    whole = written(False).read_bytes()
    (tmp_path / "short.npz").write_bytes(whole[:-5000])
    with pytest.raises(DataError, match="damaged"):
        teapots(root=str(tmp_path / "short.npz"))
    # An array that would lie where the archive has none.
    moved = bytearray(whole)
    moved[26:28] = (60_000).to_bytes(2, "little")
    (tmp_path / "moved.npz").write_bytes(moved)
    with pytest.raises(DataError):
        teapots(root=str(tmp_path / "moved.npz"))


def test_pickled_arrays_are_never_read(tmp_path, arrays_of):
    np.savez(tmp_path / "data.npz", imgs=arrays_of["imgs"], latents=np.array([{}] * 9, object))
    with pytest.raises(DataError):
        teapots(root=str(tmp_path / "data.npz"))
    assert zipfile.is_zipfile(tmp_path / "data.npz")


def test_the_data_set_is_registered(plugins):
    factory = plugins.registry("datasets").get("teapots").load()
    assert factory is teapots
