"""Metrics while training: of the model that ships, each once, and never at the cost of a run."""

from __future__ import annotations

import json

import pytest

from imgen.errors import DataError
from imgen.metrics import records
from imgen.metrics.records import Chosen
from imgen.train.events import Evaluated, Finished, JsonLines, Unmeasured
from imgen.train.recording import Records
from imgen.train.signals import Stopped, StopSignals


def test_metrics_see_the_averaged_model(trainer, heard):
    made = trainer(listeners=[heard])
    made.metrics = {
        "mine": Chosen(
            lambda evaluation: {
                "weight": evaluation.model.net[0].weight.sum().item(),
                "training": evaluation.model.training,
                "pictures": len(evaluation.dataset.columns["images"]),
            },
            {},
        )
    }
    made.fit(StopSignals())
    (event,) = heard.of(Evaluated)
    assert event.values == {
        "weight": made.averaged.state_dict()["net.0.weight"].sum().item(),
        "training": False,
        "pictures": 12,
    }


@pytest.mark.parametrize("stop_at", range(8))
@pytest.mark.parametrize("killed", [False, True])
def test_metrics_of_a_run_that_was_stopped_are_neither_lost_nor_doubled(stop_at, killed, trainer, tmp_path, stopping):
    """On a beat, at a milestone and at the end; and where the process that goes on is killed between two metrics."""

    def begin(folder: str, breaks: bool = False):
        made = trainer(folder, steps=8, measure_every=3, save_every=100)
        made.milestones = {5: "five"}
        made.run.mkdir(exist_ok=True)
        made.listeners = [JsonLines(made.run / "events.jsonl"), Records(made.run, {})]

        def second(evaluation):
            if breaks:
                raise KeyboardInterrupt
            return {"weight": evaluation.model.net[0].weight.sum().item()}

        first = Chosen(lambda evaluation: {"weight": evaluation.model.net[2].weight.sum().item()}, {})
        made.metrics = {"first": first, "second": Chosen(second, {})}
        return made

    def taken(run):
        told = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
        events = [(line["step"], line["metric"], line["values"]["weight"]) for line in told if "metric" in line]
        kept = [(each.step, each.metric, each.values["weight"].value) for each in records.read(run)]
        assert events == kept
        return kept

    begin("whole").fit(StopSignals())
    whole = taken(tmp_path / "whole")
    assert [step for step, _, _ in whole] == [3, 3, 5, 5, 6, 6, 8, 8]
    cut = begin("cut")
    with pytest.raises(Stopped):
        cut.fit(stopping(cut, stop_at))
    if killed:
        with pytest.raises(KeyboardInterrupt):
            begin("cut", breaks=True).fit(StopSignals())
    begin("cut").fit(StopSignals())
    assert taken(tmp_path / "cut") == whole


def test_a_metric_that_does_not_fit_costs_no_weights(trainer, heard):
    def unfit(evaluation):
        raise DataError("depth: needs pictures with a depth")

    made = trainer(listeners=[heard])
    made.metrics = {"depth": Chosen(unfit, {}), "width": Chosen(lambda evaluation: {"pixels": 4.0}, {})}
    made.fit(StopSignals())
    assert [event for event in heard if isinstance(event, Unmeasured)] == [
        Unmeasured(8, "depth", "depth: needs pictures with a depth")
    ]
    assert any(isinstance(event, Evaluated) and event.metric == "width" for event in heard)
    assert isinstance(heard[-1], Finished) and (made.run / "model.safetensors").is_file()
