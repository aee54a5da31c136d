"""Files of arrays: what is written is read again, and nothing that a file says of itself is believed."""

from __future__ import annotations

import io
import signal
import struct
import time
import warnings
import zipfile

import numpy as np
import pytest

from imgen.data.arrays import Member, Outline, blocks, contents, read, write_npy, write_npz
from imgen.errors import DataError

PLAIN = {
    "imgs": np.arange(24, dtype=np.uint8).reshape(4, 3, 2),
    "values": np.linspace(0, 1, 5),
    "names": np.array(["one", "three"]),
    "single": np.int64(7) * np.ones((), np.int64),
    "none": np.zeros((0, 3), np.float32),
}


class Trap:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).write_text, (self.path, "run")


def npz(path, **members):
    """A zip of members as given, byte for byte."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def header(shape, descr="|u1", *, fortran=False, version=1, text=None):
    """The start of an .npy file that says this."""
    told = text or repr({"descr": descr, "fortran_order": fortran, "shape": shape})
    size = struct.pack("<H" if version == 1 else "<I", len(told))
    return b"\x93NUMPY" + bytes([version, 0]) + size + told.encode("latin1")


def members(**given):
    return [Member(name, array.shape, array.dtype, [array]) for name, array in given.items()]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path, save):
    save(tmp_path / "all.npz", **PLAIN)
    found = contents(tmp_path / "all.npz")
    assert found == {name: Outline(array.shape, array.dtype) for name, array in PLAIN.items()}
    for name, array in PLAIN.items():
        again = read(tmp_path / "all.npz", name)
        assert again.dtype == array.dtype and np.array_equal(again, array)
    parts = list(blocks(tmp_path / "all.npz", "imgs", 3))
    assert [len(part) for part in parts] == [3, 1] and np.array_equal(np.concatenate(parts), PLAIN["imgs"])


def test_one_array_alone(tmp_path):
    np.save(tmp_path / "one.npy", PLAIN["imgs"])
    assert contents(tmp_path / "one.npy") == {"data": Outline((4, 3, 2), np.dtype("u1"))}
    assert np.array_equal(read(tmp_path / "one.npy"), PLAIN["imgs"])
    write_npy(tmp_path / "two.npy", (4, 3, 2), "u1", [PLAIN["imgs"][:1], PLAIN["imgs"][1:]])
    assert np.array_equal(np.load(tmp_path / "two.npy"), PLAIN["imgs"])


def test_bytes_in_the_other_order_are_turned(tmp_path):
    np.save(tmp_path / "one.npy", np.array([1.5, -2], ">f4"))
    again = read(tmp_path / "one.npy")
    assert again.dtype == np.float32 and again.dtype.isnative and again.tolist() == [1.5, -2]


def test_files_of_python_2_are_as_good(tmp_path):
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 1L), }"
    npz(tmp_path / "old.npz", a=header((2, 1), text=text) + b"ab")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path / "old.npz", "a").tolist() == [[97], [98]]


@pytest.mark.parametrize("compress", [True, False])
def test_numpy_reads_what_is_written(tmp_path, compress):
    written = {name: array for name, array in PLAIN.items() if array.shape}
    write_npz(tmp_path / "all.npz", members(**written), compress=compress)
    with np.load(tmp_path / "all.npz") as again:
        assert again.files == list(written)
        assert all(np.array_equal(again[name], array) for name, array in written.items())
    before = (tmp_path / "all.npz").read_bytes()
    write_npz(tmp_path / "all.npz", members(**written), compress=compress)
    assert (tmp_path / "all.npz").read_bytes() == before


def test_objects_are_listed_and_never_unpickled(tmp_path):
    trap = np.array(Trap(tmp_path / "sprung"), dtype=object)
    np.savez(tmp_path / "trap.npz", metadata=trap, imgs=PLAIN["imgs"])
    assert not contents(tmp_path / "trap.npz")["metadata"].readable
    assert np.array_equal(read(tmp_path / "trap.npz", "imgs"), PLAIN["imgs"])
    with pytest.raises(DataError, match="'metadata' holds Python objects, which are never unpickled"):
        read(tmp_path / "trap.npz", "metadata")
    np.save(tmp_path / "trap.npy", trap)
    with pytest.raises(DataError, match="never unpickled"):
        read(tmp_path / "trap.npy")
    assert not (tmp_path / "sprung").exists()
    # The trap does spring where a file is trusted, or this test would show nothing.
    np.load(tmp_path / "trap.npy", allow_pickle=True)
    assert (tmp_path / "sprung").exists()


def twice(path):
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "w") as archive:
        for _ in range(2):
            archive.writestr("a.npy", header((1,)) + b"\1")


def named(name):
    def make(path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, header((1,)) + b"\1")

    return make


def packed(how):
    def make(path):
        with zipfile.ZipFile(path, "w", how) as archive:
            archive.writestr("a.npy", header((1,)) + b"\1")

    return make


def encrypted(path):
    npz(path, a=header((1,)) + b"\1")
    found = bytearray(path.read_bytes())
    found[found.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(found)


def flipped(path):
    np.savez(path, a=PLAIN["imgs"])
    found = bytearray(path.read_bytes())
    found[found.index(PLAIN["imgs"].tobytes())] ^= 1
    path.write_bytes(found)


def cut(path):
    np.savez_compressed(path, a=PLAIN["imgs"])
    path.write_bytes(path.read_bytes()[:-30])


def saying(*content, **more):
    return lambda path: npz(path, a=b"".join(content), **more)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: path.write_bytes(b""), "no .npz file"),
        (lambda path: path.write_bytes(b"PK\3\4 and so on"), "no .npz file"),
        (lambda path: path.write_text("a,b\n1,2"), "no .npz file"),
        (cut, "no .npz file"),
        (twice, "twice"),
        (named("../a.npy"), "no array"),
        (named("/tmp/a.npy"), "no array"),
        (named("a\\b.npy"), "no array"),
        (named("a.txt"), "no array"),
        (named("folder/"), "no array"),
        (packed(zipfile.ZIP_LZMA), "numpy does not write"),
        (encrypted, "encrypted"),
        (flipped, "CRC"),
        (saying(b""), "does not begin as an array does"),
        (saying(b"\x93NUMPY\3\0    "), "format 3.0"),
        (saying(b"\x93NUMPY\2\0\0\0\0\x7f"), "header of 2,130,706,432 bytes"),
        (saying(header((1,), text="(" * 5000)), "says nothing"),
        (saying(header((1,), text="__import__('os')")), "says nothing"),
        (saying(header((1,), text="{'descr': 'no', 'fortran_order': False, 'shape': (1,)}")), "says nothing"),
        (saying(header((2**40,))), "at most 32 dimensions and 68,719,476,736 bytes"),
        (saying(header((0, 2**62))), "at most 32 dimensions and 68,719,476,736 bytes"),
        (saying(header((-1, -4)) + b"abcd"), "an array has at most"),
        (saying(header((1,) * 40) + b"a"), "says that it is"),
        (saying(header((4,)) + b"abc"), "4 bytes, but there are 3"),
        (saying(header((4,)) + b"abcde"), "4 bytes, but there are 5"),
        (saying(header((2, 2), fortran=True) + b"abc"), "4 bytes, but there are 3"),
        (saying(header((1,), [("x", "<i4")]) + b"abcd"), "write it as an array of plain numbers"),
        (saying(header((1,), "<M8[s]") + b"abcdefgh"), "write it as an array of plain numbers"),
        (saying(header((1,)) + b"a", b=b"", c=b"x"), "does not begin"),
    ],
)
def test_a_file_that_lies_is_refused_in_one_line(tmp_path, make, told):
    path = tmp_path / "x.npz"
    make(path)
    with pytest.raises(DataError, match=told) as caught:
        read(path, "a")
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_an_array_that_stands_column_by_column_is_read_whole_or_not_at_all(tmp_path):
    array = np.asfortranarray(np.arange(24.0).reshape(4, 3, 2))
    np.savez(tmp_path / "x.npz", a=array)
    np.testing.assert_array_equal(read(tmp_path / "x.npz", "a"), array)
    np.testing.assert_array_equal(next(blocks(tmp_path / "x.npz", "a", 4)), array)
    with pytest.raises(DataError, match="Fortran order"):
        next(blocks(tmp_path / "x.npz", "a", 3))


def test_a_name_that_is_not_there(tmp_path):
    np.savez(tmp_path / "x.npz", imgs=PLAIN["imgs"], values=PLAIN["values"])
    with pytest.raises(DataError, match="has no array 'images'; there are imgs, values"):
        read(tmp_path / "x.npz", "images")
    np.save(tmp_path / "x.npy", PLAIN["imgs"])
    with pytest.raises(DataError, match="has no array 'imgs'; there are data"):
        next(blocks(tmp_path / "x.npy", "imgs", 1))
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-1])
    with pytest.raises(DataError, match="24 bytes, but there are 23"):
        read(tmp_path / "x.npy")


def test_a_size_that_the_content_does_not_fill(tmp_path):
    # Header and directory agree on more than there is: it shows when it is read.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header((9000,)) + bytes(8000))
    found = bytearray(buffer.getvalue())
    sizes = found.index(b"PK\1\2") + 24
    (size,) = struct.unpack_from("<I", found, sizes)
    struct.pack_into("<I", found, sizes, size + 1000)
    (tmp_path / "x.npz").write_bytes(found)
    assert contents(tmp_path / "x.npz")["a"].shape == (9000,)
    with pytest.raises(DataError, match=r"x\.npz: "):
        read(tmp_path / "x.npz", "a")


def test_bytes_at_random_never_crash_it(tmp_path):
    np.savez_compressed(tmp_path / "good.npz", **PLAIN)
    good, rng = (tmp_path / "good.npz").read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        bad = bytearray(good)
        for place in rng.integers(0, len(bad), 3):
            bad[place] = rng.integers(0, 256)
        (tmp_path / "bad.npz").write_bytes(bad)
        try:
            for name, outline in contents(tmp_path / "bad.npz").items():
                assert read(tmp_path / "bad.npz", name).shape == outline.shape
        except DataError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 300


def test_rows_that_are_not_as_told_are_our_own_mistake(tmp_path):
    for wrong in ([PLAIN["imgs"][:3]], [PLAIN["imgs"].astype("f4")], [PLAIN["imgs"][:, :2]]):
        with pytest.raises(ValueError, match="'imgs' is"):
            write_npz(tmp_path / "x.npz", [Member("imgs", (4, 3, 2), "u1", wrong)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_what_was_there(here, process, old):
    if old:
        (here / "x.npz").write_bytes(old)
    code = (
        "import resource, numpy as np\n"
        "from imgen.data.arrays import Member, write_npz\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        "rows = (np.random.default_rng(0).integers(0, 256, (1, 2**20), np.uint8) for _ in range(4))\n"
        "write_npz('x.npz', [Member('a', (4, 2**20), 'u1', rows)])\n"
    )
    running = process("-c", code)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 1 and "OSError" in err
    assert [each.read_bytes() for each in here.iterdir()] == ([old] if old else [])


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_kill_leaves_no_file_of_that_name(here, process, sent):
    code = (
        "import itertools, numpy as np\n"
        "from imgen.data.arrays import Member, write_npz\n"
        "rows = (np.random.default_rng(0).integers(0, 256, (1, 2**20), np.uint8) for _ in itertools.count())\n"
        "write_npz('x.npz', [Member('a', (2**30, 2**20), 'u1', rows)])\n"
    )
    running = process("-c", code)
    deadline = time.monotonic() + 60
    while not any(each.stat().st_size for each in here.iterdir()):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(sent)
    running.communicate(timeout=60)
    assert running.returncode != 0 and not (here / "x.npz").exists()
    assert sent == signal.SIGKILL or not list(here.iterdir())
