"""Every layout, in folders and zips: who is who, who is left out, and which rows are drawn."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from imgen.data import pictures as pictures_module
from imgen.data.folder import images
from imgen.data.identities import identities
from imgen.data.pictures import in_order, progress
from imgen.data.source import FolderSource
from imgen.errors import DataError


def filled(root: Path, noisy, names) -> Path:
    """Pictures under these names; the red of each is its place in the list."""
    for tag, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(noisy(tag, format="JPEG" if name.endswith("jpg") else "PNG"))
    return root


def as_zip(folder: Path, path: Path, below: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for member in sorted(folder.rglob("*")):
            if member.is_file():
                file.write(member, below + member.relative_to(folder).as_posix())
    return path


def who(data) -> dict[str, list[int]]:
    """The reds of each identity's pictures."""
    reds = data.columns["images"].decode_all()[:, 0, 0, 0].tolist()
    found: dict[str, list[int]] = {name: [] for name in data.identity_names}
    for red, identity in zip(reds, data.identity, strict=True):
        found[data.identity_names[identity]].append(red)
    return found


NAMES = ["train/a_b_1_0.8.png", "train/a_b_2_1.png", "train/c_1_x.png", "train/c_2_x.png", "val/v_1_x.png"]


@pytest.mark.parametrize("where", ["holder", "itself", "zip", "nested zip"])
def test_the_convention_of_names(tmp_path, noisy, where):
    folder = filled(tmp_path / "set", noisy, NAMES)
    (folder / "train_names.tsv").write_text("id\tname\n")
    root = {
        "holder": lambda: folder,
        "itself": lambda: folder / "train",
        "zip": lambda: as_zip(folder, tmp_path / "set.zip"),
        "nested zip": lambda: as_zip(folder, tmp_path / "set.zip", "wrapper/deeper/"),
    }[where]()
    data = identities(root=str(root), size=24)
    assert data.origin["layout"] == "names"
    assert who(data) == {"a_b": [0, 1], "c": [2, 3]}
    assert data.spec.image == (3, 24, 24) and data.spec.group == 2


@pytest.mark.parametrize("below", [None, "", "faces/"])
@pytest.mark.parametrize("top", ["", "train/"])
def test_a_folder_a_person(tmp_path, noisy, below, top):
    folder = filled(
        tmp_path / "set", noisy, [f"{top}anna/{i}.png" for i in range(3)] + [f"{top}bo/{i}.png" for i in "ab"]
    )
    root = folder if below is None else as_zip(folder, tmp_path / "set.zip", below)
    data = identities(root=str(root), size=24)
    assert data.origin["layout"] == "folders"
    assert who(data) == {"anna": [0, 1, 2], "bo": [3, 4]}


def test_folders_in_folders(tmp_path, noisy):
    folder = filled(tmp_path / "set", noisy, [f"big/{a}/c{c}/{i}.png" for a in "xy" for c in "12" for i in range(2)])
    data = identities(root=str(as_zip(folder, tmp_path / "set.zip")), size=24)
    assert who(data) == {"x/c1": [0, 1], "x/c2": [2, 3], "y/c1": [4, 5], "y/c2": [6, 7]}


@pytest.mark.parametrize("kind", ["inside", "flat", "beside the folder", "zip", "beside the zip"])
def test_celeba(tmp_path, noisy, kind):
    names = [f"{'' if kind == 'flat' else 'img_align_celeba/'}00000{i}.jpg" for i in range(1, 6)]
    folder = filled(tmp_path / "set", noisy, names)
    table = "000001.jpg 7\n000002.jpg 12\n000003.jpg 7\n000005.jpg 12\n000999.jpg 7\n\n"
    beside = {"beside the folder": folder / "identity_CelebA.txt", "beside the zip": tmp_path / "identity_CelebA.txt"}
    beside.get(kind, folder / "identity_CelebA.txt").write_text(table)
    root = folder / "img_align_celeba" if kind == "beside the folder" else folder
    root = as_zip(folder, tmp_path / "set.zip") if "zip" in kind else root
    data = identities(root=str(root), size=24)
    assert data.origin["layout"] == "celeba"
    # JPEG may move a red by a little; 000004.jpg has no identity.
    assert {name: np.round(reds).tolist() for name, reds in who(data).items()}.keys() == {"12", "7"}
    assert [len(reds) for reds in who(data).values()] == [2, 2]
    assert [Path(name).name for name in data.columns["images"].names] == [Path(names[i]).name for i in (0, 1, 2, 4)]
    assert data.identity.tolist() == [1, 0, 1, 0]
    assert [Path(name).name for name in data.report.unlabelled] == ["000004.jpg"]


def test_a_broken_table_names_its_line(tmp_path, noisy):
    folder = filled(tmp_path / "set", noisy, ["1.png"])
    (folder / "identity_CelebA.txt").write_text("1.png 3\n2.png\n")
    with pytest.raises(DataError, match=r"identity_CelebA.txt:2: '2.png' is not"):
        identities(root=str(folder))


