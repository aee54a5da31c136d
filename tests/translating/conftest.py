"""A translator without training: to `pears` it inverts a picture, to `apples` it turns its colours round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

PLUGIN = '''
    from dataclasses import replace

    import torch
    from torch import nn

    from imgen.data.domains import Domains
    from imgen.data.spec import DataSpec
    from imgen.hookspecs import hookimpl
    from imgen.model import Way

    class Tint(nn.Module):
        """Inverts, or turns colours round.

        Settings:
            can: both ways, one of them, or anything to several styles
            blur: whether a pixel depends on those around it
            multiple: sides are multiples of this [pixels]
        """

        def __init__(self, data: DataSpec, *, can: str = "both", blur: bool = False, multiple: int = 4) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))
            a, b = data.domains or ("apples", "pears")
            self.ways = {
                "both": [Way(a, b), Way(b, a)],
                "one": [Way(a, b)],
                "free": [Way(None, name) for name in ("Male", "not Male", "Blond_Hair", "Black_Hair")],
            }[can]
            self.multiple, self.blur, self.seen = multiple, blur, []

        def translate(self, images, way):
            assert not self.training and torch.is_inference_mode_enabled()
            assert way in self.ways and not any(side % self.multiple for side in images.shape[2:])
            self.seen.append(tuple(images.shape))
            if self.blur:
                images = nn.functional.avg_pool2d(images, 3, 1, 1)
            return self.factor * (-images if way == self.ways[0] else images.roll(1, 1))

    class Mute(nn.Module):
        """No translator."""

        def __init__(self, data: DataSpec) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))

    def game(data: DataSpec) -> None:
        """Never played."""

    def orchard(*, held: int = 5, named: bool = True) -> Domains:
        """Drawn domains.

        Settings:
            held: held-out apples
            named: whether they have names
        """
        draw = torch.Generator().manual_seed(0)
        def pictures(n):
            return torch.randint(0, 256, (n, 3, 16, 16), dtype=torch.uint8, generator=draw)
        return Domains(
            spec=DataSpec(image=(3, 16, 16), domains=("apples", "pears")),
            columns={"a": pictures(4), "b": pictures(4)},
            test={"a": pictures(held), "b": pictures(3)} if held else {},
            test_names={"a": [f"fruit/apple{n}.jpg" for n in range(held)]} if named else {},
        )

    @hookimpl
    def register_models(register):
        register(Tint, name="tint")
        register(Mute, name="mute")

    @hookimpl
    def register_algorithms(register):
        register(game, name="orchard-game")

    @hookimpl
    def register_datasets(register):
        register(orchard, name="orchard")
'''


@pytest.fixture
def orchard(write_plugin: Callable[..., object]) -> Iterator[None]:
    """The plugin is installed."""
    from imgen.plugins import installed

    write_plugin("orchard", PLUGIN)
    installed.cache_clear()
    yield
    installed.cache_clear()


@pytest.fixture
def make_run(here: Path, orchard: None) -> Callable[..., Path]:
    """Makes a finished run: `make_run("runs/a", model="tint", data={...}, domains=(...), image=(...), **settings)`."""

    def make(
        path: str = "runs/fruit-0001",
        *,
        model: str = "tint",
        data: str = "",
        image: tuple[int, int, int] = (3, 16, 16),
        domains: tuple[str, ...] = ("apples", "pears"),
        vector: int = 0,
        **settings: object,
    ) -> Path:
        from imgen.data.spec import DataSpec
        from imgen.model import ModelConfig, write_model

        folder = here / path
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(
            f"algorithm: orchard-game\ndataset: {{name: orchard{', ' if data else ''}{data}}}\ntrain: {{steps: 1}}\n"
        )
        spec = DataSpec(image=image, domains=domains, vector=vector)
        config = ModelConfig(name=model, settings=settings, data=spec, plugin="stranger-orchard 1.0")
        write_model(folder / "model.safetensors", config, {"factor": torch.ones(())})
        return Path(path)

    return make


@pytest.fixture
def run(make_run: Callable[..., Path]) -> Path:
    """One finished run, which can go both ways at 16x16."""
    return make_run()


def pixels(seed: int = 0, size: tuple[int, int] = (16, 16), channels: int = 3) -> np.ndarray:
    """(H, W, C) of noise, or (H, W)."""
    drawn = np.random.default_rng(seed).integers(0, 256, (*size, channels), np.uint8)
    return drawn[..., 0] if channels == 1 else drawn


@pytest.fixture
def draw(here: Path) -> Callable[..., np.ndarray]:
    """Writes a picture of noise and gives its pixels: `draw("a/b.png", seed, (height, width), channels)`."""

    def write(path: str, seed: int = 0, size: tuple[int, int] = (16, 16), channels: int = 3, **save) -> np.ndarray:
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        made = pixels(seed, size, channels)
        Image.fromarray(made).save(here / path, **save)
        return made

    return write


@pytest.fixture
def opened(here: Path) -> Callable[[str], np.ndarray]:
    """The pixels of a file."""
    return lambda path: np.asarray(Image.open(here / path))
