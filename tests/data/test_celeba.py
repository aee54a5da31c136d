"""CelebA's photos as squares: the rule of every pixel, whose photos and in what order, and files written whole."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import zipfile
from contextlib import contextmanager
from io import BytesIO
from math import floor

import numpy as np
import pytest
from PIL import Image

from imgen.data import celeba
from imgen.data.celeba import prepare, square
from imgen.data.folder import images
from imgen.errors import ImgenError
from imgen.files import replacing

ORPHANS = """
import os, time
from imgen.data.celeba import _pool
if __name__ == "__main__":
    with _pool(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


@pytest.fixture
def photo(noisy):
    """An aligned photo as a PNG; its red is `tag` everywhere."""
    return lambda tag: noisy(tag, 178, 218)


@pytest.fixture
def photos(tmp_path, photo):
    """A folder of them, by name: `photos("000002.png", "000001.png")` have the reds 0 and 1."""

    def make(*names):
        for tag, name in enumerate(names):
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photo(tag))
        return tmp_path / "photos"

    return make


def reds(path):
    return np.load(path)[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("size", [32, 64, 128])
def test_it_is_bilinear_interpolation_of_the_middle(size):
    pixels = np.random.default_rng(size).integers(0, 256, (218, 178, 3), np.uint8)
    made = square(pixels, size)
    assert made.shape == (size, size, 3) and made.dtype == np.uint8
    scale = 128 / size
    for row, column in [*np.random.default_rng(1).integers(0, size, (300, 2)).tolist(), [0, 0], [size - 1, size - 1]]:
        # Where the middle of this pixel lies between the middles of four others.
        y, x = (row + 0.5) * scale - 0.5, (column + 0.5) * scale - 0.5
        top, left = floor(y), floor(x)
        down, right = y - top, x - left
        for channel in range(3):
            value = 0.0
            for below, beside in ((0, 0), (0, 1), (1, 0), (1, 1)):
                weight = (down if below else 1 - down) * (right if beside else 1 - right)
                if weight:
                    value += weight * int(pixels[45 + top + below, 25 + left + beside, channel])
            assert made[row, column, channel] == floor(value + 0.5), (row, column)


def test_the_pixels_of_a_photo_by_hand():
    pixels = np.zeros((218, 178, 3), np.uint8)
    pixels[46:48, 26:28, 1] = [[255, 254], [255, 254]]
    pixels[45, 25], pixels[48, 28] = 255, 255
    pixels[172 - 1, 152 - 1, 2] = 3
    made = square(pixels, 32)
    # 1018 / 4 is 254.5; what is at the edge of a block is not looked at; 3 / 4 is nearer 1.
    assert made[0, 0].tolist() == [0, 255, 0] and made[31, 31].tolist() == [0, 0, 1]
    assert made.sum() == 256
    assert square(pixels, 64)[0, 0].tolist() == [64, 128, 64]
    assert np.array_equal(square(pixels, 128), pixels[45:173, 25:153])


def test_photos_are_in_the_order_of_their_names(photos, tmp_path):
    root = photos("000010.png", "000002.png", "000001.png")
    report = prepare(root, tmp_path / "out.npy")
    assert report.images == 3 and reds(tmp_path / "out.npy") == [2, 1, 0]
    made = np.load(tmp_path / "out.npy", allow_pickle=False)
    assert made.shape == (3, 32, 32, 3) and made.dtype == np.uint8
    original = np.asarray(Image.open(root / "000002.png"))
    assert np.array_equal(made[1], square(original, 32))


def test_both_endings_hold_the_same(photos, tmp_path):
    root = photos(*(f"{number:06}.png" for number in range(5)))
    prepare(root, tmp_path / "out.npy", size=64)
    prepare(root, tmp_path / "out.npz", size=64)
    with np.load(tmp_path / "out.npz") as made:
        assert made.files == ["imgs"]
        assert np.array_equal(made["imgs"], np.load(tmp_path / "out.npy"))
    # What stands at the end of the writing is what numpy would have written.
    again = BytesIO()
    np.save(again, np.load(tmp_path / "out.npy"))
    assert again.getvalue() == (tmp_path / "out.npy").read_bytes()
    for name in ("out.npy", "out.npz"):
        assert images(root=str(tmp_path / name), size=64).columns["images"].shape == (5, 3, 64, 64)


def test_a_zip_as_others_make_them(photo, tmp_path):
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "w") as archive:
        archive.writestr("celeba/img_align_celeba/000002.jpg", photo(20))
        archive.writestr("celeba/img_align_celeba/000001.jpg", photo(10))
        archive.writestr("__MACOSX/celeba/img_align_celeba/._000001.jpg", b"rubbish")
        archive.writestr("celeba/img_align_celeba/.DS_Store", b"rubbish")
        archive.writestr("celeba/readme.txt", "no picture")
    report = prepare(tmp_path / "img_align_celeba.zip", tmp_path / "out.npy")
    assert reds(tmp_path / "out.npy") == [10, 20] and not report.unreadable


