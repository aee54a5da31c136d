"""The papers of InfoGAN-CR and of its baseline FactorVAE, as model cards tell of them."""

from __future__ import annotations

from imgen.paper import Paper

INFOGAN_CR = Paper(
    title="InfoGAN-CR and ModelCentrality: Self-supervised Model Training and Selection for Disentangling GANs",
    authors=("Zinan Lin", "Kiran Koshy Thekumparampil", "Giulia Fanti", "Sewoong Oh"),
    year=2020,
    venue="ICML 2020",
    url="https://arxiv.org/abs/1906.06034",
    differences=(
        "Where paper and the authors' code differ, the code is followed: the generator moves twice in a step, on the "
        "same latents and pairs.",
        "While its weight is 0 the contrastive discriminator is not trained, which leaves the weights that ship as "
        "they are.",
        "Everything that is drawn follows from a seed; the authors set none.",
        "Where averaged weights ship, averaging them is an addition.",
    ),
    limits=(
        "Codes have no names: what a code changes has to be looked at, and differs from seed to seed.",
        "Codes can lie aslant to the factors that a person would name, and some may stand for several factors or for "
        "none.",
        "What a code means is read from drawn or aligned pictures of one kind; it says nothing of cause and effect.",
    ),
)

FACTOR_VAE = Paper(
    title="Disentangling by Factorising",
    authors=("Hyunjik Kim", "Andriy Mnih"),
    year=2018,
    venue="ICML 2018",
    url="https://arxiv.org/abs/1802.05983",
    differences=(
        "The discriminator sees codes of the same pictures in both roles, permuted within that one batch; the paper "
        "takes a second batch.",
        "Networks and rates are those with which the authors of InfoGAN-CR trained it.",
    ),
    limits=(
        "Codes have no names: what a code changes has to be looked at, and differs from seed to seed.",
        "Pictures that it rebuilds are blurred, as those of autoencoders are.",
        "Some codes stand for nothing, and some for several factors at once.",
    ),
)
