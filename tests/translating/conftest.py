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

    import numpy as np
    import torch
    from torch import nn

    from imgen.data.domains import Domains
    from imgen.data.labelled import Labelled
    from imgen.data.samplers import uniform
    from imgen.data.spec import Attribute, DataSpec
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

    class Brush(nn.Module):
        """Paints the value of an attribute as the grey of a band, and turns the colours of all else round."""

        multiple = 4

        def __init__(self, data: DataSpec) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))
            self.paints = data.attributes
            self.ways = [Way(None, value, each.name) for each in data.attributes for value in each.values]
            self.calls = []

        def band(self, height, place):
            return slice(place * height // len(self.paints), (place + 1) * height // len(self.paints))

        def translate(self, images, way):
            assert not self.training and torch.is_inference_mode_enabled()
            self.calls.append([way.target])
            return self.paint(images, way)

        def paint(self, images, way):
            (place,) = (n for n, each in enumerate(self.paints) if each.name == way.attribute)
            values = self.paints[place].values
            made = self.factor * images.roll(1, 1)
            made[:, :, self.band(images.shape[2], place)] = GREYS[values.index(way.target)] / 127.5 - 1
            return made

    GREYS = (20, 60, 100, 140, 180, 220)

    class Painter(Brush):
        """Tells what it painted, too: the nearer a band is to a value's grey, the likelier that is."""

        @property
        def attributes(self):
            return self.paints

        def classify(self, images):
            told = []
            for place, each in enumerate(self.paints):
                grey = (images[:, :, self.band(images.shape[2], place)].mean((1, 2, 3)) + 1) * 127.5
                greys = torch.tensor(GREYS[: len(each.values)], device=grey.device)
                told.append((-(grey[:, None] - greys).abs() / 20).softmax(1))
            return told

    class Workshop(Painter):
        """Paints several at once."""

        def translate_all(self, images, ways):
            assert not self.training and torch.is_inference_mode_enabled()
            self.calls.append([way.target for way in ways])
            return [self.paint(images, way) for way in ways]

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

    def portraits(*, held: int = 5, named: bool = True) -> Labelled:
        """Drawn pictures of nobody.

        Settings:
            held: held-out pictures
            named: whether they have names
        """
        attributes = tuple(Attribute(*each) for each in PORTRAITS)
        pictures = torch.randint(
            0, 256, (held + 4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
        )
        labels = torch.zeros(held + 4, len(attributes), dtype=torch.int64)
        return Labelled(
            spec=DataSpec(image=(3, 16, 16), attributes=attributes),
            columns={"images": pictures[held:], "attributes": labels[held:]},
            truth=labels[held:],
            sampler=uniform(np.arange(4)),
            test={"images": pictures[:held], "attributes": labels[:held]} if held else {},
            test_names={"images": [f"{n % 2}/face{n // 2}.jpg" for n in range(held)]} if named else {},
        )

    @hookimpl
    def register_models(register):
        register(Tint, name="tint")
        register(Brush, name="brush")
        register(Painter, name="painter")
        register(Workshop, name="workshop")
        register(Mute, name="mute")

    @hookimpl
    def register_algorithms(register):
        register(game, name="orchard-game")

    @hookimpl
    def register_datasets(register):
        register(orchard, name="orchard")
        register(portraits, name="portraits")
'''

PORTRAITS = (
    ("Smiling", ("not Smiling", "Smiling")),
    ("hair", ("Black_Hair", "Blond_Hair")),
    ("age", ("0-10", "11-20", "21-70", "71+")),
)
"""What portraits show: there or not, one of two, and an order."""

PLUGIN += f"\n    PORTRAITS = {PORTRAITS!r}\n"


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
        attributes: tuple[tuple[str, tuple[str, ...]], ...] = (),
        dataset: str = "orchard",
        vector: int = 0,
        **settings: object,
    ) -> Path:
        from imgen.data.spec import Attribute, DataSpec
        from imgen.model import ModelConfig, write_model

        folder = here / path
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(
            f"algorithm: orchard-game\ndataset: {{name: {dataset}{', ' if data else ''}{data}}}\ntrain: {{steps: 1}}\n"
        )
        told = tuple(Attribute(*each) for each in attributes)
        spec = DataSpec(image=image, domains=domains, attributes=told, vector=vector)
        config = ModelConfig(name=model, settings=settings, data=spec, plugin="stranger-orchard 1.0")
        write_model(folder / "model.safetensors", config, {"factor": torch.ones(())})
        return Path(path)

    return make


@pytest.fixture
def make_editor(make_run: Callable[..., Path]) -> Callable[..., Path]:
    """Makes a finished run of a model that edits portraits: `make_editor(model="brush", ...)`."""

    def make(path: str = "runs/faces-0001", *, model: str = "workshop", **more: object) -> Path:
        given = {"attributes": PORTRAITS, "domains": (), "dataset": "portraits", **more}
        return make_run(path, model=model, **given)

    return make


@pytest.fixture
def editor(make_editor: Callable[..., Path]) -> Path:
    """One finished run of a model that edits and tells attributes of 16x16, with a pass for several at once."""
    return make_editor()


@pytest.fixture
def painted() -> Callable[..., np.ndarray]:
    """(H, W, C) after the plugin's model has painted values, one after another: `painted(pixels, "Smiling", "71+")`."""

    def paint(shown: np.ndarray, *targets: str) -> np.ndarray:
        for target in targets:
            ((place, values),) = ((n, values) for n, (_, values) in enumerate(PORTRAITS) if target in values)
            shown, height = np.roll(shown, 1, axis=2), len(shown)
            shown[place * height // 3 : (place + 1) * height // 3] = 20 + 40 * values.index(target)
        return shown

    return paint


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
