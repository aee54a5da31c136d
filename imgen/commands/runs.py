"""`imgen runs`: which runs there are, how far they are, and what was measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgen.commands.options import as_json, give, say
from imgen.commands.show import table
from imgen.metrics import number

if TYPE_CHECKING:
    from imgen.evaluating.comparing import Summary
    from imgen.metrics.records import Record, Value

_COLUMNS = 5  # of numbers, where nobody says which
_SETTINGS = 4  # that differ


@click.command()
@click.argument("paths", metavar="[RUN|FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-m",
    "--metric",
    "metrics",
    metavar="NAME[/VALUE]",
    multiple=True,
    help="Numbers to show: of a metric, a family of them, or a pattern. Default: the first of each metric.",
)
@click.option("--sort", metavar="NAME[/VALUE]", help="Order runs by this number, the largest first.")
@click.option(
    "--plot", metavar="FILE.png", type=click.Path(path_type=Path), help="Draw one number over training, a line a run."
)
@as_json
def runs(paths: tuple[Path, ...], **options: Any) -> None:
    """List and compare runs.

    Shown are their state, the settings in which they differ, and what was measured of them. Numbers are read from
    the metrics.jsonl of each run: of its furthest state that was measured, the mean over seeds and, of several, the
    standard deviation. With one RUN all of its numbers are listed. A FOLDER is searched for runs; the default is
    runs/.
    """
    from imgen.evaluating import comparing
    from imgen.train.run import ROOT

    found = comparing.summaries(paths or [ROOT])
    chosen = comparing.columns(options["metrics"], found)
    if options["sort"]:
        key = comparing.columns([options["sort"]], found)[0]
        found = sorted(found, key=lambda each: _mean(each, key), reverse=True)
    if options["plot"]:
        _plot(found, chosen, options["plot"])
    if options["as_json"]:
        give([_as_object(each) for each in found])
    elif len(paths) == 1 and len(found) == 1 and not options["metrics"]:
        _detail(found[0])
    else:
        _compare(found, chosen, bool(options["metrics"]))


def _compare(found: Sequence[Summary], chosen: Sequence[str], asked: bool) -> None:
    from imgen.evaluating.comparing import differing

    shown = chosen if asked else chosen[:_COLUMNS]
    settings = differing(found)[:_SETTINGS] if len(found) > 1 else []
    rows = [
        [
            str(each.path),
            each.algorithm,
            f"{each.step:,} of {each.steps:,}",
            each.state,
            "" if each.seed is None else str(each.seed),
            *(str(each.settings.get(key, "")) for key in settings if key != "algorithm.name"),
            *(_cell(each, key) for key in shown),
        ]
        for each in found
    ]
    heads = [key.removeprefix("algorithm.") for key in settings if key != "algorithm.name"]
    table(["run", "algorithm", "step", "state", "seed", *heads, *shown], rows)
    for metric in dict.fromkeys(key.partition("/")[0] for key in shown):
        _warn(metric, [(each, record) for each in found for record in _last(each, metric)])
    if len(shown) < len(chosen):
        say(f"{len(chosen) - len(shown)} more metrics were taken; --metric chooses, --json tells all")


def _detail(run: Summary) -> None:
    say(f"{run.path}: {run.algorithm}, step {run.step:,} of {run.steps:,}, {run.state}")
    if not run.records:
        say("nothing was measured of it yet; `imgen evaluate` does")
    rows = [
        [
            record.metric,
            name,
            number(value.mean),
            f"{value.std:.2g}" if value.std is not None else "",
            str(len(value.each)) if len(value.each) > 1 else "",
            "" if record.step is None else f"{record.step:,}",
            record.time,
        ]
        for record, name, value in ((r, key.partition("/")[2], v) for key, (r, v) in run.latest().items())
    ]
    table(["metric", "value of", "value", "std", "seeds", "step", "taken"], rows)
    for metric in dict.fromkeys(record.metric for record in run.records):
        _warn(metric, [(run, record) for record in _last(run, metric)])


def _last(run: Summary, metric: str) -> list[Record]:
    """The records of a metric that the table has numbers of."""
    latest = [record for record, _ in run.latest().values() if record.metric == metric]
    return list({id(record): record for record in latest}.values())


def _warn(metric: str, taken: Sequence[tuple[Summary, Record]]) -> None:
    """Say why numbers that stand side by side do not compare."""
    from imgen.evaluating.comparing import unlike

    differs = unlike(taken)
    if differs:
        say(f"{metric}: not all of it is measured alike: {differs}")


def _plot(found: Sequence[Summary], chosen: Sequence[str], path: Path) -> None:
    from imgen.charts import lines
    from imgen.images import save_png

    if len(chosen) != 1:
        raise click.UsageError(
            f"--plot draws one number; choose it with --metric NAME/VALUE, among {', '.join(chosen[:8]) or 'none'}"
        )
    if path.suffix.lower() != ".png":
        raise click.UsageError(f"--plot {path}: give a file that ends in .png")
    (key,) = chosen
    series = {
        str(each.path): [_point(step, value) for step, value in each.curve(key) if value.mean is not None]
        for each in found
    }
    series = {name: points for name, points in series.items() if points}
    if not series:
        raise click.UsageError(f"--plot: none of these runs knows at which steps {key} was taken")
    metric, _, name = key.partition("/")
    save_png(lines(series, title=metric, x_label="step", y_label=name), path)
    _warn(metric, [(each, record) for each in found for _, record in each.course(key)])
    say(f"{path}: {key} of {len(series)} run{'' if len(series) == 1 else 's'}")


def _point(step: int, value: Value) -> Any:
    assert value.mean is not None
    if value.std is None:
        return step, value.mean
    return step, value.mean, value.mean - value.std, value.mean + value.std


def _as_object(run: Summary) -> dict[str, Any]:
    return {
        "run": str(run.path),
        "algorithm": run.algorithm,
        "state": run.state,
        "step": run.step,
        "steps": run.steps,
        "settings": dict(run.settings),
        "records": [record.to_json() for record in run.records],
    }


def _cell(run: Summary, key: str) -> str:
    found = run.latest().get(key)
    if not found:
        return ""
    value = found[1]
    return number(value.mean) + (f" ± {value.std:.2g}" if value.std is not None else "")


def _mean(run: Summary, key: str) -> float:
    found = run.latest().get(key)
    return found[1].mean if found and found[1].mean is not None else float("-inf")