def test_several_processes_make_the_same(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(celeba, "chunks", lambda count: [np.arange(i, min(i + 2, count)) for i in range(0, count, 2)])
    root = photos(*(f"{number:06}.png" for number in range(9)))
    (root / "000004.png").write_bytes(b"broken")
    one = prepare(root, tmp_path / "one.npy", processes=1)
    two = prepare(root, tmp_path / "two.npy", processes=2)
    assert one == two and one.images == 8 and list(one.unreadable) == ["000004.png"]
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()


def test_a_process_that_is_killed_is_one_line():
    with celeba._pool(1) as pool:
        pool.submit(os._exit, 9)
        with pytest.raises(ImgenError, match="start again with --processes 1"):
            celeba._elsewhere(pool, [b""], 32)


def test_an_interrupt_is_for_the_one_that_waits():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with celeba._pool(1) as pool:
        assert celeba._elsewhere(pool, ["cannot be read"], 32)[1] == {0: "cannot be read"}
        assert signal.SIGINT in pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_no_process_outlives_the_one_that_started_it(process):
    running = process("-c", ORPHANS)
    child = int(running.stdout.readline())
    running.kill()
    try:
        # Both write to the same pipe: it ends when both have ended.
        running.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        os.kill(child, signal.SIGKILL)
        raise


def test_what_is_of_no_use_is_named_and_left_out(photos, tmp_path, noisy, photo, cli):
    root = photos("a.png", "c.png")
    (root / "b.png").write_bytes(photo(9)[:5000])
    (root / "d.png").write_bytes(noisy(1, 218, 178))
    (root / "e.jpg").write_bytes(b"")
    said = cli("data", "prepare", "celeba", root, tmp_path / "out.npy")
    assert said.status == 0 and said.out == f"{tmp_path / 'out.npy'}\n" and reds(tmp_path / "out.npy") == [0, 1]
    assert said.lines[0].startswith("2 images, ") and said.lines[0].endswith(" a second")
    assert said.lines[1].startswith("b.png: skipped: damaged")
    assert said.lines[2:] == ["d.png: skipped: 218x178, not 178x218", "e.jpg: skipped: empty file"]
    told = json.loads(cli("data", "prepare", "celeba", root, "out.npz", "--json", "--size", "128").out)
    assert told["path"] == "out.npz" and told["shape"] == [2, 128, 128, 3]
    assert told["bytes"] == (tmp_path / "out.npz").stat().st_size and told["images_per_second"] > 0
    assert told["skipped"]["d.png"] == "218x178, not 178x218" and len(told["skipped"]) == 3


def test_grey_and_turned_photos_are_used(tmp_path, encoded):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(encoded(Image.new("L", (178, 218), 7)))
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "in/b.png").write_bytes(encoded(Image.new("RGB", (218, 178), (1, 2, 3)), exif=exif))
    assert prepare(tmp_path / "in", tmp_path / "out.npy").images == 2
    made = np.load(tmp_path / "out.npy")
    assert (made[0] == 7).all() and (made[1] == [1, 2, 3]).all()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["in", "out.npy", "--size", "48"], "size 48: the 128x128 that are cut out make squares of 32, 64 or 128"),
        (["in", "out.png"], "out.png: the pictures are written as an array; name a file that ends in .npy or .npz"),
        (["in", "there.npy"], "there.npy: exists already; name another file, or replace it with --overwrite"),
        (["in", "folder.npy", "--overwrite"], "folder.npy: exists already; name another file"),
        (["in", "nowhere/out.npy"], "there is no folder nowhere"),
        (["in", "out.npy", "--processes", "0"], "--processes"),
        (["nowhere", "out.npy"], "give a folder or a zip of aligned CelebA photos"),
        (["empty", "out.npy"], "empty: holds no pictures; expected are aligned photos of 178x218"),
        (["small", "out.npz"], "none of 1 pictures is of use (a.png: 24x24, not 178x218); expected are aligned photos"),
        (["small", "out.npy"], "none of 1 pictures is of use"),
    ],
)
def test_wrong_requests_write_nothing(argv, says, cli, here, tree, photo, noisy):
    for name in ("in", "empty", "small", "folder.npy"):
        (here / name).mkdir()
    (here / "in/a.png").write_bytes(photo(1))
    (here / "small/a.png").write_bytes(noisy(1))
    (here / "there.npy").write_bytes(b"there")
    before = tree(here)
    said = cli("data", "prepare", "celeba", *argv)
    assert said.status == 2 and says in said.err and len(said.lines) == 1 and said.out == ""
    assert tree(here) == before


