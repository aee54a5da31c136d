"""What people type for styles."""

from __future__ import annotations

import pytest

from imgen.errors import DataError
from imgen.names import Style, find, listed, style, value

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


PORTRAITS = {
    "Smiling": ("not Smiling", "Smiling"),
    "hair": ("Black_Hair", "Blond_Hair"),
    "age": ("0-10", "11-20", "21-30", "31-40", "41-70", "71+"),
    "beard": ("not No_Beard", "No_Beard"),
}


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("blond", "Blond_Hair"),
        ("BLONDHAIR", "Blond_Hair"),
        ("blond=1", "Blond_Hair"),
        ("hair=blond", "Blond_Hair"),
        ("Hair = black", "Black_Hair"),
        ("hair=Black_Hair", "Black_Hair"),
        ("smiling", "Smiling"),
        (" smiling=1 ", "Smiling"),
        ("smiling=yes", "Smiling"),
        ("smiling=Smiling", "Smiling"),
        ("smiling=not smiling", "not Smiling"),
        ("smiling=0", "not Smiling"),
        ("smiling=false", "not Smiling"),
        ("not smiling", "not Smiling"),
        ("not-smiling", "not Smiling"),
        ("Not_Smiling", "not Smiling"),
        ("!smiling", "not Smiling"),
        ("beard", "No_Beard"),
        ("no beard", "No_Beard"),
        ("beard=0", "not No_Beard"),
        ("not no_beard", "not No_Beard"),
        ("71+", "71+"),
        ("0-10", "0-10"),
        ("35", "31-40"),
        ("age=11-20", "11-20"),
        ("age=71+", "71+"),
        ("age=35", "31-40"),
        ("age=0", "0-10"),
        ("age=1", "0-10"),
        ("age=10.5", "0-10"),
        ("age=11", "11-20"),
        ("age=70", "41-70"),
        ("age=71", "71+"),
        ("age=200", "71+"),
    ],
)
def test_a_value_is_found(text, means):
    assert value(text, PORTRAITS) == means


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hair", "hair is one of Black_Hair, Blond_Hair; say which, as in hair=Black_Hair"),
        ("hair=1", "hair is one of Black_Hair, Blond_Hair; say which"),
        ("not age", "age is one of 0-10, 11-20, 21-30, 31-40, 41-70, 71+; say which, as in age=0-10"),
        ("not blond", "hair is one of Black_Hair, Blond_Hair, and cannot just be 'not Blond_Hair'; say which"),
        ("blond=0", "hair is one of Black_Hair, Blond_Hair, and cannot just be 'not Blond_Hair'; say which"),
        ("blond=maybe", "'blond=maybe': write 1 for having Blond_Hair and 0 for not, as in Blond_Hair=0"),
        ("smiling=maybe", "no value of Smiling is called 'maybe'; there are Smiling, not Smiling"),
        ("hair=green", "no value of hair is called 'green'; there are Black_Hair, Blond_Hair"),
        ("hair=", "no value of hair is called ''; there are"),
        ("age=old", "no value of age is called 'old'; there are 0-10, 11-20"),
        ("age=10 11", "no value of age is called '10 11'; there are 0-10, 11-20"),
        ("smilng", "no style is called 'smilng'; did you mean 'Smiling'?"),
        ("not smilng", "no style is called 'smilng'; did you mean 'Smiling' or 'not Smiling'?"),
        ("glasses", "no style is called 'glasses'"),
        ("", "no style is called ''"),
        ("=1", "no style is called ''"),
    ],
)
def test_what_it_says_of_an_unknown_value(text, says):
    with pytest.raises(DataError) as caught:
        value(text, PORTRAITS)
    assert str(caught.value).startswith(says)
    assert "there are" in says or "there are" not in str(caught.value), "all of them are listed elsewhere"


def test_a_number_that_may_mean_two_values():
    two = {"age": ("0-10", "11+"), "height": ("0-150", "151+")}
    assert value("height=9", two) == "0-150"
    with pytest.raises(DataError, match="style '9' may mean 0-10 or 0-150; say which"):
        value("9", two)
    # What is called so comes first.
    assert value("9", {**two, "digit": ("8", "9")}) == "9"


def test_values_in_words():
    assert listed(PORTRAITS) == (
        "Smiling (0 or 1), hair (Black_Hair, Blond_Hair), age (0-10 to 71+), beard (not No_Beard, No_Beard)"
    )
    many = {f"a{n}": (f"not a{n}", f"a{n}") for n in range(40)}
    assert listed(many).endswith("a11 (0 or 1), 28 more")
    assert listed({"letter": [chr(97 + n) for n in range(26)]}).endswith("k, l, 14 more)")
