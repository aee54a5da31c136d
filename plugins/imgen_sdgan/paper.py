"""The paper of SD-GAN, as model cards tell of it."""

from __future__ import annotations

from dataclasses import replace

from imgen.paper import Paper

_SDGAN = Paper(
    title="Semantically Decomposing the Latent Spaces of Generative Adversarial Networks",
    authors=("Chris Donahue", "Zachary C. Lipton", "Akshay Balsubramani", "Julian McAuley"),
    year=2018,
    venue="ICLR 2018",
    url="https://arxiv.org/abs/1705.07904",
)

SDDCGAN = replace(
    _SDGAN,
    differences=(
        "Pictures are scaled by x / 127.5 - 1; the authors' code has x / 128 - 1.",
        "Identities are drawn uniformly and a tuple never holds a picture twice; the released sampler favours "
        "identities with many pictures and, for tuples of more than two, lets duplicates through.",
        "The gradient penalty of wgan-gp has one norm for a whole tuple, where the released code sums over the wrong "
        "axes; with it the discriminator has layer norm in place of batch norm.",
        "RMSProp, which lsgan and wgan take, starts its mean square at 0; TensorFlow's starts at 1.",
        "A step is one batch and one move of the discriminator; the paper counts moves of the generator.",
        "The generator that ships is averaged over steps.",
    ),
    limits=(
        "What counts as identity and what as observation is learnt from the grouping of the data alone, and need not "
        "be what a person would call so: pairs of one identity code are alike on average, not always.",
        "The model has no encoder: it makes pictures of identities that it draws, and takes no picture of anybody.",
    ),
)

SDBEGAN = replace(
    _SDGAN,
    differences=(
        "The layers that split the bottleneck move once a step; in the authors' archive they move twice, by an "
        "accident of names.",
        "The discriminator takes tuples of any length; the archive's is written for pairs.",
        "The generator that ships is averaged over steps.",
    ),
    limits=(
        *SDDCGAN.limits,
        "Its last layer is linear, so raw outputs leave [-1, 1] a little; they are clipped where they become pixels.",
        "BEGAN is known to collapse in long runs at a constant learning rate; tuples of four collapsed early in the "
        "paper's own trial.",
    ),
)