@pytest.mark.parametrize("name", ["out.npy", "out.npz"])
def test_a_full_disk_leaves_the_old_file(name, photos, here, tree, cli, monkeypatch):
    root = photos("a.png", "b.png")

    class Full:
        def __init__(self, file):
            self._file = file

        def write(self, data):
            if memoryview(data).nbytes > 1000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self._file.write(data)

        def __getattr__(self, name):
            return getattr(self._file, name)

    @contextmanager
    def full(path, **options):
        with replacing(path, **options) as file:
            yield Full(file)

    monkeypatch.setattr(celeba, "replacing", full)
    monkeypatch.setattr("imgen.data.arrays.replacing", full)
    (here / name).write_bytes(b"old")
    before = tree(here)
    said = cli("data", "prepare", "celeba", root, name, "--overwrite")
    assert said.status == 1 and "No space left on device; free some space" in said.err and len(said.lines) == 1
    assert tree(here) == before


def test_replacing_is_asked_for(photos, here, cli):
    root = photos("a.png")
    (here / "out.npy").write_bytes(b"old")
    assert cli("data", "prepare", "celeba", root, "out.npy", "--overwrite").status == 0
    assert reds(here / "out.npy") == [0]


def test_real_photos(real, tmp_path):
    root = real("celeba_identity")
    some = sorted(path for path in root.iterdir() if path.is_dir())[:3]
    (tmp_path / "in").mkdir()
    for folder in some:
        (tmp_path / "in" / folder.name).symlink_to(folder)
    report = prepare(tmp_path / "in", tmp_path / "out.npy")
    made = np.load(tmp_path / "out.npy")
    assert report.images == len(made) == 15 and not report.unreadable
    # Of the same middle with antialiasing it is a rougher version, and of another place it is none.
    names = sorted(str(path.relative_to(tmp_path / "in")) for path in (tmp_path / "in").glob("*/*.jpg"))
    smooth = [
        np.asarray(Image.open(tmp_path / "in" / name).convert("RGB").crop((25, 45, 153, 173)).resize((32, 32)), float)
        for name in names
    ]
    aside = np.stack([np.roll(each, 2, axis=1) for each in smooth])
    assert abs(made - np.stack(smooth)).mean() < 6 < abs(made - aside).mean()
