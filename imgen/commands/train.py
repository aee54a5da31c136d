"""`imgen train`: start a run, or take it up where it stopped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgen.commands.options import as_json, device, give, pick_device, say
from imgen.errors import ImgenError
from imgen.loading import on_the_hub

if TYPE_CHECKING:
    from imgen.build import Built
    from imgen.overrides import Override
    from imgen.plugins import Plugins
    from imgen.recipe import Draft, Recipe
    from imgen.train.listeners import Console
    from imgen.train.signals import StopSignals


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    options_metavar="[OPTIONS]",
)
@click.argument("recipe", metavar="RECIPE|RUN", required=False)
@click.option("-s", "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Change a setting of the recipe.")
@click.option(
    "--NAME", "unused", metavar="VALUE", expose_value=False, help="Short for -s where one setting has that name."
)
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="The run's folder; default runs/RECIPE-0001."
)
@click.option("--steps", metavar="N", help="Short for -s train.steps=N.")
@click.option("--seed", metavar="N", help="Short for -s train.seed=N.")
@device
@click.option("--new", is_flag=True, help="Start a new run even if an unfinished one could be resumed.")
@click.option("--profile", is_flag=True, help="Write a trace of a few steps, and a table of where they go.")
@click.option("--dry-run", is_flag=True, help="Print the resolved recipe, parameters and an estimate of memory.")
@as_json
@click.option("-h", "--help", "wants_help", is_flag=True, help="Show this, or the settings of a recipe.")
@click.argument("rest", metavar="[--NAME VALUE]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def train(ctx: click.Context, recipe: str | None, rest: tuple[str, ...], **options: Any) -> None:
    """Train what a recipe says, or resume a run.

    RECIPE is a file or a name that `imgen recipes` lists. The same command again resumes the newest unfinished run of
    the same recipe; `imgen train RUN` resumes that run. `imgen train RECIPE --help` lists the recipe's settings.
    """
    found: Plugins = ctx.obj
    if options["wants_help"]:
        return _help(ctx, recipe, found)
    if recipe is None or recipe.startswith("-"):
        raise click.UsageError("which recipe? `imgen recipes` lists those that are installed", ctx)
    if options["profile"]:
        # The library that traces would tell its beginning and end; torch reads this when it is imported.
        os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    overrides = _overrides(ctx, options, rest)
    if options["dry_run"]:
        return _dry_run(_checked(recipe, overrides, found)[0], found, options["as_json"])
    return _train(recipe, overrides, found, options)


def _train(reference: str, overrides: Sequence[Override], found: Plugins, options: dict[str, Any]) -> None:
    from imgen import dist
    from imgen.build import build
    from imgen.data.loader import share_of
    from imgen.train import run
    from imgen.train.listeners import Console
    from imgen.train.signals import StopSignals
    from imgen.train.ways import check_way

    with StopSignals() as stop:
        recipe, asked = _checked(reference, overrides, found)
        options = _joined(options, asked)
        where = dist.join(pick_device(options["device"]))
        first = dist.rank() == 0
        try:
            with Console(quiet=options["as_json"] or not first) as console:
                # Everything that can be wrong is built before a folder is made.
                check_way(recipe.train, where)
                with console.decoding():
                    built = build(recipe, found)
                recipe = built.recipe
                share_of(recipe.train.batch, dist.rank(), dist.world())
                folder, complete = _agreed_folder(reference, recipe, options, found)
                console.say(*_report(built.dataset))
                if complete:
                    say(f"{folder}: complete already; raise train.steps to train on")
                else:
                    with run.held(folder) if first else nullcontext():
                        _fit(recipe, built, found, folder, where, stop, console, options["profile"] and first)
        except RuntimeError as error:
            if not dist.is_lost(error):
                raise
            raise dist.Lost from error
        finally:
            dist.leave()
    if first:
        path = folder / "model.safetensors"
        give({"run": str(folder), "model": str(path)}) if options["as_json"] else click.echo(path)


def _fit(
    recipe: Recipe,
    built: Built,
    found: Plugins,
    folder: Path,
    where: str,
    stop: StopSignals,
    console: Console,
    profile: bool,
) -> None:
    from imgen import dist
    from imgen.train import run
    from imgen.train.listening import listeners_of
    from imgen.train.trainer import Trainer

    with console.decoding():
        trainer = Trainer(
            built.algorithm,
            built.dataset,
            recipe.train,
            folder,
            config=built.config,
            device=where,
            metrics=built.metrics,
            listeners=listeners_of(recipe, folder, found, console),
            profile=profile,
            say=console.say,
        )
    if dist.rank() == 0:
        # Only now: a checkpoint that is refused leaves the run as it was.
        run.store_recipe(folder, recipe)
    trainer.fit(stop)


def _checked(reference: str, overrides: Sequence[Override], found: Plugins) -> tuple[Recipe, dict[str, str]]:
    """The recipe, and what old flags ask of this command."""
    draft = _draft(reference, found)
    draft.apply(overrides)
    return draft.check(), draft.asked


def _joined(options: dict[str, Any], asked: dict[str, str]) -> dict[str, Any]:
    return {**options, **{name: Path(value) if name == "out" else value for name, value in asked.items()}}


def _agreed_folder(reference: str, recipe: Recipe, options: dict[str, Any], found: Plugins) -> tuple[Path, bool]:
    """The first process chooses the folder and says whether it is complete, or refuses for all: nobody waits."""
    from imgen import dist
    from imgen.train import run

    told: tuple[Path, bool] | ImgenError | None = None
    if dist.rank() == 0:
        try:
            folder = _folder(reference, recipe, options, found)
            told = folder, run.is_complete(folder, recipe.train.steps)
        except ImgenError as error:
            told = error
    told = dist.agree(told)
    if isinstance(told, ImgenError):
        raise told
    assert told is not None
    return told


def _folder(reference: str, recipe: Recipe, options: dict[str, Any], found: Plugins) -> Path:
    from imgen.errors import RecipeError
    from imgen.hub.reference import origin_of
    from imgen.recipe import places
    from imgen.train import run

    path = Path(reference)
    if origin := origin_of(path):
        raise RecipeError(
            f"{path}: the Hub's cache is no place to train in; take a copy: imgen pull {origin} --full --out FOLDER"
        )
    if not run.is_run(path):
        folder = run.open_for(recipe, options["out"], options["new"])
        say(f"run {folder}")
        return folder
    if options["new"] or options["out"]:
        raise RecipeError(f"{path}: a run is resumed where it is; give the recipe instead of it for a new run")
    run.refuse_changes(path, recipe, places(recipe, found))
    return path


def _report(dataset: Any) -> list[str]:
    report = getattr(dataset, "report", None)
    return list(report.lines()) if report else []


def _overrides(ctx: click.Context, options: dict[str, Any], rest: tuple[str, ...]) -> list[Override]:
    from imgen.overrides import Override

    given = []
    for text in options["settings"]:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"-s {text}: write it as -s KEY=VALUE, such as -s train.steps=1000", ctx)
        given.append(Override(key.strip(), value, f"-s {text}"))
    words = list(rest)
    while words:
        word = words.pop(0)
        if not word.startswith("--") or word == "--":
            raise click.UsageError(f"what is '{word}'? Settings are given as --NAME VALUE or -s KEY=VALUE", ctx)
        name, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            # A name without a value is a switch.
            values = []
            while words and not words[0].startswith("--"):
                values.append(words.pop(0))
            value = values[0] if len(values) == 1 else f"[{', '.join(values)}]" if values else "true"
        given.append(Override(name, value, f"--{name} {value}"))
    for name in ("steps", "seed"):
        if options[name] is not None:
            given.append(Override(f"train.{name}", options[name], f"--{name} {options[name]}"))
    return given


def _help(ctx: click.Context, reference: str | None, found: Plugins) -> None:
    from imgen.commands.show import setting_table, settings_as_rows
    from imgen.train_settings import TrainSettings

    if reference is None or reference.startswith("-"):
        click.echo(ctx.get_help())
        return
    draft = _draft(reference, found)
    for section in ("algorithm", "dataset", "train"):
        part = draft.content.get(section) or {}
        name = part.get("name") if isinstance(part, dict) else None
        factory = TrainSettings if section == "train" else found.registry(f"{section}s").get(str(name)).load()
        click.echo(f"{section}" + (f" {name}" if name else "") + f"  (as -s {section}.NAME=VALUE or --NAME VALUE)")
        rows = settings_as_rows(factory)
        for row in rows:
            if isinstance(part, dict) and row["name"] in part:
                row.update(default=part[row["name"]], required=False)
        setting_table([{**row, "name": "  " + row["name"]} for row in rows])
        click.echo()
    click.echo("Defaults are those of this recipe.")


def _draft(reference: str, found: Plugins) -> Draft:
    from imgen import recipe as recipes
    from imgen.errors import RecipeError
    from imgen.train import run

    path = Path(reference)
    if not path.exists() and path.suffix not in (".yaml", ".yml") and on_the_hub(reference):
        name = reference.partition("/")[2].partition("@")[0]
        raise RecipeError(
            f"{reference}: to go on with a run of the Hub, fetch it first: imgen pull {reference} --full --out "
            f"runs/{name}, then imgen train runs/{name}"
        )
    source = path / "recipe.yaml" if run.is_run(path) else recipes.find(reference, found)
    return recipes.Draft.read(source, found)


def _dry_run(recipe: Recipe, found: Plugins, as_json: bool) -> None:
    from imgen.build import build
    from imgen.train.estimate import estimate

    built = build(recipe, found)
    told = estimate(built.algorithm, built.dataset, recipe.train)
    if as_json:
        give({"recipe": built.recipe.to_dict(), **told.to_json()})
        return
    click.echo(built.recipe.to_yaml())
    for line in _report(built.dataset):
        click.echo(line)
    for line in told.lines():
        click.echo(line)
