"""The contract checks pass for all that ships, and fail for what breaks each promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from imgen import Algorithm, DataSpec, Player, adam, turn
from imgen.binding import Count
from imgen.data.drawn_domains import drawn_domains
from imgen.data.identities import identities
from imgen.data.pack import pack
from imgen.data.shapes import shapes
from imgen.model import Way
from imgen.plugins import KINDS, Plugins, installed, load
from imgen.registry import Entry
from imgen.testing import check_algorithm, check_dataset, check_model, check_settings

SMALL = {"d_identity": 3, "d_observation": 3}
TINY = {"width": 4, "d_width": 4, "levels": 3, "size_aware": True}
SETTINGS: Mapping[str, list[Mapping[str, Any]]] = {
    "sdbegan": [{**SMALL, "hidden": 4}],
    "discogan": [
        {**TINY},
        {**TINY, "variant": "recongan", "norm": "instance", "upsample": "resize", "init": "normal02", "flip": True},
        {**TINY, "variant": "gan", "default_rate": None, "matched": "deep", "init": "default", "levels": 4},
        {
            **TINY,
            "d_norm": "spectral",
            "w_r1": 1.0,
            "loss": "hinge",
            "update_interval": 0,
            "w_identity": 0.1,
            "distance": "l1",
            "augment": True,
            "decay_over": 3,
            "norm": "none",
        },
    ],
    "sddcgan": [{**SMALL, "dim": 4, "objective": name} for name in ("dcgan", "lsgan", "wgan", "wgan-gp")]
    + [{**SMALL, "dim": 4, "critic_steps": 2, "w_r1": 1.0, "siamese": False}],
}
"""Small settings for every registered algorithm; a new one joins with an entry here."""
TRANSLATORS = {"discogan"}
"""Algorithms and models for two domains; the others are given pairs."""


# ---- all that ships keeps its contract ----


def registered(kind: str) -> list[str]:
    return [entry.name for entry in installed().registry(kind)]


@pytest.fixture(scope="module")
def pairs():
    return shapes(identities=6, photos=3, size=16)


@pytest.fixture(scope="module")
def two_domains():
    return drawn_domains(pictures=8, n_test=4, size=16)


@pytest.mark.parametrize(
    ("name", "settings"), [(name, each) for name in registered("algorithms") for each in SETTINGS.get(name, [{}])]
)
def test_every_algorithm_keeps_its_contract(pairs, two_domains, name, settings):
    check_algorithm(name, two_domains if name in TRANSLATORS else pairs, settings=settings, steps=4)


@pytest.mark.parametrize("name", registered("models"))
def test_every_model_keeps_its_contract(pairs, two_domains, name):
    small = {"sdbegan": {"hidden": 4}, "discogan": {"width": 4}}.get(name, {"dim": 4})
    spec = two_domains.spec if name in TRANSLATORS else pairs.spec
    check_model(installed().registry("models").get(name).load()(spec, **small), spec)


@pytest.fixture
def folder(tmp_path):
    """Pictures in the convention of SD-GAN: three people, three photos of each."""
    (tmp_path / "train").mkdir()
    for person in range(3):
        for photo in range(3):
            pixels = np.random.default_rng([person, photo]).integers(0, 256, (20, 20, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "train" / f"{person}_{photo}_x.png")
    return tmp_path


CHECKED_BESIDE = {"pose-pairs", *(f"{kind}-domains" for kind in ("attribute", "folder", "aligned", "utkface", "edge"))}
"""Data sets that need files of a kind of their own: the tests of each have its contract check."""


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("packed", [False, True])
def test_every_data_set_keeps_its_contract(folder, packed, k):
    root = str(folder)
    if packed:
        root = str(folder / "pictures.safetensors")
        pack(identities(root=str(folder), size=16, k=1), folder / "pictures.safetensors")

    def make(name):
        return installed().registry("datasets").get(name).load()

    made = {
        "identities": lambda: identities(root=root, size=16, k=k),
        "images": lambda: make("images")(root=root, size=16),
        "shapes": lambda: shapes(identities=4, photos=3, size=16, k=k),
        "solids": lambda: make("solids")(individuals=1, n_test=1, views=4, size=16),
        "toy-modes": lambda: make("toy-modes")(points=20, n_test=10, size=32),
        "drawn-domains": lambda: drawn_domains(pictures=4, n_test=3, size=16),
    }
    assert set(made) | CHECKED_BESIDE == set(registered("datasets")), "a new data set joins here or in its own tests"
    for build in made.values():
        check_dataset(build())


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS if kind != "recipes" for name in registered(kind)]
)
def test_every_setting_is_explained(kind, name):
    check_settings(installed().registry(kind).get(name).load())


# ---- broken algorithms ----


class Pictures(nn.Module):
    """Makes pictures of two pixels by two.

    Settings:
        spread: how far pictures are from grey
    """

    codes: ClassVar = {"latent": 2}

    def __init__(self, data: DataSpec, *, spread: float = 1.0) -> None:
        super().__init__()
        self.spread = spread
        self.layer = nn.Linear(2, 4)

    def draw(self, code, n, generator=None):
        return torch.randn(n, 2, generator=generator, device=next(self.parameters()).device)

    def forward(self, z):
        return (self.spread * self.layer(z)).tanh().view(-1, 1, 2, 2)


class Game(Algorithm):
    """A game that keeps its contract; those below break one promise each."""

    ships = "pictures"
    expects: ClassVar = {"images": "B 1 2 2"}

    def __init__(self, data: DataSpec) -> None:
        super().__init__()
        self.model = Pictures(data)
        self.d = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
        self.register_buffer("gap", torch.zeros(()))
        self.register_buffer("k", torch.ones(()))

    def players(self):
        return {"d": Player([self.d], adam(0.01)), "g": Player([self.model], adam(0.01))}

    def turns(self, step):
        return [self.judge, self.forge]

    def prepare(self, step):
        self.k.add_(0.1 * self.gap)

    @turn("d")
    def judge(self, batch):
        real, fake = self.d(batch["images"]).mean(), self.d(self.fakes(len(batch["images"]))).mean()
        self.gap.copy_((real - fake).detach())
        return {"d": self.k * fake - real + (real - fake).square()}, {"gap": self.gap.clone()}

    @turn("g")
    def forge(self, batch):
        return {"g": -self.d(self.fakes(len(batch["images"]))).mean()}, {}

    def fakes(self, n):
        return self.model(self.model.draw("latent", n))

    def preview(self, batch):
        return self.fakes(6).unflatten(0, (2, 3))


@dataclass
class Grey:
    """Twenty pictures of two pixels by two."""

    spec: DataSpec = field(default_factory=lambda: DataSpec(image=(1, 2, 2)))
    columns: dict[str, Tensor] = field(
        default_factory=lambda: {
            "images": torch.randint(0, 256, (20, 1, 2, 2), generator=torch.Generator().manual_seed(0)).byte()
        }
    )


@pytest.fixture
def plugins() -> Plugins:
    """No plugin, but the model `pictures`."""
    found = load([])
    found.registry("models").add(Entry("models", "pictures", "imgen", Pictures))
    return found


@pytest.fixture
def check(plugins):
    def checked(game, **options):
        check_algorithm(game, Grey(), plugins=plugins, **options)

    return checked


class SetsTheSpread(Game):
    """It keeps its contract, too, with a setting.

    Settings:
        spread: how far pictures are from grey
    """

    def __init__(self, data: DataSpec, *, spread: float = 1.0) -> None:
        super().__init__(data)
        self.model.spread = spread


def test_a_sound_game_passes(check):
    check(Game)
    check(SetsTheSpread, settings={"spread": 0.5}, steps=2, batch=2)


class MovesByHand(Game):
    """It moves the other player without asking."""

    @turn("d")
    def judge(self, batch):
        with torch.no_grad():
            self.model.layer.bias.add_(1)
        return super().judge(batch)


class CallsBackward(Game):
    """It leaves gradients behind."""

    @turn("g")
    def forge(self, batch):
        losses, values = super().forge(batch)
        losses["g"].backward(retain_graph=True)
        return losses, values


class SharesAParameter(Game):
    """Both players own the discriminator."""

    def players(self):
        return {**super().players(), "g": Player([self.model, self.d], adam(0.01))}


class LeavesAnOrphan(Game):
    """Nobody owns a layer."""

    def players(self):
        return {"d": Player([self.d[1]], adam(0.01)), "g": Player([self.model], adam(0.01))}


class HidesANetwork(Game):
    """It keeps a network where the state does not see it."""

    def players(self):
        self.hidden = [nn.Linear(1, 1)]
        return {**super().players(), "g": Player([self.model, self.hidden[0]], adam(0.01))}


class LacksAMark(Game):
    """Its turn has lost its decorator."""

    def judge(self, batch):
        return super().judge(batch)


class NamesAStranger(Game):
    """Its turn moves a player that does not exist."""

    @turn("critic")
    def judge(self, batch):
        return super().judge(batch)


class GivesAVector(Game):
    """Its loss is one for each picture."""

    @turn("g")
    def forge(self, batch):
        return {"g": -self.d(self.fakes(4)).squeeze(1)}, {}


class GivesNoNumber(Game):
    """Its loss is infinite."""

    @turn("g")
    def forge(self, batch):
        return {"g": super().forge(batch)[0]["g"] / 0}, {}


class GivesTheWrongLoss(Game):
    """Its loss is for the player that does not move."""

    @turn("g")
    def forge(self, batch):
        return {"d": super().forge(batch)[0]["g"]}, {}


class DetachesItsLoss(Game):
    """Its loss does not reach its player."""

    @turn("g")
    def forge(self, batch):
        return {"g": self.d(self.fakes(4).detach()).mean()}, {}


class NeverMoves(Game):
    """One player has no turns."""

    def turns(self, step):
        return [self.judge]


class ReadsWhatItWrites(Game):
    """Its loss reads a buffer that the turn moves."""

    @turn("d")
    def judge(self, batch):
        losses, values = super().judge(batch)
        self.k.add_(0.1 * self.gap)
        return losses, values


class ReadsOnTheHost(Game):
    """Its turn decides by a value."""

    @turn("g")
    def forge(self, batch):
        loss = super().forge(batch)[0]["g"]
        return {"g": loss if loss.item() > 0 else 2 * loss}, {}


class ForgetsTheDevice(Game):
    """Its noise is on the CPU wherever the batch is."""

    def fakes(self, n):
        return self.model(torch.randn(n, 2))


class RollsItsOwnDice(Game):
    """Its noise does not come from torch."""

    @turn("g")
    def forge(self, batch):
        return {"g": super().forge(batch)[0]["g"] * float(np.random.rand())}, {}


class RemembersOutside(Game):
    """It counts steps where no checkpoint sees it."""

    count = 0

    def prepare(self, step):
        self.count += 1
        self.k.fill_(self.count)


class ExpectsTuples(Game):
    """It is for other data."""

    expects: ClassVar = {"images": "B 2 C H W"}


class ShowsOneRow(Game):
    """Its preview is a batch, not a sheet."""

    def preview(self, batch):
        return self.fakes(6)


class ShowsBytes(Game):
    """Its preview is scaled to 0 to 255."""

    def preview(self, batch):
        return 127.5 + 127.5 * super().preview(batch)


class LearnsFromThePreview(Game):
    """Its preview moves running averages."""

    def preview(self, batch):
        self.d(self.fakes(6))
        return super().preview(batch)


class ShipsUnderNoName(Game):
    """Nobody registers its model."""

    ships = "paintings"


class ShipsAnotherSpread(Game):
    """Its model hangs on a setting that has another name there.

    Settings:
        width: how far pictures are from grey
    """

    def __init__(self, data: DataSpec, *, width: float = 2.0) -> None:
        super().__init__(data)
        self.model.spread = width


class ShipsOtherShapes(Game):
    """Its model is not the one that is registered."""

    def __init__(self, data: DataSpec) -> None:
        super().__init__(data)
        self.model.layer = nn.Linear(2, 4, bias=False)


@pytest.mark.parametrize(
    ("game", "told"),
    [
        (MovesByHand, "itself moves model.layer.bias"),
        (CallsBackward, "itself moves"),
        (SharesAParameter, "both own the parameter"),
        (LeavesAnOrphan, "no player owns the parameter"),
        (HidesANetwork, "not in the algorithm's state_dict"),
        (LacksAMark, "@turn"),
        (NamesAStranger, "'d', 'g'"),
        (GivesAVector, "'g' must be a tensor without dimensions"),
        (GivesNoNumber, "'g' is"),
        (GivesTheWrongLoss, "gives losses for 'd'"),
        (DetachesItsLoss, "must hang on"),
        (NeverMoves, "'g' never moves"),
        (ReadsWhatItWrites, "writes the buffer 'k'"),
        (ReadsOnTheHost, "must not read a value on the host"),
        (ForgetsTheDevice, "on its batch's device"),
        (RollsItsOwnDice, "when played again"),
        (RemembersOutside, "stopped and resumed differs"),
        (ExpectsTuples, "expects"),
        (ShowsOneRow, "preview() gives"),
        (ShowsBytes, "far from"),
        (LearnsFromThePreview, "preview() changes d.2"),
        (ShipsUnderNoName, "'paintings'"),
        (ShipsAnotherSpread, "makes other pictures"),
        (ShipsOtherShapes, "must rebuild"),
    ],
)
def test_a_broken_game_fails(check, game, told):
    with pytest.raises(AssertionError) as failed:
        check(game)
    assert told in str(failed.value)


def test_wrong_settings_fail(check):
    with pytest.raises(AssertionError, match="did you mean 'spread'"):
        check(SetsTheSpread, settings={"spred": 1})


# ---- broken models ----


class FixedDraw(Pictures):
    def draw(self, code, n, generator=None):
        return torch.zeros(n, 2)


class DeafDraw(Pictures):
    def draw(self, code, n, generator=None):
        return torch.randn(n, 2)


class WideDraw(Pictures):
    def draw(self, code, n, generator=None):
        return torch.randn(n, 3, generator=generator)


class WrongSize(Pictures):
    def forward(self, z):
        return super().forward(z).flatten(1)


class LooksAround(Pictures):
    def forward(self, z):
        made = super().forward(z)
        return made - made.mean(0)


class IsRestless(Pictures):
    def forward(self, z):
        return super().forward(z + torch.randn_like(z))


class HasNoCodes(Pictures):
    codes: ClassVar = {}


class GivesNaN(Pictures):
    def forward(self, z):
        return super().forward(z) / 0


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (FixedDraw, "whatever the generator"),
        (DeafDraw, "the same for the same generator"),
        (WideDraw, r"must give \(16, 2\)"),
        (WrongSize, "pictures"),
        (LooksAround, "hangs on the others"),
        (IsRestless, "asked again"),
        (HasNoCodes, "`codes` is"),
        (GivesNaN, "finite"),
        (lambda data: nn.Linear(2, 4), "a Generator has"),
    ],
)
def test_a_broken_model_fails(model, told):
    data = DataSpec(image=(1, 2, 2))
    check_model(Pictures(data), data)
    with pytest.raises(AssertionError, match=told):
        check_model(model(data), data)


class Swaps(nn.Module):
    """A translator of pictures of two pixels by two; those below break one promise each."""

    ways: ClassVar = [Way("x", "y"), Way("y", "x")]
    multiple = 2

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def translate(self, images, way):
        return self.norm(images)


class Normalises(Swaps):
    def translate(self, images, way):
        return images - images.mean(0)


class Shrinks(Swaps):
    def translate(self, images, way):
        return images[:, :, 1:]


class Forgets(Swaps):
    def translate(self, images, way):
        return images + torch.rand_like(images)


class Learns(Swaps):
    def translate(self, images, way):
        self.norm.running_mean.add_(1)
        return images


class KnowsOthers(Swaps):
    ways: ClassVar = [Way("cat", "dog")]


class SaysTwice(Swaps):
    ways: ClassVar = [Way("x", "y"), Way("x", "y")]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Normalises, "hangs on the others of its batch"),
        (Shrinks, "sizes must be kept"),
        (Forgets, "when asked again"),
        (Learns, "changes the model's state"),
        (KnowsOthers, r"starts from \['cat'\]"),
        (SaysTwice, "twice"),
    ],
)
def test_a_broken_translator_fails(model, told):
    data = DataSpec(image=(1, 2, 2), domains=("x", "y"))
    check_model(Swaps(), data)
    check_model(Swaps(), DataSpec(image=(1, 2, 2)))
    with pytest.raises(AssertionError, match=told):
        check_model(model(), data)


# ---- broken data sets ----


@dataclass
class Drawn(Grey):
    """Pairs of pictures, by rows that `how` draws."""

    spec: DataSpec = field(default_factory=lambda: DataSpec(image=(1, 2, 2), group=2))
    how: Any = None

    def draw(self, n, rng):
        return {"images": self.how(n, rng) if self.how else pairs_of(rng, n)}


def pairs_of(rng, n):
    return rng.permuted(np.tile(np.arange(20), (n, 1)), axis=1)[:, :2]


class Backwards:
    """A column that gives rows in an order of its own."""

    shape, dtype = (20, 1, 2, 2), torch.uint8

    def fetch(self, rows):
        return Grey().columns["images"][torch.from_numpy(np.sort(rows))]


HIDDEN = np.random.default_rng(0)
GREY = Grey().columns["images"]


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        (Drawn(how=lambda n, rng: pairs_of(HIDDEN, n)), "a function of `rng` alone"),
        (Drawn(how=lambda n, rng: np.random.rand(n, 20).argsort(axis=1)[:, :2]), "a function of `rng` alone"),
        (Drawn(how=lambda n, rng: np.zeros((n, 2), np.int64)), "twice in one group"),
        (Drawn(how=lambda n, rng: np.tile([19, 20], (n, 1))), "from 0 to 19"),
        (Drawn(how=lambda n, rng: np.arange(n)), "rows of 'images' are"),
        (Drawn(how=lambda n, rng: [[0, 1]] * n), "must be int64"),
        (Grey(columns={"images": GREY.float()}), "must be torch.uint8"),
        (Grey(columns={"images": GREY, "labels": torch.zeros(19)}), "all must have as many"),
        (Grey(columns={"images": GREY, "attributes": torch.zeros(20, 2)}), "spec names 0"),
        (Grey(columns={"images": Backwards()}), "in the order asked for"),
        (Grey(columns={}), "at least one column"),
        (Grey(spec=DataSpec(image=(3, 2, 2))), "spec.image is"),
        (Grey(spec=DataSpec(image=(1, 2, 2), group=2)), "can make groups"),
        (Grey(spec={"image": (1, 2, 2)}), "must be a DataSpec"),
    ],
)
def test_a_broken_data_set_fails(dataset, told):
    check_dataset(Grey())
    check_dataset(Drawn())
    with pytest.raises(AssertionError, match=told):
        check_dataset(dataset)


# ---- broken settings ----


def silent(*, size: Count = 1) -> None:
    """Says nothing of its setting."""


def untyped(*, size=1) -> None:
    """Nothing to check by.

    Settings:
        size: of something
    """


def ill_fitting(*, size: Count = 0) -> None:
    """A default that no recipe could give.

    Settings:
        size: of something
    """


def wordless(*, size: Count = 1) -> None: ...


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        (silent, "does not say what 'size' means"),
        (untyped, "no type annotation"),
        (ill_fitting, "does not fit its own annotation"),
        (wordless, "no docstring"),
    ],
)
def test_settings_that_are_broken_fail(factory, told):
    with pytest.raises(AssertionError, match=told):
        check_settings(factory)
