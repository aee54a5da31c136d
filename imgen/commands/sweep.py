"""`imgen sweep`: train a grid of runs, on this machine or on a cluster."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgen.commands.options import as_json, give

if TYPE_CHECKING:
    from imgen.overrides import Override
    from imgen.plugins import Plugins
    from imgen.sweeping.conduct import Seen
    from imgen.sweeping.grid import Point

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Amount(click.ParamType):
    """A number with a unit, as the number of the smallest one: `90m`, `4G`."""

    def __init__(self, name: str, units: dict[str, int], example: str) -> None:
        """units: what each stands for."""
        self.name, self.units, self.example = name, units, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the text, or fail with an example."""
        if isinstance(value, (int, float)):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([A-Za-z]?)i?B?", value.strip())
        unit = found[2] if found else ""
        unit = next((known for known in self.units if known.casefold() == unit.casefold()), None)
        if not found or unit is None or not float(found[1]):
            self.fail(f"'{value}' is no such amount; write it as {self.example}", param, ctx)
        return float(found[1]) * self.units[unit]


DURATION = Amount("duration", _SECONDS, "90, 30m or 2h")
SIZE = Amount("size", _BYTES, "500M or 4G")


@click.command(short_help="Train a grid of runs, here or on a cluster.")
@click.argument("recipe", metavar="RECIPE")
@click.option(
    "--grid",
    "axes",
    metavar="KEY=A,B",
    multiple=True,
    help="Values of a setting; several are crossed. [A,B] is one value.",
)
@click.option(
    "--grids",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="YAML: a list of grids {KEY: [A, B], ...}, all of them; each is crossed with --grid and --seeds.",
)
@click.option("--seeds", metavar="N|LIST", help="10 for 0 to 9; 3,5,8 or 20-29 for those. Default: the recipe's own.")
@click.option("-s", "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Change a setting of every run.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Default runs/sweeps/RECIPE.")
@click.option(
    "--address", metavar="A", help="Join a Ray cluster: auto, HOST:PORT or ray://HOST:PORT. Default: start one."
)
@click.option(
    "--gpus-per-run",
    metavar="G",
    type=click.FloatRange(0, 1024),
    help="Parts such as 0.25 share a GPU; 2 and more train together. Default 1 where there are GPUs, else 0.",
)
@click.option(
    "--cpus-per-run",
    metavar="C",
    type=click.FloatRange(0, 4096, min_open=True),
    default=1.0,
    help="Cores, and so threads that compute, of a run; default 1.",
)
@click.option(
    "--memory-per-run", metavar="SIZE", type=SIZE, help="Main memory that a run is given room for, such as 4G."
)
@click.option(
    "--seeds-per-process",
    metavar="N",
    type=click.IntRange(1, 256),
    default=1,
    help="Runs that differ in their seeds alone share a process, its cores and its GPU, up to N of them; default 1.",
)
@click.option(
    "--max-parallel", metavar="N", type=click.IntRange(1), help="Processes at once; default as many as have room."
)
@click.option(
    "--retries", metavar="N", type=click.IntRange(0), default=2, help="Starts anew after a crash or a kill; default 2."
)
@click.option(
    "--timeout", metavar="T", type=DURATION, help="Longest time of one process, such as 90m; it saves, and failed."
)
@click.option(
    "--grace", metavar="T", type=DURATION, default=60.0, help="Time to save in when runs are ended; default 60."
)
@click.option(
    "--env", "variables", metavar="NAME=VALUE", multiple=True, help="A variable of the environment of every run."
)
@click.option("--skip-failed", is_flag=True, help="Leave runs that failed before as they are.")
@click.option("--dry-run", is_flag=True, help="List the runs, how far they are and what would be done.")
@as_json
@click.pass_obj
def sweep(found: Plugins, recipe: str, dry_run: bool, as_json: bool, **options: Any) -> int:
    """Train a run for each combination of the values of some settings, and for each seed.

    \b
      imgen sweep quickstart --grid algorithm.lr_g=1e-3,5e-4 --grid train.batch=16,32 --seeds 5

    The same command again goes on: complete runs are left alone, others resume from their checkpoints. Other grids or
    seeds of the same recipe add runs. Each run is a folder below --out that every command takes; its process's words
    are in logs/, and sweep.json says what the sweep is. On a cluster, --out lies on a disk that all machines share, and
    imgen is installed on each.

    With --seeds-per-process, small models share a GPU: the runs of a process take their steps in turn, each as it would
    alone (on a CPU, bit for bit), with its own folder and log. A CPU is used better by a process for each run.

    A run that crashes, is killed or ends with status 75 is started again; one that is refused (status 2), diverges or
    takes longer than --timeout is not. Ctrl-C lets the runs save and ends the sweep. The exit status is 0 when all runs
    are complete, 1 when some failed.
    """
    from imgen.sweeping import conduct, folder, groups, states

    points, out, described = _planned(recipe, options, found)
    groups.check(points, options["seeds_per_process"])
    places = folder.Places(out)
    journal = states.journal(places)
    seen = {point.name: conduct.Seen(point.name, states.read(places, point, journal)) for point in points}
    todo = [point for point in points if _is_due(seen[point.name], options["skip_failed"])]
    if dry_run:
        from imgen.commands.sweep_shown import list_runs

        list_runs(places, points, seen, groups.processes(todo, options["seeds_per_process"]), as_json)
        return 0
    ended: Exception | None = None
    if todo:
        ended = _work(out, points, todo, seen, described, options, as_json)
    from imgen.commands.sweep_shown import as_object, tell

    failed = [each for each in seen.values() if each.state.state == states.FAILED]
    if as_json:
        give(as_object(places, points, seen))
    else:
        tell(places, list(seen.values()))
    if ended:
        raise ended
    if not as_json:
        click.echo(out)
    return 1 if failed else 0


