"""The papers of SG-GAN and of its baseline StarGAN, as model cards tell of them."""

from __future__ import annotations

from imgen.paper import Paper

SGGAN = Paper(
    title="Sparsely Grouped Multi-task Generative Adversarial Networks for Facial Attribute Manipulation",
    authors=(
        *("Jichao Zhang", "Yezhi Shu", "Songhua Xu", "Gongze Cao", "Fan Zhong"),
        *("Meng Liu", "Xueying Qin"),
    ),
    year=2018,
    venue="ACM Multimedia 2018",
    url="https://arxiv.org/abs/1805.07509",
    differences=(
        "The equations are those of the authors' code.",
        "A picture whose hair is of neither colour is unlabelled for hair; their flag for that entered no loss.",
        "Labelled pictures are drawn by a seed, so many of each value, and batches by chance from the whole list.",
        "Pictures are resized without stretching the contrast of each.",
        "The critic's score of a real picture is computed once and not anew for every head.",
    ),
    limits=(
        "Attributes that go together in the pictures are edited together: lipstick may change eyes and brows.",
        "With few labels an edit can satisfy the heads that tell attributes and no eye.",
        "Cost and size grow with the number of values, for each has an output of its own.",
        "Transposed convolutions, which the paper's networks have, can leave checkerboards.",
    ),
)

STARGAN = Paper(
    title="StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation",
    authors=(
        *("Yunjey Choi", "Minje Choi", "Munyoung Kim", "Jung-Woo Ha", "Sunghun Kim"),
        "Jaegul Choo",
    ),
    year=2018,
    venue="CVPR 2018",
    url="https://arxiv.org/abs/1711.09020",
    differences=(
        "Pictures may lack labels: the class loss of each attribute is the mean over those whose value is known.",
        "Targets are labels of other pictures, with random values in place of unknown ones.",
        "Only pictures all of whose labels are known are made again from their edits.",
        "Values that exclude each other, such as colours of hair, share one softmax; the paper has a sigmoid for each.",
        "When it is used, the discriminator's own heads tell what a picture shows; the paper takes labels for that.",
    ),
    limits=(
        "What its heads read wrongly in a picture, an edit of another attribute changes, too.",
        "With few labels it can show pictures that it remembers in place of edits of the one it is given.",
        "Attributes that go together in the pictures are edited together.",
    ),
)
