"""A packed set is the set it was made of, is mapped and not read, and every lie in its header is found."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from imgen.data import pictures as pictures_module
from imgen.data.folder import images
from imgen.data.identities import identities
from imgen.data.pack import Packed, PackedPictures, is_packed, pack
from imgen.errors import DataError


@pytest.fixture
def data(people):
    return identities(root=str(people(anna=4, bert=1, cleo=3, dora=2)), size=16, crop="20", about="drawn by a test")


@pytest.fixture
def packed(data, tmp_path):
    return pack(data, tmp_path / "set.safetensors")


def rewritten(path, change):
    """The file with its header changed by `change`, its tensors as they were."""
    told = path.read_bytes()
    length = int.from_bytes(told[:8], "little")
    header = json.loads(told[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + told[8 + length :])


def test_the_library_reads_it(data, packed):
    tensors = load_file(packed)
    assert torch.equal(tensors["images"], data.columns["images"].decode_all())
    assert tensors["identity"].dtype == torch.int64 and tensors["identity"].tolist() == [0] * 4 + [1] * 3 + [2] * 2
    assert bytes(tensors["identity_names"].numpy()).decode() == "anna\ncleo\ndora"
    metadata = Packed(packed).metadata
    assert {key: metadata[key] for key in ("format", "version", "about", "layout", "crop")} == {
        "format": "imgen-pack",
        "version": "1",
        "about": "drawn by a test",
        "layout": "folders",
        "crop": "20",
    }


def test_it_stands_for_the_set_it_was_made_of(data, packed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = identities(root=str(packed), size=16)
    assert again.spec == data.spec and again.origin == data.origin and again.identity_names == data.identity_names
    assert np.array_equal(again.identity, data.identity)
    rows = data.draw(30, np.random.default_rng(3))["images"]
    assert np.array_equal(rows, again.draw(30, np.random.default_rng(3))["images"])
    one, other = (each.columns["images"].fetch(rows.reshape(-1)) for each in (data, again))
    assert torch.equal(one, other)
    assert torch.equal(again.columns["images"].decode_all(), data.columns["images"].decode_all())


def test_some_of_its_identities(data, packed):
    some = identities(root=str(packed), size=16, k=3)
    assert some.identity_names == ["anna", "cleo"] and some.report.too_few == {"dora": 2}
    every = data.columns["images"].decode_all()
    assert torch.equal(some.columns["images"].decode_all(), every[:7])
    assert torch.equal(some.columns["images"].fetch(np.array([6, 0])), every[[6, 0]])
    assert some.columns["images"].shape == (7, 3, 16, 16)
    late = identities(root=str(packed), size=16, max_identities=2)
    assert late.identity.tolist() == [0] * 4 + [1] * 3


def test_a_set_without_identities(people, tmp_path):
    data = images(root=str(people(anna=3)), size=8, channels=1)
    path = pack(data, tmp_path / "grey")
    again = images(root=str(path), size=8, channels=1)
    assert torch.equal(again.columns["images"].decode_all(), data.columns["images"].decode_all())
    with pytest.raises(DataError, match="packed without identities"):
        identities(root=str(path), size=8, channels=1)
    with pytest.raises(DataError, match=r"packed with 1 channels at 8x8, not 3 at 64x64; set size to 8"):
        images(root=str(path))


def test_streaming_writes_the_same_file(data, packed, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures_module, "KEEP", 0)
    root = str(data.columns["images"].source.path)
    monkeypatch.setenv("IMGEN_CACHE", str(tmp_path / "other"))
    streamed = identities(root=root, size=16, crop="20", about="drawn by a test")
    assert streamed.columns["images"]._kept is None
    assert Packed(pack(streamed, tmp_path / "again")).metadata == Packed(packed).metadata
    # A pack of a pack is that pack.
    assert Packed(pack(identities(root=str(packed), size=16), tmp_path / "third")).metadata == Packed(packed).metadata


def test_plain_tensors_are_packed_too(data, tmp_path):
    tensor = torch.arange(1200).reshape(200, 3, 1, 2).byte()
    path = pack(SimpleNamespace(spec=data.spec, columns={"images": tensor}), tmp_path / "plain")
    assert torch.equal(Packed(path).images(), tensor)


def test_nothing_is_overwritten_unasked(data, packed, tmp_path):
    before = packed.read_bytes()
    with pytest.raises(DataError, match="exists already"):
        pack(data, packed)
    assert packed.read_bytes() == before
    packed.write_bytes(b"old")
    pack(data, packed, overwrite=True)
    Packed(packed).verify()
    assert Packed(packed).shape == (9, 3, 16, 16)
    with pytest.raises(DataError, match="no folder"):
        pack(data, tmp_path / "nowhere" / "x")


def test_half_a_file_is_never_left(data, tmp_path, monkeypatch):
    monkeypatch.setattr(type(data.columns["images"]), "fetch", lambda self, rows: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pack(data, tmp_path / "x")
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_writing_to_its_tensor_never_reaches_the_file(packed):
    before = packed.read_bytes()
    tensor = identities(root=str(packed), size=16).columns["images"].decode_all()
    tensor.zero_()
    assert packed.read_bytes() == before
    assert identities(root=str(packed), size=16).columns["images"].decode_all().any()


def test_opening_reads_no_pixels(tmp_path):
    # 40 GB by its header, and no room on the disk: a hole.
    shape = [1_000_000, 3, 116, 116]
    size = int(np.prod(shape))
    header = {
        "__metadata__": {"format": "imgen-pack", "version": "1"},
        "images": {"dtype": "U8", "shape": shape, "data_offsets": [0, size]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.seek(size - 1, 1)
        file.write(b"\7")
    packed = Packed(path)
    assert packed.shape == tuple(shape)
    assert PackedPictures(packed).fetch(np.array([5, 999_999]))[:, 2, 115, 115].tolist() == [0, 7]


def test_a_flipped_byte_is_found(packed):
    Packed(packed).verify()
    told = bytearray(packed.read_bytes())
    told[-100] ^= 1
    packed.write_bytes(told)
    with pytest.raises(DataError, match="damaged"):
        Packed(packed).verify()


def edit(name, key, value):
    return lambda header: header[name].__setitem__(key, value)


LIES = {
    "shape": edit("images", "shape", [10, 3, 16, 16]),
    "negative": edit("images", "shape", [-9, 3, 16, 16]),
    "rank": edit("images", "shape", [9, 768]),
    "channels": edit("images", "shape", [9, 6, 16, 8]),
    "kind": edit("images", "dtype", "I8"),
    "offsets": edit("images", "data_offsets", [72, 10**9]),
    "backwards": edit("images", "data_offsets", [6984, 72]),
    "rows": edit("identity", "shape", [3, 3]),
    "format": edit("__metadata__", "format", "pt"),
    "version": edit("__metadata__", "version", "2"),
    "no images": lambda header: header.__setitem__("pictures", header.pop("images")),
    "no names": lambda header: header.__setitem__("names", header.pop("identity_names")),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_in_the_header(packed, lie):
    rewritten(packed, LIES[lie])
    with pytest.raises(DataError) as caught:
        identities(root=str(packed), size=16)
    assert str(packed) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda told: told[:-1],
        lambda told: told + b"x",
        lambda told: told[:5],
        lambda told: b"",
        lambda told: b"\xff" * 8 + told[8:],
        lambda told: b"{" * len(told),
        lambda told: told[:8] + b"\0" * 50 + told[58:],
    ],
)
def test_damaged_files(packed, damage):
    packed.write_bytes(damage(packed.read_bytes()))
    with pytest.raises(DataError, match="damaged"):
        identities(root=str(packed), size=16)


def test_identities_without_names(tmp_path):
    tensors = {
        "images": torch.zeros(3, 3, 4, 4, dtype=torch.uint8),
        "identity": torch.tensor([0, 1, 2]),
        "identity_names": torch.tensor(list(b"a\nb"), dtype=torch.uint8),
    }
    save_file(tensors, tmp_path / "x", {"format": "imgen-pack", "version": "1"})
    with pytest.raises(DataError, match="identities 0 to 2, but 2 names"):
        Packed(tmp_path / "x")
    save_file({"images": torch.zeros(3)}, tmp_path / "y")
    with pytest.raises(DataError, match="not what `imgen data pack` writes"):
        Packed(tmp_path / "y")


def test_what_can_be_a_pack(packed, tmp_path):
    assert is_packed(packed) and not is_packed(tmp_path) and not is_packed(tmp_path / "absent")
