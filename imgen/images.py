"""Pictures: from the bytes of a file to PIL and arrays, and back to sheets, PNG and GIF."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from imgen.errors import DataError
from imgen.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff", ".webp")
)
MAX_PIXELS = 64_000_000

CROPS = "'center', 'none', 'celeba', the side of a centred square in pixels, or WxH+X+Y in pixels"
_CELEBA_SHAPE, _CELEBA_BOX = (178, 218), (25, 57, 153, 185)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SIDEWAYS = {_UPRIGHT[tag] for tag in (5, 6, 7, 8)}
_WRITTEN: dict[str, tuple[str, dict[str, int]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95}),
    ".jpeg": ("JPEG", {"quality": 95}),
    ".webp": ("WEBP", {"quality": 95}),
}

Box = tuple[int, int, int, int]

# What PIL logs of a damaged file, our errors say; without a handler Python would print it.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class Header(NamedTuple):
    """What a picture says of itself before any pixel is read; the size is as stored, before EXIF turns it."""

    format: str
    mode: str
    width: int
    height: int


class Picture(NamedTuple):
    """A decoded picture, and what one that is made from it should keep.

    image: upright, RGB or L. alpha: its own transparency, L, at its own size. size: its own (width, height), upright,
    also where `image` was decoded smaller. animated: whether further frames follow, which were not read.
    """

    image: Image.Image
    alpha: Image.Image | None
    size: tuple[int, int]
    animated: bool = False


def header(data: bytes | BinaryIO) -> Header:
    """Format, mode and size of a picture, at next to no cost. Raises: `DataError` with the reason in one line."""
    with _one_line_reasons():
        image = _open(data)
        return Header(str(image.format), image.mode, *image.size)


def decode(data: bytes | BinaryIO, *, channels: int = 3, at_least: int = 0) -> Image.Image:
    """The picture upright and in full: RGB, or L for one channel; transparency over white, 16 bits scaled to 8.

    at_least: a JPEG may be decoded smaller, with neither side below this [pixels]; 0: at its own size.
    Raises: `DataError` with the reason in one line, without a name: the caller knows what it was reading.
    """
    with _one_line_reasons():
        image = _open(data)
        if at_least:
            image.draft(None, (at_least, at_least))
        image.load()
        return _plain(_upright(image), "L" if channels == 1 else "RGB")


def read(data: bytes | BinaryIO, *, channels: int = 3, at_least: int = 0) -> Picture:
    """The picture as `decode` gives it, and what one made from it should keep. Raises: `DataError` as `decode` does."""
    with _one_line_reasons():
        image = _open(data)
        size = image.size
        # The second picture that a phone adds to a photo does not move.
        animated = bool(getattr(image, "is_animated", False)) and image.format != "MPO"
        if at_least:
            image.draft(None, (at_least, at_least))
        image.load()
        upright = _upright(image)
        alpha = None
        if image.mode[0] not in "IF" and image.has_transparency_data:
            alpha = upright.convert("RGBA").getchannel("A")
        turned = _turn(image) in _SIDEWAYS
        return Picture(
            _plain(upright, "L" if channels == 1 else "RGB"), alpha, size[::-1] if turned else size, animated
        )


def is_transparent(data: bytes | BinaryIO) -> bool:
    """Whether a picture says that parts of it are transparent, before any pixel is read. Raises: `DataError`."""
    with _one_line_reasons():
        image = _open(data)
        return image.mode[0] not in "IF" and image.has_transparency_data


def fit(image: Image.Image, size: tuple[int, int], *, crop: str | int = "center", channels: int = 3) -> Image.Image:
    """The part that `crop` chooses, resized with antialiasing to `size` (height, width).

    Raises: `DataError` where the crop does not fit into the picture.
    """
    mode = "L" if channels == 1 else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    box = crop_box(image.size, size, crop)
    # Cut first: given a box, `resize` with a gap lets in a little of what lies outside.
    return image.crop(box).resize((size[1], size[0]), Image.Resampling.LANCZOS, reducing_gap=3.0)


def load(
    data: bytes | BinaryIO, size: tuple[int, int], *, crop: str | int = "center", channels: int = 3
) -> NDArray[np.uint8]:
    """A file's bytes as (channels, height, width): `decode`, `fit` and `to_array` in one."""
    # Twice the wanted size keeps what the resize needs; crops counted in pixels need the picture at its own size.
    at_least = 2 * max(size) if crop in ("center", "none") else 0
    image = decode(data, channels=channels, at_least=at_least)
    return to_array(fit(image, size, crop=crop, channels=channels))


def check_crop(crop: str | int) -> None:
    """Raises: `DataError` where `crop` is no crop at all, whatever the picture."""
    if crop in ("center", "none", "celeba") or (str(crop).isdecimal() and int(crop) > 0):
        return
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*\+\d+\+\d+", str(crop)):
        raise DataError(f"crop {str(crop)!r} is not known; it is {CROPS}")


