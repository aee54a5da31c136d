"""What InfoGAN-CR's metrics are taken on: held-out rows, and teapots whose pictures are given."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from imgen.data.factored.teapots import teapots
from imgen.errors import DataError
from imgen.metrics import Evaluation
from imgen.metrics.disentanglement.array_codes import array_codes
from imgen_infogan_cr.protocol import metric_data
from imgen_infogan_cr.scores import (
    betavae_score_infogan_cr,
    dhsic_infogan_cr,
    factorvae_score_infogan_cr,
    mig_infogan_cr,
)

N, GROUPS, SIZE = 90, 12, 6


class Reads(nn.Module):
    """An encoder of pictures that show three numbers as the shade of three channels."""

    encodes = ("a", "b", "c")

    def encode(self, images, generator=None):
        return images.mean(dim=(2, 3))


def shaded(values):
    """Three numbers from 0 to 1 each to pictures, (..., 64, 64, 3)."""
    return np.broadcast_to(np.rint(values * 255).astype(np.uint8)[..., None, None, :], (*values.shape[:-1], 64, 64, 3))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Files in the layout of teapots of three angles, which nobody could draw again."""
    root = tmp_path_factory.mktemp("teapots")
    rng = np.random.default_rng(0)
    spans = np.array([2 * np.pi, np.pi, 2 * np.pi])
    values = rng.uniform(0, 1, (N, 3))
    labels = np.arange(GROUPS, dtype=np.int32) % 3
    grouped = rng.uniform(0, 1, (GROUPS, SIZE, 3))
    grouped[np.arange(GROUPS), :, labels] = grouped[np.arange(GROUPS), 0, labels, None]
    for folder, told in (
        ("train_data", {"imgs": shaded(values), "latents": values * spans}),
        ("metric_data", {"imgs": shaded(grouped), "labels": labels}),
    ):
        (root / folder).mkdir()
        np.savez(root / folder / "data.npz", **told)
    return root


@pytest.fixture(scope="module")
def seen(root):
    dataset = teapots(root=str(root), variant="turns")
    return Evaluation(model=Reads(), dataset=dataset, device=torch.device("cpu"), seed=0)


def test_groups_of_teapots_are_those_of_their_file(seen):
    data = metric_data(seen)
    assert (data.group_count, data.group_size) == (GROUPS, SIZE)
    assert data.groups.codes.shape == (GROUPS, SIZE, 3)
    assert (np.ptp(data.groups.codes, axis=1).argmin(axis=1) == data.groups.labels).all()
    assert factorvae_score_infogan_cr(rows=30)(seen).values["score"] == 1
    assert betavae_score_infogan_cr()(seen).counts == {"groups": GROUPS, "group_size": SIZE}
    some = metric_data(seen, groups=4, group_size=3).groups
    np.testing.assert_array_equal(some.codes, data.groups.codes[:4, :3])
    with pytest.raises(DataError, match="needs 13 groups of 6; the file has 12 of 6: set groups=12 and group_size=6"):
        _ = metric_data(seen, groups=13).groups


def test_rows_of_teapots_are_pictures_of_the_data_set(seen):
    data = metric_data(seen)
    assert len(data.rows.codes) == len(data.anywhere) == N // 10
    rows = metric_data(seen, rows=60).rows
    shade = (rows.codes + 1) / 2 * [2 * np.pi, np.pi, 2 * np.pi]
    np.testing.assert_allclose(shade, rows.values, atol=0.02)
    others = metric_data(seen, rows=60).held_out(30)
    together = np.concatenate([rows.values, others.values])
    assert len(np.unique(together, axis=0)) == N, "none is drawn twice"
    assert mig_infogan_cr(rows=60)(seen).values["mig"] > 0.3
    with pytest.raises(DataError, match="needs 61 pictures; there are 60: set rows=60, or give more"):
        _ = metric_data(seen, rows=61).rows
    with pytest.raises(DataError, match="needs 31 held-out pictures; there are 30: set held_out=30, or give more"):
        metric_data(seen).held_out(31)


def test_teapots_of_others_without_groups_cannot_be_measured_on_groups(root, tmp_path):
    (tmp_path / "train_data").symlink_to(root / "train_data")
    dataset = teapots(root=str(tmp_path), variant="turns")
    seen = Evaluation(model=Reads(), dataset=dataset, device=torch.device("cpu"), seed=0)
    assert mig_infogan_cr(rows=60)(seen).counts == {"rows": 60}
    with pytest.raises(DataError, match="its pictures are given, and others of the kind cannot be shown"):
        betavae_score_infogan_cr(groups=3, group_size=2)(seen)


def test_rows_of_a_file_that_are_held_out_are_not_fitted_to():
    codes = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), axis=1)
    asked = Evaluation(
        model=array_codes(np.c_[codes, np.arange(60)], codes), dataset=SimpleNamespace(), device="cpu", seed=0
    )
    data = metric_data(asked, rows=40)
    both = np.r_[data.rows.codes[:, 3], data.held_out(20).codes[:, 3]]
    assert sorted(both) == list(range(60))
    with pytest.raises(DataError, match="60 rows leave none of 60 to hold out: set rows=40"):
        metric_data(asked).held_out(5)


def test_dhsic_needs_pictures_and_no_factors():
    pictures = torch.randint(0, 256, (40, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = {"images": pictures}
    asked = Evaluation(model=Reads(), dataset=SimpleNamespace(columns=data), device=torch.device("cpu"), seed=0)
    found = dhsic_infogan_cr()(asked)
    assert found.counts == {"rows": 40} and found.values["dhsic"] > 0
    with pytest.raises(DataError, match="nothing is known of the factors of this data"):
        mig_infogan_cr()(asked)
    pairs = Evaluation(model=Reads(), dataset=SimpleNamespace(columns={"a": pictures}), device="cpu", seed=0)
    with pytest.raises(DataError, match="this data set has no single pictures to read codes from"):
        dhsic_infogan_cr()(pairs)
    deaf = Evaluation(model=nn.Identity(), dataset=SimpleNamespace(columns=data), device="cpu", seed=0)
    with pytest.raises(DataError, match="this model reads no codes from pictures"):
        dhsic_infogan_cr()(deaf)
