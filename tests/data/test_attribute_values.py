"""Attributes as people name them."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.data.attribute_values import meant, table_truth
from imgen.data.attributes import parse_attributes
from imgen.data.spec import Attribute
from imgen.errors import DataError

COLUMNS = ("Male", "Smiling", "Black_Hair", "Blond_Hair", "Brown_Hair", "Bald", "No_Beard")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Smiling", Attribute("Smiling", ("not Smiling", "Smiling"))),
        ("smiling", Attribute("Smiling", ("not Smiling", "Smiling"))),
        ("gender=Male", Attribute("gender", ("not Male", "Male"))),
        (" gender = male ", Attribute("gender", ("not Male", "Male"))),
        ("no beard", Attribute("No_Beard", ("not No_Beard", "No_Beard"))),
        ("hair=Black_Hair|Blond_Hair", Attribute("hair", ("Black_Hair", "Blond_Hair"))),
        ("Black_Hair | Blond_Hair | not Brown_Hair", Attribute("hair", ("Black_Hair", "Blond_Hair"))),
        ("blond|black|brown", Attribute("hair", ("Blond_Hair", "Black_Hair", "Brown_Hair"))),
        ("top=bald|blond|!black", Attribute("top", ("Bald", "Blond_Hair"))),
        ("bald|blond", Attribute("Bald|Blond_Hair", ("Bald", "Blond_Hair"))),
    ],
)
def test_what_is_meant(text, expected):
    (found,) = meant([text], COLUMNS)
    assert found.attribute == expected


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "attrs names no attribute"),
        (["smilin"], "attrs: 'smilin': no attribute is called 'smilin'; did you mean 'Smiling'"),
        (["b"], "attrs: 'b': no attribute is called 'b'"),
        (["hair=black|blonde"], "attrs: 'hair=black|blonde': no attribute is called 'blonde'; did you mean"),
        (["Smiling", "smiling"], "attrs: the column Smiling is named twice; name it once"),
        (["Smiling", "mouth=smiling"], "attrs: the column Smiling is named twice"),
        (["black|black"], "attrs: 'black|black': the column Black_Hair is named twice"),
        (["black|blond|not black"], "the column Black_Hair is named twice"),
        (["black|blond", "bald|black"], "attrs: the column Black_Hair is named twice"),
        (["not male"], "attrs: 'not male' names no value; Male alone has two"),
        (["black|not brown"], "attrs: 'black|not brown' has the one value Black_Hair; name another column"),
        (["hair="], "attrs: 'hair=' names no column between two bars"),
        (["black||blond"], "names no column between two bars"),
        (["=Male"], "attrs: '=Male' has no name before the '='; write it as gender=Male"),
        (["smiling", "Smiling=male"], "attrs: the attribute Smiling is named twice; give one another name"),
        (["hair=bald|blond", "HAIR=black|brown"], "attrs: the attribute HAIR and hair is named twice"),
        (["male=1"], "attrs: 'male=1': no attribute is called '1'"),
    ],
)
def test_what_means_nothing(texts, said):
    with pytest.raises(DataError) as caught:
        meant(texts, COLUMNS)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_two_values_of_one_name():
    with pytest.raises(DataError, match=r"attrs: the value .* is named twice; values must differ"):
        meant(["Smiling", "x=not_Smiling"], ("Smiling", "not_Smiling"))


def test_a_column_that_is_barred_may_be_an_attribute_itself():
    assert len(meant(["black|blond|not brown", "brown"], COLUMNS)) == 2


def test_who_has_which_value():
    table = parse_attributes(
        b"Male Black_Hair Blond_Hair Brown_Hair\n"
        b"1.jpg  1  1 -1 -1\n"
        b"2.jpg -1 -1  1 -1\n"
        b"3.jpg  0  1  1 -1\n"  # both: neither
        b"4.jpg  1  1 -1  1\n"  # brown, too
        b"5.jpg -1 -1 -1 -1\n"
        b"6.jpg -1 -1  0  1\n"
        b"7.jpg  0  0  1  0\n",
        "table",
    )
    truth = table_truth(table, meant(["male", "black|blond|not brown"], table.attributes))
    assert truth.tolist() == [[1, 0], [0, 1], [-1, -1], [1, -1], [0, -1], [0, -1], [-1, 1]]
    three = table_truth(table, meant(["black|blond|brown"], table.attributes))
    assert three[:, 0].tolist() == [0, 1, -1, -1, -1, 2, 1] and three.dtype == np.int64
