"""Whether azimuths survive a translation: the pure figures by hand, and translators whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from imgen.data.shapes import shapes
from imgen.data.solids import draw, individual, solids
from imgen.data.views import Views
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics import Evaluation
from imgen.model import Way
from imgen_discogan.poses.metric import (
    Reader,
    agreement,
    entropy,
    histogram,
    learn,
    look,
    occupied,
    pose,
    relative_rmse,
)

CPU = torch.device("cpu")
KINDS = ("car", "chair")
Turn = Callable[[Tensor], Tensor]


class Turner(nn.Module):
    """Makes pictures of the other kind, whose azimuths are a function of the input's own, which it looks up."""

    multiple = 1
    ways = (Way(*KINDS), Way(*reversed(KINDS)))

    def __init__(self, data: Views, ab: Turn = torch.zeros_like, ba: Turn = torch.zeros_like) -> None:
        super().__init__()
        self.data, self.turns = data, {"a": ab, "b": ba}

    def translate(self, images: Tensor, way: Way) -> Tensor:
        name = "ab"[KINDS.index(way.source)]
        row = torch.cdist(images.flatten(1), to_float(self.data.test[name]).flatten(1)).argmin(dim=1)
        azimuth = self.turns[name](self.data.test_azimuth[name][row]).double().numpy()[:, None]
        # Individuals whom nobody has seen before; a single one where there is a single view.
        who = row.numpy() // 11 * bool(azimuth.any())
        traits = individual(8, [99, 0, 0])[who]
        return to_float(draw(way.target, traits, azimuth, images.shape[-1])).expand(-1, 3, -1, -1)


@pytest.fixture(scope="module")
def data() -> Views:
    return solids(individuals=30, n_test=8, size=32)


def measured(data: Views, ab: Turn, ba: Turn, steps: int) -> dict[str, float]:
    return pose(steps=steps)(Evaluation(model=Turner(data, ab, ba), dataset=data, device=CPU, seed=0))


def test_agreement_frees_the_sign() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0])
    assert agreement(x, 3 * x + 7) == (pytest.approx(1), False)
    assert agreement(x, -x) == (pytest.approx(1), True)
    assert agreement(x, torch.tensor([1.0, -2.0, 1.0])) == (pytest.approx(0, abs=1e-9), False)
    # (-1, 0, 1) and (0, -1, 1) less their mean: products sum to 1, norms are sqrt 2.
    assert agreement(x, torch.tensor([0.0, -1.0, 1.0]))[0] == pytest.approx(0.5)
    assert agreement(x, torch.full((3,), 30.0)) == (0.0, False)
    assert agreement(x, torch.tensor([30.0, 30.00001, 30.0])) == (0.0, False)


def test_rmse_is_of_the_better_mirror_image_and_over_150_degrees() -> None:
    x = torch.tensor([75.0, 0.0, -75.0])
    assert relative_rmse(x, x) == relative_rmse(x, -x) == 0
    assert relative_rmse(x, x + 15) == pytest.approx(0.1)
    assert relative_rmse(x, -x + 15) == pytest.approx(0.1)
    grid = torch.linspace(75, -75, 11)
    assert relative_rmse(grid, torch.zeros(11)) == pytest.approx(15 * math.sqrt(10) / 150)


def test_bins_are_the_nearest_views() -> None:
    counts = histogram(torch.tensor([75.0, 200.0, 68.0, 67.0, 0.0, 7.0, -7.0, -75.0, -300.0]))
    assert counts.tolist() == [3, 1, 0, 0, 0, 3, 0, 0, 0, 0, 2]
    assert occupied(counts) == 4
    # Of 201 pictures a single one is less than 1 %.
    assert occupied(torch.tensor([200, 1] + [0] * 9)) == 1
    assert occupied(torch.tensor([99, 1] + [0] * 9)) == 2


