"""What a card tells of data, training, results and plugins, and what it says where a file says nothing."""

from __future__ import annotations

import json
import math

import pytest
from huggingface_hub import ModelCard

from imgen.card import card_of
from imgen.data.spec import Attribute, DataSpec
from imgen.errors import HubError, WeightsError
from imgen.metrics import Measured, records
from imgen.metrics.records import Record
from imgen.model import digest_of
from imgen.plugins import load
from imgen.train.events import Evaluated, Finished, JsonLines, Started
from imgen.train.recording import Records

FACES = DataSpec(image=(3, 8, 8), attributes=(Attribute("Smiling", ("not Smiling", "Smiling")),), people="train")


def measure(folder, *told, seeds=(0,), metric="drawn-identity", **more):
    record = Record.of(metric, {"pairs": 1000}, told, seeds)
    known = {"sha256": digest_of(folder / "model.safetensors"), "step": 4, "data": {"name": "shapes"}} | more
    records.append(folder, Record(**{**vars(record), **known}))


def test_weights_without_a_run_have_a_card_too(weights, plugins):
    card = card_of(weights("pictures of tools"), plugins)
    assert "Pictures of tools." in card and "came without a recipe" in card and "came without the recipe" in card
    assert "| steps | 4 |" in card and "11 parameters (`F32`) and 2 other numbers" in card
    assert "| `first` | 6 | 2 | 2 |" in card and "| `last` | 5 | 0 | 1 |" in card
    assert "Nothing has been measured of these weights." in card
    assert "pip install imgen imgen-mine" in card and "version `2.0`" in card
    assert "imgen info model.safetensors" in card, "its plugin is not here, so it is not known what it can do"
    assert ModelCard(card).data.pipeline_tag is None


def test_the_package_of_a_registered_model_is_the_one_that_is_here(weights, plugins):
    """A file may name any package; nobody should be told to install that."""
    card = card_of(weights(name="sddcgan", plugin="sdgan (evil 6.6)"), plugins)
    assert "evil" not in card and "\npip install imgen\n" in card


@pytest.mark.parametrize("plugin", ["mine", "mine (two words 1.0)", "mine (-e https://evil 1.0)", "mine (imgen; rm 1)"])
def test_what_is_no_package_is_not_to_be_installed(weights, plugins, plugin):
    card = card_of(weights(plugin=plugin), plugins)
    assert "pip install" not in card and "the weights name no package" in card


def test_terms_and_faces_are_told_as_far_as_they_are_known(weights, plugins):
    drawn = card_of(weights("drawn by imgen: discs; free of any rights, and nobody's face"), plugins)
    assert "Nobody is shown" in drawn and "put no limit on the use" in drawn and "Deceiving" not in drawn
    faces = card_of(weights(data=FACES), plugins)
    assert "Going by its names (Smiling), the data set shows people." in faces and "half of the people" in faces
    assert "their terms are unknown" in faces and "what annotators or programs wrote down" in faces
    assert "Telling a person's gender" in faces and "Deceiving anybody" in faces
    unknown = card_of(weights(data=DataSpec(image=(1, 8, 8), people="all")), plugins)
    assert "sorted by identity" in unknown and "Whether people are shown is not recorded." in unknown
    assert "research that is not commercial" in card_of(weights("pictures from CelebA"), plugins)


def test_results_have_their_mean_spread_seeds_counts_and_protocol(weights, plugins):
    folder = weights()
    told = [Measured(values={"auc": value}, counts={"pairs": 1000}, protocol="pairs by eye") for value in (0.5, 0.7)]
    measure(folder, *told, seeds=(3, 4))
    card = card_of(folder, plugins)
    assert "| 1 | `drawn-identity` | `auc` | 0.6000 ± 0.1414 | 2 (seeds 3, 4) | 4 | 1,000 pairs |" in card
    assert "\n1. `drawn-identity`: pairs by eye; all settings: pairs=1000; data: `shapes`" in card
    (result,) = ModelCard(card).data.eval_results
    assert result.metric_value == pytest.approx(0.6) and result.metric_type == "drawn-identity"
    assert result.metric_name == "auc of drawn-identity (pairs by eye)" and result.dataset_name == "shapes"
    assert result.metric_args["seeds"] == [3, 4] and result.metric_args["std"] == pytest.approx(0.1414, abs=1e-4)


def test_a_number_that_is_undefined_is_told_and_is_no_result(weights, plugins):
    folder = weights()
    measure(folder, Measured(values={"tar": math.nan, "far": 0.25, "small": 1.2345e-5}, notes=("too few pairs",)))
    card = card_of(folder, plugins)
    assert "| `tar` | undefined |" in card and "note: too few pairs" in card and "| `small` | 1.234e-05 |" in card
    assert [result.metric_value for result in ModelCard(card).data.eval_results] == [0.25, 1.2345e-5]
    measure(folder, *(Measured(values={"tar": value}) for value in (0.5, math.nan)), seeds=(0, 1))
    (undefined,) = (line for line in card_of(folder, plugins).splitlines() if "`tar`" in line)
    assert "| undefined | 2 (seeds 0, 1) |" in undefined, "a mean of what is undefined is none"


def test_the_newest_measurement_counts_and_other_states_do_not(weights, plugins):
    folder = weights()
    for value in (0.25, 0.75):
        measure(folder, Measured(values={"auc": value}))
    measure(folder, Measured(values={"auc": 0.125}), sha256="0" * 64)
    measure(folder, Measured(values={"auc": 0.375}), sha256="", step=2, during=True)
    card = card_of(folder, plugins)
    assert "0.7500" in card and not any(old in card for old in ("0.2500", "0.1250", "0.3750"))
    assert "holds 2 more of other states" in card


