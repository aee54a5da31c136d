"""Pictures that the tests draw, and the real ones where they are at hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL = Path(__file__).parents[2].parent / "shared/data"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("IMGEN_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def real() -> Callable[[str], Path]:
    """The path of a real data set; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        if not (REAL / name).exists():
            pytest.skip(f"no real pictures here: ../shared/data/{name} is absent")
        return REAL / name

    return find


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    """The bytes of a picture, in any format that PIL writes."""

    def encode(image: Image.Image, format: str = "PNG", **options) -> bytes:
        file = BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def noisy(encoded) -> Callable[..., bytes]:
    """A picture that nothing else looks like; its red is `tag` everywhere."""

    def draw(tag: int, width: int = 24, height: int = 24, format: str = "PNG") -> bytes:
        pixels = np.random.default_rng(tag).integers(0, 256, (height, width, 3), np.uint8)
        pixels[:, :, 0] = tag
        return encoded(Image.fromarray(pixels), format)

    return draw


@pytest.fixture
def bomb() -> bytes:
    """A PNG of a hundred bytes whose header says 60,000 x 60,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.fixture
def people(tmp_path, noisy) -> Callable[..., Path]:
    """A folder a person: `people(anna=3, bert=2)`; the red of a picture is 10 * person + photo."""

    def make(**photos: int) -> Path:
        for person, (name, count) in enumerate(sorted(photos.items())):
            (tmp_path / "people" / name).mkdir(parents=True)
            for photo in range(count):
                (tmp_path / "people" / name / f"{photo}.png").write_bytes(noisy(10 * person + photo))
        return tmp_path / "people"

    return make
