"""Pictures from .npy and .npz files: what they mean, that they are mapped and not read, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from imgen.data.arrays import write_npy
from imgen.data.folder import images
from imgen.data.identities import identities
from imgen.data.inspect import inspect
from imgen.data.loader import Loader
from imgen.data.pack import Packed, pack
from imgen.errors import DataError
from imgen.testing import check_dataset

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), np.uint8)
GREY = PIXELS[..., 0]
BINARY = (GREY > 127).astype(np.uint8)


@pytest.fixture
def saved(tmp_path):
    """The path of an array that numpy wrote, or of an .npz file of several."""

    def save(array=None, **arrays):
        path = tmp_path / ("set.npy" if array is not None else "set.npz")
        if array is not None:
            np.save(path, array)
        else:
            np.savez_compressed(path, **arrays)
        return str(path)

    return save


def seen(data):
    """All pictures, after every way of getting at them has given the same."""
    column = data.columns["images"]
    every = column.fetch(np.arange(column.shape[0]))
    assert torch.equal(every, column.decode_all()) and every.dtype == column.dtype == torch.uint8
    assert every.is_contiguous() and every.shape == column.shape and len(column) == len(every)
    return every.numpy()


def test_pictures_in_colour(saved):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = images(root=saved(PIXELS), size=8)
        assert np.array_equal(seen(data), PIXELS.transpose(0, 3, 1, 2))
    assert data.spec.image == (3, 8, 8) and data.spec.about == "pictures from set.npy"
    assert data.report.lines() == ["7 images"] and data.origin == {"layout": "images"}
    check_dataset(data)


@pytest.mark.parametrize("array", [GREY, GREY[..., None]])
def test_grey_pictures_with_and_without_a_channel(array, saved):
    data = images(root=saved(array), size=8, channels=1, about="mine")
    assert np.array_equal(seen(data), GREY[:, None]) and data.spec.about == "mine"
    check_dataset(data)


@pytest.mark.parametrize("array", [BINARY, BINARY.astype(bool), BINARY.astype(np.float32)])
def test_of_0_and_1_alone_1_is_white(array, saved):
    for path in (saved(array), saved(imgs=array)):
        data = images(root=path, size=8, channels=1)
        assert np.array_equal(seen(data), BINARY[:, None] * 255)
        check_dataset(data)


def test_a_dark_picture_among_others_stays_dark(saved):
    array = np.zeros((5, 4, 4), np.uint8)
    array[:, 0, 0] = 1
    array[4, 3, 3] = 2
    assert np.array_equal(seen(images(root=saved(array), size=4, channels=1)), array[:, None])


@pytest.mark.parametrize("kind", ["float16", "float32", ">f8"])
def test_floats_from_0_to_1(kind, saved):
    array = (PIXELS / 255).astype(kind)
    for path in (saved(array), saved(images=array)):
        assert np.array_equal(seen(images(root=path, size=8)), PIXELS.transpose(0, 3, 1, 2))
    assert seen(images(root=saved(np.full((1, 1, 1), 0.5)), size=1, channels=1)).tolist() == [[[[128]]]]


def test_which_array_of_several(saved):
    labels = np.arange(7)
    for arrays in (
        {"imgs": PIXELS, "images": PIXELS // 2, "labels": labels},
        {"images": PIXELS, "other": PIXELS // 2, "labels": labels},
        {"faces": PIXELS, "labels": labels, "table": np.zeros((7, 2))},
    ):
        assert np.array_equal(seen(images(root=saved(**arrays), size=8)), PIXELS.transpose(0, 3, 1, 2))


def test_the_loader_gives_the_same_resident_and_streamed(saved):
    data = images(root=saved(PIXELS), size=8)
    batches = [
        Loader(data, batch=4, seed=1, device=torch.device("cpu"), resident=resident).batch(2)["images"]
        for resident in ("always", "never")
    ]
    assert torch.equal(*batches) and batches[0].is_contiguous() and batches[0].shape == (4, 3, 8, 8)


def test_an_array_is_packed_as_any_set(saved, tmp_path):
    data = images(root=saved(PIXELS), size=8)
    assert np.array_equal(Packed(pack(data, tmp_path / "pack")).images().numpy(), seen(data))


def test_an_npy_file_is_mapped_and_never_written_to(tmp_path):
    # 40 GB by its header, and no room on the disk: a hole.
    path = tmp_path / "huge.npy"
    shape = (1_000_000, 116, 116, 3)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.write(b"\x09")
        file.seek(int(np.prod(shape)) - 2, 1)
        file.write(b"\7")
    column = images(root=str(path), size=116).columns["images"]
    assert column.fetch(np.array([5, 999_999]))[:, 2, 115, 115].tolist() == [0, 7]
    whole = column.decode_all()
    assert whole.shape == (1_000_000, 3, 116, 116) and whole[0, 0, 0, 0] == 9
    whole[0, 0, 0, 0] = 200
    assert images(root=str(path), size=116).columns["images"].fetch(np.array([0]))[0, 0, 0, 0] == 9


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (PIXELS.astype(np.int64), "'data' is int64; pictures are uint8 up to 255, or floats in [0, 1]"),
        (PIXELS.astype(np.float32), "'data' has floats from 0 to 255; they must be in [0, 1], or uint8"),
        (PIXELS / 255 * 2 - 1, "'data' has floats from -1 to 1; they must be in [0, 1]"),
        (np.full((2, 8, 8, 3), np.nan), "'data' has floats from nan to nan; they must be in [0, 1]"),
        (np.ascontiguousarray(PIXELS.transpose(0, 3, 1, 2)), "channels come last: write numpy.moveaxis(array, 1, 3)"),
        (np.zeros((2, 8, 8, 4), np.uint8), "'data' is (2, 8, 8, 4); wanted are pictures of shape (N, H, W, 3)"),
        (np.zeros((0, 8, 8, 3), np.uint8), "'data' is (0, 8, 8, 3); wanted are pictures"),
        (np.zeros(9, np.uint8), "holds data (9,); wanted are pictures of shape (N, H, W, 3), (N, H, W, 1) or (N, H"),
        (np.zeros((2, 8, 6), np.uint8), "its pictures are 6x8; only square ones can be used"),
        (PIXELS[:, :4, :4], "its pictures have 3 channels at 4x4, not 3 at 8x8; set size to 4 and channels to 3"),
        (GREY, "its pictures have 1 channels at 8x8, not 3 at 8x8; set size to 8 and channels to 1"),
        (np.full((2, 8, 8), None), "'data' is object; pictures are uint8"),
        (np.full((2, 8, 8), "x"), "'data' is <U1; pictures are uint8"),
        (np.zeros((2, 8, 8), [("a", "u1")]), "pictures are uint8 up to 255"),
        (np.zeros((2, 8, 8), complex), "'data' is complex128; pictures are uint8"),
    ],
)
def test_arrays_that_are_no_pictures_are_one_line(array, says, saved):
    path = saved(array)
    with pytest.raises(DataError) as caught:
        images(root=path, size=8)
    assert str(caught.value).startswith(path) and says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"faces": PIXELS, "houses": PIXELS}, "holds faces (7, 8, 8, 3), houses (7, 8, 8, 3); several arrays may be"),
        ({"labels": np.arange(3)}, "holds labels (3,); wanted are pictures of shape (N, H, W, 3)"),
        ({"imgs": np.arange(3), "faces": PIXELS}, "'imgs' is (3,); wanted are pictures"),
        ({}, "holds no arrays; wanted are pictures"),
    ],
)
def test_files_without_pictures_are_one_line(arrays, says, saved):
    with pytest.raises(DataError) as caught:
        images(root=saved(**arrays), size=8)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "damage"),
    # An .npy file has no sum of its pixels, by which a flipped bit could be known.
    [
        *((name, damage) for name in ("set.npy", "set.npz") for damage in ("empty", "half", "text")),
        ("set.npz", "flipped"),
    ],
)
def test_damaged_files_are_one_line(name, damage, tmp_path):
    path = tmp_path / name
    np.save(path, PIXELS) if name == "set.npy" else np.savez(path, imgs=PIXELS)
    whole = path.read_bytes()
    damaged = {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "text": b"no array" * 100,
        "flipped": whole[:500] + bytes([whole[500] ^ 1]) + whole[501:],
    }
    path.write_bytes(damaged[damage])
    for look in (lambda: images(root=str(path), size=8), lambda: inspect(path)):
        with pytest.raises(DataError) as caught:
            look()
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_inspect_tells_what_an_array_holds(saved, tmp_path, cli):
    report = inspect(saved(imgs=BINARY, labels=np.arange(7)))
    assert (report.kind, report.layout, report.images) == ("array", "images", 7)
    assert report.sizes == {"8x8": 7} and report.modes == {"L": 7}
    assert report.formats == {"'imgs', uint8 from 0 to 1": 7}
    write_npy(tmp_path / "wide.npy", (2, 4, 6, 3), np.uint8, [np.full((2, 4, 6, 3), 9, np.uint8)])
    said = cli("data", "inspect", tmp_path / "wide.npy")
    assert said.status == 0 and "'data', uint8 from 9 to 9 (2)" in said.out and "6x4" in said.out
    assert cli("data", "inspect", tmp_path / "wide.npy", "--attrs", "Smiling").status == 2


def test_an_array_tells_no_identities(saved):
    for path in (saved(PIXELS), saved(imgs=PIXELS)):
        with pytest.raises(DataError, match="an array of pictures tells no identities; give a folder"):
            identities(root=path)


def test_a_run_trains_from_an_array(saved, cli, here):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
    (here / "faces.yaml").write_text(
        "algorithm: {name: infogan-cr, arch: faces, dim: 4, hidden: 8, loss: logistic}\n"
        "dataset: {name: images, size: 32}\n"
        "train: {steps: 2, batch: 4, preview_every: 2, tensorboard: false}\n"
    )
    for path in (saved(pixels), saved(imgs=pixels)):
        said = cli("train", "faces.yaml", "--root", path, "--out", here / path[-3:])
        assert said.status == 0, said.err
    # The same pictures, however they are kept, make the same model.
    npy, npz = (load_file(here / ending / "model.safetensors") for ending in ("npy", "npz"))
    assert npy.keys() == npz.keys() and all(torch.equal(npy[key], npz[key]) for key in npy)
