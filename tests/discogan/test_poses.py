"""The paper's sets of cars, chairs and faces, read from tiny trees of the same layout."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgen.errors import DataError
from imgen.testing.datasets import check_dataset
from imgen_discogan.poses.pairs import pose_pairs

DEGREES = [75, 60, 45, 30, 15, 0, -15, -30, -45, -60, -75]


def write_cars(folder: Path, numbers: list[int]) -> None:
    """Cars whose grey is 10 for each azimuth index, and whose red tells the number; elevation 3 alone is not black."""
    matlab = pytest.importorskip("scipy.io", reason="cars are .mat files, which need scipy")
    folder.mkdir(parents=True)
    for number in numbers:
        im = np.zeros((8, 8, 3, 24, 4), np.uint8)
        im[..., 3] = 10 * np.arange(24)
        im[0, 0, :, :, 3] = number
        matlab.savemat(folder / f"car_{number:03d}_mesh.mat", {"im": im, "other": "text"}, do_compression=True)


def write_picture(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 12), (grey, grey, grey)).save(path)


def write_chairs(root: Path, count: int, angles: tuple[int, ...] = (0, 90, 180, 186, 270, 355)) -> None:
    for chair in range(count):
        for place, angle in enumerate(angles):
            name = f"image_{place:03d}_p020_t{angle:03d}_r096.png"
            write_picture(root / "rendered_chairs" / f"id{chair:02d}" / "renders" / name, 10 + chair)


def write_faces(root: Path, count: int) -> None:
    for face in range(count):
        for angle in (-30, 0, 30):
            # Twenty characters say who it is.
            write_picture(root / "faces" / f"{face:05d}_20061015_00418_x{angle:+d}.png", 100 + face)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_chairs(tmp_path, 15)
    write_faces(tmp_path, 10)
    return tmp_path


def test_cars_are_sorted_by_number_cut_in_halves_and_the_last_14_held_out(tmp_path: Path) -> None:
    numbers = [2, 10, 9, 100, 33, *range(200, 214)]
    write_cars(tmp_path / "cars", numbers)
    data = pose_pairs(root=str(tmp_path), size=8)
    check_dataset(data)
    assert data.spec.domains == ("car-a", "car-b")
    assert data.spec.image == (3, 8, 8)
    a, b = (data.columns[name].view(-1, 11, 3, 8, 8) for name in "ab")
    assert a[:, 0, 0, 0, 0].tolist() == [2, 9], "the first half of 2, 9, 10, 33, 100"
    assert b[:, 0, 0, 0, 0].tolist() == [10, 33, 100]
    assert a[0, :, 0, 4, 4].tolist() == [10 * index for index in (5, 4, 3, 2, 1, 0, 23, 22, 21, 20, 19)]
    assert torch.equal(a[:, :, 0], a[:, :, 2])
    assert data.azimuth["a"].tolist() == DEGREES * 2
    assert data.azimuth["b"].tolist() == DEGREES * 3
    assert data.test["a"].shape == (154, 3, 8, 8)
    assert torch.equal(data.test["a"], data.test["b"])
    assert data.test["a"][::11, 0, 0, 0].tolist() == list(range(200, 214))
    assert data.test_azimuth["b"].tolist() == DEGREES * 14
    assert data.test_names["a"][0] == "car_200_mesh.mat:5"
    assert data.report and data.report.lines() == ["55 images of 5 identities"]


def test_views_of_cars(tmp_path: Path) -> None:
    write_cars(tmp_path / "data" / "cars", list(range(1, 17)))
    quarter = pose_pairs(root=str(tmp_path), view=90, size=8)
    assert quarter.azimuth["a"].tolist() == DEGREES[:6]
    around = pose_pairs(root=str(tmp_path), view=360, size=8).azimuth["a"]
    assert around[:3].tolist() == [0, 15, 30]
    assert around[12:14].tolist() == [-180, -165]
    assert len(around) == 24


def test_the_size_reaches_every_kind(tree: Path) -> None:
    write_cars(tree / "cars", list(range(1, 16)))
    for task in ("chair2car", "car2face", "chair2face"):
        data = pose_pairs(root=str(tree), task=task, size=16)
        check_dataset(data)
        assert data.spec.domains == tuple(task.split("2"))
        assert data.columns["a"].shape[1:] == data.test["b"].shape[1:] == (3, 16, 16)


def test_too_few_or_damaged_cars_say_so(tmp_path: Path) -> None:
    pytest.importorskip("scipy.io", reason="cars are .mat files, which need scipy")
    write_cars(tmp_path / "cars", list(range(1, 15)))
    with pytest.raises(DataError, match=r"holds 14 files car_NNN_mesh.mat; the last 14 are held out, so it needs"):
        pose_pairs(root=str(tmp_path))
    (tmp_path / "cars" / "car_000_mesh.mat").write_bytes(b"no car")
    with pytest.raises(DataError, match=r"needs two cars or more beside those held out, not 1"):
        pose_pairs(root=str(tmp_path))
    (tmp_path / "cars" / "car_0_mesh.mat").write_bytes(b"no car")
    with pytest.raises(DataError, match=r"car_000_mesh.mat: not a readable .mat file"):
        pose_pairs(root=str(tmp_path))
    from scipy.io import savemat

    for name in ("car_0_mesh.mat", "car_000_mesh.mat"):
        savemat(tmp_path / "cars" / name, {"im": np.zeros((8, 8), np.uint8)})
    with pytest.raises(DataError, match=r"`im` must be uint8, \(height, width, 3, 24, 4\), not uint8, \(8, 8\)"):
        pose_pairs(root=str(tmp_path))


def test_without_scipy_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cars").mkdir()
    for number in range(16):
        (tmp_path / "cars" / f"car_{number}_mesh.mat").touch()
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DataError, match=r"need scipy: pip install 'imgen\[metrics\]'"):
        pose_pairs(root=str(tmp_path))


def test_chairs_keep_the_open_half_circle_and_the_last_ten_ids_for_tests(tree: Path) -> None:
    data = pose_pairs(root=str(tree), task="chair2chair", size=8)
    check_dataset(data)
    a, b = (data.columns[name].fetch(np.arange(data.columns[name].shape[0]))[::3, 0, 0, 0].tolist() for name in "ab")
    assert (a, b) == ([10, 11], [12, 13, 14])
    assert data.azimuth["a"].tolist() == [-84, 0, 85] * 2
    assert data.test_names["a"][0] == "id05/renders/image_003_p020_t186_r096.png"
    assert data.test["a"].shape[0] == data.test["b"].shape[0] == 30
    assert pose_pairs(root=str(tree), task="chair2chair", view=90).azimuth["a"].tolist() == [0, 85] * 2
    around = pose_pairs(root=str(tree), task="chair2chair", view=360).azimuth["a"]
    assert around[:6].tolist() == [90, -180, -90, -84, 0, 85]


def test_eight_faces_are_trained_on_and_the_others_held_out(tree: Path) -> None:
    data = pose_pairs(root=str(tree), task="face2face", size=8)
    check_dataset(data)
    a, b = (data.columns[name].fetch(np.arange(12))[::3, 0, 0, 0].tolist() for name in "ab")
    assert (a, b) == ([100, 101, 102, 103], [104, 105, 106, 107])
    assert data.test["a"].shape[0] == 6
    assert data.azimuth == data.test_azimuth == {}, "the names do not say it"
    told = pose_pairs(root=str(tree), task="face2face", size=8, face_azimuth=r"x([-+]\d+)\.png")
    assert told.azimuth["a"].tolist() == [0, 30, -30] * 4
    for wrong in (r"(y\d)", r"x[-+]", "("):
        with pytest.raises(DataError, match=r"face_azimuth: .* has no group that finds a number in 00000_2006"):
            pose_pairs(root=str(tree), task="face2face", face_azimuth=wrong)


def test_a_picture_that_cannot_be_read_leaves_the_azimuths_in_step(tree: Path) -> None:
    bad = tree / "rendered_chairs/id00/renders/image_003_p020_t186_r096.png"
    bad.write_bytes(b"no picture")
    data = pose_pairs(root=str(tree), task="chair2face", size=8)
    assert data.azimuth["a"].tolist() == [0, 85] + [-84, 0, 85] * 4
    assert data.columns["a"].shape[0] == 14
    assert "b" not in data.azimuth
    assert data.report and len(data.report.unreadable) == 1


def test_missing_folders_and_small_sets_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder cars or data/cars; it must hold car_NNN_mesh.mat"):
        pose_pairs(root=str(tmp_path))
    with pytest.raises(DataError, match=r"no folder rendered_chairs"):
        pose_pairs(root=str(tmp_path), task="chair2car")
    write_chairs(tmp_path, 10)
    with pytest.raises(DataError, match=r"holds 10 chairs.*the last 10 are held out, so it needs more"):
        pose_pairs(root=str(tmp_path), task="chair2chair")
    (tmp_path / "faces").mkdir()
    with pytest.raises(DataError, match=r"faces: holds no pictures"):
        pose_pairs(root=str(tmp_path), task="face2face")
    write_faces(tmp_path, 1)
    with pytest.raises(DataError, match=r"needs two faces or more beside those held out, not 1"):
        pose_pairs(root=str(tmp_path), task="face2face")
    write_faces(tmp_path, 2)
    assert pose_pairs(root=str(tmp_path), task="face2face").test == {}