def crop_box(shape: tuple[int, int], size: tuple[int, int], crop: str | int) -> Box:
    """Left, top, right and bottom of the part to take from a picture of `shape` (width, height).

    size: (height, width) of the result, whose aspect 'center' keeps.
    Source: 'celeba' is the 128x128 box around (89, 121) of the 178x218 aligned photos (progressive GAN's
    `create_celeba`), in proportion where the photos are scaled.
    """
    check_crop(crop)
    width, height = shape
    if crop == "none":
        return 0, 0, width, height
    if crop == "celeba":
        scale = width / _CELEBA_SHAPE[0]
        if abs(height - scale * _CELEBA_SHAPE[1]) > 0.02 * height:
            raise DataError(
                f"crop 'celeba' is for aligned CelebA photos, 178x218 or in that shape, not {width}x{height}"
            )
        left, top, right, bottom = (round(edge * scale) for edge in _CELEBA_BOX)
        return left, top, right, bottom
    if "x" in str(crop):
        w, h, left, top = (int(number) for number in re.split(r"[x+]", str(crop)))
    elif crop == "center":
        scale = min(width / size[1], height / size[0])
        w, h = max(1, round(size[1] * scale)), max(1, round(size[0] * scale))
        left, top = (width - w) // 2, (height - h) // 2
    else:
        w = h = int(crop)
        left, top = (width - w) // 2, (height - h) // 2
    if left < 0 or top < 0 or left + w > width or top + h > height:
        raise DataError(f"crop {crop} does not fit into {width}x{height}")
    return left, top, left + w, top + h


def to_array(image: Image.Image) -> NDArray[np.uint8]:
    """(C, H, W) of an L or RGB picture."""
    pixels = np.asarray(image, np.uint8)
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))


def to_tensor(image: Image.Image) -> Tensor:
    """(C, H, W) uint8 of an L or RGB picture."""
    import torch

    return torch.from_numpy(to_array(image).copy())


def to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """An L or RGB picture of (C, H, W)."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def to_float(images: Tensor, *, channels_last: bool = False) -> Tensor:
    """uint8 to float32 in [-1, 1], on the device where they are.

    channels_last: in that order of memory on a GPU; a CPU's convolutions reorder faster than a copy would.
    """
    if images.is_cuda:
        return _scaled(images, channels_last)
    return images.float().div_(127.5).sub_(1)


def _scaled(images: Tensor, channels_last: bool) -> Tensor:
    """As `to_float`, with what casts, scales and reorders as one pass: many small ones are what keeps a GPU waiting."""
    import torch

    if not channels_last or images.dim() < 4:
        return torch.div(images, 127.5).sub_(1)
    flat = images.flatten(0, -4)
    floats = torch.empty(flat.shape, device=images.device, memory_format=torch.channels_last)
    return torch.div(flat, 127.5, out=floats).sub_(1).unflatten(0, images.shape[:-3])


def from_float(images: Tensor) -> Tensor:
    """[-1, 1] to uint8, rounded; what lies outside is clipped."""
    return images.detach().float().add(1).mul_(127.5).round_().clamp_(0, 255).byte()


def sheet(images: Tensor | NDArray[np.generic], gap: int = 2) -> Image.Image:
    """One picture of (rows, columns, C, H, W), uint8 or floats in [-1, 1], with white gaps [pixels]."""
    pixels: NDArray[np.generic]
    if isinstance(images, np.ndarray):
        pixels = images
    else:
        pixels = (from_float(images) if images.is_floating_point() else images).cpu().numpy()
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = np.clip(np.rint((pixels.astype(np.float32) + 1) * 127.5), 0, 255)
    if pixels.ndim != 5 or pixels.shape[2] not in (1, 3):
        raise ValueError(f"a sheet is (rows, columns, 1 or 3, H, W), not {pixels.shape}")
    rows, columns, channels, height, width = pixels.shape
    canvas = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + gap), column * (width + gap)
            canvas[top : top + height, left : left + width] = pixels[row, column].transpose(1, 2, 0)
    return Image.fromarray(canvas[:, :, 0] if channels == 1 else canvas)


def save_png(image: Image.Image, path: str | Path) -> None:
    """Whole or not at all: a reader never meets half a file."""
    with replacing(path) as file:
        image.save(file, format="PNG")


def save(image: Image.Image, path: str | Path) -> None:
    """As its name's ending says, PNG, JPEG or WEBP: whole or not at all, as one of many, which can be made again."""
    format, settings = _WRITTEN[Path(path).suffix.lower()]
    with replacing(path, lasting=False) as file:
        image.save(file, format=format, **settings)


def save_gif(frames: Sequence[Image.Image], path: str | Path, ms: int = 80) -> None:
    """An endless animation, `ms` milliseconds a frame, written whole or not at all."""
    with replacing(path) as file:
        frames[0].save(file, format="GIF", save_all=True, append_images=list(frames[1:]), duration=ms, loop=0)


def _open(data: bytes | BinaryIO) -> Image.Image:
    if isinstance(data, bytes):
        if not data:
            raise DataError("empty file")
        data = BytesIO(data)
    image = Image.open(data, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"{image.width}x{image.height} is more than the {MAX_PIXELS // 10**6} million pixels allowed")
    return image


def _upright(image: Image.Image) -> Image.Image:
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _UPRIGHT.get(image.getexif().get(0x0112, 1))
    except Exception:
        # Damaged EXIF says nothing of the pixels, which are already read.
        return None


def _plain(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "F":
        raise DataError("pixels are floating-point numbers, whose range is not known")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise DataError("pixels are 32-bit integers, whose range is not known")
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == mode else image.convert(mode)


@contextmanager
def _one_line_reasons() -> Iterator[None]:
    # A filter of our own, as `warnings.catch_warnings` is not safe among threads. It has to be the first to count.
    if warnings.filters[:1] != [("ignore", None, Warning, re.compile(r"PIL\."), 0)]:
        warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"more than the {MAX_PIXELS // 10**6} million pixels allowed") from error
    except UnidentifiedImageError as error:
        raise DataError(f"not a picture in a known format ({', '.join(FORMATS)})") from error
    except Exception as error:
        # On damaged bytes PIL's decoders raise nearly anything.
        raise DataError(f"damaged: {' '.join(str(error).split()) or type(error).__name__}") from error
