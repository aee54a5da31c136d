"""Models of three codes and three pixels, of which it is known by hand how well they agree."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

PLUGIN = '''
    import torch
    from torch import nn

    from imgen.data.spec import DataSpec
    from imgen.hookspecs import hookimpl

    PARTS = {"all": (0, 1, 2), "half": (0, 1, 1), "first": (0, 0, 0), "turned": (2, 0, 1)}

    class Makes(nn.Module):
        """Three stripes, each as light as a code: of which code, says `makes`.

        Settings:
            makes: all, half (the second twice), first (three times the first), turned
            size: coordinates of every code, the first of which is seen
        """

        def __init__(self, data: DataSpec, *, makes: str = "all", size: int = 1) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))
            self.codes = {"a": size, "b": size, "c": size, "noise": 2}
            self.image, self.size, self.shown = data.image, size, PARTS[makes]

        def draw(self, code, n, generator=None):
            return torch.empty(n, self.codes[code]).uniform_(-1, 1, generator=generator)

        def forward(self, z):
            assert not self.training
            told = self.factor * z[:, [place * self.size for place in self.shown]]
            channels, height, width = self.image
            return told[:, None, None].repeat_interleave(width // 3, 3).expand(-1, channels, height, -1)

    class Reads(Makes):
        """Makes, and reads the stripes: which of them, says `reads`.

        Settings:
            reads: as makes
            blur: deviation of draws from the best guess
            called: names of the codes that are read
        """

        batches = []

        def __init__(
            self, data: DataSpec, *, makes: str = "all", size: int = 1, reads: str = "all", blur: float = 0.0,
            called: str = "abc",
        ) -> None:
            super().__init__(data, makes=makes, size=size)
            self.encodes, self.read, self.blur = tuple(called), PARTS[reads], blur

        def encode(self, images, generator=None):
            self.batches.append(len(images))
            width = self.image[2] // 3
            told = images[:, 0, self.image[1] // 2, ::width][:, list(self.read)]
            if generator is None or not self.blur:
                return told
            return told + self.blur * torch.randn(told.shape, generator=generator)

    class Encodes(nn.Module):
        """Reads, and makes nothing."""

        def __init__(self, data: DataSpec) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))
            self.encodes = ("a",)

        def encode(self, images, generator=None):
            return images[:, 0, 0, :1]

    @hookimpl
    def register_models(register):
        register(Makes, name="makes")
        register(Reads, name="reads")
        register(Encodes, name="encodes")
'''

MODELS = {"good": {}, "half": {"makes": "half", "reads": "half"}, "poor": {"reads": "first"}}
"""Good reads all three codes; half neither shows nor reads the third; poor shows all and reads the first alone."""


@pytest.fixture
def toy(write_plugin: Callable[..., object]) -> Iterator[None]:
    """The plugin is installed."""
    from imgen.plugins import installed

    write_plugin("toy", PLUGIN)
    installed.cache_clear()
    yield
    installed.cache_clear()


@pytest.fixture
def model(toy: None) -> Callable[..., torch.nn.Module]:
    """Builds a model: `model(makes="half")`."""

    def build(image: tuple[int, int, int] = (1, 1, 3), **settings: object) -> torch.nn.Module:
        from imgen.data.spec import DataSpec
        from imgen.plugins import installed

        factory = installed().registry("models").get("reads").load()
        return factory(DataSpec(image=image), **settings).eval().requires_grad_(False)

    return build


@pytest.fixture
def three(model: Callable[..., torch.nn.Module]) -> list[torch.nn.Module]:
    """Good, half and poor."""
    return [model(**settings) for settings in MODELS.values()]


@pytest.fixture
def make_run(here: Path, toy: None) -> Callable[..., Path]:
    """Makes a finished run: `make_run("runs/a", reads="half")`."""
    count = 0

    def make(
        path: str,
        *,
        kind: str = "reads",
        image: tuple[int, int, int] = (1, 3, 3),
        seed: int = 0,
        finished: bool = True,
        weights: bool = True,
        about: str = "",
        **settings: object,
    ) -> Path:
        from imgen.data.spec import DataSpec
        from imgen.model import ModelConfig, write_model
        from imgen.train import checkpoint

        nonlocal count
        count += 1
        folder = here / path
        folder.mkdir(parents=True)
        lines = "".join(f"  {key}: {value}\n" for key, value in settings.items())
        (folder / "recipe.yaml").write_text(
            f"algorithm:\n  name: toys\n{lines}dataset:\n  name: none\ntrain:\n  steps: 1\n  seed: {seed}\n"
        )
        os.utime(folder / "recipe.yaml", (count, count))
        origin = {"algorithm": "toys", "seed": seed, "step": 1}
        data = DataSpec(image=image, about=about)
        config = ModelConfig(name=kind, settings=settings, data=data, plugin="stranger-toy 1.0", origin=origin)
        averaged = {"factor": torch.ones(())}
        if weights:
            checkpoint.write(folder, 1, algorithm={}, averaged=averaged, config=config, seats={}, state={}, name="last")
        if weights and finished:
            write_model(folder / "model.safetensors", config, averaged)
            (folder / "README.md").write_text("# card\n")
        return Path(path)

    return make


@pytest.fixture
def runs(make_run: Callable[..., Path]) -> list[Path]:
    """Runs of the three, in runs/."""
    return [
        make_run(f"runs/{name}", seed=seed, **settings)
        for seed, (name, settings) in enumerate(reversed(MODELS.items()))
    ]
