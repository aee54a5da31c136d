"""The paper of DiscoGAN, as model cards tell of it."""

from __future__ import annotations

from imgen.paper import Paper

DISCOGAN = Paper(
    title="Learning to Discover Cross-Domain Relations with Generative Adversarial Networks",
    authors=("Taeksoo Kim", "Moonsu Cha", "Hyunsoo Kim", "Jung Kwon Lee", "Jiwon Kim"),
    year=2017,
    venue="ICML 2017",
    url="https://arxiv.org/abs/1703.05192",
    differences=(
        "Defaults are those of the authors' code and not of the paper: features of the discriminators are matched, the "
        "share of the reconstruction grows in the course of training, and the generators move twice for every move of "
        "the discriminators.",
        "Each domain is walked through in epochs of its own; in the authors' code both end with the smaller domain.",
        "Pictures are in RGB order, those of the authors' code in BGR.",
        "Feature matching is the squared distance of batch means, to which their hinge loss comes down.",
        "Running statistics of batch norm, which their code never uses, follow real pictures alone, and serve "
        "translation.",
    ),
    limits=(
        "Nothing pairs the domains, and they fit together in more than one way: a relation that undoes itself, such "
        "as a mirrored pose or a negative of the colours, is as good to the method as the one that a person has in "
        "mind.",
        "What one domain shows and the other cannot is lost or hidden in a translation.",
        "A translation changes whatever goes together with a style in the data, not the style alone.",
    ),
)