@pytest.mark.parametrize(
    "names", [["x.png", "y.png"], ["x.png", "a/1.png", "b/1.png"], [f"1_0_{i}_1.png" for i in "aa"]]
)
def test_what_is_not_recognised_is_told_with_what_is_there(tmp_path, noisy, names):
    folder = filled(tmp_path / "set", noisy, names)
    with pytest.raises(DataError, match=r"pictures directly .* folders, which is no layout that is known") as caught:
        identities(root=str(folder))
    assert "\n" not in str(caught.value) and "identity_CelebA.txt" in str(caught.value)


def test_ages_and_genders_are_not_taken_for_identities(tmp_path, noisy):
    folder = filled(tmp_path / "set", noisy, [f"26_{i % 2}_1_2017{i}.png" for i in range(10)])
    with pytest.raises(DataError, match="no layout"):
        identities(root=str(folder))
    assert len(who(identities(root=str(folder), size=24, layout="names"))) == 2


def test_the_layout_that_was_asked_for(tmp_path, noisy):
    folder = filled(
        tmp_path / "set", noisy, ["p/a_1_x.png", "p/a_2_x.png", "q/b_1_x.png", "q/b_2_x.png", "q/a_3_x.png"]
    )
    assert who(identities(root=str(folder), size=24, layout="folders")) == {"p": [0, 1], "q": [4, 2, 3]}
    assert who(identities(root=str(folder), size=24, layout="names")) == {"a": [0, 1, 4], "b": [2, 3]}
    with pytest.raises(DataError, match=r"needs identity_CelebA\.txt"):
        identities(root=str(folder), layout="celeba")


def test_splits(tmp_path, noisy):
    folder = filled(tmp_path / "set", noisy, [*NAMES, "val/v_2_x.png"])
    assert list(who(identities(root=str(folder), size=24, split="val"))) == ["v"]
    assert list(who(identities(root=str(folder), size=24, split="all", layout="names"))) == ["a_b", "c", "v"]
    with pytest.raises(DataError, match="no folder 'test'; there is train, val"):
        identities(root=str(folder), split="test")


