"""Tables of attributes: both formats, what they say, and the line that is wrong where they are damaged."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.data.attributes import locate, parse_attributes, read_attributes, read_partition
from imgen.data.source import open_source
from imgen.errors import DataError

PLAIN = b"3\nMale Young \n1.jpg  1 -1\n2.jpg -1  1\n3.jpg -1 -1\n"
VALUES = [[1, -1], [-1, 1], [-1, -1]]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.removeprefix(b"3\n"),
        PLAIN.replace(b"2.jpg", b"\n2.jpg") + b"\n\n",
        PLAIN.rstrip(),
        b"image_id,Male,Young\n1.jpg,1,-1\n2.jpg,-1,1\n3.jpg,-1,-1",
        b"image_id,Male,Young\r\n1.jpg,1,0\r\n\r\n2.jpg,0,1\r\n3.jpg,0,0\r\n",
        b'\xef\xbb\xbf"image_id", "Male", "Young"\n"1.jpg", True, False\n"2.jpg", FALSE, true\n3.jpg,no,0\n',
        b",Male,Young\n1.jpg,1.0,-1.0\n2.jpg,-1.0,+1\n3.jpg,-1,false\n",
    ],
    ids=["celeba", "crlf", "no count", "blank lines", "no end", "csv", "csv of 0 and 1", "csv of words", "floats"],
)
def test_both_formats(data):
    table = parse_attributes(data, "table")
    assert table.names == ["1.jpg", "2.jpg", "3.jpg"] and table.attributes == ("Male", "Young")
    assert table.values.tolist() == VALUES and table.values.dtype == np.int8
    assert table.of("Young").tolist() == [-1, 1, -1]


def test_what_is_not_known():
    """Column by column: 0 beside -1 says that nothing is known, 0 beside 1 that it is lacking."""
    table = parse_attributes(b"f,A,B,C\n1,1,1,?\n2,0,0,\n3,-1,0,nan\n4,,1,1\n", "t")
    assert table.values.T.tolist() == [[1, 0, -1, 0], [1, -1, -1, 1], [0, 0, 0, 1]]


def test_only_some_columns_are_read():
    text = b"f,Male,split,Narrow_Eyes\n1,1,train,1\n2,-1,test,-1\n"
    table = parse_attributes(text, "t", ["narrow eyes", "male"])
    assert table.attributes == ("Narrow_Eyes", "Male") and table.values.tolist() == [[1, 1], [-1, -1]]
    with pytest.raises(DataError, match=r"t:2: split is 'train'; it must be 1 or -1"):
        parse_attributes(text, "t")
    with pytest.raises(DataError, match=r"no attribute is called 'mle'; did you mean 'Male'"):
        parse_attributes(text, "t", ["mle"])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (PLAIN + b"4.jpg 1\n", r"^t:6: '4.jpg 1' has 2 cells; a name and 2 attributes are wanted$"),
        (PLAIN + b"\n4.jpg 1 1 1\n5.jpg 1\n", r"^t:7: '4.jpg 1 1 1' has 4 cells"),
        (PLAIN.replace(b"2.jpg -1", b"2.jpg 2"), r"^t:4: Male is '2'"),
        (PLAIN.replace(b"2.jpg -1", b"\n2.jpg no-such"), r"^t:5: Male is 'no-such'"),
        (PLAIN + b"1.jpg 1 1\n", r"^t:6: 1.jpg has a row already$"),
        (b"f,A,B\n1,1,1\n2,1\n", r"^t:3: '2,1' has 2 cells"),
        (b"3\nMale Male\n", r"^t:2: names the attribute Male twice$"),
        (b"1.jpg 1 -1\n2.jpg 1 -1\n", r"^t:1: '1.jpg 1 -1' does not name the attributes$"),
        (b"3\nMale Young\n", r"^t: a table without rows$"),
        (b"", r"^t:1: '' does not name the attributes$"),
        (b"\x89PNG\r\n\x1a\n\x00", "does not name|without rows"),
    ],
)
def test_a_damaged_table_names_its_line(data, said):
    with pytest.raises(DataError, match=said) as caught:
        parse_attributes(data, "t")
    assert "\n" not in str(caught.value)


def test_the_best_table_is_taken(tmp_path):
    (tmp_path / "set/anno").mkdir(parents=True)
    source = open_source(tmp_path / "set")
    with pytest.raises(DataError, match=r"set: no table of attributes inside or beside it; wanted is list_attr_celeba"):
        read_attributes(source)
    (tmp_path / "list_attr_celeba.txt").write_bytes(PLAIN)
    assert read_attributes(source).where == str(tmp_path / "list_attr_celeba.txt")
    (tmp_path / "set/list_attr_other.csv").write_bytes(PLAIN)
    assert read_attributes(open_source(tmp_path / "set")).where == f"{tmp_path / 'set'}: list_attr_other.csv"
    (tmp_path / "set/list_attr_part.txt").write_bytes(PLAIN)
    with pytest.raises(DataError, match=r"both list_attr_other.csv and list_attr_part.txt may be the table"):
        read_attributes(open_source(tmp_path / "set"))
    (tmp_path / "set/anno/list_attr_celeba.csv").write_bytes(PLAIN)
    assert read_attributes(open_source(tmp_path / "set")).where.endswith(": anno/list_attr_celeba.csv")


def test_pictures_are_found_by_name_and_by_stem(tmp_path):
    for name in ("x/1.jpg", "x/2.png", "y/3.jpg", "x/3.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    source = open_source(tmp_path)
    assert locate(source, ["2.jpg", "1.jpg", "4.jpg", "y/3.jpg"]) == ["x/2.png", "x/1.jpg", None, "y/3.jpg"]
    with pytest.raises(DataError, match=r"3.jpg may be x/3.jpg or y/3.jpg; give the folder of one as root"):
        locate(source, ["3.jpg"])


def test_partitions(tmp_path):
    source = open_source(tmp_path)
    with pytest.raises(DataError, match=r"no list_eval_partition.txt, which comes with the CelebA download"):
        read_partition(source)
    (tmp_path / "list_eval_partition.csv").write_text("image_id,partition\n1.jpg,0\n2.jpg,2\n")
    assert read_partition(open_source(tmp_path)) == {"1.jpg": 0, "2.jpg": 2}
    (tmp_path / "list_eval_partition.txt").write_text("1.jpg 0\n2.jpg 3\n")
    with pytest.raises(DataError, match=r"list_eval_partition.txt:2: '2.jpg 3' is not a picture and its part"):
        read_partition(open_source(tmp_path))


def test_many_rows_and_columns():
    values = np.random.default_rng(0).choice([-1, 1], (2000, 40))
    names = b" ".join(b"A%d" % column for column in range(40))
    rows = (b"%06d.jpg " % row + b" ".join(b"%2d" % value for value in each) for row, each in enumerate(values))
    table = parse_attributes(b"2001\n" + names + b"\n" + b"\n".join(rows), "t")
    assert np.array_equal(table.values, values) and table.told == 2001 and table.names[-1] == "001999.jpg"


def test_the_real_table(shared_data):
    path = shared_data("celeba_attr/list_attr_celeba.txt")
    table = parse_attributes(path.read_bytes(), str(path))
    rows = [line.split() for line in path.read_text().splitlines()[2:]]
    assert table.names == [row[0] for row in rows] and len(table.names) == table.told == 3000
    assert table.values.tolist() == [[int(value) for value in row[1:]] for row in rows]
