"""Models and pictures for scores of quality: small, drawn, and of known faults."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgen.data.spec import Attribute, DataSpec
from imgen.metrics import Evaluation
from imgen.metrics.attribute_network import AttributeClassifier
from imgen.model import ModelConfig, write_model


def pictures(n: int, size: int = 16, channels: int = 3, seed: int = 0, scale: float = 1.0) -> Tensor:
    """Coarse noise, uint8 (n, channels, size, size); scale: of its contrast."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, channels, size // 4, size // 4, generator=generator) - 0.5
    return ((coarse.repeat_interleave(4, 2).repeat_interleave(4, 3) * scale + 0.5) * 255).round().byte()


class Draws(nn.Module):
    """A generator of coarse noise; scale: of its contrast, where 1 is as the data."""

    def __init__(self, size: int = 16, scale: float = 1.0) -> None:
        super().__init__()
        self.codes = {"top": size * size // 16, "rest": size * size // 8}
        self.size, self.scale = size, scale
        self.passes: list[int] = []

    def draw(self, code: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.rand(n, self.codes[code], generator=generator) - 0.5

    def forward(self, z: Tensor) -> Tensor:
        assert not self.training and not torch.is_grad_enabled()
        self.passes.append(len(z))
        coarse = z.view(-1, 3, self.size // 4, self.size // 4)
        return 2 * self.scale * coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)


def evaluation(model: Any, dataset: Any, seed: int = 0) -> Evaluation:
    return Evaluation(model=model, dataset=dataset, device=torch.device("cpu"), seed=seed)


def dataset(images: Tensor, **more: Any) -> Any:
    spec = DataSpec(image=tuple(images.shape[1:]))  # type: ignore[arg-type]
    return SimpleNamespace(**{"spec": spec, "columns": {"images": images}, **more})


def features(n: int, width: int = 8, seed: int = 0, away: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, width)) + away).astype(np.float32)


def classifier(path: Path, size: int = 16, channels: int = 3) -> tuple[str, nn.Module]:
    """A weights file of an untrained classifier of two attributes."""
    data = DataSpec(
        image=(channels, size, size), attributes=(Attribute("a", ("x", "y")), Attribute("b c", ("p", "q", "r")))
    )
    torch.manual_seed(0)
    model = AttributeClassifier(data, width=4)
    config = ModelConfig(name="attribute-classifier", settings={"width": 4}, data=data, plugin="imgen")
    write_model(path, config, model.state_dict())
    return str(path), model.eval()


@pytest.fixture
def plain(plain: SimpleNamespace) -> SimpleNamespace:
    """All of the above, and what tests of other metrics have."""
    return SimpleNamespace(
        **vars(plain)
        | {
            "pictures": pictures,
            "Draws": Draws,
            "evaluation": evaluation,
            "dataset": dataset,
            "features": features,
            "classifier": classifier,
        }
    )
