"""Generators and embeddings whose faults are chosen, and what verification tells of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgen.data.people import SHARES, part_of
from imgen.data.shapes import PATTERNS, REACH, SHAPES, SIZES, Factors, Shapes, render, shapes
from imgen.data.spec import DataSpec
from imgen.errors import DataError
from imgen.metrics import Evaluation, Measured, real_pairs
from imgen.metrics.diversity import ms_ssim_diversity
from imgen.metrics.embedding.network import IdentityEmbedding
from imgen.metrics.identity_verification import embedding_verification, identity_verification
from imgen.model import ModelConfig, write_model

CPU = torch.device("cpu")
PAIRS = 60


class Draws(nn.Module):
    """A generator without weights that draws what its codes say.

    leaks: the observation code sets the hue, too; still: every picture of an identity is the same one.
    """

    def __init__(self, leaks: bool = False, still: bool = False) -> None:
        super().__init__()
        self.codes = {"identity": 3, "observation": 2}
        self.leaks, self.still = leaks, still
        self.asked: list[Tensor] = []

    def draw(self, code: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.rand(n, self.codes[code], generator=generator)

    def forward(self, z: Tensor) -> Tensor:
        self.asked.append(z)
        who, seen = z.split([3, 2], dim=1)
        place = torch.full_like(seen, 0.5) if self.still else seen
        zero = torch.zeros(len(z))
        factors = Factors(
            shape=(who[:, 0] * len(SHAPES)).long(),
            hue=(seen[:, 0] if self.leaks else who[:, 1]) * 2 * math.pi,
            pattern=(who[:, 2] * len(PATTERNS)).long(),
            x=(2 * place[:, 0] - 1) * REACH,
            y=(2 * place[:, 1] - 1) * REACH,
            rotation=zero,
            size=zero + SIZES[1],
            background=zero,
        )
        return render(factors, 32) / 127.5 - 1


class Plain:
    """A data set that does not tell whom pictures show."""

    spec: DataSpec
    columns: dict[str, Tensor]


@pytest.fixture(scope="module")
def data() -> Shapes:
    return shapes(identities=120, photos=6)


def evaluation(data: Any, model: Any, seed: int = 0) -> Evaluation:
    return Evaluation(model=model, dataset=data, device=CPU, seed=seed)


def measure(data: Any, model: Any, seed: int = 0, **settings: Any) -> Measured:
    told = identity_verification(**{"pairs": PAIRS, **settings})(evaluation(data, model, seed))
    assert isinstance(told, Measured)
    return told


@pytest.fixture(scope="module")
def perfect(data: Shapes) -> Measured:
    return measure(data, Draws())


def test_a_perfect_generator_is_verified(perfect: Measured) -> None:
    values = perfect.values
    assert values["auc"] > 0.98 and values["accuracy"] > 0.93
    assert values["auc_low"] <= values["auc"] <= values["auc_high"]
    assert values["tpr"] == pytest.approx(2 * values["accuracy"] - 1 + values["far"])
    assert values["real_auc"] > 0.98 and values["real_accuracy"] > 0.9
    assert values["tar_at_far_0.1"] > 0.9 and math.isnan(values["tar_at_far_0.01"])
    assert "tar_at_far_0.01 needs 500 pairs of two identities or more, not 60" in perfect.notes
    assert 0 < perfect.details["threshold"] < 4
    people = {f"{part}_people": sum(part_of(f"drawn-0-{i}") == part for i in range(120)) for part in SHARES}
    assert people.items() >= {name: n for name, n in perfect.counts.items() if name.endswith("_people")}.items()
    assert perfect.counts["pairs"] == perfect.counts["real_pairs"] == 2 * PAIRS
    assert "oracle" in perfect.protocol and "per_pair" in perfect.protocol


def test_an_identity_that_leaks_is_seen(data: Shapes, perfect: Measured) -> None:
    told = measure(data, Draws(leaks=True)).values
    assert told["auc"] < perfect.values["auc"] - 0.05 and told["tpr"] < perfect.values["tpr"] - 0.2
    assert {name: told[name] for name in told if name.startswith("real_")} == pytest.approx(
        {name: value for name, value in perfect.values.items() if name.startswith("real_")}, nan_ok=True
    )


def test_pictures_that_never_vary_have_no_diversity(data: Shapes, perfect: Measured) -> None:
    told = measure(data, Draws(still=True)).values
    assert told["id_diversity_per_pair"] == pytest.approx(0) == told["id_diversity_batch"]
    assert perfect.values["id_diversity_per_pair"] > 0.1
    for kind in ("", "real_"):
        for rule in ("per_pair", "batch"):
            assert perfect.values[f"{kind}all_diversity_{rule}"] > perfect.values[f"{kind}id_diversity_{rule}"]


def test_each_identity_code_serves_one_pair(data: Shapes) -> None:
    model = Draws()
    measure(data, model)
    z = torch.cat(model.asked)
    assert len(z) == 4 * PAIRS
    same, different = z[: 2 * PAIRS], z[2 * PAIRS :]
    assert torch.equal(same[::2, :3], same[1::2, :3])
    assert len(torch.unique(same[:, :3], dim=0)) == PAIRS and len(torch.unique(different[:, :3], dim=0)) == 2 * PAIRS
    assert len(torch.unique(z[:, 3:], dim=0)) == 4 * PAIRS


def test_figures_follow_from_the_seed_and_leave_the_model_as_it_was(data: Shapes, perfect: Measured) -> None:
    model = Draws().train()
    again = measure(shapes(identities=120, photos=6), model)
    assert model.training
    assert dict(again.values) == pytest.approx(dict(perfect.values), nan_ok=True, abs=0)
    assert measure(data, model, seed=1).values["id_diversity_batch"] != perfect.values["id_diversity_batch"]


def test_a_generators_own_part_of_the_people_makes_no_difference(data: Shapes, perfect: Measured) -> None:
    told = measure(data.among("train"), Draws())
    assert dict(told.values) == pytest.approx(dict(perfect.values), nan_ok=True, abs=0)


def test_real_pairs_are_embedded_once_for_all_evaluations(data: Shapes, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = shapes(identities=120, photos=6)
    measure(mine, Draws())
    monkeypatch.setattr("imgen.metrics.identity_verification.real_pairs", None)
    assert measure(mine, Draws()).values["real_auc"] > 0.9
    with pytest.raises(TypeError):
        measure(mine, Draws(), pairs=PAIRS - 1)


def test_pictures_come_some_at_a_time(data: Shapes, perfect: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgen.metrics.generated.CHUNK", 7)
    monkeypatch.setattr(real_pairs, "CHUNK", 7)
    model = Draws()
    told = measure(shapes(identities=120, photos=6), model)
    assert max(len(z) for z in model.asked) == 14
    assert dict(told.values) == pytest.approx(dict(perfect.values), nan_ok=True)


@pytest.fixture
def weights(tmp_path: Path):
    """A weights file of an embedding."""

    def make(spec: DataSpec, folder: str = "run") -> Path:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = IdentityEmbedding(spec, dims=6, width=4).eval()
        config = ModelConfig(name="identity-embedding", settings={"dims": 6, "width": 4}, data=spec, plugin="imgen")
        path = tmp_path / folder / "model.safetensors"
        write_model(path, config, model.state_dict())
        return path

    return make


def test_a_network_from_its_file(data: Shapes, weights: Any) -> None:
    """Of another size, as a file and as a run's folder."""
    path = weights(DataSpec(image=(3, 16, 16), group=2, people="embedding"))
    told = measure(data, Draws(), embedding=str(path))
    assert told.values["auc"] > 0.5 and not [note for note in told.notes if "learnt" in note]
    assert "resized to 16x16 (bilinear" in told.protocol and "identity-embedding" in told.protocol
    again = measure(data, Draws(), embedding=str(path.parent))
    assert dict(again.values) == pytest.approx(dict(told.values), nan_ok=True)


