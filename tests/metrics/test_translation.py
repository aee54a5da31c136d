"""Translators whose faults are chosen, and what the measurements must say of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgen.binding import settings_of
from imgen.data.domains import Domains
from imgen.data.spec import DataSpec
from imgen.errors import DataError
from imgen.metrics.translation import (
    cycle_error,
    diversity,
    held_out,
    paired_error,
    rows_of,
    shared_factor,
    translated,
    way_between,
)
from imgen.model import Way

THERE, BACK = Way("day", "night"), Way("night", "day")
SPEC = DataSpec(image=(3, 16, 16), domains=("day", "night"))


class Translator(nn.Module):
    """Does one thing to all pictures, and notes how it is called."""

    def __init__(self, does: Callable[[Tensor], Tensor], ways: Sequence[Way] = (THERE, BACK)) -> None:
        super().__init__()
        self.does, self.ways, self.multiple = does, ways, 1
        self.sizes: list[int] = []

    def translate(self, images: Tensor, way: Way) -> Tensor:
        assert way in self.ways and not self.training and not torch.is_grad_enabled()
        self.sizes.append(len(images))
        return self.does(images)


class Files:
    """A column that is fetched."""

    def __init__(self, pictures: Tensor) -> None:
        self.pictures, self.shape, self.dtype = pictures, tuple(pictures.shape), pictures.dtype

    def fetch(self, rows: np.ndarray) -> Tensor:
        assert rows.dtype == np.int64
        return self.pictures[torch.from_numpy(rows)]


def plain(*values: int) -> Tensor:
    """Pictures of one value each, uint8 (N, 3, 16, 16)."""
    return torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1).repeat(1, 3, 16, 16)


def noise(n: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (n, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def same(images: Tensor) -> Tensor:
    return images


def negative(images: Tensor) -> Tensor:
    return -images


def constant(images: Tensor) -> Tensor:
    return torch.zeros_like(images)


def shift(images: Tensor) -> Tensor:
    """A tenth of the range brighter."""
    return images + 0.2


def measure(metric: Any, model: nn.Module, a: Any, b: Any, aligned: bool = False) -> dict[str, float]:
    data = Domains(spec=SPEC, columns={}, test={"a": a, "b": b}, aligned=aligned)
    return metric(evaluation_of(model, data))


def evaluation_of(model: nn.Module, data: Any) -> Any:
    return SimpleNamespace(model=model, dataset=data, device=torch.device("cpu"), seed=0)


@pytest.mark.parametrize(("length", "n", "rows"), [(5, 3, [0, 2, 4]), (3, 9, [0, 1, 2]), (4, 1, [0]), (0, 4, [])])
def test_rows_are_taken_evenly(length: int, n: int, rows: list[int]) -> None:
    assert rows_of(length, n).tolist() == rows


@pytest.mark.parametrize("column", [noise, lambda n: Files(noise(n))])
def test_held_out_pictures_are_translated_in_batches(column: Callable[[int], Any]) -> None:
    model = Translator(negative).train()
    data = Domains(spec=SPEC, columns={}, test={"a": noise(3, seed=1), "b": column(150)})
    inputs, outputs = translated(evaluation_of(model, data), BACK, 130)
    assert model.sizes == [64, 64, 2] and model.training
    rows = torch.from_numpy(rows_of(150, 130))
    assert torch.allclose(inputs, noise(150)[rows].float() / 127.5 - 1, atol=1e-6)
    assert torch.equal(outputs, -inputs)


def test_a_model_that_fails_is_left_as_it_was() -> None:
    def breaks(images: Tensor) -> Tensor:
        raise ValueError("no")

    model = Translator(breaks).train()
    data = Domains(spec=SPEC, columns={}, test={"a": noise(2)})
    with pytest.raises(ValueError, match="no"):
        translated(evaluation_of(model, data), THERE, 2)
    assert model.training


def test_a_way_from_any_picture_starts_at_the_other_domain() -> None:
    anywhere = Way(None, "night")
    data = Domains(spec=SPEC, columns={}, test={"a": plain(0), "b": plain(255)})
    evaluation = evaluation_of(Translator(same, [anywhere]), data)
    assert way_between(evaluation, "a", "b") == anywhere and way_between(evaluation, "b", "a") is None
    assert translated(evaluation, anywhere, 5)[0].max() == -1
    assert way_between(evaluation_of(Translator(same, [anywhere, THERE]), data), "a", "b") == THERE


def test_the_cycle_error_by_hand() -> None:
    # There and back is two tenths brighter.
    told = measure(cycle_error(), Translator(shift), noise(5), noise(70, 1))
    assert told == pytest.approx({"aba_mse": 0.04, "aba_l1": 0.2, "bab_mse": 0.04, "bab_l1": 0.2}, rel=1e-5)
    # What comes back is grey: 0.5 from black and white, 0.1 from a fifth more than that.
    told = measure(cycle_error(), Translator(constant), plain(0, 255), plain(153))
    assert told == pytest.approx({"aba_mse": 0.25, "aba_l1": 0.5, "bab_mse": 0.01, "bab_l1": 0.1}, rel=1e-5)
    for exact in (same, negative):
        assert max(measure(cycle_error(), Translator(exact), noise(5), noise(5)).values()) == 0


def test_the_cycle_needs_both_ways() -> None:
    with pytest.raises(DataError, match="cycle-error: needs a model with both ways; this one has only 'ab'"):
        measure(cycle_error(), Translator(same, [THERE]), noise(2), noise(2))


def test_the_paired_error_by_hand() -> None:
    told = measure(paired_error(), Translator(same), plain(51, 0), plain(102, 255), aligned=True)
    similar = [(2 * 0.2 * 0.4 + 1e-4) / (0.2 + 1e-4), 1e-4 / (1 + 1e-4)]
    by_hand = {"l1": 0.6, "mse": (0.04 + 1) / 2, "psnr": 5 * math.log10(25), "ssim": sum(similar) / 2}
    expected = {f"{way}_{name}": value for way in ("ab", "ba") for name, value in by_hand.items()}
    assert told == pytest.approx(expected, rel=1e-4)


def test_the_paired_error_of_a_perfect_model_and_of_one_way() -> None:
    a = noise(6)
    told = measure(paired_error(), Translator(negative, [THERE]), a, 255 - a, aligned=True)
    assert told == pytest.approx({"ab_l1": 0, "ab_mse": 0, "ab_psnr": 100, "ab_ssim": 1}, abs=1e-5)


def test_small_pictures_have_no_ssim() -> None:
    data = Domains(spec=SPEC, columns={}, test={"a": noise(2)[..., :8], "b": noise(2)[..., :8]}, aligned=True)
    told = paired_error()(evaluation_of(Translator(same), data))
    assert "ab_psnr" in told and "ab_ssim" not in told


def test_paired_errors_need_aligned_pictures() -> None:
    with pytest.raises(DataError, match="held-out pictures are aligned"):
        measure(paired_error(), Translator(same), noise(2), noise(2))


def test_diversity_by_hand() -> None:
    # Black, grey and white are 0.4, 0.6 and 1 apart; the real nights 0.2.
    told = measure(diversity(), Translator(same), plain(0, 102, 255), plain(51, 102))
    assert told["real_ab"] == pytest.approx(0.2) and told["made_ab"] == pytest.approx(1)  # 0 and 255 of two, evenly
    assert told["ratio_ab"] == pytest.approx(5) and told["change_ab"] == pytest.approx(0, abs=1e-6)
    assert told["ratio_ba"] == pytest.approx(0.2)
    told = measure(diversity(), Translator(same, [THERE]), plain(0, 102, 255), plain(0, 51, 102))
    assert told["ratio_ab"] == pytest.approx(2 / 0.8) and "ratio_ba" not in told


def test_change_by_hand() -> None:
    # Every picture moves by 0.1; pairs of a day and a night are 0, 1, 0.5 and 0.5 apart.
    told = measure(diversity(), Translator(shift, [THERE]), plain(0, 0), plain(0, 255))
    assert told["change_ab"] == pytest.approx(0.1 / 0.5, rel=1e-5)


def test_a_collapsed_model_and_one_that_does_nothing_are_seen() -> None:
    a, b = noise(20), noise(20, 1)
    told = measure(diversity(), Translator(constant), a, b)
    assert told["ratio_ab"] < 1e-5 and told["change_ab"] > 0.5
    told = measure(diversity(), Translator(same), a, b)
    assert told["ratio_ab"] == pytest.approx(1, abs=0.05) and told["change_ab"] == 0


def test_diversity_needs_pictures_that_differ() -> None:
    with pytest.raises(DataError, match="two held-out pictures of each domain"):
        measure(diversity(), Translator(same), noise(2), noise(1))
    with pytest.raises(DataError, match="all held-out pictures of 'night' are the same"):
        measure(diversity(), Translator(same), noise(2), noise(1).repeat(9, 1, 1, 1))


def readable(a: Tensor, b: Tensor) -> Any:
    """A data set that reads the lightness of a picture, and its redness where it is not too dark."""

    def read(images: Tensor) -> dict[str, Tensor]:
        light = images.mean(dim=(1, 2, 3))
        return {"light": light, "red": torch.where(light > -0.5, images[:, 0].mean(dim=(1, 2)), math.nan)}

    return SimpleNamespace(spec=SPEC, test={"a": a, "b": b}, read=read)


def test_shared_factors_by_hand() -> None:
    a = plain(0, 10, 100, 200, 250)
    told = shared_factor()(evaluation_of(Translator(negative, [THERE]), readable(a, a)))
    # Two inputs are too dark to be read, and so are two of their negatives: one is left.
    assert told == pytest.approx(
        {"light_ab": 1, "light_ab_sign": -1, "red_ab": 0, "red_ab_sign": 0, "readable_ab": 0.6}
    )
    told = shared_factor()(evaluation_of(Translator(same), readable(a, plain(100, 150, 200))))
    assert told["light_ab"] == told["red_ba"] == pytest.approx(1) and told["light_ab_sign"] == 1
    assert told["readable_ba"] == 1
    told = shared_factor()(evaluation_of(Translator(constant), readable(a, a)))
    assert told["light_ab"] == told["light_ab_sign"] == 0 and told["readable_ab"] == 1


def test_shared_factors_need_a_data_set_that_reads() -> None:
    with pytest.raises(DataError, match="can read factors"):
        measure(shared_factor(), Translator(same), noise(2), noise(2))


@pytest.mark.parametrize("metric", [cycle_error, paired_error, diversity, shared_factor])
def test_what_no_measurement_can_do_is_said(metric: Any) -> None:
    data = Domains(spec=SPEC, columns={}, test={"a": noise(2)}, aligned=True)
    for model in (Translator(same, [Way("day", "dusk")]), nn.Identity()):
        with pytest.raises(DataError, match=r"^[a-z-]+: needs a model that translates between 'day' and 'night'$"):
            metric()(evaluation_of(model, data))
    for spec in (DataSpec(image=(3, 16, 16)), DataSpec(image=(3, 16, 16), vector=2, domains=("day", "night"))):
        with pytest.raises(DataError, match="two domains of pictures"):
            metric()(evaluation_of(Translator(same), SimpleNamespace(spec=spec)))
    with pytest.raises(DataError, match="holds nothing of 'night' out"):
        held_out(evaluation_of(Translator(same), data), "b", 3)
    assert all(setting.meaning for setting in settings_of(metric).values())


@pytest.mark.parametrize("name", ["cycle-error", "paired-error", "diversity", "shared-factor"])
def test_the_measurements_are_registered(plugins: Any, name: str) -> None:
    assert name in plugins.registry("metrics")
