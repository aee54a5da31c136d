"""The paper's sets of cars, chairs and faces seen from many sides, in pairs of domains that nothing pairs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Le
from PIL import Image

from imgen.binding import Place
from imgen.data.pictures import Pictures, Report, tell
from imgen.data.source import open_source
from imgen.data.spec import DataSpec
from imgen.data.views import Views
from imgen.errors import DataError
from imgen.images import fit, to_array

if TYPE_CHECKING:
    from torch import Tensor

Task = Literal["car2car", "chair2chair", "face2face", "chair2car", "chair2face", "car2face"]
View = Literal[180, 360, 90]

CAR_STEP = 15
CAR_VIEWS: Mapping[View, tuple[int, ...]] = {
    180: (5, 4, 3, 2, 1, 0, 23, 22, 21, 20, 19),
    360: tuple(range(24)),
    90: (5, 4, 3, 2, 1, 0),
}
"""Which of the 24 azimuths of a car are used, in this order; index 0 shows its front."""
CAR_ELEVATION = 3
CHAIR_FRONT = 270
"""The middle of the half circle that is used of the chairs, which is taken for their front [degrees]."""
TEST_CARS, TEST_CHAIRS, TRAIN_FACES = 14, 10, 8
FACE_ID = 20  # characters of a name that say who it is
_CAR = re.compile(r"car_(\d+)_mesh\.mat")
_CHAIR = re.compile(r"(?:.*/)?([^/]+)/renders/image_\d+_p\d+_t(\d+)_r\d+\.png")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Pictures of some individuals; azimuth: of each, (N,) [degrees], where it is known."""

    column: Tensor | Pictures
    names: list[str]
    azimuth: Tensor | None
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Individuals:
    """All individuals of a kind, in order: those to train on, those held out, and how to read some of them."""

    train: Sequence[str]
    test: Sequence[str]
    read: Callable[[Sequence[str]], Pool]


def pose_pairs(
    *,
    root: Place,
    task: Task = "car2car",
    view: View = 180,
    size: Annotated[int, Ge(8), Le(1024)] = 64,
    face_azimuth: str = "",
    about: str = "",
) -> Views:
    """Cars, chairs and faces seen from many sides: two domains that share the azimuth, which no batch tells.

    Where both domains show one kind, each has half of the individuals to train on, and the held-out ones are the same.

    - Cars: `cars/car_NNN_mesh.mat` of the visual-analogy archive, in order of their numbers; the last 14 are held
      out. Grey, repeated in three channels, but for view 90.
    - Chairs: `rendered_chairs/<id>/renders/image_III_pEEE_tAAA_rRRR.png`; the last 10 ids are held out.
    - Faces: `faces/` with the renderings of the Basel face model; the first 20 characters of a name say who it is.
      The first 8 are trained on and all others held out.

    Settings:
        root: folder that holds cars, rendered_chairs or faces, as the task needs them
        task: which kinds the domains show
        view: of cars and chairs, 180 from one side to the other, 360 all around, 90 from the front to a side [degrees]
        size: height and width of a picture [pixels]
        face_azimuth: regular expression whose group is the azimuth in the name of a face's file; empty if not known
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where a folder is missing or holds too few individuals, or a file cannot be read.
    """
    first, second = task.split("2")
    kinds = {kind: _open(kind, Path(root).expanduser(), size, view, face_azimuth) for kind in (first, second)}
    a, b = kinds[first], kinds[second]
    who = {"a": a.train, "b": b.train}
    if first == second:
        half = len(a.train) // 2
        who = {"a": a.train[:half], "b": a.train[half:]}
        if not half:
            raise DataError(f"{root}: {task} needs two {first}s or more beside those held out, not {len(a.train)}")
    train = {"a": a.read(who["a"]), "b": b.read(who["b"])}
    held = {kind: some.read(some.test) for kind, some in kinds.items() if some.test}
    test = {name: held[kind] for name, kind in (("a", first), ("b", second)) if kind in held}
    names = (first, second) if first != second else (f"{first}-a", f"{second}-b")
    pools = [*train.values(), *held.values()]
    return Views(
        spec=DataSpec(image=(3, size, size), domains=names, about=about or f"{task}, views from {Path(root).name}"),
        columns={name: pool.column for name, pool in train.items()},
        azimuth={name: pool.azimuth for name, pool in train.items() if pool.azimuth is not None},
        test={name: pool.column for name, pool in test.items()},
        test_azimuth={name: pool.azimuth for name, pool in test.items() if pool.azimuth is not None},
        test_names={name: pool.names for name, pool in test.items()},
        report=Report(
            images=sum(int(pool.column.shape[0]) for pool in train.values()),
            identities=sum(len(ids) for ids in who.values()),
            unreadable={name: reason for pool in pools for name, reason in pool.unreadable.items()},
        ),
        origin={"layout": "pose-pairs", "task": task, "view": str(view)},
    )


def _open(kind: str, root: Path, size: int, view: View, face_azimuth: str) -> Individuals:
    if kind == "car":
        folder = _folder(root, ("cars", "data/cars"), "car_NNN_mesh.mat of the visual-analogy archive")
        return car_individuals(folder, size, view)
    if kind == "chair":
        return chair_individuals(_folder(root, ("rendered_chairs",), "a folder for each chair"), size, view)
    places = ("faces", "PublicMM1/05_renderings", "05_renderings")
    return face_individuals(_folder(root, places, "the renderings of the Basel face model"), size, face_azimuth)


