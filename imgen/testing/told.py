"""What the checks share: copies of state, and how a failure is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from imgen.errors import ImgenError


def copy(module: nn.Module) -> dict[str, Tensor]:
    """The state of a module now, whatever becomes of it later."""
    return {key: value.detach().clone() for key, value in module.state_dict().items()}


def names(several: Iterable[str]) -> str:
    """Names in a row, each in quotes."""
    return ", ".join(f"'{name}'" for name in several)


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Errors of the code under test as failures of its contract."""
    try:
        yield
    except (TypeError, ValueError, KeyError, RuntimeError, ImgenError) as error:
        told = " ".join(str(error).split())[:300]
        raise AssertionError(f"{what}: {told}") from error
