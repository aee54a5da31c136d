"""A generator whose pictures show the very values of its codes, and an encoder that reads two of them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

PLUGIN = '''
    import torch
    from torch import nn

    from imgen.data.spec import DataSpec
    from imgen.hookspecs import hookimpl

    class Dials(nn.Module):
        """Four quarters: left, right and the two coordinates of noise, each as grey as its value.

        Settings:
            spanned: whether it says between which values its codes are
        """

        def __init__(self, data: DataSpec, *, spanned: bool = True) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))
            self.codes = {"left": 1, "right": 1, "noise": 2}
            self.image = data.image
            if spanned:
                self.spans = {"left": (-1, 1), "right": (-0.5, 0.5)}

        def draw(self, code, n, generator=None):
            return torch.empty(n, self.codes[code]).uniform_(-1, 1, generator=generator)

        def forward(self, z):
            assert not self.training
            channels, height, width = self.image
            quarters = self.factor * z.view(-1, 1, 2, 2).expand(-1, channels, -1, -1)
            return quarters.repeat_interleave(height // 2, 2).repeat_interleave(width // 2, 3)

    class Read(Dials):
        """Dials, read again: of what lies in the quarters above."""

        encodes = ("right", "left")
        batches = []

        def encode(self, images, generator=None):
            assert not self.training and images.shape[1:] == self.image
            self.batches.append(len(images))
            side = self.image[1] // 2
            told = images[:, :, :side].mean((1, 2)).unflatten(1, (2, -1)).mean(2).flip(1)
            return told if generator is None else told + torch.randn(told.shape, generator=generator)

    class Mute(nn.Module):
        """Neither makes pictures nor reads codes."""

        def __init__(self, data: DataSpec) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))

    @hookimpl
    def register_models(register):
        register(Dials, name="dials")
        register(Read, name="read-dials")
        register(Mute, name="mute")
'''


@pytest.fixture
def dials(write_plugin: Callable[..., object]) -> Iterator[None]:
    """The plugin is installed."""
    from imgen.plugins import installed

    write_plugin("dials", PLUGIN)
    installed.cache_clear()
    yield
    installed.cache_clear()


@pytest.fixture
def make_run(here: Path, dials: None) -> Callable[..., Path]:
    """Makes a finished run: `make_run("runs/a", model="read-dials", image=(1, 16, 16), **settings)`."""
    count = 0

    def make(
        path: str = "runs/dials-0001",
        *,
        model: str = "read-dials",
        image: tuple[int, int, int] = (1, 16, 16),
        **settings: object,
    ) -> Path:
        import os

        from imgen.data.spec import DataSpec
        from imgen.model import ModelConfig, write_model

        nonlocal count
        count += 1
        folder = here / path
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text("algorithm: none\ntrain: {steps: 1}\n")
        os.utime(folder / "recipe.yaml", (count, count))
        config = ModelConfig(name=model, settings=settings, data=DataSpec(image=image), plugin="stranger-dials 1.0")
        write_model(folder / "model.safetensors", config, {"factor": torch.ones(())})
        return Path(path)

    return make


@pytest.fixture
def run(make_run: Callable[..., Path]) -> Path:
    """One finished run of a model that makes pictures of codes, and reads two of them again."""
    return make_run()


@pytest.fixture
def draw(here: Path) -> Callable[..., Path]:
    """Writes a picture of two halves, each of one grey: `draw("a.png", left, right, size, mode)`."""

    def write(path: str, left: int, right: int, size: int = 16, mode: str = "L") -> Path:
        shown = np.full((size, size), left, np.uint8)
        shown[:, size // 2 :] = right
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shown).convert(mode).save(here / path)
        return Path(path)

    return write


class Grid(nn.Module):
    """A generator whose picture is its latent, four numbers in a square."""

    def __init__(self, **codes: int) -> None:
        super().__init__()
        self.codes = codes or {"left": 1, "right": 1, "noise": 2}
        self.factor = nn.Parameter(torch.ones(()))

    def draw(self, code, n, generator=None):
        return torch.empty(n, self.codes[code]).uniform_(-1, 1, generator=generator)

    def forward(self, z):
        return self.factor * z.view(-1, 1, 2, 2)


@pytest.fixture
def grid() -> Grid:
    """A generator without spans, whose picture is its latent."""
    return Grid()


def grey(value: float) -> int:
    """The level that a value in [-1, 1] is written as."""
    return round((value + 1) * 127.5)
