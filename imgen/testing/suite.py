"""The contracts as a plugin of pytest: `pytest --imgen-plugin NAME`, or `imgen_plugins = NAME` in its settings.

pytest loads this in every environment that has imgen, so that nothing is imported before it is asked for.
PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from imgen.testing.promises import Case


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which plugins are put to the test, and small settings for that."""
    group = parser.getgroup("imgen", "contracts of imgen's plugins")
    group.addoption(
        "--imgen-plugin",
        action="append",
        default=[],
        metavar="NAME",
        help="put everything that this plugin of imgen registers to imgen's contracts; may be repeated",
    )
    group.addoption(
        "--imgen-set",
        action="append",
        default=[],
        metavar="[THING.]SETTING=VALUE",
        help="a setting for these contracts, to keep them quick, such as my-method.width=8; may be repeated",
    )
    parser.addini("imgen_plugins", "plugins of imgen that are put to imgen's contracts, as by --imgen-plugin", "args")
    parser.addini("imgen_settings", "settings for these contracts, as by --imgen-set", "args")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test for each contract of each thing, before tests are chosen among by `-k` and the like."""
    asked = list(config.getoption("--imgen-plugin"))
    # Who names a file wants that file; the settings file speaks of whole runs.
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        asked += config.getini("imgen_plugins")
    for plugin in dict.fromkeys(asked):
        collector = Contracts.from_parent(session, name=f"imgen::{plugin}", nodeid=f"imgen::{plugin}")
        mine: list[pytest.Item | pytest.Collector] = list(collector.collect())
        # Told to whoever counts what is collected.
        config.hook.pytest_collectreport(report=pytest.CollectReport(collector.nodeid, "passed", None, mine))
        items.extend(each for each in mine if isinstance(each, pytest.Item))


class Contracts(pytest.Collector):
    """Every contract of everything that a plugin registers."""

    def collect(self) -> Iterator[Item]:
        """One test for each. Raises: `pytest.UsageError` where the plugin is not there or is broken."""
        from imgen.errors import ImgenError
        from imgen.testing.promises import cases

        plugin = self.name.partition("::")[2]
        try:
            several = cases(plugin, _settings(self.config))
        except ImgenError as error:
            raise pytest.UsageError(f"imgen: {error}") from None
        for case in several:
            yield Item.from_parent(self, name=str(case), case=case)


class Item(pytest.Item):
    """One contract of one thing."""

    def __init__(self, *, case: Case, **options: Any) -> None:
        """case: which."""
        super().__init__(**options)
        self.case = case

    def runtest(self) -> None:
        """Put it to the test."""
        from imgen.testing.promises import Unfit

        try:
            self.case.keep()
        except Unfit as reason:
            pytest.skip(str(reason))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is wrong, where, and what would be right; a whole traceback only where it is no contract that broke."""
        from imgen.testing.promises import told

        if isinstance(excinfo.value, AssertionError):
            return told(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """How it is called in listings."""
        return self.config.rootpath, None, self.nodeid


def _settings(config: pytest.Config) -> dict[str, Any]:
    from imgen.yaml_lines import scalar

    given = {}
    for written in [*config.getini("imgen_settings"), *config.getoption("--imgen-set")]:
        name, sign, value = written.partition("=")
        if not sign or not name.strip():
            raise pytest.UsageError(f"imgen: '{written}' is no setting; write [THING.]SETTING=VALUE")
        given[name.strip()] = scalar(value.strip())
    return given
