"""SG-GAN's networks: exactly the authors' layers, and heads that are computed only when they are asked for."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from imgen.data.spec import Attribute, DataSpec
from imgen.model import Classifier, Translator, Way
from imgen_sggan.editor import Editor
from imgen_sggan.networks import Discriminator, Generator, SameConv


def binary(count, size=128):
    """Pictures with so many attributes that are there or not."""
    names = [f"attribute {place}" for place in range(count)]
    return DataSpec(image=(3, size, size), attributes=tuple(Attribute(name, (f"not {name}", name)) for name in names))


AGES = DataSpec(
    image=(3, 128, 128), attributes=(Attribute("age", tuple(f"{low}-{low + 9}" for low in range(0, 80, 10))),)
)
MIXED = DataSpec(
    image=(3, 16, 16),
    attributes=(
        Attribute("hair", ("black", "blond", "brown")),
        Attribute("hat", ("not hat", "hat")),
        *binary(1).attributes,
    ),
)
OLD = {"arch": "old", "width": 64, "levels": 2, "blocks": 6, "narrow": (1, 2), "mask": False, "init": "normal02"}
NEW = {**OLD, "arch": "new", "init": "he", "narrow": ()}
TINY = {"width": 4, "blocks": 1}


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_the_old_generator_has_the_parameters_of_the_authors():
    g = Generator(binary(4), **OLD)
    assert count(g) == 9_448_188
    assert count(g.trunk) == 8_277_888
    assert [count(head) for heads in g.heads for head in heads] == [141_116] * 2 + [151_459] * 4 + [141_116] * 2
    assert count(Generator(AGES, **OLD)) == 9_406_816, "eight ages, each with a kernel of seven"


@pytest.mark.parametrize(("attributes", "parameters"), [(7, 10_245_832), (4, 9_399_136), (1, 8_552_440)])
def test_the_new_generator_has_the_parameters_of_the_authors(attributes, parameters):
    assert count(Generator(binary(attributes), **NEW)) == parameters


def test_the_discriminators_have_the_parameters_of_the_authors():
    assert count(Discriminator(binary(4), arch="old", width=64, norm="none", init="normal02")) == 24_002_697
    assert count(Discriminator(binary(7), arch="new", width=32, norm="none", init="he")) == 7_051_336


def test_the_old_layers_are_those_of_the_authors():
    g, d = Generator(binary(4), **OLD), Discriminator(binary(4), arch="old", width=64, norm="none", init="normal02")
    kernels = [
        (each.kernel_size[0], each.stride[0], each.padding[0]) for each in g.trunk if isinstance(each, nn.Conv2d)
    ]
    assert kernels == [(7, 1, 3), (4, 2, 1), (4, 2, 1)]
    first, second = g.heads[1][0].paint
    assert (first.in_channels, first.out_channels, second.kernel_size) == (67, 32, (3, 3)), "linear, as there"
    assert [each.out_channels for each in d.trunk if isinstance(each, nn.Conv2d)] == [64, 128, 256, 512, 512, 1024]
    assert d.teller.kernel_size == (2, 2) and d.critic.kernel_size == (1, 1)
    scores, told = d(torch.zeros(2, 3, 128, 128))
    assert scores.shape == (2, 4), "four places, each judged"
    assert [each.shape for each in told] == [(2, 2)] * 4
    assert all(
        torch.equal(each.bias, torch.zeros_like(each.bias)) for each in g.modules() if isinstance(each, nn.Conv2d)
    )
    assert g.trunk[0].weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_the_new_layers_are_those_of_the_authors():
    g, d = Generator(binary(7), **NEW), Discriminator(binary(7), arch="new", width=32, norm="none", init="he")
    assert [each.out_channels for each in d.trunk if isinstance(each, nn.Conv2d)] == [32, 64, 128, 256, 512, 512]
    scores, told = d(torch.zeros(2, 3, 128, 128))
    assert scores.shape == (2, 1) and d.teller.out_channels == 7, "one score, and one logit for each attribute"
    assert [each.shape for each in told] == [(2, 2)] * 7
    fan_in = 256 * 9
    weights = g.trunk[9].layers[2].weight
    assert weights.std().item() == pytest.approx(0.88 * math.sqrt(2 / fan_in), rel=0.05), "cut off at two deviations"
    assert weights.abs().max() <= 2 * math.sqrt(2 / fan_in)


def test_one_logit_is_a_softmax_over_two():
    d = Discriminator(binary(2, 16), arch="new", width=4, norm="none", init="he")
    images, labels = torch.rand(5, 3, 16, 16), torch.tensor([0, 1, 1, 0, 1])
    (told, _), single = d(images)[1], d.teller(d.trunk(images)).flatten(1)[:, 0]
    assert F.cross_entropy(told, labels).item() == pytest.approx(
        F.binary_cross_entropy_with_logits(single, labels.float()).item()
    )


def test_three_values_have_three_logits_in_either_state():
    for arch in ("old", "new"):
        d = Discriminator(MIXED, arch=arch, width=4, norm="none", init="he")
        assert [each.shape for each in d(torch.zeros(2, 3, 16, 16))[1]] == [(2, 3), (2, 2), (2, 2)]


@pytest.mark.parametrize(
    ("kernel", "stride", "side", "before", "after"),
    [(5, 2, 8, 1, 2), (4, 1, 8, 1, 2), (4, 2, 8, 1, 1), (3, 1, 7, 1, 1), (5, 2, 7, 2, 2)],
)
def test_padding_is_that_of_tensorflow(kernel, stride, side, before, after):
    made = SameConv(1, 1, kernel, stride, bias=False)
    images = torch.rand(1, 1, side, side)
    wanted = F.conv2d(F.pad(images, (before, after, before, after)), made.weight, stride=stride)
    assert wanted.shape[-1] == -(-side // stride)
    assert torch.equal(made(images), wanted)


@pytest.mark.parametrize("arch", ["old", "new"])
def test_heads_alone_equal_the_full_pass(arch):
    """To the last bit: they share the trunk, and nothing else."""
    g = Generator(MIXED, arch=arch, levels=2, narrow=(1,), mask=arch == "new", init="he", **TINY)
    images = torch.rand(3, 3, 16, 16) * 2 - 1
    whole = g(images)
    assert whole.shape == (3, 7, 3, 16, 16)
    one_by_one = [
        g.edit(images, place, value) for place, each in enumerate(MIXED.attributes) for value in range(len(each.values))
    ]
    assert torch.equal(whole, torch.stack(one_by_one, dim=1))
    assert torch.equal(whole[:, 3:5], g.edits(images, 1))
    editor = Editor(MIXED, **TINY)
    assert torch.equal(torch.stack(editor.translate_all(images, editor.ways), 1), editor.g(images))


def test_edits_are_pictures_and_a_closed_mask_gives_the_input():
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    plain = Generator(MIXED, arch="old", levels=2, narrow=(), mask=False, init="he", **TINY)
    nn.init.normal_(plain.heads[0][0].paint.weight, std=10)
    assert plain(images).abs().max() <= 1
    masked = Generator(MIXED, arch="old", levels=2, narrow=(), mask=True, init="he", **TINY)
    nn.init.zeros_(masked.heads[0][0].paint.weight[3])
    nn.init.constant_(masked.heads[0][0].paint.bias[3:], -100)
    assert torch.equal(masked.edit(images, 0, 0), images)


def test_which_heads_are_narrow_goes_by_the_code_unless_it_is_said():
    def narrow(**settings):
        g = Editor(binary(4, 16), **TINY, **settings).g
        return [place for place, heads in enumerate(g.heads) if isinstance(heads[0].paint, nn.Sequential)]

    assert (narrow(), narrow(arch="new"), narrow(arch="new", narrow=(0, 3))) == ([1, 2], [], [0, 3])


def test_the_model_edits_by_name_and_tells_what_it_sees():
    editor = Editor(MIXED, **TINY)
    assert isinstance(editor, Translator) and isinstance(editor, Classifier)
    assert editor.ways[:3] == [Way(None, "black", "hair"), Way(None, "blond", "hair"), Way(None, "brown", "hair")]
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    assert torch.equal(editor.translate(images, Way(None, "hat", "hat")), editor.g.edit(images, 1, 1))
    told = editor.classify(images)
    assert [each.shape for each in told] == [(2, 3), (2, 2), (2, 2)]
    assert all(each.sum(1).tolist() == pytest.approx([1, 1]) for each in told)


def test_other_sizes_have_as_many_levels_as_they_need():
    for size, levels in ((128, 6), (64, 5), (32, 4)):
        d = Discriminator(binary(1, size), arch="old", width=4, norm="none", init="he")
        assert sum(isinstance(each, nn.Conv2d) for each in d.trunk) == levels
        assert d(torch.zeros(1, 3, size, size))[0].shape == (1, 4)
    wide = DataSpec(image=(1, 24, 40), attributes=binary(1).attributes)
    for arch in ("old", "new"):
        assert Discriminator(wide, arch=arch, width=4, norm="none", init="he")(torch.zeros(1, 1, 24, 40))[1][
            0
        ].shape == (1, 2)
        assert Editor(wide, arch=arch, **TINY).g(torch.zeros(1, 1, 24, 40)).shape == (1, 2, 1, 24, 40)


def test_data_that_cannot_be_edited_is_refused():
    with pytest.raises(ValueError, match="need a data set with attributes"):
        Editor(DataSpec(image=(3, 16, 16)))
    with pytest.raises(ValueError, match="one value"):
        Editor(DataSpec(image=(3, 16, 16), attributes=(Attribute("hat", ("hat",)),)))
    with pytest.raises(ValueError, match="multiples of 4, not 30x16"):
        Editor(DataSpec(image=(3, 16, 30), attributes=binary(1).attributes))
