"""`imgen select`: which of several trained models to take, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgen.commands import candidates
from imgen.commands.options import as_json, device, give, pick_device, say
from imgen.commands.progress import progress_of
from imgen.commands.show import table
from imgen.metrics import number

if TYPE_CHECKING:
    from imgen.commands.candidates import Candidate
    from imgen.evaluating.comparing import Summary
    from imgen.plugins import Plugins
    from imgen.selecting.ranking import Ranking

_PICTURES = 10_000
_SETTINGS = 4  # that differ
_METRICS = 4


@click.command()
@click.argument("words", metavar="RUNS...", nargs=-1, required=True)
@click.option(
    "--method",
    type=click.Choice(["model-centrality", "udr-lasso", "udr-spearman"]),
    default="model-centrality",
    help="How models are compared; default model-centrality.",
)
@click.option("--groups", metavar="N", type=click.IntRange(1), help="Groups for each code; default 100.")
@click.option("--group-size", metavar="N", type=click.IntRange(2), help="Pictures in a group; default 100.")
@click.option(
    "--free",
    metavar="N",
    type=click.IntRange(2),
    help="Pictures from which the codes' ranges are taken; default: a tenth of the data set where its size is known, "
    "at least 1000, and else 20000.",
)
@click.option(
    "--pictures", metavar="N", type=click.IntRange(2), help="Pictures that UDR compares codes of; default 10000."
)
@click.option("--seed", metavar="N", type=click.IntRange(0), default=0, help="What all draws follow from; default 0.")
@click.option("--batch", metavar="N", type=click.IntRange(1), default=256, help="Pictures in a pass; default 256.")
@click.option(
    "--out",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="A .png for a map of who agrees with whom, or a folder for that (heat.png) and all figures (select.json).",
)
@click.option(
    "--best-link",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Let a symbolic link lead to the best one, as runs/best: a MODEL for any command.",
)
@device
@as_json
@click.pass_obj
def select(found: Plugins, words: tuple[str, ...], **options: Any) -> None:
    """Rank trained models without labels.

    The better they agree with the others, the higher they stand. RUNS are two or more run folders, weights files,
    RUN@NAME, or folders, with all finished runs in them. They make pictures from codes and read codes from
    pictures, of one shape.

    model-centrality: every encoder is to tell which code the groups of every generator's pictures share (FactorVAE's
    score; 1 is best). A model's score is the mean over all others, both ways. Models that found the same factors agree;
    those that failed do so in ways of their own. udr: how far codes that models read from the same pictures, of their
    common data set or else of their own making, explain one another one by one; the median over all others.

    What was measured with labels before is shown beside, and never used. The same seed gives the same scores, in
    whichever order models are given and whatever the batch, but for what other batches round otherwise.
    """
    from imgen.selecting import best

    _check(options)
    place = pick_device(options["device"])
    if options["best_link"]:
        best.check(options["best_link"])
    chosen = candidates.sound(candidates.gather(words, found), found, place)
    with progress_of("encoded"):
        told = _ranked(chosen, place, options, found)
    if len({repr(each.config.data.to_json()) for each in chosen}) > 1:
        told = replace(told, notes=[*told.notes, "models were trained on different data"])
    known = [candidates.summary_of(each) for each in chosen]
    told_all = {**told.to_json(), "models": _models(told, chosen, known)}
    paths = _write(told, told_all, options["out"])
    winner = chosen[told.order[0]]
    if options["best_link"]:
        best.point(options["best_link"], winner.target)
    linked = {"best_link": str(options["best_link"])} if options["best_link"] else {}
    if options["as_json"]:
        give({**told_all, **linked, "paths": [str(path) for path in paths]})
        return
    _show(told, chosen, known)
    if linked:
        say(f"{options['best_link']} leads to {winner.target}")
    for path in paths:
        click.echo(path)


def _check(options: dict[str, Any]) -> None:
    udr = options["method"] != "model-centrality"
    for name in ("groups", "group_size", "free") if udr else ("pictures",):
        if options[name] is not None:
            meant = "model-centrality" if udr else "udr-lasso or udr-spearman"
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --method {meant}")
    out: Path | None = options["out"]
    if out and out.suffix and out.suffix.lower() != ".png" and not out.is_dir():
        raise click.UsageError(f"--out {out}: give a file that ends in .png, or a folder")
    if out and out.is_file() and out.suffix.lower() != ".png":
        raise click.UsageError(f"--out {out}: is a file; give one that ends in .png, or a folder")


def _ranked(chosen: Sequence[Candidate], place: str, options: dict[str, Any], found: Plugins) -> Ranking:
    import torch

    from imgen.build import load_model
    from imgen.selecting import common, ranking
    from imgen.selecting.centrality import GROUPS, SIZE, Plan, free_of
    from imgen.selecting.reading import Work
    from imgen.selecting.shelf import Shelf

    names = [each.name for each in chosen]
    models = Shelf([each.weights for each in chosen], lambda file: load_model(file, found, place)[0])
    data, device, seed, batch = chosen[0].config.data, torch.device(place), options["seed"], options["batch"]
    if options["method"] == "model-centrality":
        free = options["free"] or free_of([each.config.data for each in chosen])
        plan = Plan(options["groups"] or GROUPS, options["group_size"] or SIZE, free, seed, batch)
        return ranking.by_centrality(names, models, data.image, plan, device)
    count = options["pictures"] or _PICTURES
    work = Work(device, seed, batch, count * len(chosen))
    dataset, reason = common.shared_data([each.run for each in chosen], data.image, found)
    parts = common.of_data(dataset, count, work) if dataset else common.of_models(models, count, work)
    whose = "pictures are those of the runs' data" if dataset else f"pictures are made by the models, as {reason}"
    return ranking.by_udr(names, models, parts, data.image, options["method"], work, [whose])


def _models(told: Ranking, chosen: Sequence[Candidate], known: Sequence[Summary]) -> list[dict[str, Any]]:
    """What is known of every model, best first."""
    return [
        {
            "rank": rank,
            "name": told.names[place],
            "score": float(told.scores[place]),
            **{name: values[place] for name, values in told.each.items()},
            "run": str(chosen[place].run) if chosen[place].run else None,
            "weights": str(chosen[place].weights),
            "algorithm": known[place].algorithm,
            "seed": known[place].seed,
            "step": chosen[place].config.origin.get("step"),
            "settings": dict(known[place].settings),
            "measured": {key: value.mean for key, (_, value) in known[place].latest().items()},
        }
        for rank, place in enumerate(told.order, 1)
    ]


def _show(told: Ranking, chosen: Sequence[Candidate], known: Sequence[Summary]) -> None:
    """The ranking as a table, with what tells the models apart, and what was measured of them."""
    from imgen.evaluating.comparing import columns, differing

    settings = [key for key in differing(known) if key != "algorithm.name"]
    measured = columns((), known)
    rows = []
    for rank, place in enumerate(told.order, 1):
        each, latest = known[place], known[place].latest()
        rows.append(
            [
                str(rank),
                told.names[place],
                f"{told.scores[place]:.3f}",
                *(_short(values[place]) for values in told.each.values()),
                each.algorithm,
                "" if each.seed is None else str(each.seed),
                *(str(each.settings.get(key, "")) for key in settings[:_SETTINGS]),
                *(number(latest[key][1].mean) if key in latest else "" for key in measured[:_METRICS]),
            ]
        )
    heads = [key.partition(".")[2] for key in settings[:_SETTINGS]]
    table(["rank", "run", "score", *told.each, "algorithm", "seed", *heads, *measured[:_METRICS]], rows)
    for note in told.notes:
        say(f"note: {note}")
    if len(settings) > _SETTINGS:
        say(f"{len(settings) - _SETTINGS} more settings differ; --json tells all")


def _write(told: Ranking, told_all: dict[str, Any], out: Path | None) -> list[Path]:
    """The map and, in a folder, all figures."""
    import json

    from imgen.files import write
    from imgen.heat_map import heat_map
    from imgen.images import save_png

    if out is None:
        return []
    alone = out.suffix.lower() == ".png" and not out.is_dir()
    path = out if alone else out / "heat.png"
    order, title = told.order, f"{told.method} of {len(told.names)} models, the best first"
    names = [f"{told.names[place]}  {told.scores[place]:.3f}" for place in order]
    drawn = heat_map(
        told.pairs[order][:, order].tolist(),
        names,
        [told.names[place] for place in order],
        title=title,
        row_title=told.axes[0],
        column_title=told.axes[1],
        span=(0, 1),
    )
    save_png(drawn, path)
    if alone:
        return [path]
    write(out / "select.json", json.dumps(told_all, indent=1) + "\n")
    return [path, out / "select.json"]


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