@pytest.mark.parametrize(("people", "note"), [("", "does not tell whom"), ("all", "from all people"), ("train", "")])
def test_whom_the_embedding_knows_is_noted(data: Shapes, weights: Any, people: str, note: str) -> None:
    told = measure(data, Draws(), embedding=str(weights(replace(data.spec, people=people), people or "none")))
    assert (
        [each for each in told.notes if "learnt" in each and note in each] if note else "learnt" not in str(told.notes)
    )


def test_what_does_not_fit_is_told_in_a_line(data: Shapes, weights: Any, tmp_path: Path) -> None:
    def refused(words: str, data: Any = data, model: Any = None, **settings: Any) -> None:
        with pytest.raises(DataError, match=words) as error:
            measure(data, model or Draws(), **settings)
        assert "\n" not in str(error.value) and str(error.value).startswith("identity-verification: ")

    refused("a code 'person' and another", identity="person")
    refused("makes pictures from codes", model=nn.Linear(2, 2))
    one = Draws()
    one.codes = {"identity": 3}
    refused("and another", model=one)
    plain = Plain()
    plain.spec, plain.columns = data.spec, data.columns
    path = str(weights(replace(data.spec, people="embedding")))
    refused("tells whom each picture shows", data=plain, embedding=path)
    refused("'oracle' is for the data set 'shapes' alone; set embedding to the weights", data=plain)
    few = sum(part_of(f"drawn-0-{i}") == "validation" for i in range(120)) * 15
    refused(f"1,000 distinct pairs .* have {few} of one identity .* set pairs to {few} or less", pairs=1000)
    refused("none of 1 identities is among", data=shapes(identities=1, photos=2))
    refused("have 1 of one identity and 0 of two; give more people: one in 10", data=shapes(identities=3, photos=2))
    refused("no such file", embedding=str(tmp_path / "nothing.safetensors"))
    refused("not a readable|not a weights file", embedding=_written(tmp_path / "x.safetensors", b"no weights at all"))
    refused("1 channels, the data's 3", embedding=str(weights(DataSpec(image=(1, 16, 16), group=2), "grey")))
    refused("has learnt from the people 'test'", embedding=str(weights(replace(data.spec, people="test"), "t")))
    _generator_file(tmp_path / "g.safetensors")
    refused(r"no `embed\(images\)`", embedding=str(tmp_path / "g.safetensors"))


