"""Editors whose faults are chosen, and what the measurements must say of them."""

from __future__ import annotations

import math
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from imgen.data.drawn_attributes import DrawnAttributes, drawn_attributes
from imgen.data.figures import Look, render
from imgen.data.labelled import Labelled
from imgen.data.samplers import uniform
from imgen.data.spec import Attribute, DataSpec
from imgen.errors import DataError
from imgen.images import from_float, to_float
from imgen.metrics.edit_likeness import edit_reconstruction
from imgen.metrics.editing import edit_accuracy, head_accuracy
from imgen.model import Way

VALUES = ("dark", "grey", "light", "not-Smiling", "Smiling", "cold", "warm")


def idle(images, place, value):
    return images


def test_a_perfect_editor(plain):
    told = edit_accuracy()(plain.evaluation(plain.Editor(plain.setting), plain.labelled()))
    assert all(told[f"edit_{value}"] == 1 for value in VALUES)
    assert told["edit_accuracy"] == told["kept"] == told["chained"] == 1
    assert {name for name in told if name.startswith("chained_")} == {
        "chained_shade_Smiling",
        "chained_shade_tint",
        "chained_Smiling_tint",
    }
    assert all(told[f"kept_{each.name}"] == told[f"judge_{each.name}"] == 1 for each in plain.attributes)
    assert all(told[f"read_{value}"] == 1 for value in VALUES)


def test_an_editor_that_changes_nothing(plain):
    told = edit_accuracy()(plain.evaluation(plain.Editor(idle), plain.labelled()))
    assert told["edit_accuracy"] == told["chained"] == 0
    assert not any(told[f"edit_{value}"] for value in VALUES)
    assert told["kept"] == told["kept_shade"] == 1


def test_an_editor_that_also_changes_something_else(plain):
    """Whoever sets the shade turns every smile round: of two other attributes one stays."""

    def meddles(images, place, value):
        made = plain.setting(images, place, value)
        if place:
            return made
        smiles = plain.read(images)[:, 1]
        rows = [plain.setting(one[None], 1, 1 - int(smile)) for one, smile in zip(made, smiles, strict=True)]
        return torch.cat(rows)

    told = edit_accuracy()(plain.evaluation(plain.Editor(meddles), plain.labelled()))
    assert told["edit_accuracy"] == 1
    assert (told["kept_shade"], told["kept_Smiling"], told["kept_tint"]) == (0.5, 1, 1)
    assert told["kept"] == pytest.approx((3 * 0.5 + 4 * 1) / 7)
    # The smile is set after the shade; the shade does not spoil the tint.
    assert told["chained"] == 1


def test_the_second_edit_of_a_chain_can_spoil_the_first(plain):
    """Whoever sets the smile makes all dark: the shade is right for one value of three, and never kept."""

    def darkens(images, place, value):
        made = plain.setting(images, place, value)
        return plain.setting(made, 0, 0) if place == 1 else made

    told = edit_accuracy()(plain.evaluation(plain.Editor(darkens), plain.labelled()))
    assert told["chained_shade_Smiling"] == pytest.approx(1 / 3)
    assert (told["chained_shade_tint"], told["chained_Smiling_tint"]) == (1, 1)
    assert told["chained"] == pytest.approx((1 / 3 + 1 + 1) / 3)


def test_what_cannot_be_read_is_neither_right_nor_kept(plain):
    told = edit_accuracy()(plain.evaluation(plain.Editor(lambda images, *_: images * 0 - 1), plain.labelled()))
    assert told["edit_accuracy"] == told["kept"] == told["chained"] == 0


def test_unread_before_and_after_is_not_kept(plain):
    data = plain.labelled()
    data.test["images"][:, 2] = 0
    told = edit_accuracy()(plain.evaluation(plain.Editor(idle), data))
    assert (told["kept_shade"], told["kept_tint"], told["judge_tint"]) == (0.5, 1, 0)


