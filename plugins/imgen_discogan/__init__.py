"""DiscoGAN: translation between two domains that nothing pairs (arXiv 1703.05192)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgen.hookspecs import hookimpl

if TYPE_CHECKING:
    from imgen.registry import Register


@hookimpl
def register_algorithms(register: Register) -> None:
    """The paper's game and its two baselines."""
    register("imgen_discogan.algorithm:DiscoGan", name="discogan")


@hookimpl
def register_datasets(register: Register) -> None:
    """The sets of its experiments that no other paper has."""
    register("imgen_discogan.toy.modes:toy_modes", name="toy-modes")
    register("imgen_discogan.poses.pairs:pose_pairs", name="pose-pairs")


@hookimpl
def register_metrics(register: Register) -> None:
    """What its experiments are measured by."""
    register("imgen_discogan.toy.metric:toy_modes", name="toy-modes")
    register("imgen_discogan.poses.metric:pose", name="pose")


@hookimpl
def register_models(register: Register) -> None:
    """Its pair of generators."""
    register("imgen_discogan.networks:CrossDomain", name="discogan")
