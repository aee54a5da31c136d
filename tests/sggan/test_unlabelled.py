"""Losses that labels have a say in, and those that need none."""

from __future__ import annotations

import math

import pytest
import torch

from imgen_sggan.unlabelled import agreement, disturbed, filled, masked_class_loss, pseudo_labels


def logits(*rows):
    return torch.tensor(rows, dtype=torch.float32)


def test_the_class_loss_is_the_mean_over_what_is_known():
    even, sure = logits([0.0, 0.0], [0.0, math.log(3)], [5.0, 5.0]), logits([0.0, 0.0, 0.0]).expand(3, -1)
    labels = torch.tensor([[0, -1], [1, -1], [-1, 2]])
    told = masked_class_loss([even, sure], labels)
    assert told[0].item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert told[1].item() == pytest.approx(math.log(3))


def test_without_labels_the_loss_is_nought_and_so_are_its_gradients():
    some = torch.randn(4, 3, requires_grad=True)
    loss = masked_class_loss([some], torch.full((4, 1), -1)).sum()
    (gradient,) = torch.autograd.grad(loss, some)
    assert loss.item() == 0
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_unlabelled_pictures_do_not_change_it():
    torch.manual_seed(0)
    few, labels = torch.randn(3, 2), torch.tensor([[0], [1], [1]])
    many, more = torch.cat([few, 100 * torch.randn(5, 2)]), torch.cat([labels, torch.full((5, 1), -1)])
    assert torch.equal(masked_class_loss([few], labels), masked_class_loss([many], more))


def test_what_is_not_known_is_filled_by_what_is_told():
    (shares,) = filled(torch.tensor([[1], [-1]]), [logits([9.0, 0.0], [0.0, math.log(3)])])
    assert shares.tolist() == [[0.0, 1.0], pytest.approx([0.25, 0.75])]


def test_pseudo_labels_are_for_what_is_not_known_and_sure():
    told = logits([9.0, 0.0], [0.0, 9.0], [0.5, 0.0])
    assert pseudo_labels([told], torch.tensor([[0], [-1], [-1]]), 0.9).tolist() == [[-1], [1], [-1]]


def test_agreement_is_the_squared_distance_of_probabilities():
    then, now = logits([0.0, math.log(3)]), logits([0.0, 0.0]).requires_grad_()
    told = agreement([then], [now])
    assert told.item() == pytest.approx(0.25**2)
    assert torch.autograd.grad(told, now)[0].abs().sum() > 0


def test_disturbed_pictures_are_moved_noisy_and_hidden_in_part():
    torch.manual_seed(0)
    images = torch.ones(64, 3, 32, 32) * 0.5
    made = disturbed(images)
    hidden = (made == 0).all(dim=1)
    assert hidden.flatten(1).sum(1).tolist() == [16] * 64, "a square of an eighth of the side"
    assert (made - images)[~hidden[:, None].expand_as(made)].std().item() == pytest.approx(0.05, rel=0.02)


def test_disturbed_pictures_are_moved_by_an_eighth_at_most(monkeypatch):
    monkeypatch.setattr("imgen_sggan.unlabelled._NOISE", 0.0)
    torch.manual_seed(0)
    columns = torch.arange(1.0, 33).expand(64, 3, 32, 32)
    made = disturbed(columns)
    # Away from the edges, where columns are repeated, and from what is hidden.
    shifts = (made - columns)[:, :, :, 8:24][made[:, :, :, 8:24] != 0]
    assert set(shifts.tolist()) == set(range(-4, 5))