def test_entropy_is_in_nats() -> None:
    assert entropy(torch.tensor([5, 0, 0])) == 0
    assert entropy(torch.tensor([1, 1, 0, 2])) == pytest.approx(0.25 * math.log(4) * 2 + 0.5 * math.log(2))
    assert entropy(torch.ones(11)) == pytest.approx(math.log(11))


def test_the_same_azimuth_and_its_mirror_image_agree_alike(data: Views) -> None:
    told = measured(data, lambda azimuth: azimuth, torch.neg, steps=120)
    assert told["regressor_mae_a"] < 6
    assert told["regressor_mae_b"] < 6
    for key in ("ab", "ba"):
        assert told[f"correlation_{key}"] > 0.98
        assert told[f"rmse_{key}"] < 0.08
        assert told[f"bins_{key}"] >= 10
        assert told[f"entropy_{key}"] > 2.2
    assert (told["mirrored_ab"], told["mirrored_ba"]) == (0, 1)


def test_one_picture_for_all_has_one_bin_and_no_correlation(data: Views) -> None:
    told = measured(data, torch.zeros_like, torch.zeros_like, steps=5)
    for key in ("ab", "ba"):
        assert told[f"correlation_{key}"] == 0
        assert told[f"bins_{key}"] == 1
        assert told[f"entropy_{key}"] == 0
        assert told[f"rmse_{key}"] > 0.31


def test_a_measurement_repeats_and_leaves_nothing_changed(data: Views) -> None:
    model = Turner(data).train()
    evaluation = Evaluation(model=model, dataset=data, device=CPU, seed=3)
    state = torch.get_rng_state()
    first, again = pose(steps=3)(evaluation), pose(steps=3)(evaluation)
    assert first == again
    assert torch.equal(state, torch.get_rng_state())
    assert model.training
    other = pose(steps=3)(replace(evaluation, seed=4))
    assert other["regressor_mae_a"] != first["regressor_mae_a"]


def test_a_model_with_one_way_is_measured_that_way(data: Views) -> None:
    model = Turner(data)
    model.ways = (Way("car", "chair"),)
    told = pose(steps=1, pictures=10)(Evaluation(model=model, dataset=data, device=CPU, seed=0))
    assert {key for key in told if key.endswith("_ba")} == set()
    assert {key for key in told if key.endswith("_ab")} == {
        *("correlation_ab", "mirrored_ab", "rmse_ab", "bins_ab", "entropy_ab"),
    }


def test_readers_see_grey_pictures_of_any_size() -> None:
    images = torch.rand(2, 3, 64, 64)
    assert look(images).shape == (2, 1, 32, 32)
    torch.testing.assert_close(look(images)[0, 0, 0, 0], images[0, :, :2, :2].mean())
    assert look(torch.rand(2, 1, 16, 16)).shape == (2, 1, 32, 32)
    assert Reader().read(images).shape == (2,)


def test_learning_is_a_function_of_the_seed(data: Views) -> None:
    one, same, other = (learn(data.columns["a"], data.azimuth["a"], 2, seed, CPU) for seed in (0, 0, 1))
    images = to_float(data.test["a"])
    assert torch.equal(one.read(images), same.read(images))
    assert not torch.equal(one.read(images), other.read(images))


def test_what_cannot_be_measured_says_why(data: Views) -> None:
    def told(dataset: object) -> str:
        evaluation = Evaluation(model=Turner(data), dataset=dataset, device=CPU, seed=0)
        with pytest.raises(DataError) as error:
            pose(steps=1)(evaluation)
        return str(error.value)

    assert "two domains" in told(shapes(identities=2, photos=2, size=8))
    assert "needs pictures of 'chair' to train on whose azimuths are known" in told(
        replace(data, azimuth={"a": data.azimuth["a"]})
    )
    assert "needs pictures of 'car' held out" in told(replace(data, test={}, test_azimuth={}))
    behind = {**data.azimuth, "b": data.azimuth["b"] * 2}
    assert "'chair' is seen from behind" in told(replace(data, azimuth=behind))

    class Other:
        spec = data.spec

    assert "whose azimuths are known, such as 'solids'" in told(Other())
