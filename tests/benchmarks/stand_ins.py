"""Drawn stand-ins for data that nobody ships: the same files, sizes and tables as the sets that recipes ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from imgen.data.arrays import Member, write_npz
from imgen.data.factored.teapot.scene import VARIANTS, published
from imgen.data.identities import identities
from imgen.data.pack import pack
from imgen.data.shapes import shapes

CELEBA = 202_599
"""Pictures in CelebA."""
_ATTRIBUTES = (
    *("Male", "Smiling", "Black_Hair", "Blond_Hair", "Brown_Hair", "Wearing_Lipstick"),
    *("Bushy_Eyebrows", "No_Beard", "Pale_Skin", "Young"),
)


def photos(count: int, seed: int) -> Iterator[Image.Image]:
    """Photos of drawn identities, four of each in a row, 178x218 as CelebA has them."""
    drawn = shapes(identities=-(-count // 4), photos=4, size=178, k=1, seed=seed).columns["images"]
    grain = np.random.default_rng(seed)
    for row in range(count):
        pixels = np.asarray(drawn[row]).transpose(1, 2, 0)
        # Grain, for a drawing compresses better than a photo and would be decoded too quickly.
        tall = np.pad(pixels, ((20, 20), (0, 0), (0, 0)), mode="edge") + grain.normal(0, 8, (218, 178, 3))
        yield Image.fromarray(tall.clip(0, 255).astype(np.uint8))


def write_jpegs(folder: Path, count: int, seed: int) -> None:
    """The photos as `<identity>_<photo>_drawn.jpg` under `train/`."""
    (folder / "train").mkdir(parents=True)
    for row, picture in enumerate(photos(count, seed)):
        picture.save(folder / "train" / f"{row // 4}_{row % 4}_drawn.jpg", quality=90)


def packed_people(folder: Path, count: int, size: int, seed: int) -> Path:
    """People, four photos each, in a packed file."""
    write_jpegs(folder / "people", count, seed)
    return pack(identities(root=str(folder / "people"), size=size, k=1), folder / "people.imgen")


def table_of_attributes(folder: Path, count: int, size: int, seed: int) -> Path:
    """Photos named as CelebA names them, with a table of attributes that a coin decides."""
    (folder / "celeba").mkdir()
    signs = np.random.default_rng(seed).choice([1, -1], (count, len(_ATTRIBUTES)))
    lines = [str(count), " ".join(_ATTRIBUTES)]
    for row, picture in enumerate(photos(count, seed)):
        picture.save(folder / "celeba" / f"{row + 1:06d}.jpg", quality=90)
        lines.append(" ".join([f"{row + 1:06d}.jpg", *map(str, signs[row])]))
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    return folder / "celeba"


def ages(folder: Path, count: int, size: int, seed: int) -> Path:
    """Photos whose names tell age, gender and race."""
    (folder / "faces").mkdir()
    for row, picture in enumerate(photos(count, seed)):
        name = f"{row * 37 % 90 + 1}_{row % 2}_{row % 5}_{20170000000000000 + row}.jpg"
        picture.resize((200, 200)).save(folder / "faces" / name, quality=90)
    return folder / "faces"


def array(folder: Path, count: int, size: int, seed: int) -> Path:
    """An array of pictures."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)
    np.save(folder / "pictures.npy", pixels)
    return folder / "pictures.npy"


def teapots(folder: Path, count: int, size: int, seed: int) -> Path:
    """A file in the layout of the 3D teapots: their factors, and noise in place of the pictures."""
    latents, _, _ = published(VARIANTS["colours"], count, 0, seed)
    pixels = np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)
    members = [Member(name, each.shape, each.dtype, [each]) for name, each in (("imgs", pixels), ("latents", latents))]
    write_npz(folder / "teapots.npz", members, compress=False)
    return folder / "teapots.npz"


STAND_INS: dict[str, tuple[Callable[[Path, int, int, int], Path], int]] = {
    "identities": (packed_people, CELEBA),
    "images": (array, CELEBA),
    "attributes": (table_of_attributes, CELEBA),
    "attribute-domains": (table_of_attributes, CELEBA),
    "utkface-attributes": (ages, 23_708),
    "teapots": (teapots, 200_000),
}
"""By data set: what makes one in a folder, of so many pictures of a size; and how many pictures the real one has."""