def test_measurements_on_several_data_sets_are_told_apart(weights, plugins):
    folder = weights()
    for value, size in ((0.25, 16), (0.75, 32)):
        measure(folder, Measured(values={"auc": value}), data={"name": "shapes", "size": size, "root": "/home/jane"})
    card = card_of(folder, plugins)
    assert "| 1 | `drawn-identity` | `auc` | 0.2500 |" in card and "| 2 | `drawn-identity` | `auc` | 0.7500 |" in card
    assert "\n2. `drawn-identity`" in card and "`shapes` size=32, root=ROOT" in card and "jane" not in card
    told = [(result.metric_value, result.dataset_args["size"]) for result in ModelCard(card).data.eval_results]
    assert told == [(0.25, "16"), (0.75, "32")]


def test_what_a_run_measures_in_the_end_is_in_its_card(weights, plugins):
    folder = weights()
    record = Record(**{**vars(Record.of("fid", {}, [Measured(values={"fid": 12.5})], [0])), "step": 4})
    Records(folder, {"name": "shapes"})(Evaluated(4, "fid", {"fid": 12.5}, record))
    assert "| 1 | `fid` | `fid` | 12.5000 | 1 (seed 0) | 4 |" in card_of(folder, plugins)


def test_time_is_told_as_far_as_it_is_known(weights, plugins):
    folder = weights()
    lines = JsonLines(folder / "events.jsonl")
    lines(Started(0, 4, "A GPU"))
    lines(Finished(4, folder / "model.safetensors", 7200.0))
    card = card_of(folder, plugins)
    assert "| hardware | A GPU |" in card and "| time | 2.0 h |" in card and "memory" not in card
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"event": "started", "time": "2026-01-01T00:00:00+00:00", "device": "cpu", "step": 4}\n')
        file.write('{"event": "logged", "time": "2026-01-01T01:00:00+00:00", "memory": 1610612736}\n{"event": "fini')
    (folder / "checkpoints/step-00000004").mkdir(parents=True)
    (folder / "checkpoints/step-00000004/state.json").write_text('{"world": 2}')
    card = card_of(folder, plugins)
    assert "| hardware | A GPU, cpu, 2 processes with one each |" in card and "| 1.5 GiB |" in card
    assert "| time | at least 3.0 h, in 2 sessions |" in card


def test_a_published_card_names_its_repository(weights, plugins):
    folder = weights()
    card = card_of(folder, plugins, repo="user/a-name@v1", sheets=["sheets/preview.png", "sheets/more.png"])
    assert "\n# a-name\n" in card and "imgen info user/a-name@v1" in card and "(sheets/more.png)" in card
    assert card.index("(sheets/preview.png)") < card.index("## Use") and "`sheets/more.png`" in card
    with pytest.raises(HubError):
        card_of(folder, plugins, repo="no name")
    with pytest.raises(WeightsError, match="no such file"):
        card_of(folder / "nowhere", plugins)


def test_a_run_that_was_resumed_by_its_folder_has_the_recipes_title(weights, plugins):
    assert "\n# quickstart\n" in card_of(weights(origin={"recipe": "quickstart-0012"}), plugins)
    assert "\n# mine-2024\n" in card_of(weights(origin={"recipe": "mine-2024"}), plugins)


def test_another_file_of_weights_can_be_told_of(weights, plugins):
    folder = weights("the one that ships")
    (folder / "model.safetensors").rename(folder / "former.safetensors")
    weights("the other")
    card = card_of(folder, plugins, weights=folder / "former.safetensors")
    assert "The one that ships." in card and "imgen info former.safetensors" in card


def test_files_that_are_broken_are_left_out(weights, plugins):
    folder = weights()
    whole = card_of(folder, plugins)
    (folder / "recipe.yaml").write_text("algorithm: [")
    (folder / "events.jsonl").write_text('{\n[1]\n{"event": 3}\n{"event": "started"}\nnot json\n' + "[" * 10_000)
    lines = ['{"schema": "imgen.metric/1"}', "[]", json.dumps({**json.loads(_line()), "counts": 3}), "{"]
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    card = card_of(folder, plugins)
    assert card.split("## Results")[1].split("## Files")[0] == whole.split("## Results")[1].split("## Files")[0]
    (folder / "recipe.yaml").write_text("algorithm: {name: 3}\ndataset: {name: [1]}\ntrain: {steps: x, batch: {}}\n")
    card = card_of(folder, plugins)
    assert "## Train it again" in card and "| steps | 4 |" in card


def _line() -> str:
    return json.dumps(Record.of("fid", {}, [Measured(values={"fid": 1.0})], [0]).to_json() | {"step": 4})


def test_a_model_that_cannot_be_built_has_a_card(weights, write_plugin):
    """Its plugin is of another version, say, and trips over the settings."""
    source = """\
        from imgen.hookspecs import hookimpl


        def made(data):
            '''A model.'''
            raise KeyError("size")


        @hookimpl
        def register_models(register):
            register(made, name="made")
    """
    card = card_of(weights(), load([write_plugin("mine", source, package="imgen-mine", version="3.0")]))
    assert "pip install imgen imgen-mine" in card and "imgen info model.safetensors" in card
