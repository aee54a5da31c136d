"""What a run tells: JSON lines, the console, TensorBoard."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from imgen.train.events import Evaluated, Finished, JsonLines, Logged, Previewed, Saved, Started
from imgen.train.listeners import Console, TensorBoard

SHEET = Image.new("RGB", (4, 4))


def logged(step: int, value: float = 0.5, wait: float = 0.01, remedy: str = "pack them") -> Logged:
    return Logged(step, {"judge/d": value}, rate=100.0, left=3.0, memory=0, wait=wait, remedy=remedy)


def every(folder: Path) -> list:
    return [
        Started(0, 4, "cpu"),
        logged(2),
        Previewed(2, folder / "previews/step-00000002.png", SHEET),
        Saved(2, folder / "checkpoints/step-00000002"),
        logged(4),
        Saved(4, folder / "checkpoints/step-00000004"),
        Evaluated(4, "drawn-identity", {"auc": 0.75}),
        Finished(4, folder / "model.safetensors", 1.5),
    ]


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_event_is_a_line(tmp_path):
    listener = JsonLines(tmp_path / "events.jsonl")
    for event in every(tmp_path):
        listener(event)
    told = read(tmp_path / "events.jsonl")
    assert [line["event"] for line in told] == [
        *("started", "logged", "previewed", "saved", "logged", "saved", "evaluated", "finished")
    ]
    assert told[1]["values"] == {"judge/d": 0.5} and told[1]["step"] == 2
    assert told[1]["wait"] == 0.01 and "remedy" not in told[1]
    assert told[3]["path"] == "checkpoints/step-00000002"
    assert str(tmp_path) not in (tmp_path / "events.jsonl").read_text(), "paths are relative to the run"
    assert all(line["time"].endswith("+00:00") for line in told)


def test_a_value_that_is_no_number_is_null(tmp_path):
    JsonLines(tmp_path / "e.jsonl")(logged(1, float("nan")))
    assert read(tmp_path / "e.jsonl")[0]["values"] == {"judge/d": None}


def test_a_resumed_run_keeps_one_history(tmp_path):
    listener = JsonLines(tmp_path / "events.jsonl")
    for event in (Started(0, 9, "cpu"), logged(2), logged(4), logged(6)):
        listener(event)
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "logged", "st')  # a kill cut it off
    JsonLines(tmp_path / "events.jsonl")(Started(4, 9, "cpu"))
    assert [(line["event"], line["step"]) for line in read(tmp_path / "events.jsonl")] == [
        *(("started", 0), ("logged", 2), ("logged", 4), ("started", 4))
    ]


def test_the_console_tells_progress_on_standard_error(tmp_path, capsys):
    console = Console()
    for event in every(tmp_path):
        console(event)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "training from step 0 of 4 on cpu"
    assert lines[1] == "step 2: 100 images/s  0:00:03 left  judge/d 0.5"
    assert "step 2: saved" in lines
    assert "drawn-identity: auc 0.75" in lines
    console(Started(2, 4, "cpu"))
    assert capsys.readouterr().err == "resuming at step 2 of 4 on cpu\n"


def test_a_long_wait_for_pictures_is_shown_and_its_remedy_told_once(capsys):
    console = Console()
    for step, wait in enumerate((0.6, 0.01, 0.3, 0.021, 0.5, 0.0, 0.2, 0.2)):
        console(logged(step, wait=wait))
    lines = capsys.readouterr().err.splitlines()
    shown = [line.partition("judge/d 0.5")[2] for line in lines]
    waits = ["60 %", "", "30 %", "2 %", "", "50 %", "", "20 %", "20 %"]
    assert shown == [f"  {wait} waiting for pictures" if wait else "" for wait in waits]
    assert lines[4] == "training waits for its pictures: pack them", "not at the first, which every run has"
    for step in range(3):
        console(logged(step, wait=0.3, remedy=""))
    Console()(logged(1, wait=0.3))
    assert "training waits" not in capsys.readouterr().err


def test_a_quiet_console_says_nothing(tmp_path, capsys):
    console = Console(quiet=True)
    for event in every(tmp_path):
        console(event)
    with console.decoding():
        pass
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    """Text written to a terminal."""

    def isatty(self):
        return True


def test_a_bar_in_a_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    with Console() as console:
        for event in every(tmp_path)[:-1]:
            console(event)
        console.say("a [line] of its own")
    assert "a [line] of its own" in terminal.getvalue()
    assert "4/4" in terminal.getvalue() and "judge/d 0.5" in terminal.getvalue()


def test_tensorboard_gets_scalars_and_sheets(tmp_path):
    listener = TensorBoard(tmp_path / "tensorboard")
    for event in every(tmp_path):
        listener(event)
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert {"judge/d", "images_per_second", "data_wait", "drawn-identity/auc"} <= set(board.Tags()["scalars"])
    assert board.Tags()["images"] == ["preview"]
    assert [scalar.step for scalar in board.Scalars("judge/d")] == [2, 4]


def test_tensorboard_takes_grey_sheets(tmp_path):
    listener = TensorBoard(tmp_path / "tensorboard")
    for event in (
        Started(0, 3, "cpu"),
        Previewed(3, tmp_path / "sheet.png", Image.new("L", (5, 4))),
        Finished(3, tmp_path / "model.safetensors", 1.0),
    ):
        listener(event)
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [(image.step, image.width, image.height) for image in board.Images("preview")] == [(3, 5, 4)]
