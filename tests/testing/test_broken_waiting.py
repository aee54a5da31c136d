"""Whatever makes the host wait for the device is found without one, with the line that does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from imgen import turn
from imgen.testing import algorithms
from tests.testing.conftest import Game

READS, SIZES, COPIES, CHECKS = (
    "reads a value",
    "size that hangs on values",
    "copies from the host",
    "whether it went well",
)


def value(images):
    return images.mean()


WAITS = {
    "item": (lambda images: value(images).item(), READS),
    "float": (lambda images: float(value(images)), READS),
    "int": (lambda images: int(value(images)), READS),
    "if": (lambda images: 1 if value(images) > 0 else 0, READS),
    "max": (lambda images: max(value(images), images.std()), READS),
    "tolist": (lambda images: images.tolist(), READS),
    "numpy": (lambda images: images.numpy(), READS),
    "asarray": (lambda images: np.asarray(images), READS),
    "cpu": (lambda images: images.cpu(), READS),
    "print": (lambda images: str(images), READS),
    "f-string": (lambda images: f"{value(images)}", READS),
    "f-string with places": (lambda images: f"{value(images):.2f}", READS),
    "equal": (lambda images: torch.equal(images, images), READS),
    "allclose": (lambda images: torch.allclose(images, images), READS),
    "in": (lambda images: 1.0 in images, READS),
    "slice": (lambda images: images[: value(images).long()], READS),
    "distribution": (lambda images: torch.distributions.Normal(images, images.abs() + 1), READS),
    "nonzero": (lambda images: images.nonzero(), SIZES),
    "where": (lambda images: torch.where(images > 0), SIZES),
    "mask": (lambda images: images[images > 0], SIZES),
    "mask of rows": (lambda images: images[images.mean((1, 2, 3)) > 0], SIZES),
    "filled by a mask": (lambda images: images.clone().__setitem__(images > 0, value(images)), SIZES),
    "masked_select": (lambda images: images.masked_select(images > 0), SIZES),
    "unique": (lambda images: images.unique(), SIZES),
    "bincount": (lambda images: (images > 0).long().flatten().bincount(minlength=2), SIZES),
    "histc": (lambda images: torch.histc(images), SIZES),
    "repeat_interleave": (lambda images: images.repeat_interleave((images > 0).long().flatten()[:4] + 1, 0), SIZES),
    "tensor": (lambda images: torch.tensor([0.5, 1.0], device=images.device), COPIES),
    "as_tensor": (lambda images: torch.as_tensor([0.5], device=images.device), COPIES),
    "new_tensor": (lambda images: images.new_tensor([0.5]), COPIES),
    "drawn and moved": (lambda images: torch.randn(3).to(images.device), COPIES),
    "drawn elsewhere": (lambda images: images + torch.randn(images.shape), COPIES),
    "copied": (lambda images: images.clone().copy_(torch.zeros(images.shape)), COPIES),
    "list of places": (lambda images: images[[0, 1]], COPIES),
    "places elsewhere": (lambda images: images[torch.tensor([0, 1])], COPIES),
    "inverse": (lambda images: torch.linalg.inv(images), CHECKS),
    "svd": (lambda images: torch.linalg.svd(images), CHECKS),
}

DOES_NOT_WAIT = {
    "where": lambda images: torch.where(images > 0, images, 0.0),
    "factor": lambda images: images * (images > 0),
    "filled with a number": lambda images: images.clone().__setitem__(images > 0, 0.0),
    "shape": lambda images: len(images) * images.shape[-1] / images.numel(),
    "full": lambda images: torch.full((2,), 0.5, device=images.device),
    "drawn": lambda images: torch.randn(3, device=images.device),
    "like": lambda images: torch.randn_like(images),
    "permutation": lambda images: images[torch.randperm(len(images), device=images.device)],
    "rolled": lambda images: images.roll(1, 0),
    "plain numbers": lambda images: images * max(0.5, float(torch.tensor(0.25))),
    "one_hot": lambda images: torch.nn.functional.one_hot((images > 0).long(), 2),
    "histc between": lambda images: torch.histc(images, 4, -1, 1),
    "cholesky_ex": lambda images: torch.linalg.cholesky_ex(images),
    "moved already": lambda images: images.to(images.device),
    "detached": lambda images: images.detach().clone(),
}


def doing(what):
    class Does(Game):
        """A game that does something in a turn."""

        @turn("g")
        def forge(self, batch):
            what(batch["images"])
            return super().forge(batch)

    return Does


@pytest.mark.parametrize("name", WAITS)
def test_a_turn_that_waits_fails_with_its_line(subject, name):
    what, told = WAITS[name]
    with pytest.raises(AssertionError) as failed:
        algorithms.waiting(subject(doing(what)))
    assert "turn 'forge' must not wait for the device" in str(failed.value)
    assert told in str(failed.value)
    # Its line is the one in this file where the call stands.
    line = what.__code__.co_firstlineno
    assert f"{Path(__file__).name}:{line}: " in str(failed.value)


@pytest.mark.parametrize("name", DOES_NOT_WAIT)
def test_a_turn_that_does_not_wait_passes(subject, name):
    algorithms.waiting(subject(doing(DOES_NOT_WAIT[name])))


class Prepares(Game):
    """It reads a value between steps."""

    def prepare(self, step):
        self.k.fill_(float(self.gap))


class Shares(Game):
    """It draws what turns have in common on the host."""

    def share(self, batch):
        return {"noise": torch.randn(len(batch["images"]), 2).to(batch["images"].device)}


class Concludes(Game):
    """It looks at the weights that have become."""

    def conclude(self, step):
        if self.model.layer.weight.norm() > 1:
            self.model.layer.weight.mul_(0.5)


class Chooses(Game):
    """It chooses its turns by a value."""

    def turns(self, step):
        return [self.judge] if self.k > 0 else [self.forge]


class Late(Game):
    """A turn that comes late waits."""

    def turns(self, step):
        return [self.judge, self.forge if step < 150 else self.polish]

    @turn("g")
    def polish(self, batch):
        losses, _ = self.forge(batch)
        return losses, {"loss": torch.as_tensor(losses["g"].item())}


class LogsElsewhere(Game):
    """What it logs is on the host."""

    @turn("g")
    def forge(self, batch):
        losses, _ = super().forge(batch)
        return losses, {"weight": torch.zeros(())}


@pytest.mark.parametrize(
    ("game", "told"),
    [
        (Prepares, "prepare(0) must not wait"),
        (Shares, "share() must not wait"),
        (Concludes, "conclude(0) must not wait"),
        (Chooses, "turns(0) must not wait"),
        (Late, "turn 'polish' must not wait"),
        (LogsElsewhere, "'weight' is on 'cpu'"),
    ],
)
def test_all_of_a_step_is_watched(subject, game, told):
    with pytest.raises(AssertionError) as failed:
        algorithms.waiting(subject(game))
    assert told in str(failed.value)


def test_what_has_no_kernel_without_values_is_watched_where_values_are(subject, monkeypatch):
    def unknown(images):
        if images.is_meta:
            raise NotImplementedError("aten::mine: attempted to run this operator with Meta tensors, but there is none")

    algorithms.waiting(subject(doing(unknown)))
    with pytest.raises(AssertionError, match="reads a value on the host"):
        algorithms.waiting(subject(doing(lambda images: (unknown(images), images.mean().item()))))


@pytest.mark.gpu
def test_torch_agrees_where_there_is_a_gpu(subject):
    """What is said to wait waits, and what is said not to does not."""

    def waits(what):
        images = subject(Game).batches[0]["images"].cuda()
        what(images)
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            what(images)
        except (RuntimeError, TypeError) as error:
            return "synchroniz" in str(error) or "numpy" in str(error)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return False

    # The host's own list cannot become one without values, nor tensors of two places be added.
    told = {name: waits(what) for name, (what, _) in WAITS.items() if name not in ("drawn elsewhere",)}
    assert all(told.values()), [name for name, does in told.items() if not does]
    assert not [name for name, what in DOES_NOT_WAIT.items() if waits(what)]
