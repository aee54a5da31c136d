"""What people type for styles."""

from __future__ import annotations

import pytest

from imgen.errors import DataError
from imgen.names import Style, find, style

CELEBA = ["Bald", "Big_Lips", "Big_Nose", "Black_Hair", "Blond_Hair", "Eyeglasses", "Male", "No_Beard", "Not_Posed"]


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("Blond_Hair", Style("Blond_Hair")),
        ("blond", Style("Blond_Hair")),
        ("BLOND HAIR", Style("Blond_Hair")),
        ("blond-hair", Style("Blond_Hair")),
        ("blondhair", Style("Blond_Hair")),
        ("male", Style("Male")),
        ("not male", Style("Male", False)),
        ("not-male", Style("Male", False)),
        ("Not_Male", Style("Male", False)),
        ("!Male", Style("Male", False)),
        ("Male=0", Style("Male", False)),
        ("male=-1", Style("Male", False)),
        ("male = 1", Style("Male")),
        ("not blond", Style("Blond_Hair", False)),
        ("no_beard", Style("No_Beard")),
        ("not no beard", Style("No_Beard", False)),
        ("not posed", Style("Not_Posed")),
    ],
)
def test_a_style_is_found(text, means):
    assert style(text, CELEBA) == means


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("big", "attribute 'big' may mean Big_Lips or Big_Nose; say which"),
        ("blnd", "no attribute is called 'blnd'; did you mean 'blond'"),
        ("glasses", "no attribute is called 'glasses'; did you mean 'Eyeglasses'?"),
        ("male=maybe", "'male=maybe': write 1 for having male and 0 for not, as in male=0"),
        ("", "no attribute is called ''"),
        ("hair", "no attribute is called 'hair'"),
    ],
)
def test_what_it_says_of_an_unknown_one(text, says):
    with pytest.raises(DataError) as caught:
        style(text, CELEBA)
    assert str(caught.value).startswith(says)


def test_the_whole_name_wins_over_a_longer_one():
    assert find("hat", ["Hat", "Hat_Band"]) == "Hat"


def test_a_style_reads_like_a_name():
    assert [str(Style("Male")), str(Style("Male", False))] == ["Male", "not Male"]
    assert style(str(Style("Male", False)), CELEBA) == Style("Male", False)