def test_the_edit_set(plain):
    """Known to show another value; taken evenly, and no more than asked."""
    known = torch.full((40, 3), -1)
    known[:4, 0] = torch.tensor([0, 1, 2, 2])
    model = plain.Editor(plain.setting)
    told = edit_accuracy(pictures=2)(plain.evaluation(model, plain.labelled(known=known)))
    assert model.done == [(2, "dark"), (2, "grey"), (2, "light")]
    assert {name for name in told if name.startswith("edit_")} == {
        "edit_accuracy",
        *(f"edit_{value}" for value in VALUES[:3]),
    }
    assert "chained" not in told
    assert "judge_tint" not in told


def test_the_number_of_chained_pairs(plain):
    told = edit_accuracy(chained=1)(plain.evaluation(plain.Editor(plain.setting), plain.labelled()))
    assert [name for name in told if name.startswith("chained")] == ["chained", "chained_shade_Smiling"]
    none = edit_accuracy(chained=0)(plain.evaluation(plain.Editor(plain.setting), plain.labelled()))
    assert not [name for name in none if name.startswith("chained")]


def test_heads_that_a_model_lacks_are_left_out(plain):
    model = plain.Editor(plain.setting, plain.attributes[1:])
    told = edit_accuracy()(plain.evaluation(model, plain.labelled()))
    assert "edit_dark" not in told
    assert told["edit_Smiling"] == 1
    assert told["chained"] == told["chained_Smiling_tint"] == 1


def test_one_attribute_alone_has_nothing_to_keep(plain):
    both = plain.labelled()
    one = Labelled(
        spec=DataSpec(image=(3, 8, 8), attributes=plain.attributes[:1]),
        columns=both.columns,
        truth=both.truth[:, :1],
        sampler=uniform(torch.arange(60).numpy()),
        test={"images": both.test["images"], "attributes": both.test["attributes"][:, :1]},
    )
    metric = edit_accuracy(classifier_steps=2, classifier_width=2)
    told = metric(plain.evaluation(plain.Editor(plain.setting, plain.attributes[:1]), one))
    assert not [name for name in told if name.startswith(("kept", "chained"))]


def test_edits_are_judged_by_a_classifier_where_there_is_no_oracle(plain):
    data = plain.labelled(200, 60, oracle=False)
    settings = {"classifier_steps": 150, "classifier_width": 4, "classifier_batch": 32, "classifier_rate": 0.01}
    told = edit_accuracy(**settings)(plain.evaluation(plain.Editor(plain.setting), data))
    assert min(told["judge_shade"], told["judge_Smiling"], told["judge_tint"]) > 0.9
    assert told["edit_accuracy"] > 0.9
    assert told["by_oracle"] == 0
    assert edit_accuracy(**settings)(plain.evaluation(plain.Editor(idle), data))["edit_accuracy"] < 0.1


@pytest.mark.parametrize(
    ("model", "change", "told"),
    [
        (nn.Identity, {}, "edit-accuracy: needs a model that sets values of the data set's attributes.*shade"),
        (None, {"test": {}}, "edit-accuracy: needs a data set of pictures with attributes, some of them held out"),
        (None, {"spec": DataSpec(image=(3, 8, 8))}, "edit-accuracy: needs a data set of pictures with attributes"),
        (None, {"known": torch.full((40, 3), -1)}, "edit-accuracy: needs held-out pictures whose values are known"),
    ],
)
def test_what_does_not_fit_is_refused(plain, model, change, told):
    with pytest.raises(DataError, match=told):
        edit_accuracy()(plain.evaluation((model or (lambda: plain.Editor(idle)))(), plain.labelled(**change)))


def test_an_oracle_that_is_not_there_is_refused(plain):
    with pytest.raises(DataError, match="edit-accuracy: this data set cannot read"):
        edit_accuracy(judge="oracle")(plain.evaluation(plain.Editor(idle), plain.labelled(oracle=False)))


class Tells(nn.Module):
    """A classifier that reads pictures by the oracle, but for what it is told to say of one attribute."""

    def __init__(self, plain: SimpleNamespace, wrong: int | None = None) -> None:
        super().__init__()
        self.attributes, self.read, self.wrong = plain.attributes, plain.read, wrong

    def classify(self, images):
        assert not self.training
        told = self.read(images)
        if self.wrong is not None:
            told[:, self.wrong] = 0
        # Probabilities that whole numbers would all make 0.
        shares = [
            torch.nn.functional.one_hot(told[:, place], len(each.values)).float()
            for place, each in enumerate(self.attributes)
        ]
        return [(0.3 + 0.1 * share) / (0.3 + 0.1 * share).sum(dim=1, keepdim=True) for share in shares]


