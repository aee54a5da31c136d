"""Every contract under its name, and who is put to it: whatever a plugin registers.

PYTEST_DONT_REWRITE: the messages say all. Nothing here imports torch before a contract is put to the test.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from imgen.errors import ImgenError, PluginError, near_miss
from imgen.plugins import KINDS, Plugins, installed
from imgen.registry import singular

_LONGEST = 500  # characters of an error of the author's code


@dataclass(frozen=True)
class Contract:
    """A promise in words, and where the function stands that puts a subject of its kind to it."""

    says: str
    check: str

    def keep(self, subject: Any) -> None:
        """Raises: `AssertionError` where the subject breaks it."""
        import torch

        with torch.random.fork_rng(devices=[]):
            resolve_name(f"imgen.testing.{self.check}")(subject)


_SETTINGS = Contract("settings are explained and checked", "subjects:settings")

CONTRACTS: Mapping[str, tuple[Contract, ...]] = {
    "algorithms": (
        Contract("it ships a registered model", "algorithms:ships"),
        Contract("players own every parameter once", "algorithms:players"),
        Contract("batches are what it expects", "algorithms:expects"),
        Contract("turns give losses and move their own players alone", "algorithms:turns"),
        Contract("turns do not wait for the host", "algorithms:waiting"),
        Contract("turns do the same when they are replayed", "algorithms:replayed"),
        Contract("batches of any size are played", "algorithms:odd"),
        Contract("turns, restarts and milestones follow from the step", "algorithms:steps"),
        Contract("it moves to another device whole", "algorithms:moving"),
        Contract("the same seed gives the same losses", "algorithms:seeds"),
        Contract("previews are sheets of pictures", "algorithms:preview"),
        Contract("a run that was stopped ends as one that was not", "algorithms:resumed"),
        Contract("the weights file makes the same pictures", "algorithms:rebuilt"),
    ),
    "models": (
        Contract("it does what its protocols promise", "models:protocols"),
        Contract("it moves to another device whole", "models:moving"),
        Contract("its weights file gives it back", "models:saved"),
    ),
    "datasets": (
        Contract("columns and rows are what its spec says", "datasets:columns"),
        Contract("threads fetch the same rows", "datasets:threads"),
        Contract("built again, it is the same", "datasets:again"),
    ),
    "losses": (Contract("it gives finite scalars with gradients", "losses:scalars"),),
    "metrics": (
        Contract("the same seed gives the same numbers", "metrics:numbers"),
        Contract("what does not fit is a DataError", "metrics:refusals"),
    ),
    "recipes": (
        Contract("it can be read, and says what it is", "recipes:read"),
        Contract("what it names goes together", "recipes:together"),
    ),
}
"""By kind of registered things, in the order in which they are put to the test."""


class Unfit(Exception):
    """A contract cannot be put to the test here, such as one of a data set whose files are not there."""


def keep_all(kind: str, subject: Any) -> None:
    """Put a subject to every contract of its kind.

    Raises: `AssertionError` with the first that it breaks.
    """
    for contract in CONTRACTS[kind]:
        contract.keep(subject)


@dataclass(frozen=True)
class Case:
    """One contract of one thing that a plugin registers. given: settings, by name or as `thing.setting`."""

    plugin: str
    kind: str
    name: str
    contract: Contract
    given: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{singular(self.kind)} {self.name}::{self.contract.says}"

    def keep(self) -> None:
        """Put it to the test.

        Raises: `AssertionError` where it is broken, `Unfit` where that cannot be told here; with IMGEN_DEBUG set
        an error of the author's code as it is.
        """
        try:
            self.contract.keep(self._subject())
        except (AssertionError, Unfit):
            raise
        except Exception as error:
            if os.environ.get("IMGEN_DEBUG"):
                raise
            text = " ".join(str(error).split())[:_LONGEST]
            what = text if isinstance(error, ImgenError) else f"{type(error).__name__}: {text}"
            raise AssertionError(f"{singular(self.kind)} '{self.name}': {what}") from error

    def _subject(self) -> Any:
        # Built once for all of its contracts: data, and the run that several look at.
        from imgen.testing import subjects

        if self.contract is _SETTINGS:
            return subjects.bare(self.plugin, self.kind, self.name, self.given)
        key = (self.plugin, self.kind, self.name, repr(sorted(self.given.items())))
        if key not in _SUBJECTS:
            _SUBJECTS[key] = subjects.subject(self.plugin, self.kind, self.name, self.given)
        return _SUBJECTS[key]


_SUBJECTS: dict[tuple[str, str, str, str], Any] = {}


def cases(plugin: str, settings: Mapping[str, Any] | None = None, plugins: Plugins | None = None) -> list[Case]:
    """Every contract of everything that a plugin registers.

    plugin: its name, as `imgen plugins` lists it. settings: see `contracts`.
    Raises: `PluginError` where it is not installed, is broken, or registers nothing.
    """
    plugins = plugins or installed()
    infos = {info.name: info for info in plugins.infos}
    if plugin not in infos:
        raise PluginError(f"no plugin is called '{plugin}'{near_miss(plugin, infos)}; `imgen plugins` lists them")
    mine = [(kind, entry.name) for kind in KINDS for entry in plugins.registry(kind) if entry.plugin == plugin]
    info = infos[plugin]
    if info.state != "loaded":
        raise PluginError(f"plugin '{plugin}' is {info.state}" + (f": it {info.problem}" if info.problem else ""))
    # Such as a name that another has: what was not registered would pass for what keeps its contracts.
    refused = [line for line in plugins.problems if line.startswith((f"plugin '{plugin}' ", f"plugin '{plugin}':"))]
    if refused:
        raise PluginError("; ".join(refused))
    if not mine:
        raise PluginError(f"plugin '{plugin}' registers nothing; its hooks are {', '.join(info.hooks)}")
    given = _spread(settings or {})
    return [
        Case(plugin, kind, name, contract, given)
        for kind, name in mine
        for contract in ((_SETTINGS,) if kind != "recipes" else ()) + CONTRACTS[kind]
    ]


def _spread(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as bare names or as `thing.setting`."""
    given: dict[str, Any] = {}
    for key, value in settings.items():
        given |= {f"{key}.{name}": each for name, each in value.items()} if isinstance(value, Mapping) else {key: value}
    return given


