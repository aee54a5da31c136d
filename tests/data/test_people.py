"""Parts of the people: stable, disjoint, and the same whatever else is chosen."""

from __future__ import annotations

import hashlib
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from imgen.data.identities import identities
from imgen.data.pack import pack
from imgen.data.people import SHARES, People, Peopled, are_among, part_of
from imgen.data.shapes import shapes
from imgen.data.spec import DataSpec, fetch
from imgen.errors import DataError
from imgen.testing import check_dataset

PARTS = list(SHARES)


@pytest.mark.parametrize(
    ("name", "digest", "part"),
    [("anna", 0x5557, "train"), ("bob", 0x81B6, "embedding"), ("grace", 0xE010, "validation"), ("uma", 0xE811, "test")],
)
def test_a_part_is_a_function_of_the_name(name, digest, part):
    """SHA-256 begins with these digits: a third, 0.51, 0.88 and 0.91 of the way. This must never change."""
    assert hashlib.sha256(name.encode()).digest()[:2] == digest.to_bytes(2, "big")
    assert part_of(name) == part


def test_any_name_has_a_part():
    assert part_of("an unpaired surrogate \ud800") in PARTS and part_of("") in PARTS


def test_shares_are_kept_and_parts_are_disjoint():
    names = [str(number) for number in range(20_000)]
    member = {part: are_among(names, part) for part in PARTS}
    assert (sum(member[part].astype(int) for part in PARTS) == 1).all()
    for part in PARTS:
        assert member[part].mean() == pytest.approx(SHARES[part], abs=0.01)
    assert are_among(names, "all").all()
    assert sum(SHARES.values()) == pytest.approx(1)
    assert set(get_args(People)) == {"all", *SHARES}


@pytest.fixture
def folder(tmp_path):
    """Two photos each of forty people, their number in every pixel."""
    for person in range(40):
        for photo in range(2):
            Image.new("RGB", (16, 16), (person, 0, 0)).save(tmp_path / f"p{person}_{photo}_x.png")
    return tmp_path


@pytest.mark.parametrize("packed", [False, True])
def test_people_of_a_folder_come_in_parts(folder, tmp_path, packed):
    root = str(folder)
    if packed:
        root = str(pack(identities(root=root, size=16), tmp_path / "pictures.safetensors"))
    everybody = identities(root=root, size=16)
    assert everybody.spec.people == "all" and isinstance(everybody, Peopled)
    found: list[str] = []
    for part in PARTS:
        data = identities(root=root, size=16, people=part)
        assert {part_of(name) for name in data.identity_names} == {part}
        assert data.spec.people == part and data.report.identities == len(data.identity_names)
        shown = fetch(data.columns["images"], np.arange(len(data.identity)))[:, 0, 0, 0]
        assert [f"p{red}" for red in shown.tolist()] == [data.identity_names[who] for who in data.identity]
        found += data.identity_names
        check_dataset(data)
    assert sorted(found) == everybody.identity_names


def test_max_identities_are_of_the_part(folder):
    some = identities(root=str(folder), size=16, people="train", max_identities=3)
    assert some.identity_names == identities(root=str(folder), size=16, people="train").identity_names[:3]
    others = some.among("embedding")
    assert len(others.identity_names) == 3 and others.spec.people == "embedding"
    assert others.among("train").identity_names == some.identity_names


def test_nobody_in_a_part_is_told_in_a_line(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "anna_0_x.png")
    Image.new("RGB", (16, 16)).save(tmp_path / "anna_1_x.png")
    with pytest.raises(DataError, match=r"none of its 1 identities is among the people 'test'; it needs more"):
        identities(root=str(tmp_path), size=16, people="test")
    with pytest.raises(DataError, match="none of 1 identities is among the people"):
        shapes(identities=1, people="test" if part_of("drawn-0-0") != "test" else "train")


def test_drawn_people_come_in_parts_and_are_as_they_were():
    everybody = shapes(identities=60, photos=2, size=16)
    pictures: dict[str, torch.Tensor] = {}
    for part in PARTS:
        data = shapes(identities=60, photos=2, size=16, people=part)
        check_dataset(data)
        assert data.spec.people == part and set(data.identity) == set(range(len(data.identity_names)))
        pictures |= {
            f"{name}/{photo}": data.columns["images"][2 * who + photo]
            for who, name in enumerate(data.identity_names)
            for photo in range(2)
        }
        assert len(data.factors) == len(data.identity)
    names = [f"{name}/{photo}" for name in everybody.identity_names for photo in range(2)]
    assert torch.equal(torch.stack([pictures[name] for name in names]), everybody.columns["images"])
    again = everybody.among("test")
    assert again.identity_names == shapes(identities=60, photos=2, size=16, people="test").identity_names
    assert again.among("all").identity_names == everybody.identity_names
    assert not set(everybody.identity_names) & set(shapes(identities=60, seed=1).identity_names)


def test_drawn_people_can_be_packed(tmp_path):
    data = shapes(identities=6, photos=2, size=16)
    again = identities(root=str(pack(data, tmp_path / "drawn.safetensors")), size=16)
    assert again.identity_names == sorted(data.identity_names)


def test_a_weights_file_remembers_the_people():
    spec = DataSpec(image=(3, 8, 8), people="embedding")
    assert DataSpec.from_json(spec.to_json()) == spec
    old = spec.to_json()
    del old["people"]
    assert DataSpec.from_json(old).people == ""
