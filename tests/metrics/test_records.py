"""Lines of metrics.jsonl."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from imgen.metrics import Measured, records
from imgen.metrics.records import Record


def record(step=4, during=True, **values):
    told = [Measured(values=values or {"score": 0.5}, counts={"rows": 9}, notes=["one"])]
    return replace(Record.of("mine", {"rows": 9}, told, [0]), step=step, during=during)


def test_a_record_is_read_as_it_was_written(tmp_path):
    first, second = record(), record(8, score=math.nan, other=1.5)
    records.append(tmp_path, first)
    records.append(tmp_path, second)
    assert [each.to_json() for each in records.read(tmp_path)] == [first.to_json(), second.to_json()]
    assert records.read(tmp_path)[1].values["score"].value is None


def test_every_line_is_strict_json(tmp_path):
    records.append(tmp_path, replace(record(score=math.inf), details={"matrix": ((1.0, math.nan), (2, None))}))
    text = (tmp_path / records.NAME).read_text()
    told = json.loads(text, parse_constant=lambda word: (_ for _ in ()).throw(ValueError(word)))
    assert told["details"] == {"matrix": [[1.0, None], [2, None]]}
    assert told["schema"] == "imgen.metric/1" and told["values"]["score"]["mean"] is None


def test_a_line_that_a_kill_cut_off_costs_only_itself(tmp_path):
    records.append(tmp_path, record(1))
    with (tmp_path / records.NAME).open("a") as file:
        file.write('{"schema": "imgen.met')
    records.append(tmp_path, record(2))
    assert [each.step for each in records.read(tmp_path)] == [1, 2]


def test_lines_of_others_are_left_out(tmp_path):
    (tmp_path / records.NAME).write_text(
        '{"schema": "imgen.metric/9"}\nnonsense\n[1]\n{"schema": "imgen.metric/1"}\n\xff\n'
    )
    assert records.read(tmp_path) == []
    assert records.read(tmp_path / "absent") == []


@pytest.mark.parametrize("damage", [{"step": "four"}, {"metric": None}, {"values": {"a": 1}}])
def test_a_line_of_other_types_is_left_out(damage, tmp_path):
    lines = [json.dumps(record().to_json() | told) for told in (damage, {})]
    (tmp_path / records.NAME).write_text("\n".join(lines) + "\n")
    assert [each.step for each in records.read(tmp_path)] == [4]


@pytest.mark.parametrize("key", ["value", "mean", "std", "each"])
def test_a_line_with_words_for_numbers_is_left_out(key, tmp_path):
    told = record().to_json()
    told["values"]["score"][key] = ["a"] if key == "each" else "a"
    (tmp_path / records.NAME).write_text(json.dumps(told) + "\n")
    assert records.read(tmp_path) == []


def test_lines_of_others_stay_where_a_run_goes_on(tmp_path):
    """Of a later imgen, for one."""
    records.append(tmp_path, record(2))
    with (tmp_path / records.NAME).open("a") as file:
        file.write('{"schema": "imgen.metric/9"}\n')
    records.append(tmp_path, record(6))
    before = (tmp_path / records.NAME).read_text().splitlines()
    records.drop_after(tmp_path, 4)
    assert (tmp_path / records.NAME).read_text().splitlines() == before[:2]


def test_numbers_of_numpy_and_torch_are_numbers(tmp_path):
    details = {"rows": np.int64(3), "share": np.float32(0.5), "matrix": np.eye(2), "at": torch.tensor([1.0, math.nan])}
    records.append(tmp_path, replace(record(), counts={"rows": np.int64(9)}, details=details))
    (read,) = records.read(tmp_path)
    assert read.counts == {"rows": 9}
    assert read.details == {"rows": 3, "share": 0.5, "matrix": [[1.0, 0.0], [0.0, 1.0]], "at": [1.0, None]}


def test_what_is_trained_anew_is_measured_anew(tmp_path):
    for each in (record(2), record(4), record(4, during=False), record(6)):
        records.append(tmp_path, each)
    records.drop_after(tmp_path, 3)
    assert [(each.step, each.during) for each in records.read(tmp_path)] == [(2, True), (4, False)]
    records.drop_after(tmp_path / "absent", 3)


def test_the_spread_is_that_of_a_sample():
    told = [Measured(values={"score": value}) for value in (1.0, 2.0, 6.0)]
    value = Record.of("mine", {}, told, [0, 1, 2]).values["score"]
    assert (value.value, value.mean, value.std, value.each) == (1.0, 3.0, math.sqrt(7), (1.0, 2.0, 6.0))
    alone = Record.of("mine", {}, told[:1], [0]).values["score"]
    assert (alone.mean, alone.std) == (1.0, None)


def test_one_repetition_without_a_number_leaves_no_mean():
    told = [Measured(values={"score": 1.0}), Measured(values={"score": math.nan}, notes=["why"])]
    made = Record.of("mine", {}, told, [0, 1])
    assert (made.values["score"].mean, made.values["score"].std, made.notes) == (None, None, ("why",))
    assert made.values["score"].each == (1.0, None)