def test_missing_data_says_how_to_get_it(tmp_path):
    with pytest.raises(
        DataError, match=r"a folder for each identity, CelebA pictures with identity_CelebA.txt.*'shapes'"
    ):
        identities(root=str(tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        identities(root=str(tmp_path / "empty"))


def test_small_identities_are_counted_and_left_out(people):
    root = str(people(anna=4, bert=1, cleo=3, dora=2))
    data = identities(root=root, size=24, k=3)
    assert who(data) == {"anna": [0, 1, 2, 3], "cleo": [20, 21, 22]}
    assert data.report.too_few == {"bert": 1, "dora": 2}
    assert "2 identities with 3 images left out: fewer than 3 each" in data.report.lines()
    assert list(who(identities(root=root, size=24, min_images=4))) == ["anna"]
    assert list(who(identities(root=root, size=24, max_identities=2))) == ["anna", "cleo"]
    with pytest.raises(DataError, match=r"people: no identity has 5 pictures or more \(the most is 4\)"):
        identities(root=root, k=5)


def test_draws_are_tuples_of_one_identity(people):
    data = identities(root=str(people(anna=4, bert=1, cleo=3)), size=24, k=3)
    rows = data.draw(50, np.random.default_rng(0))["images"]
    assert rows.shape == (50, 3) and np.array_equal(rows, data.draw(50, np.random.default_rng(0))["images"])
    assert all(len(set(row)) == 3 for row in rows.tolist())
    reds = data.columns["images"].fetch(rows.reshape(-1))[:, 0, 0, 0].reshape(50, 3)
    assert (reds // 10 == reds[:, :1] // 10).all() and set((reds // 10).unique().tolist()) == {0, 2}
    single = identities(root=data.columns["images"].source.path.as_posix(), size=24, k=1)
    assert single.spec.group == 1 and single.draw(7, np.random.default_rng(0))["images"].shape == (7,)


def test_unreadable_pictures_are_reported_and_never_drawn(people, noisy, bomb):
    root = people(anna=4, bert=3, cleo=2)
    good = noisy(99, 64, 64, "JPEG")
    (root / "anna" / "0.png").write_bytes(good[: len(good) // 2])
    (root / "bert" / "1.png").write_bytes(bomb)
    (root / "cleo" / "1.png").write_bytes(b"")
    for _ in range(2):  # the second time from memory
        data = identities(root=str(root), size=24)
        assert who(data) == {"anna": [1, 2, 3], "bert": [10, 12]}
        assert set(data.report.unreadable) == {"anna/0.png", "bert/1.png", "cleo/1.png"}
        assert data.report.too_few == {"cleo": 1}
        assert any(line.startswith("bert/1.png: skipped: more than the 64 million") for line in data.report.lines())
        assert data.draw(500, np.random.default_rng(0))["images"].max() == 4
    with pytest.raises(DataError, match=r"without 1 unreadable pictures: no identity has 4"):
        identities(root=str(root), size=24, k=4)


def test_nothing_readable(people):
    root = people(anna=2)
    for path in (root / "anna").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"none of 2 pictures can be read; anna/0.png: not a picture"):
        identities(root=str(root), layout="folders")


def test_a_survey_is_remembered_until_a_file_changes(people, noisy, monkeypatch):
    root = people(anna=3, bert=2)
    decoded = []
    load = pictures_module.load
    monkeypatch.setattr(pictures_module, "load", lambda *args, **kw: decoded.append(1) or load(*args, **kw))
    identities(root=str(root), size=24)
    assert len(decoded) == 5
    data = identities(root=str(root), size=24)
    assert len(decoded) == 5
    assert data.columns["images"].fetch(np.array([3, 0]))[:, 0, 0, 0].tolist() == [10, 0] and len(decoded) == 7
    data.columns["images"].decode_all()
    data.columns["images"].decode_all()
    assert len(decoded) == 12
    identities(root=str(root), size=20)
    assert len(decoded) == 17
    (root / "anna" / "0.png").write_bytes(noisy(50)[:-40])
    assert list(identities(root=str(root), size=24).report.unreadable) == ["anna/0.png"]


def test_what_the_disk_refuses_is_not_remembered(people, monkeypatch):
    root = people(anna=3, bert=2)
    read = FolderSource.read

    def failing(self, name):
        if name == "anna/1.png":
            raise DataError("cannot be read: Stale file handle")
        return read(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(FolderSource, "read", failing)
        assert list(identities(root=str(root), size=24).report.unreadable) == ["anna/1.png"]
    assert identities(root=str(root), size=24).report.unreadable == {}


def test_streamed_and_kept_pictures_are_the_same(people, monkeypatch):
    root = str(people(anna=4, bert=3))
    kept = identities(root=root, size=16).columns["images"].decode_all()
    monkeypatch.setattr(pictures_module, "KEEP", 0)
    monkeypatch.setenv("IMGEN_CACHE", "/dev/null/nowhere")
    streamed = identities(root=root, size=16).columns["images"]
    assert streamed._kept is None and streamed.shape == (7, 3, 16, 16) and streamed.dtype == torch.uint8
    assert torch.equal(streamed.fetch(np.arange(7)), kept)
    assert torch.equal(streamed.decode_all(workers=1), kept)


def test_a_file_that_breaks_later_is_named(people, monkeypatch):
    monkeypatch.setattr(pictures_module, "KEEP", 0)
    root = people(anna=2, bert=2)
    data = identities(root=str(root), size=16)
    (root / "bert" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"people: bert/0.png: empty file"):
        data.columns["images"].fetch(np.arange(4))


def test_progress_is_told(people):
    seen = []
    token = progress.set(lambda done, total: seen.append((done, total)))
    try:
        identities(root=str(people(anna=5)), size=8, layout="folders")
    finally:
        progress.reset(token)
    assert seen == [(5, 5)]


def test_threads_give_results_in_order_and_stop_when_nobody_listens():
    done = []
    results = in_order(lambda i: done.append(i) or i * i, range(1000), workers=3)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    results.close()
    assert len(done) < 20


def test_images_without_labels(people):
    root = people(anna=2, bert=1)
    (root / "loose.png").write_bytes(b"")
    data = images(root=str(root), size=16, channels=1)
    assert data.spec.image == (1, 16, 16) and data.spec.group == 1 and not hasattr(data, "draw")
    assert data.columns["images"].decode_all().shape == (3, 1, 16, 16)
    assert len(data.columns["images"]) == 3
    assert data.report.lines() == ["3 images", "loose.png: skipped: empty file"]


REAL = [
    ("celeba_identity", "folders", 1500, 300, "center"),
    ("celeba_attr", "celeba", 1682, 718, "celeba"),
    ("orl_faces", "folders", 200, 20, "none"),
    ("omniglot/images_background_small1.zip", "folders", 2720, 136, "100"),
]


@pytest.mark.parametrize(("name", "layout", "count", "people_count", "crop"), REAL, ids=[row[0] for row in REAL])
def test_real_sets(real, name, layout, count, people_count, crop):
    data = identities(root=str(real(name)), size=32, crop=crop)
    assert data.origin == {"layout": layout, "crop": crop} and not data.report.unreadable
    assert data.columns["images"].shape == (count, 3, 32, 32) and len(data.identity_names) == people_count
    pixels = data.columns["images"].fetch(data.draw(20, np.random.default_rng(0))["images"].reshape(-1)).float()
    assert pixels.std() > 30


def test_real_faces_under_the_convention(real):
    data = identities(root=str(real("celeba_identity64")), size=64, max_identities=100)
    assert data.origin["layout"] == "names" and data.report.images == 500
    assert data.identity_names[:3] == ["1", "10001", "10003"]
    assert np.bincount(data.identity).tolist() == [5] * 100
