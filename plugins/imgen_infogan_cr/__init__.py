"""InfoGAN-CR (arXiv 1906.06034) and its baseline FactorVAE: factors of variation, found without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgen.hookspecs import hookimpl

if TYPE_CHECKING:
    from imgen.registry import Register


@hookimpl
def register_algorithms(register: Register) -> None:
    """The paper's game, and that of its baseline."""
    register("imgen_infogan_cr.algorithm:InfoGanCr", name="infogan-cr")
    register("imgen_infogan_cr.factor_vae:FactorVae", name="factor-vae")


@hookimpl
def register_models(register: Register) -> None:
    """What ships of either, a generator with an encoder, and the classifier behind the inception score."""
    register("imgen_infogan_cr.networks:InfoGan", name="infogan")
    register("imgen_infogan_cr.vae_networks:Vae", name="factor-vae")
    register("imgen_infogan_cr.shape_classifier:ShapeClassifier", name="shape-classifier")


@hookimpl
def register_losses(register: Register) -> None:
    """The authors' own way of writing the logistic loss."""
    register("imgen_infogan_cr.losses:clipped_logistic", name="clipped-logistic")


@hookimpl
def register_metrics(register: Register) -> None:
    """The scores of disentanglement as the authors take them, and that of pictures of kinds."""
    register("imgen_infogan_cr.scores:factorvae_score_infogan_cr", name="factorvae-score-infogan-cr")
    register("imgen_infogan_cr.scores:betavae_score_infogan_cr", name="betavae-score-infogan-cr")
    register("imgen_infogan_cr.scores:mig_infogan_cr", name="mig-infogan-cr")
    register("imgen_infogan_cr.scores:modularity_infogan_cr", name="modularity-infogan-cr")
    register("imgen_infogan_cr.scores:dhsic_infogan_cr", name="dhsic-infogan-cr")
    register("imgen_infogan_cr.shape_scores:shape_inception_score", name="shape-inception-score-infogan-cr")
    register("imgen_infogan_cr.fitted_scores:sap_infogan_cr", name="sap-infogan-cr")
    register("imgen_infogan_cr.fitted_scores:explicitness_infogan_cr", name="explicitness-infogan-cr")
    register("imgen_infogan_cr.fitted_scores:dci_infogan_cr", name="dci-infogan-cr")