def _folder(root: Path, places: Sequence[str], holds: str) -> Path:
    for place in places:
        if (root / place).is_dir():
            return root / place
    raise DataError(f"{root}: no folder {' or '.join(places)}; it must hold {holds}")


def car_individuals(folder: Path, size: int, view: View) -> Individuals:
    """Cars in order of their numbers; their azimuths follow from the place in the file."""
    found = {path.name: int(match[1]) for path in folder.iterdir() if (match := _CAR.fullmatch(path.name))}
    names = sorted(found, key=lambda name: (found[name], name))
    if len(names) <= TEST_CARS:
        raise DataError(
            f"{folder}: holds {len(names)} files car_NNN_mesh.mat; the last {TEST_CARS} are held out, so it needs more"
        )
    degrees = torch.tensor([float(index * CAR_STEP + 180) % 360 - 180 for index in CAR_VIEWS[view]])

    def read(some: Sequence[str]) -> Pool:
        cars = []
        for done, name in enumerate(some, 1):
            cars.append(read_car(folder / name, size, view))
            tell(None, done, len(some))
        pictures = torch.from_numpy(np.concatenate(cars)).expand(-1, 3, -1, -1).contiguous()
        views = [f"{name}:{index}" for name in some for index in CAR_VIEWS[view]]
        return Pool(column=pictures, names=views, azimuth=degrees.repeat(len(some)))

    return Individuals(train=names[:-TEST_CARS], test=names[-TEST_CARS:], read=read)


def read_car(path: Path, size: int, view: View) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The views of one car, (views, 1, size, size) in grey, or in three colours for view 90.

    Raises: `DataError` where the file cannot be read or does not hold a car, or scipy is not installed.
    """
    try:
        matlab = import_module("scipy.io")
    except ImportError:
        raise DataError(f"{path.parent}: cars are .mat files, which need scipy: pip install 'imgen[metrics]'") from None
    try:
        told = matlab.loadmat(path, variable_names=["im"])
    except Exception as error:
        # On damaged bytes the reader raises nearly anything.
        raise DataError(f"{path}: not a readable .mat file: {' '.join(str(error).split())}") from error
    pictures = np.asarray(told.get("im", ()))
    if pictures.ndim != 5 or pictures.shape[2:] != (3, 24, 4) or pictures.dtype != np.uint8:
        raise DataError(
            f"{path}: `im` must be uint8, (height, width, 3, 24, 4), not {pictures.dtype}, {pictures.shape}"
        )
    channels = 3 if view == 90 else 1
    views = [Image.fromarray(pictures[..., index, CAR_ELEVATION].copy()) for index in CAR_VIEWS[view]]
    return np.stack([to_array(fit(each, (size, size), crop="none", channels=channels)) for each in views])


def chair_individuals(folder: Path, size: int, view: View) -> Individuals:
    """Chairs in order of their ids; azimuths are those of the names, counted from the front."""
    source = open_source(folder)
    found = [(match[1], name, int(match[2])) for name in source.names if (match := _CHAIR.fullmatch(name))]
    # The rims of the half circle show a side only, and are left out as the authors do.
    low, high = {180: (-90, 90), 90: (-1, 90), 360: (-361, 361)}[view]
    degrees = {name: angle - CHAIR_FRONT for _, name, angle in found if low < angle - CHAIR_FRONT < high}
    of = _grouped([(who, name) for who, name, _ in found if name in degrees])
    ids = sorted(of)
    if len(ids) <= TEST_CHAIRS:
        raise DataError(
            f"{folder}: holds {len(ids)} chairs, as <id>/renders/image_III_pEEE_tAAA_rRRR.png; the last {TEST_CHAIRS} "
            "are held out, so it needs more"
        )

    def read(some: Sequence[str]) -> Pool:
        column = Pictures(source, [name for who in some for name in of[who]], size=size, crop="none")
        unreadable = column.survey()
        azimuth = torch.tensor([(degrees[name] + 180.0) % 360 - 180 for name in column.names])
        return Pool(column=column, names=column.names, azimuth=azimuth, unreadable=unreadable)

    return Individuals(train=ids[:-TEST_CHAIRS], test=ids[-TEST_CHAIRS:], read=read)


def face_individuals(folder: Path, size: int, azimuth: str) -> Individuals:
    """Faces in order of their names; `azimuth` finds the angle in a file's name, where it is not empty."""
    source = open_source(folder)
    of = _grouped([(name.rpartition("/")[2][:FACE_ID], name) for name in source.names])
    ids = sorted(of)
    if not ids:
        raise DataError(f"{folder}: holds no pictures")

    def read(some: Sequence[str]) -> Pool:
        column = Pictures(source, [name for who in some for name in of[who]], size=size, crop="none")
        unreadable = column.survey()
        told = torch.tensor([_angle(name, azimuth) for name in column.names]) if azimuth else None
        return Pool(column=column, names=column.names, azimuth=told, unreadable=unreadable)

    return Individuals(train=ids[:TRAIN_FACES], test=ids[TRAIN_FACES:], read=read)


def _angle(name: str, pattern: str) -> float:
    try:
        found = re.search(pattern, name.rpartition("/")[2])
        return float(found[1] if found else "")
    except (re.error, IndexError, ValueError, TypeError):
        raise DataError(f"face_azimuth: {pattern!r} has no group that finds a number in {name}") from None


def _grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for who, name in pairs:
        groups.setdefault(who, []).append(name)
    return groups
