"""Can the settings of a factory be checked and understood?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from imgen import binding
from imgen.registry import Factory
from imgen.testing.told import blamed, names


def check_settings(factory: Factory) -> None:
    """Every setting of a factory can be checked, explained and left out where it has a default."""
    name = factory.__qualname__
    assert (factory.__doc__ or "").strip(), f"{name} has no docstring; its first line is what listings print"
    with blamed(name):
        settings = binding.settings_of(factory)
    silent = [setting.name for setting in settings.values() if not setting.meaning]
    assert not silent, (
        f"{name} does not say what {names(silent)} means; give each a line `name: meaning [unit]`, "
        "indented by four spaces, under `Settings:` in its docstring"
    )
    defaults = {setting.name: setting.default for setting in settings.values() if not setting.required}
    wrong = [problem.text for problem in binding.check(factory, defaults)[1] if problem.key]
    assert not wrong, f"{name} has a default that does not fit its own annotation: {'; '.join(wrong)}"
