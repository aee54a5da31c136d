"""The check of models fails for what breaks each of their promises."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import nn

from imgen import DataSpec
from imgen.data.spec import Attribute
from imgen.model import Way
from imgen.testing import check_model


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


class Tells(nn.Module):
    """A classifier of pictures of two pixels by two; those below break one promise each."""

    attributes: ClassVar = (Attribute("shade", ("dark", "grey", "light")), Attribute("tint", ("cold", "warm")))

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def logits(self, images):
        seen = self.norm(images).flatten(1)
        return [seen[:, : len(each.values)] for each in self.attributes]

    def classify(self, images):
        return [logits.softmax(dim=1) for logits in self.logits(images)]


class TellsLogits(Tells):
    def classify(self, images):
        return self.logits(images)


class Compares(Tells):
    def classify(self, images):
        return super().classify(images - images.mean(0))


class Guesses(Tells):
    def classify(self, images):
        return super().classify(torch.rand_like(images))


class Remembers(Tells):
    def classify(self, images):
        self.norm.running_mean.add_(1)
        return [torch.full((len(images), len(each.values)), 1 / len(each.values)) for each in self.attributes]


class TellsOne(Tells):
    def classify(self, images):
        return super().classify(images)[:1]


class TellsOthers(Tells):
    attributes: ClassVar = Tells.attributes[:1]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (TellsLogits, "sum to 1"),
        (Compares, "hangs on the others of the batch"),
        (Guesses, "when asked again"),
        (Remembers, "changes the model's state"),
        (TellsOne, "one for each attribute"),
        (TellsOthers, "must be those of the data"),
    ],
)
def test_a_broken_classifier_fails(model, told):
    data = DataSpec(image=(1, 2, 2), attributes=Tells.attributes)
    check_model(Tells(), data)
    with pytest.raises(AssertionError, match=told):
        check_model(model(), data)


def test_a_translator_that_classifies_is_checked_as_both():
    class Both(Swaps, TellsLogits):
        pass

    class Shrinking(Shrinks, Tells):
        pass

    data = DataSpec(image=(1, 2, 2), domains=("x", "y"), attributes=Tells.attributes)
    with pytest.raises(AssertionError, match="sum to 1"):
        check_model(Both(), data)
    with pytest.raises(AssertionError, match="sizes must be kept"):
        check_model(Shrinking(), data)


class Reads(nn.Module):
    """An encoder of pictures of two pixels by two; those below break one promise each."""

    encodes: ClassVar = ("tint", "shade")

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def encode(self, images, generator=None):
        codes = self.norm(images).flatten(1)[:, :2]
        return codes if generator is None else codes + torch.randn(codes.shape, generator=generator)


class ReadsOthers(Reads):
    def encode(self, images, generator=None):
        return super().encode(images - images.mean(0), generator)


class ReadsAnew(Reads):
    def encode(self, images, generator=None):
        return super().encode(images, generator) + torch.rand(1)


class ReadsFreely(Reads):
    def encode(self, images, generator=None):
        codes = super().encode(images)
        return codes if generator is None else torch.randn(codes.shape)


class ReadsMore(Reads):
    encodes: ClassVar = ("tint", "shade", "size")


class ReadsOneTwice(Reads):
    encodes: ClassVar = ("tint", "tint")


class LearnsAsItReads(Reads):
    def encode(self, images, generator=None):
        self.norm.running_mean.add_(1)
        return images.flatten(1)[:, :2]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (ReadsOthers, "hang on the others of the batch"),
        (ReadsAnew, "when asked again"),
        (ReadsFreely, "must come from it"),
        (ReadsMore, r"not \(4, 3\)"),
        (ReadsOneTwice, "every code once"),
        (LearnsAsItReads, "changes the model's state"),
    ],
)
def test_a_broken_encoder_fails(model, told):
    data = DataSpec(image=(1, 2, 2))
    check_model(Reads(), data)
    with pytest.raises(AssertionError, match=told):
        check_model(model(), data)


def test_a_generator_that_encodes_is_checked_as_both():
    class Both(Pictures, ReadsAnew):
        def __init__(self, data):
            super().__init__(data)
            self.norm = nn.BatchNorm2d(1)

    class Blank(FixedDraw, Reads):
        def __init__(self, data):
            super().__init__(data)
            self.norm = nn.BatchNorm2d(1)

    data = DataSpec(image=(1, 2, 2))
    with pytest.raises(AssertionError, match="encode: the same pictures"):
        check_model(Both(data), data)
    with pytest.raises(AssertionError, match="whatever the generator"):
        check_model(Blank(data), data)


class Places(nn.Module):
    """An embedder of pictures of two pixels by two; those below break one promise each."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def embed(self, images):
        return self.norm(images).flatten(1)


class PlacesMaps(Places):
    def embed(self, images):
        return self.norm(images)


class PlacesTogether(Places):
    def embed(self, images):
        return super().embed(images - images.mean(0))


class PlacesByChance(Places):
    def embed(self, images):
        return super().embed(torch.rand_like(images))


class PlacesAndLearns(Places):
    def embed(self, images):
        self.norm.running_mean.add_(1)
        return images.flatten(1)


class PlacesNowhere(Places):
    def embed(self, images):
        return super().embed(images) / 0


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (PlacesMaps, r"not \(4, D\)"),
        (PlacesTogether, "hang on the others of the batch"),
        (PlacesByChance, "other places when asked again"),
        (PlacesAndLearns, "changes the model's state"),
        (PlacesNowhere, "finite"),
    ],
)
def test_a_broken_embedder_fails(model, told):
    data = DataSpec(image=(1, 2, 2))
    check_model(Places(), data)
    with pytest.raises(AssertionError, match=told):
        check_model(model(), data)
