"""Is an adversarial loss one that any game can take?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from imgen.losses.adversarial import AdversarialLoss
from imgen.testing.told import blamed

if TYPE_CHECKING:
    from imgen.testing.subjects import Subject

_SHAPES = ((4,), (5, 1), (1,), (2, 1, 3, 3))
"""Scores of a discriminator: one for each picture, with and without a dimension for it, of one picture, of patches."""
_FAR = 50.0  # a score that a discriminator reaches when it has won


def check_loss(loss: AdversarialLoss) -> None:
    """A pair of losses gives finite scalars with gradients, for raw scores of any shape, and waits for no value."""
    for side in ("d", "g"):
        call = getattr(loss, side, None)
        assert callable(call), (
            f"the loss has no '{side}'; an AdversarialLoss is a pair, `d(real, fake)` for the discriminator and "
            "`g(fake)` for the generator"
        )
        for shape in _SHAPES:
            _check_side(side, call, 2 if side == "d" else 1, shape)


def _check_side(side: str, call: Callable[..., Tensor], count: int, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    called = f"{side}({'real, fake' if count == 2 else 'fake'})"
    first = [torch.randn(shape) for _ in range(count)]
    for scale in (1.0, _FAR):
        scores = [(scale * each).requires_grad_() for each in first]
        before = [each.detach().clone() for each in scores]
        with blamed(f"{called} of scores {shape}"):
            told = call(*scores)
        assert isinstance(told, Tensor) and told.dim() == 0, (
            f"{called} of scores {shape} gives {tuple(getattr(told, 'shape', ())) or type(told).__name__}; it must "
            "give a tensor without dimensions, such as a mean"
        )
        assert told.isfinite(), (
            f"{called} is {told.item()} where scores are near {scale:g}; use softplus rather than log"
        )
        assert all(torch.equal(one, other) for one, other in zip(scores, before, strict=True)), (
            f"{called} changes its scores in place; it must leave them as they are"
        )
        assert told.requires_grad, (
            f"{called} is cut off from its scores; nothing may be detached, as it has to move them"
        )
        gradients = torch.autograd.grad(told, scores, allow_unused=True)
        for name, gradient in zip(("real", "fake")[-count:] if count == 2 else ("fake",), gradients, strict=True):
            assert gradient is not None, f"{called} does not hang on '{name}'; it must, or nothing moves"
            assert gradient.isfinite().all(), f"{called}: the gradient of '{name}' is no number near {scale:g}"
    # Undecided, and the best of nothing: no published loss is content there.
    near = [torch.full(shape, 0.5, requires_grad=True) for _ in range(count)]
    moves = torch.autograd.grad(call(*near), near, allow_unused=True)
    assert all(each is not None and each.abs().sum() > 0 for each in moves), (
        f"{called} has no gradient at scores of 0.5"
    )
    with blamed(f"{called} must work where tensors hold no values, so that no turn waits for one"):
        call(*(torch.empty(shape, device="meta") for _ in range(count)))


def scalars(subject: Subject) -> None:
    """A registered loss gives finite scalars with gradients."""
    check_loss(subject.make())
