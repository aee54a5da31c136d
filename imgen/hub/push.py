"""A model published: what would change on the Hub, and the one commit that changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from imgen import strict_json
from imgen.card import yours_of
from imgen.errors import HubError
from imgen.hub import client, contents
from imgen.hub.gather import Item, Wanted, gather, remark_on_sheets
from imgen.hub.reference import Reference
from imgen.hub.refusals import NoRevision
from imgen.hub.service import endpoint
from imgen.plugins import Plugins

_MOST_CONFIG = 2**20  # bytes
Fate = Literal["new", "changed", "same", "gone", "kept"]


@dataclass(frozen=True)
class Change:
    """What becomes of one file of the repository; kept: it is of an earlier push, and this one does not bring it."""

    path: str
    size: int
    fate: Fate


@dataclass(frozen=True)
class Plan:
    """What a push would do. there: the repository as it was looked at; None where there is none yet, or none is asked.

    unasked: why the Hub was not asked, for a dry run; remark: what to know before it is done.
    """

    reference: Reference
    items: Sequence[Item]
    there: client.State | None
    changes: Sequence[Change]
    unasked: str = ""
    remark: str = ""
    private: bool = False

    @property
    def card(self) -> str:
        """The text of the model card."""
        (card,) = (item.content for item in self.items if item.path == contents.CARD)
        assert isinstance(card, bytes)
        return card.decode()

    @property
    def nothing(self) -> bool:
        """Whether the repository holds all of it already."""
        return all(change.fate in ("same", "kept") for change in self.changes)

    @property
    def aged(self) -> bool:
        """Whether a state of training stays that is not of these weights."""
        fates = {change.path: change.fate for change in self.changes}
        return fates[contents.WEIGHTS] != "same" and "kept" in fates.values()


def plan(weights: Path, wanted: Wanted, plugins: Plugins, *, ask: bool = True) -> Plan:
    """What publishing these weights would do.

    ask: raise where the Hub cannot be asked what is there; without it all is told to be new.
    Raises: what `gather` does, and `HubError` where the Hub cannot be asked.
    """
    reference = wanted.reference
    # What can be wrong here is told before anybody is asked.
    items = gather(weights, wanted, plugins)
    made = Plan(
        reference,
        items,
        None,
        _changes(items, None, wanted.full),
        remark=remark_on_sheets(weights, wanted, plugins),
        private=wanted.private,
    )
    try:
        there = _there(reference)
    except HubError as error:
        if ask:
            raise
        return replace(made, unasked=str(error))
    if there:
        _refuse_other(there, wanted)
    if there and wanted.yours is None and (yours := _theirs(there)):
        # Somebody wrote on the Hub, and nobody here.
        items = gather(weights, replace(wanted, yours=yours), plugins)
    return replace(made, items=items, there=there, changes=_changes(items, there, wanted.full))


def publish(plan: Plan, message: str) -> str:
    """Carry a plan out; gives the address of the model's page.

    Raises: `HubError`; a repository that was there is then as it was.
    """
    repo, revision = plan.reference.repo, plan.reference.revision
    there = plan.there
    if there is None:
        client.create(repo, plan.private)
        there = client.state(Reference(repo))
        if there is None:
            raise HubError(f"{repo}: the repository was made but cannot be seen; push again", again=True)
        _refuse_moved(plan)
        plan = replace(plan, changes=_changes(plan.items, there, full=False))
    if revision and there.branch != revision:
        client.branch(there, revision)
    if not plan.nothing:
        fates = {change.path: change.fate for change in plan.changes}
        added = {item.path: item.content for item in plan.items if fates[item.path] in ("new", "changed")}
        gone = [path for path, fate in fates.items() if fate == "gone"]
        _refuse_moved(plan)
        client.commit(there, message, added, gone, revision)
    return f"{endpoint()}/{repo}" + (f"/tree/{revision}" if revision else "")


def _there(reference: Reference) -> client.State | None:
    """The repository's branch; where that is not there yet, its main branch, from which it will be made."""
    main = client.state(Reference(reference.repo))
    if main is None or reference.revision is None:
        return main
    try:
        return client.state(reference)
    except NoRevision:
        return main


def _refuse_moved(plan: Plan) -> None:
    """Raises: `HubError` where a file is no longer what the card tells of, as the run goes on."""
    if moved := next((item.path for item in plan.items if not item.stands), None):
        raise HubError(f"{moved}: was changed or removed meanwhile, as the run goes on; push again", again=True)


def _refuse_other(there: client.State, wanted: Wanted) -> None:
    """Raises: `HubError` where the repository holds a model of others, or is public where it should be private."""
    if wanted.private and not there.private:
        raise HubError(
            f"{there.repo}: is there already, and public; make it private on its page, or leave out --private"
        )
    sizes = {file.path: file.size for file in there.files}
    if not {contents.WEIGHTS, contents.CONFIG}.isdisjoint(sizes):
        told: Mapping[str, object] = {}
        if 0 < sizes.get(contents.CONFIG, 0) <= _MOST_CONFIG:
            with suppress(ValueError):
                told = strict_json.parse_object(client.fetch(there, contents.CONFIG).read_bytes())
        if told.get("library_name") != "imgen":
            raise HubError(f"{there.repo}: holds a model that was not made with imgen; choose another name")


def _changes(items: Sequence[Item], there: client.State | None, full: bool) -> list[Change]:
    known = {file.path: file for file in there.files} if there else {}
    changes = [Change(item.path, item.size, _fate(item, known.get(item.path))) for item in items]
    mine = {item.path for item in items}
    others = {path: kind for path in known if path not in mine and (kind := contents.kind_of(path))}
    # The state of training stays until a push with --full brings a newer one; files of others always stay.
    fates: dict[str, Fate] = {
        path: "gone" if full or kind.part != "training" else "kept" for path, kind in others.items()
    }
    return changes + [Change(path, known[path].size, fate) for path, fate in fates.items()]


def _fate(item: Item, there: client.File | None) -> Fate:
    if there is None:
        return "new"
    return "same" if item.is_that(there.size, there.sum) else "changed"


def _theirs(there: client.State) -> str | None:
    """What the author wrote into the card on the Hub."""
    if not any(file.path == contents.CARD and file.size <= 4 * 2**20 for file in there.files):
        return None
    return yours_of(client.fetch(there, contents.CARD).read_text(encoding="utf8", errors="replace"))
