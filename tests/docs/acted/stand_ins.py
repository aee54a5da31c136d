"""Small data in the layouts that the documentation speaks of, under the very names that it gives them."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ATTRIBUTES = ("Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Eyeglasses", "Gray_Hair", "Heavy_Makeup")
ATTRIBUTES += ("Male", "Mustache", "No_Beard", "Pale_Skin", "Smiling", "Wearing_Lipstick", "Young")
PEOPLE = 200
"""Of whom photos are: enough for parts of them that share nobody."""


def draw(path: Path, seed: int, size: tuple[int, int] = (36, 44)) -> None:
    """Write a picture: a head of some colour before some ground."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ground, head = (tuple(int(value) for value in rng.integers(0, 256, 3)) for _ in range(2))
    image = Image.new("RGB", size, ground)
    left, top = (int(rng.integers(1, side // 3)) for side in size)
    ImageDraw.Draw(image).ellipse((left, top, size[0] - left, size[1] - top), fill=head)
    image.save(path)


def picture(path: Path, size: tuple[int, int]) -> None:
    """One picture; a name without an ending is as good as any."""
    draw(drawn := path.with_suffix(".png"), 0, size)
    drawn.rename(path)


def people(root: Path) -> None:
    """Photos named <ID>_<OBS>_<anything>.jpg, three of each person."""
    for number in range(PEOPLE * 3):
        draw(root / f"person{number // 3}_{number % 3}_photo.jpg", number)


def celeba(root: Path) -> None:
    """Photos with CelebA's tables of attributes and people; 500 of each colour of hair, and more."""
    rng = np.random.default_rng(0)
    names = [f"{number:06}.jpg" for number in range(1, 1651)]
    for number, name in enumerate(names):
        draw(root / "img_align_celeba" / name, number, (18, 22))
    signs = {name: rng.choice([-1, 1], len(ATTRIBUTES)) for name in names}
    hair = [ATTRIBUTES.index(name) for name in ("Black_Hair", "Blond_Hair", "Brown_Hair")]
    for number, name in enumerate(names):
        # One colour of hair for each, and of each colour both sexes.
        signs[name][hair] = -1
        signs[name][hair[number % 3]] = 1
        signs[name][ATTRIBUTES.index("Male")] = 1 if number % 2 else -1
    rows = [f"{name} {' '.join(f'{sign:2d}' for sign in signs[name])}" for name in names]
    _write(root / "list_attr_celeba.txt", [str(len(names)), " ".join(ATTRIBUTES), *rows])
    _write(root / "identity_CelebA.txt", [f"{name} {number // 3 + 1}" for number, name in enumerate(names)])


def zipped_celeba(folder: Path) -> None:
    """`img_align_celeba.zip`, with photos of CelebA's own size."""
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as file:
        for number in range(1, 5):
            draw(photo := folder / "one.jpg", number, (178, 218))
            file.write(photo, f"img_align_celeba/{number:06}.jpg")
            photo.unlink()


def two_folders(root: Path, names: tuple[str, str] = ("a", "b")) -> None:
    """A folder for each of two domains."""
    for place, name in enumerate(names):
        pictures(root / name, range(100 * place, 100 * place + 24))


def horse2zebra(root: Path) -> None:
    """Two folders to train on, and two to test on."""
    for place, name in enumerate(("trainA", "trainB", "testA", "testB")):
        pictures(root / name, range(100 * place, 100 * place + (24 if place < 2 else 4)))


def aligned(root: Path) -> None:
    """Pairs side by side in one picture, in `train` and `val`."""
    for name, count in (("train", 24), ("val", 4)):
        for number in range(count):
            draw(root / name / f"{number}.jpg", number, (64, 32))


def other_aligned(root: Path) -> None:
    """Other pairs side by side."""
    for number in range(24):
        draw(root / f"{number}.jpg", 1000 + number, (64, 32))


def utkface(root: Path) -> None:
    """Photos whose names tell age, gender and race: of each age class a few."""
    for number in range(160):
        age = number * 7 % 90 + 1
        draw(root / f"{age}_{number % 2}_{number % 4}_20170109{number:06}.jpg.chip.jpg", number, (40, 40))


def pictures(root: Path, seeds: Iterable[int] = range(4)) -> None:
    """Pictures of anything."""
    for seed in seeds:
        draw(root / f"{seed}.png", seed, (40, 40))


def many_pictures(root: Path) -> None:
    """So many pictures that some can be held out."""
    pictures(root, range(24))


def sprites(root: Path, count: int = 3) -> None:
    """Grey pictures of 64x64."""
    for seed in range(count):
        draw(path := root / f"{seed}.png", seed, (64, 64))
        Image.open(path).convert("L").save(path)


def codes(folder: Path) -> None:
    """`codes.npz` and `factors.npz` as another program would write them."""
    factors = np.random.default_rng(0).integers(0, 3, (400, 3))
    np.savez(folder / "codes.npz", codes=(factors + 0.1).astype(np.float32))
    np.savez(folder / "factors.npz", factors=factors)


def lead(name: Path, to: Path) -> None:
    """Make a name lead to what stands in for it at this place of a page."""
    if name.is_symlink():
        name.unlink()
    elif name.is_dir():
        shutil.rmtree(name)
    name.parent.mkdir(parents=True, exist_ok=True)
    name.symlink_to(to.resolve())


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf8")


def web_demo(root: Path) -> None:
    """The generator of SD-GAN's web demo, with first weights of ours."""
    from imgen_sdgan.networks import BeganGenerator
    from imgen_sdgan.web_demo import DATA, SETTINGS

    state = BeganGenerator(DATA, **SETTINGS).state_dict()
    manifest = {}
    for index, layer in enumerate(name.removesuffix(".weight") for name in state if name.endswith(".weight")):
        scope = "G/fully_connected" if not index else "G/Conv" + (f"_{index - 1}" if index > 1 else "")
        weight = state[f"{layer}.weight"]
        weight = weight.T if weight.dim() == 2 else weight.permute(2, 3, 1, 0)
        for name, tensor in ((f"{scope}/weights", weight), (f"{scope}/biases", state[f"{layer}.bias"])):
            (root / name.replace("/", "_")).write_bytes(tensor.contiguous().numpy().astype("<f4").tobytes())
            manifest[name] = {"filename": name.replace("/", "_"), "shape": list(tensor.shape)}
    (root / "manifest.json").write_text(json.dumps(manifest))


def shrink(path: Path, side: int) -> None:
    """Make a picture a square of this side."""
    with Image.open(path) as image:
        image.resize((side, side)).save(path)
