"""Pictures whose attributes are plain to see, and editors whose faults are chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgen.data.labelled import Labelled
from imgen.data.samplers import uniform
from imgen.data.spec import Attribute, DataSpec
from imgen.images import to_float
from imgen.model import Way

ATTRIBUTES = (
    Attribute("shade", ("dark", "grey", "light")),
    Attribute("Smiling", ("not Smiling", "Smiling")),
    Attribute("tint", ("cold", "warm")),
)
"""Attribute k is seen in channel k: the shares of its range, below."""
LEVELS = {3: (0.25, 0.5, 0.75), 2: (0.25, 0.75)}


@dataclass(frozen=True, kw_only=True)
class ReadableLabelled(Labelled):
    """A labelled data set with an oracle."""

    def read_attributes(self, images: Tensor) -> Tensor:
        return read(images, self.spec.attributes)


def read(images: Tensor, attributes: Sequence[Attribute] = ATTRIBUTES) -> Tensor:
    """The value whose level a channel has in the mean, to a fifteenth of the range, or -1."""
    told = []
    for place, attribute in enumerate(attributes):
        shares = (images[:, place].mean(dim=(1, 2)) + 1) / 2
        away = (shares[:, None] - torch.tensor(LEVELS[len(attribute.values)])).abs()
        told.append(torch.where(away.min(dim=1).values < 1 / 15, away.argmin(dim=1), -1))
    return torch.stack(told, dim=1)


def drawn(values: Tensor, size: int = 8, seed: int = 0) -> Tensor:
    """Pictures that show these values, with noise about the levels: uint8 (N, 3, size, size)."""
    shares = torch.stack(
        [torch.tensor(LEVELS[len(a.values)])[values[:, place]] for place, a in enumerate(ATTRIBUTES)], dim=1
    )
    noise = torch.rand(len(values), 3, size, size, generator=torch.Generator().manual_seed(seed)) - 0.5
    noise -= noise.mean(dim=(2, 3), keepdim=True)
    return ((shares[:, :, None, None] + 0.1 * noise) * 255).round().byte()


def some_values(n: int, seed: int = 0) -> Tensor:
    """Values of every attribute, by chance: (n, 3)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(len(a.values), (n,), generator=generator) for a in ATTRIBUTES], dim=1)


def labelled(
    n: int = 60, n_test: int = 40, *, size: int = 8, oracle: bool = True, known: Tensor | None = None, **more: Any
) -> Labelled:
    """A data set of them; known: what is known of those held out, where that is not all."""
    truth, test = some_values(n), some_values(n_test, seed=1)
    made = {
        "spec": DataSpec(image=(3, size, size), attributes=ATTRIBUTES),
        "columns": {"images": drawn(truth, size), "attributes": torch.full_like(truth, -1)},
        "truth": truth,
        "sampler": uniform(np.arange(n)),
        "test": {"images": drawn(test, size, seed=1), "attributes": test if known is None else known},
    }
    return (ReadableLabelled if oracle else Labelled)(**{**made, **more})


def setting(images: Tensor, place: int, value: int) -> Tensor:
    """Pictures that show this value, and all else as it was."""
    made = images.clone()
    level = 2 * LEVELS[len(ATTRIBUTES[place].values)][value] - 1
    made[:, place] += level - images[:, place].mean(dim=(1, 2), keepdim=True)
    return made


class Editor(nn.Module):
    """Does what it is told to for each head, given pictures, place of the attribute and of the value."""

    def __init__(self, does: Callable[[Tensor, int, int], Tensor], attributes: Sequence[Attribute] = ATTRIBUTES):
        super().__init__()
        self.does, self.multiple = does, 1
        self.ways = [Way(None, value, each.name) for each in attributes for value in each.values]
        self.done: list[tuple[int, str]] = []

    def translate(self, images: Tensor, way: Way) -> Tensor:
        assert way in self.ways and not self.training and not torch.is_grad_enabled()
        self.done.append((len(images), way.target))
        place = [each.name for each in ATTRIBUTES].index(str(way.attribute))
        return self.does(images, place, ATTRIBUTES[place].values.index(way.target))


def evaluation_of(model: Any, dataset: Any, seed: int = 0) -> Any:
    return SimpleNamespace(model=model, dataset=dataset, device=torch.device("cpu"), seed=seed)


def floats(dataset: Labelled) -> Tensor:
    """The held-out pictures, in [-1, 1]."""
    return to_float(dataset.test["images"])


@pytest.fixture
def plain() -> SimpleNamespace:
    """All of the above."""
    return SimpleNamespace(
        attributes=ATTRIBUTES,
        read=read,
        labelled=labelled,
        setting=setting,
        Editor=Editor,
        evaluation=evaluation_of,
        floats=floats,
    )


@pytest.fixture(scope="session")
def torchmetrics() -> Any:
    """torchmetrics, whose image metrics also load where a torch-fidelity is installed that does not."""
    if _fidelity():
        return pytest.importorskip("torchmetrics")
    requirements = pytest.importorskip("lightning_utilities.core.imports", reason="torchmetrics is not installed")
    known = requirements._version

    def version(name: str) -> str:
        if name.replace("-", "_") == "torch_fidelity":
            raise requirements.PackageNotFoundError(name)
        return known(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requirements, "_version", version)
        found = pytest.importorskip("torchmetrics")
        # It asks once and remembers.
        from torchmetrics.utilities import imports

        assert not imports._TORCH_FIDELITY_AVAILABLE
    return found


def _fidelity() -> bool:
    try:
        import torch_fidelity  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        return False
    return True
