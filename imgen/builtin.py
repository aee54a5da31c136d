"""The core's own data sets, losses, metrics and recipes, through the same hooks as anybody's."""

from __future__ import annotations

from pathlib import Path

from imgen.hookspecs import hookimpl
from imgen.registry import Register


@hookimpl
def register_algorithms(register: Register) -> None:
    """What is trained to measure with."""
    register("imgen.metrics.embedding.algorithm:EmbedIdentity", name="identity-embedding")


@hookimpl
def register_datasets(register: Register) -> None:
    """Pictures in folders, packed files, and pictures that imgen draws itself."""
    register("imgen.data.drawn_attributes:drawn_attributes", name="drawn-attributes")
    register("imgen.data.drawn_domains:drawn_domains", name="drawn-domains")
    register("imgen.data.aligned_domains:aligned_domains", name="aligned-domains")
    register("imgen.data.attribute_domains:attribute_domains", name="attribute-domains")
    register("imgen.data.attribute_labels:attributes", name="attributes")
    register("imgen.data.factored.cdsprites:cdsprites", name="cdsprites")
    register("imgen.data.factored.drawn_sprites:drawn_sprites", name="drawn-sprites")
    register("imgen.data.factored.dsprites:dsprites", name="dsprites")
    register("imgen.data.edges:edge_domains", name="edge-domains")
    register("imgen.data.folder_domains:folder_domains", name="folder-domains")
    register("imgen.data.folder_labels:folder_attributes", name="folder-attributes")
    register("imgen.data.folder:images", name="images")
    register("imgen.data.identities:identities", name="identities")
    register("imgen.data.shapes:shapes", name="shapes")
    register("imgen.data.factored.teapots:teapots", name="teapots")
    register("imgen.data.utkface:utkface_domains", name="utkface-domains")
    register("imgen.data.utkface_labels:utkface_attributes", name="utkface-attributes")
    register("imgen.data.solids:solids", name="solids")


@hookimpl
def register_losses(register: Register) -> None:
    """The published adversarial losses."""
    register("imgen.losses.adversarial:logistic", name="logistic")
    register("imgen.losses.adversarial:least_squares", name="least-squares")
    register("imgen.losses.adversarial:wasserstein", name="wasserstein")
    register("imgen.losses.adversarial:hinge", name="hinge")


@hookimpl
def register_metrics(register: Register) -> None:
    """Measurements that no paper owns."""
    register("imgen.metrics.correlation:factor_correlation", name="factor-correlation")
    register("imgen.metrics.identity:drawn_identity", name="drawn-identity")
    register("imgen.metrics.identity_verification:embedding_verification", name="embedding-verification")
    register("imgen.metrics.identity_verification:identity_verification", name="identity-verification")
    register("imgen.metrics.diversity:ms_ssim_diversity", name="ms-ssim-diversity")
    register("imgen.metrics.disentanglement.fitted_scores:sap_disentanglement_lib", name="sap-disentanglement-lib")
    register(
        "imgen.metrics.disentanglement.fitted_scores:explicitness_disentanglement_lib",
        name="explicitness-disentanglement-lib",
    )
    register("imgen.metrics.disentanglement.fitted_scores:dci_disentanglement_lib", name="dci-disentanglement-lib")
    register(
        "imgen.metrics.disentanglement.scores:factorvae_score_disentanglement_lib",
        name="factorvae-score-disentanglement-lib",
    )
    register(
        "imgen.metrics.disentanglement.scores:betavae_score_disentanglement_lib",
        name="betavae-score-disentanglement-lib",
    )
    register("imgen.metrics.disentanglement.scores:mig_disentanglement_lib", name="mig-disentanglement-lib")
    register(
        "imgen.metrics.disentanglement.scores:modularity_disentanglement_lib", name="modularity-disentanglement-lib"
    )
    register("imgen.metrics.editing:edit_accuracy", name="edit-accuracy")
    register("imgen.metrics.edit_likeness:edit_reconstruction", name="edit-reconstruction")
    register("imgen.metrics.edit_likeness:edit_identity", name="edit-identity")
    register("imgen.metrics.editing:head_accuracy", name="head-accuracy")
    register("imgen.metrics.translation:cycle_error", name="cycle-error")
    register("imgen.metrics.translation:paired_error", name="paired-error")
    register("imgen.metrics.translation:diversity", name="diversity")
    register("imgen.metrics.translation:shared_factor", name="shared-factor")
    register("imgen.metrics.quality.scores:fid", name="fid")
    register("imgen.metrics.quality.scores:fid_clean", name="fid-clean")
    register("imgen.metrics.quality.scores:kid", name="kid")
    register("imgen.metrics.quality.scores:kid_clean", name="kid-clean")
    register("imgen.metrics.quality.scores:inception_scores", name="inception-score")
    register("imgen.metrics.quality.scores:precision_recall", name="precision-recall")
    register("imgen.metrics.quality.lpips:lpips_diversity", name="lpips-diversity")


@hookimpl
def register_models(register: Register) -> None:
    """What measures, and is trained for it."""
    register("imgen.metrics.attribute_network:AttributeClassifier", name="attribute-classifier")
    register("imgen.metrics.embedding.network:IdentityEmbedding", name="identity-embedding")


@hookimpl
def register_recipes(register: Register) -> None:
    """All recipes that ship, under the names of their files."""
    for path in sorted((Path(__file__).parent / "recipes").glob("*.yaml")):
        register(path, name=path.stem.replace("_", "-"))
