"""`imgen evaluate`: numbers for a trained model, or for codes in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgen.commands.options import as_json, device, find_weights, give, pick_device, say
from imgen.commands.show import table
from imgen.errors import DataError
from imgen.hub.reference import origin_of
from imgen.metrics import number

if TYPE_CHECKING:
    from imgen.evaluating.choosing import Choices
    from imgen.evaluating.subject import Subject
    from imgen.metrics.records import Record, Value
    from imgen.plugins import Plugins
    from imgen.recipe import Part

_ARRAYS = (".npz", ".npy")


@click.command()
@click.argument("model", metavar="[MODEL|CODES]", required=False)
@click.option(
    "-m",
    "--metric",
    "metrics",
    metavar="NAME,...",
    multiple=True,
    help="A metric; a family of them, such as mig; a pattern; or all. Default: those of the run's recipe.",
)
@click.option("--protocol", metavar="NAME", help="Of a family, those of this protocol alone.")
@click.option(
    "-s", "--set", "settings", metavar="[METRIC.]KEY=VALUE", multiple=True, help="Change a setting of the metrics."
)
@click.option("--dataset", metavar="NAME", help="Measure with this data set instead of the run's own.")
@click.option("-d", "--data", "data", metavar="KEY=VALUE", multiple=True, help="Change a setting of the data set.")
@click.option("--factors", metavar="FILE", type=click.Path(path_type=Path), help="What the things of CODES show.")
@click.option(
    "--repeat", metavar="N", type=click.IntRange(1, 1000), default=1, help="Measure with N seeds in turn; default 1."
)
@click.option("--seed", metavar="N", type=click.IntRange(0), help="The first seed; default: the run's.")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append the records here; default: metrics.jsonl of the run, and nowhere for what is of no run.",
)
@device
@as_json
@click.pass_obj
def evaluate(found: Plugins, model: str | None, **options: Any) -> int:
    """Measure a trained model, and keep what was measured.

    MODEL is a run folder, RUN@NAME, RUN@STEP or a model.safetensors; left out, it is the newest run. It is measured
    with the data set and the seed of its run, so that the numbers of training come out again. CODES is an .npz or
    .npy file of codes, one row for each thing, and --factors says what the things show.

    With --repeat the table shows the mean and the standard deviation over seeds. A metric that is named and does not
    fit makes the exit status 2; what else was asked for is measured all the same.
    """
    if model and Path(model).suffix.lower() in _ARRAYS:
        subject, choices = _codes(Path(model), options), _choices(options, (), found)
    else:
        if options["factors"]:
            raise click.UsageError("--factors goes with a file of CODES; the data set of a MODEL knows its own")
        weights = find_weights(model, lambda config, path: True, "has weights")
        subject, choices = _model(weights, options, found)
    # The cache of the Hub is no place to write to.
    out = options["out"] or (subject.run / "metrics.jsonl" if subject.run and not origin_of(subject.run) else None)
    return _measure(subject, choices, out, options, found)


def _codes(codes: Path, options: dict[str, Any]) -> Subject:
    from imgen.evaluating import subject

    if options["factors"] is None:
        raise click.UsageError(f"{codes}: what do its codes stand for? Give --factors FILE")
    for name in ("dataset", "data"):
        if options[name]:
            raise click.UsageError(f"--{name} goes with a MODEL; codes come with --factors")
    return subject.of_codes(codes, options["factors"], pick_device(options["device"]))


def _model(weights: Path, options: dict[str, Any], found: Plugins) -> tuple[Subject, Choices]:
    from imgen.evaluating import subject
    from imgen.model import read_config
    from imgen.train.run import run_of

    run = run_of(weights)
    recipe = subject.recipe_of(run, found) if run else None
    # Before anything is built: what is misspelt should be told at once.
    choices = _choices(options, recipe.metrics if recipe else (), found)
    read_config(weights)
    data = subject.data_for(run, options["dataset"], _settings(options["data"]), found)
    return subject.of_weights(weights, data, recipe, pick_device(options["device"]), found), choices


def _choices(options: dict[str, Any], recipe: Sequence[Part], found: Plugins) -> Choices:
    from imgen.evaluating.choosing import choose

    words = [word.strip() for text in options["metrics"] for word in text.split(",") if word.strip()]
    return choose(words, options["protocol"], options["settings"], recipe, found)


def _settings(texts: Sequence[str]) -> dict[str, Any]:
    from imgen.yaml_lines import scalar

    given = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise click.UsageError(f"-d {text}: write it as -d KEY=VALUE, such as -d root=FOLDER")
        given[key.strip().removeprefix("dataset.").replace("-", "_")] = scalar(value)
    return given


def _measure(subject: Subject, choices: Choices, out: Path | None, options: dict[str, Any], found: Plugins) -> int:
    from imgen.evaluating.engine import Unfit, take
    from imgen.metrics.records import append_to, check_writable

    first = subject.seed if options["seed"] is None else options["seed"]
    seeds = range(first, first + options["repeat"])
    if out:
        check_writable(out)
    unmeasured, wrong, records = dict(choices.left_out), [], []
    for told in take(subject, choices.chosen, seeds, found, say):
        if isinstance(told, Unfit):
            unmeasured[told.choice.part.name] = told.reason
            wrong += [told.choice.part.name] if told.choice.named else []
        else:
            if out:
                append_to(out, told)
            records.append(told)
    if not records and not wrong:
        raise DataError(
            "none of these metrics fits: " + "; ".join(f"{name}: {why}" for name, why in unmeasured.items())
        )
    _tell(records, unmeasured, wrong, out, options)
    return 2 if wrong else 0


def _tell(
    records: Sequence[Record], unmeasured: dict[str, str], wrong: list[str], out: Path | None, options: dict[str, Any]
) -> None:
    if options["as_json"]:
        told = [record.to_json() for record in records]
        give({"records": told, "unmeasured": unmeasured, "file": str(out) if out and records else None})
    else:
        rows = [
            # Counts are those of all rows of a metric: once is enough.
            [record.metric, name, *_cells(value), "" if place else _counts(record)]
            for record in records
            for place, (name, value) in enumerate(record.values.items())
        ]
        table(["metric", "value of", "value", "std", "seeds", "measured on"], rows)
    for record in records:
        for note in record.notes:
            say(f"{record.metric}: {note}")
    for name, reason in unmeasured.items():
        say(f"imgen: {name}: {reason}" if name in wrong else f"{name}: not measured: {reason}")


def _cells(value: Value) -> list[str]:
    """The mean, and of several seeds the standard deviation and their number."""
    several = len(value.each) > 1
    spread = f"{value.std:.2g}" if value.std is not None else ""
    return [number(value.mean), spread, str(len(value.each)) if several else ""]


def _counts(record: Record) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in record.counts.items())