def _written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def _generator_file(path: Path) -> None:
    """A file of a registered model that makes pictures."""
    from imgen.plugins import installed

    spec = DataSpec(image=(3, 16, 16), group=2)
    model = installed().registry("models").get("sddcgan").load()(spec, dim=4)
    write_model(path, ModelConfig(name="sddcgan", settings={"dim": 4}, data=spec, plugin="imgen"), model.state_dict())


def test_an_embedding_is_verified_by_itself(data: Shapes) -> None:
    """One that sees the mean colour tells hues apart; one that sees noise tells nothing."""

    class Colours(nn.Module):
        def embed(self, images: Tensor) -> Tensor:
            colours = images.mean(dim=(2, 3))
            return colours - colours.mean(dim=1, keepdim=True)

    class Noise(nn.Module):
        def embed(self, images: Tensor) -> Tensor:
            return torch.randn(len(images), 3, generator=torch.Generator().manual_seed(int(images.sum() * 100) % 1000))

    metric = embedding_verification(pairs=PAIRS)
    told = metric(evaluation(data.among("embedding"), Colours()))
    assert isinstance(told, Measured) and told.values["auc"] > 0.8 and not told.notes[2:]
    assert metric(evaluation(data, Colours())).values == pytest.approx(told.values, nan_ok=True)
    assert metric(evaluation(data, Noise())).values["auc"] < 0.65
    elsewhere = replace(evaluation(data.among("test"), Colours()), learnt=replace(data.spec, people="embedding"))
    assert metric(elsewhere).values == pytest.approx(told.values, nan_ok=True)
    flattered = replace(evaluation(data.among("embedding"), Colours()), learnt=replace(data.spec, people="test"))
    with pytest.raises(DataError, match="has learnt from the people 'test'"):
        metric(flattered)
    with pytest.raises(DataError, match=r"embedding-verification: needs a model with `embed\(images\)`"):
        metric(evaluation(data, Draws()))


def test_diversity_of_pairs_drawn_anew(data: Shapes) -> None:
    told = ms_ssim_diversity(pairs=80)(evaluation(data, Draws()))
    assert isinstance(told, Measured)
    assert told.counts == {"pairs": 80, "real_pairs": 80, "scales": 4}
    assert told.values["diversity_per_pair"] == pytest.approx(told.values["real_diversity_per_pair"], abs=0.1)
    assert told.values["diversity_batch"] == pytest.approx(
        1 - np.prod(np.array(told.details["terms"]) ** (np.array([0.0448, 0.2856, 0.3001, 0.2363]) / 0.867)), abs=2e-3
    )

    class Collapsed(Draws):
        def forward(self, z: Tensor) -> Tensor:
            return super().forward(torch.zeros_like(z))

    assert set(ms_ssim_diversity(pairs=20)(evaluation(data, Collapsed())).values.values()) >= {0.0}


def test_diversity_needs_pictures(data: Shapes) -> None:
    metric = ms_ssim_diversity(pairs=16)
    few = shapes(identities=1, photos=6, k=2)
    with pytest.raises(DataError, match=r"16 distinct pairs need more pictures than the data set's 6; set pairs to 15"):
        metric(evaluation(few, Draws()))
    with pytest.raises(DataError, match="ms-ssim-diversity: needs a model that makes pictures from codes"):
        metric(evaluation(data, nn.Linear(2, 2)))