def test_the_models_own_heads(plain):
    data = plain.labelled()
    model = Tells(plain).train()
    told = head_accuracy()(plain.evaluation(model, data))
    assert set(told.values()) == {1.0}
    assert model.training
    frequent = float((data.test["attributes"][:, 0] == 0).double().mean())
    told = head_accuracy()(plain.evaluation(Tells(plain, wrong=0), data))
    assert told["accuracy_shade"] == frequent
    assert told["accuracy"] == pytest.approx((frequent + 1 + 1) / 3)
    assert (told["recall_dark"], told["recall_grey"], told["recall_light"]) == (1, 0, 0)
    assert math.isclose(told["recall"], 5 / 7)


def test_unknown_values_do_not_count_for_heads(plain):
    known = torch.full((40, 3), -1)
    known[0, 1] = 1 - int(plain.read(plain.floats(plain.labelled()))[0, 1])
    told = head_accuracy()(plain.evaluation(Tells(plain), plain.labelled(known=known)))
    assert (told["accuracy"], told["recall"], told["accuracy_Smiling"]) == (0, 0, 0)
    assert "accuracy_shade" not in told
    with pytest.raises(DataError, match="head-accuracy: no value"):
        head_accuracy()(plain.evaluation(Tells(plain), plain.labelled(known=torch.full((40, 3), -1))))


def test_heads_that_are_none_are_refused(plain):
    with pytest.raises(DataError, match="head-accuracy: needs a model that tells"):
        head_accuracy()(plain.evaluation(plain.Editor(idle), plain.labelled()))
    other = DataSpec(image=(3, 8, 8), attributes=(*plain.attributes[:2], Attribute("age", ("young", "old"))))
    with pytest.raises(DataError, match="head-accuracy: needs a model that tells"):
        head_accuracy()(plain.evaluation(Tells(plain), plain.labelled(spec=other)))


class Redraws(nn.Module):
    """Edits drawn pictures as their author would: with another value, and all else as it was."""

    def __init__(self, data: DrawnAttributes, seed: int = 0) -> None:
        super().__init__()
        truth, self.spec, self.multiple = data.test["attributes"], data.spec, 1
        self.ways = [Way(None, value, each.name) for each in data.spec.attributes for value in each.values]
        self.look = Look.draw(len(truth), np.random.default_rng([seed, 1, 1]))
        self.known = {}
        self.draw(np.arange(len(truth)), truth.numpy())

    def draw(self, rows, values):
        look = Look(**{field.name: getattr(self.look, field.name)[rows] for field in fields(Look)})
        pictures = render(values, self.spec.attributes, look, self.spec.image[1])
        for row, shown, picture in zip(rows, values, pictures, strict=True):
            self.known[picture.numpy().tobytes()] = row, shown
        return to_float(pictures)

    def translate(self, images, way):
        told = [self.known[picture.numpy().tobytes()] for picture in from_float(images)]
        values = np.stack([shown for _, shown in told])
        place = [each.name for each in self.spec.attributes].index(way.attribute)
        values[:, place] = self.spec.attributes[place].values.index(way.target)
        return self.draw(np.array([row for row, _ in told]), values)


def test_the_author_of_drawn_pictures_edits_them_perfectly(plain):
    data = drawn_attributes(pictures=4, n_test=48)
    evaluation = plain.evaluation(Redraws(data), data)
    told = edit_accuracy()(evaluation)
    assert set(told.values()) == {1.0}
    assert len(told) == len(["edit_accuracy", "kept", "chained", "by_oracle"]) + 9 + 4 + 3 + 4 + 9
    lost = edit_reconstruction()(evaluation)
    assert (lost["same_psnr"], lost["round_psnr"], lost["same_l1"], lost["round_l1"]) == (100, 100, 0, 0)