def contracts(plugin: str, *, settings: Mapping[str, Any] | None = None) -> Callable[[Case], None]:
    """A test for each contract of everything that a plugin registers: `test_contracts = contracts("my-plugin")`.

    settings: small ones, so that tests are quick: `{"width": 8}` for whatever has that setting, or `{"my-method.width":
    8}` or `{"my-method": {"width": 8}}` for what bears that name.
    Raises: pytest's `CollectError` where the plugin is not installed or is broken.
    """
    import pytest

    try:
        several = cases(plugin, settings)
    except ImgenError as error:
        raise pytest.Collector.CollectError(f"imgen: {error}") from None

    @pytest.mark.parametrize("contract", several, ids=str)
    def test_contracts(contract: Case) -> None:
        broken = unfit = ""
        try:
            contract.keep()
        except AssertionError as error:
            broken = told(error)
        except Unfit as reason:
            unfit = str(reason)
        # Out here, so that pytest does not tell how the one came of the other.
        if broken:
            pytest.fail(broken, pytrace=False)
        if unfit:
            pytest.skip(unfit)

    return test_contracts


def told(error: AssertionError) -> str:
    """What a broken contract says, and the author's own line that broke it, where that is known."""
    from imgen.testing.told import line_of

    lines = str(error).split("\n")
    place = line_of(error)
    return lines[0] + (f"\n  at {place}" if place and place not in lines[0] else "")
