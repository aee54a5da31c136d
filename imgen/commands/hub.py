"""`imgen push` and `imgen pull`: models to and from the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgen.commands.options import as_json, find_weights, give, say

if TYPE_CHECKING:
    from imgen.hub.contents import Part
    from imgen.hub.pull import Pulled
    from imgen.hub.push import Plan
    from imgen.plugins import Plugins


@click.command()
@click.argument("words", metavar="[MODEL] REPO", nargs=-1, required=True)
@click.option("--full", is_flag=True, help="The training state, too, so that others can go on with the run.")
@click.option("--private", is_flag=True, help="Let only you see the repository that is made.")
@click.option("--revision", metavar="BRANCH", help="A branch, made if need be; default the main one.")
@click.option(
    "--sheets/--no-sheets", default=None, help="Pictures; default: none that may show people of the data, as previews."
)
@click.option(
    "--allow", metavar="WORD", multiple=True, help="A word that may leave although it looks like a path, host or user."
)
@click.option("-m", "--message", metavar="TEXT", help="What the commit says.")
@click.option("--dry-run", is_flag=True, help="Show the card, and the files that would go; publish nothing.")
@as_json
@click.pass_obj
def push(found: Plugins, words: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Publish a model on the Hugging Face Hub.

    What goes is the weights, the recipe, numbers, a sheet, and a card that needs no editing. REPO is user/name. MODEL
    is a run, RUN@NAME or a weights file; left out, it is the newest run. Only files that have changed are sent, in one
    commit. What stands between the card's two markers is yours and stays. No path, host or user name of this machine
    leaves. Log in with `hf auth login`, or set HF_TOKEN.
    """
    from imgen.hub import push as pushing
    from imgen.hub.gather import Wanted
    from imgen.hub.reference import Reference

    if len(words) > 2:
        raise click.UsageError(f"what is '{words[2]}'? Give a model and a repository: imgen push RUN user/name")
    *model, repo = words
    _refuse_model(repo)
    reference = Reference.parse(f"{repo}@{options['revision']}" if options["revision"] else repo)
    weights = find_weights(model[0] if model else None, lambda config, path: True, "has weights")
    wanted = Wanted(
        reference=reference,
        full=options["full"],
        sheets=options["sheets"],
        private=options["private"],
        yours=_yours(weights),
        allowed=options["allow"],
    )
    plan = pushing.plan(weights, wanted, found, ask=not options["dry_run"])
    if plan.remark:
        say(plan.remark)
    if options["dry_run"]:
        return _show(plan, weights, as_json)
    message = options["message"] or f"{'New' if plan.there is None else 'Changed'} with imgen"
    address = pushing.publish(plan, message)
    for line in _lines(plan):
        say(line)
    give(_told(plan, address)) if as_json else click.echo(address)
    return None


@click.command()
@click.argument("repo", metavar="REPO")
@click.option("--full", is_flag=True, help="The training state, too, to go on with the run: give --out.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="A copy in a folder of its own, as a run.")
@as_json
@click.pass_obj
def pull(found: Plugins, repo: str, full: bool, out: Path | None, as_json: bool) -> None:
    """Fetch a model from the Hugging Face Hub.

    REPO is user/name, or user/name@revision. It comes into the Hub's standard cache, and nothing that is there is
    fetched again. Files are checked before use: a repository can hold no code that would run, and nothing is unpickled.
    Every command takes user/name in place of a model, too.
    """
    from imgen.hub.pull import check_new, copy, pull
    from imgen.hub.reference import Reference

    if out:
        check_new(out)
    parts: tuple[Part, ...] = ("model", "card", "training") if full else ("model", "card")
    pulled = pull(Reference.parse(repo), parts=parts, say=say)
    missing = _missing(pulled.weights, found)
    folder = copy(pulled, parts, out) if out else pulled.folder
    if missing:
        say(missing)
    elif full and out:
        say(f"go on with it: imgen train {folder}, with --NAME VALUE for each setting in capitals in its recipe.yaml")
    else:
        say(f"use it: {_use(pulled, found)}")
    told = {"repo": pulled.reference.repo, "commit": pulled.commit, "folder": str(folder), "fresh": pulled.fresh}
    give({**told, "model": str(folder / pulled.weights.name)}) if as_json else click.echo(folder)


def _refuse_model(repo: str) -> None:
    """Raises: `click.UsageError` where the word for a repository is a model here: it was forgotten, or stands first."""
    from imgen.train.run import is_run

    path = Path(repo)
    if is_run(path) or path.is_file():
        raise click.UsageError(
            f"{repo} is a model here, and the repository stands last, as in imgen push {repo} user/name; one of that "
            f"very name is hub:{repo}"
        )


def _yours(weights: Path) -> str | None:
    """What the author wrote into the card of the run."""
    from imgen.card import yours_of
    from imgen.train.run import run_of

    card = (run_of(weights) or weights.parent) / "README.md"
    return yours_of(card.read_text(encoding="utf8", errors="replace")) if card.is_file() else None


def _use(pulled: Pulled, found: Plugins) -> str:
    """The command that does what the model is for."""
    from imgen.card.facts import Facts
    from imgen.card.use import commands

    return commands(Facts(pulled.folder, pulled.weights, found), pulled.reference)[0]


def _missing(weights: Path, found: Plugins) -> str:
    """What a model needs that is not installed, told but not done: whose code runs here is the user's to say."""
    from imgen.build import outline
    from imgen.errors import WeightsError
    from imgen.model import read_config

    try:
        outline(read_config(weights), found, weights)
    except WeightsError as error:
        return str(error)
    return ""


def _show(plan: Plan, weights: Path, as_json: bool) -> None:
    if plan.unasked:
        say(f"the Hub was not asked, so all is told to be new: {plan.unasked}")
    for line in _lines(plan):
        say(line)
    say(f"nothing was published: this is what `imgen push` would send of {weights}")
    if as_json:
        give({**_told(plan, None), "card": plan.card})
    else:
        click.echo(plan.card, nl=False)


def _lines(plan: Plan) -> list[str]:
    width = max(len(change.path) for change in plan.changes)
    lines = [f"{change.path:<{width}}  {change.size:>13,} bytes  {change.fate}" for change in plan.changes]
    lines += [f"{plan.reference}: holds all of it already"] if plan.nothing else []
    lines += ["the training state there is of an earlier model; --full brings that of this one"] if plan.aged else []
    return lines


def _told(plan: Plan, address: str | None) -> dict[str, Any]:
    files = [{"path": change.path, "size": change.size, "state": change.fate} for change in plan.changes]
    return {"repo": plan.reference.repo, "revision": plan.reference.revision, "address": address, "files": files}
