"""Pictures to codes: read in threads, encoded in passes of one size, and written as tables."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from imgen import images
from imgen.data.pictures import cores, tell
from imgen.errors import DataError
from imgen.files import replacing, write
from imgen.model import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.translating.inputs import Item

ENDINGS = (".csv", ".json", ".npz")
"""Of the tables that can be written."""
_CHUNK = {"cpu": 16}  # pictures in a forward pass
_MORE = 128  # on any other device
_AHEAD = 256  # pictures decoded at once


def read(
    items: Sequence[Item], image: tuple[int, int, int], crop: str, skip: Callable[[Item, str], None]
) -> Iterator[tuple[list[Item], NDArray[np.uint8]]]:
    """The pictures that can be read, some hundred at a time, (n, C, H, W), as a data set would show them in training.

    image: (channels, height, width) of training; crop: as in `images.fit`; skip: is told of others, and why.
    """
    with ThreadPoolExecutor(cores(), "decode") as pool:
        for start in range(0, len(items), _AHEAD):
            some = items[start : start + _AHEAD]
            shown = list(pool.map(lambda item: _shown(item, image, crop), some))
            for item, pixels in zip(some, shown, strict=True):
                if isinstance(pixels, str):
                    skip(item, pixels)
            good = [(item, pixels) for item, pixels in zip(some, shown, strict=True) if not isinstance(pixels, str)]
            if good:
                yield [item for item, _ in good], np.stack([pixels for _, pixels in good])
            tell(None, start + len(some), len(items))


def encode(model: Encoder, pixels: NDArray[np.uint8], seed: int | None = None) -> NDArray[np.float32]:
    """Codes (N, len(encodes)) of pictures (N, C, H, W).

    seed: for a draw, which follows from it and from the picture alone; None: the best guess.
    Codes do not change with the number of other pictures, as every forward pass has the same number of them.
    """
    device = next(cast("torch.nn.Module", model).parameters()).device
    made = []
    with torch.no_grad():
        if seed is None:
            for chunk in torch.from_numpy(pixels).split(_CHUNK.get(device.type, _MORE)):
                filled = torch.cat([chunk, chunk[-1:].expand(_CHUNK.get(device.type, _MORE) - len(chunk), -1, -1, -1)])
                made.append(model.encode(images.to_float(filled.to(device)))[: len(chunk)].cpu())
        else:
            # One at a time: a generator draws for a whole batch, in its order.
            for picture in pixels:
                shown = images.to_float(torch.from_numpy(picture[None]).to(device))
                made.append(model.encode(shown, _generator(picture, seed, device)).cpu())
    return torch.cat(made).float().numpy()


def as_csv(names: Sequence[str], files: Sequence[str], codes: NDArray[np.float32]) -> bytes:
    """A row a picture: its file and its codes, with as many places as tell a float32."""
    text = StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", *names])
    for file, row in zip(files, codes, strict=True):
        rows.writerow([file, *map(str, row)])
    # Names of files need not be text.
    return text.getvalue().encode("utf8", "surrogateescape")


def as_objects(names: Sequence[str], files: Sequence[str], codes: NDArray[np.float32]) -> list[dict[str, Any]]:
    """An object a picture, for JSON; nothing for what is no number, which JSON does not know."""
    rows = [[float(str(value)) if math.isfinite(value) else None for value in row] for row in codes]
    return [{"file": file, **dict(zip(names, row, strict=True))} for file, row in zip(files, rows, strict=True)]


def write_table(path: Path, names: Sequence[str], files: Sequence[str], codes: NDArray[np.float32]) -> None:
    """CSV, JSON, or an npz of `files`, `names` and `codes`, as the path ends; whole or not at all."""
    ending = path.suffix.lower()
    if ending == ".csv":
        write(path, as_csv(names, files, codes))
    elif ending == ".json":
        lines = ",\n".join(json.dumps(row) for row in as_objects(names, files, codes))
        write(path, f"[\n{lines}\n]\n")
    else:
        with replacing(path) as file:
            np.savez(file, files=np.array(files, np.str_), names=np.array(names, np.str_), codes=codes)


def _shown(item: Item, image: tuple[int, int, int], crop: str) -> NDArray[np.uint8] | str:
    """A picture as the model wants it, or the reason why not."""
    channels, *sides = image
    # Twice the size keeps what the resize needs; crops counted in pixels need the picture at its own size.
    at_least = 2 * max(sides) if crop in ("center", "none") else 0
    try:
        picture = item.load(channels, at_least)
        return images.to_array(images.fit(picture.image, (sides[0], sides[1]), crop=crop, channels=channels))
    except DataError as error:
        return str(error)


def _generator(picture: NDArray[np.uint8], seed: int, device: torch.device) -> torch.Generator:
    told = int.from_bytes(hashlib.sha256(picture.tobytes()).digest()[:8], "little")
    words = np.random.SeedSequence([seed, told]).generate_state(2)
    return torch.Generator(device).manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