def _planned(reference: str, options: dict[str, Any], found: Plugins) -> tuple[list[Point], Path, dict[str, Any]]:
    """The runs, the folder, and what to write about the sweep; nothing is written yet."""
    from imgen import recipe as recipes
    from imgen.errors import RecipeError
    from imgen.sweeping import axes, folder, grid

    path = recipes.find(reference, found)
    settings = _settings(options["settings"])
    problems: list[str] = []

    def asked(read: Any, given: Any) -> Any:
        try:
            return read(given)
        except RecipeError as error:
            problems.extend(str(error).splitlines())
            return None

    crossed = [asked(axes.axis, text) for text in options["axes"]]
    listed = asked(axes.grids_of, options["grids"]) if options["grids"] else [[]]
    seeds = asked(axes.seeds, options["seeds"]) if options["seeds"] is not None else ()
    if problems:
        raise RecipeError("\n".join(problems))
    _check_terms(options)
    draft = recipes.Draft.read(path, found)
    draft.apply(settings)
    out = options["out"] or folder.ROOT / draft.title
    told = folder.read(out)
    grids = [[*crossed, *each] for each in listed]
    points = grid.points(path, found, grids=grids, seeds=seeds, settings=settings, known=folder.names(told))
    if told:
        folder.refuse_changes(out, told, draft.content)
    described = {"reference": reference, "title": draft.title, "base": draft.content, "grids": grids, "seeds": seeds}
    return points, out, described


def _check_terms(options: dict[str, Any]) -> None:
    gpus = options["gpus_per_run"]
    if gpus and gpus > 1 and gpus != int(gpus):
        raise click.UsageError(f"--gpus-per-run {gpus:g}: a part of one GPU, such as 0.25, or a whole number")
    if gpus and gpus > 1 and options["seeds_per_process"] > 1:
        raise click.UsageError(
            f"--seeds-per-process {options['seeds_per_process']}: the runs of a process share one GPU, so "
            f"--gpus-per-run cannot be {gpus:g}; give 1 or a part"
        )
    for text in options["variables"]:
        if not re.match(r"[A-Za-z_]\w*=", text):
            raise click.UsageError(f"--env {text}: write it as --env NAME=VALUE")


def _settings(texts: tuple[str, ...]) -> list[Override]:
    from imgen.overrides import Override

    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise click.UsageError(f"-s {text}: write it as -s KEY=VALUE, such as -s train.steps=1000")
    parts = [text.partition("=") for text in texts]
    return [Override(key.strip(), value, f"-s {key}={value}") for key, _, value in parts]


def _is_due(seen: Seen, skip_failed: bool) -> bool:
    from imgen.sweeping import states

    return seen.state.state != states.DONE and not (skip_failed and seen.state.state == states.FAILED)


def _work(
    out: Path,
    points: list[Point],
    todo: list[Point],
    seen: dict[str, Seen],
    described: dict[str, Any],
    options: dict[str, Any],
    as_json: bool,
) -> Exception | None:
    """Train; gives the error that ended it before its end, once all is in order."""
    from imgen.commands.sweep_shown import Shown
    from imgen.errors import ImgenError
    from imgen.sweeping import conduct, folder
    from imgen.sweeping.pool import Pool

    shown = Shown(quiet=as_json)
    terms = conduct.Terms(
        cpus=options["cpus_per_run"],
        together=options["seeds_per_process"],
        retries=options["retries"],
        timeout=options["timeout"],
        grace=options["grace"],
        most=options["max_parallel"],
        environment=dict(text.partition("=")[::2] for text in options["variables"]),
    )
    memory = int(options["memory_per_run"]) if options["memory_per_run"] else None
    asked = conduct.Asked(shown.say)
    with asked.heard():
        where = options["address"] or "this machine"
        shown.say(f"sweep {out}: {len(todo):,} of {len(points):,} runs to train on {where}")
        with (
            folder.held(out),
            Pool(options["address"], cpus=terms.cpus, gpus=options["gpus_per_run"], memory=memory) as pool,
        ):
            with asked.patiently(), shown:
                folder.write(out, folder.read(out), points=points, **described)
                conductor = conduct.Conductor(folder.Places(out), todo, seen, terms, told=shown, say=shown.say)
                try:
                    conductor.work(pool, asked)
                except ImgenError as error:
                    return error
            if asked.word:
                return asked.end(f"the same command goes on with {out}")
    return None
