"""A factory's signature as the schema of its settings: typed keyword arguments, or all errors at once."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from imgen.errors import Miswritten, near_miss

Count = Annotated[int, Ge(1)]
NonNegative = Annotated[int, Ge(0)]
Weight = Annotated[float, Ge(0)]
Rate = Annotated[float, Gt(0)]
Fraction = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class Local:
    """Marks a setting whose value is a file or a folder of this machine: see `Place`."""


Place = Annotated[str, Local()]
"""A file or a folder. It never leaves with a published recipe, and a resumed run may find its data elsewhere."""


_FIELD = "setting_"  # before a setting's name in its schema, where a name like `copy` would hide a method


@dataclass(frozen=True)
class Registered:
    """Marks a setting whose value is the name of a registered thing: `Annotated[Loss, Registered("losses")]`.

    The factory is handed what that name builds.
    """

    kind: str


Resolve = Callable[[str, str], Any]
"""(kind, name) -> what the registered name builds; raises `ImgenError` for an unknown one."""


@dataclass(frozen=True)
class Setting:
    """One setting of a factory, as its signature and docstring tell it."""

    name: str
    annotation: Any
    default: Any
    meaning: str = ""
    unit: str = ""
    registered: str = ""

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty

    @property
    def place(self) -> bool:
        """Whether its value is a file or a folder of this machine."""
        return _is_place(self.annotation)

    @property
    def type(self) -> str:
        """The values it takes, in words, such as `whole number >= 1` or `dcgan | lsgan`."""
        return f"a name of {self.registered}" if self.registered else describe(self.annotation)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the settings of a factory; `key` is the setting, or None for the whole."""

    key: str | None
    text: str


@lru_cache(maxsize=256)
def settings_of(factory: Callable[..., Any]) -> dict[str, Setting]:
    """The settings of a factory by name: its keyword-only parameters.

    Raises: `Miswritten` where one has no annotation, or one that cannot be resolved: it could not be checked.
    """
    made = inspect.unwrap(factory.__init__ if inspect.isclass(factory) else factory)
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    # The settings alone: what else the signature names may be imported for type checkers only.
    noted = {name: parameter.annotation for name, parameter in parameters.items()}
    bare = [name for name, annotation in noted.items() if annotation is inspect.Parameter.empty]
    if bare:
        raise Miswritten(
            f"{factory.__qualname__}: the setting '{bare[0]}' has no type annotation; give it one, such as "
            f"`{bare[0]}: float = 1.0`"
        )
    try:
        names: Any = types.SimpleNamespace(__annotations__=noted)
        hints = get_type_hints(names, getattr(made, "__globals__", {}), include_extras=True)
    except NameError as error:
        raise Miswritten(f"{factory.__qualname__}: a setting's type annotation cannot be resolved: {error}") from error
    meanings = _meanings(inspect.getdoc(factory) or "")
    settings = {}
    for name, parameter in parameters.items():
        meaning, unit = meanings.get(name, ("", ""))
        settings[name] = _registered(Setting(name, hints[name], parameter.default, meaning, unit))
    return settings


def check(
    factory: Callable[..., Any], given: Mapping[str, Any], resolve: Resolve | None = None
) -> tuple[dict[str, Any], list[Problem]]:
    """Check settings against a factory's signature.

    Gives every setting, defaults included, as plain values that YAML and JSON can hold, and all problems.
    """
    from imgen.errors import ImgenError

    settings = settings_of(factory)
    others = inspect.signature(factory).parameters
    problems = [
        Problem(
            key,
            f"has no setting '{key}'"
            + (f"; in {factory.__qualname__} it must stand behind `*,`" if key in others else near_miss(key, settings)),
        )
        for key in given
        if key not in settings
    ]
    problems += [
        Problem(None, f"needs the setting '{setting.name}'" + (f": {setting.meaning}" if setting.meaning else ""))
        for setting in settings.values()
        if setting.required and setting.name not in given
    ]
    known = {key: value for key, value in given.items() if key in settings}
    # Python counts true as 1; nobody who writes `steps: true` means one step.
    flags = [key for key, value in known.items() if isinstance(value, bool) and _numeric(settings[key].annotation)]
    problems += [
        Problem(key, f"{key} must be {_article(settings[key].type)}, not {_told(known.pop(key))}") for key in flags
    ]
    try:
        return _schema(factory)(**known).model_dump(mode="json", by_alias=True), problems
    except ValidationError as error:
        # A setting that is missing is told above; an item missing inside one is not.
        wrong = {str(each["loc"][0]) for each in error.errors() if each["type"] != "missing" or len(each["loc"]) > 1}
        problems += [
            Problem(key, f"{key} must be {_article(settings[key].type)}, not {_told(known[key])}")
            for key in sorted(wrong)
        ]
    finally:
        for setting in settings.values():
            name = known.get(setting.name)
            if setting.registered and resolve and isinstance(name, str):
                try:
                    resolve(setting.registered, name)
                except ImgenError as error:
                    problems.append(Problem(setting.name, f"{setting.name}: {error}"))
    return {}, problems


def build(
    factory: Callable[..., Any], *arguments: Any, settings: Mapping[str, Any], resolve: Resolve | None = None
) -> Any:
    """Call a factory with settings that `check` passed, as the types that its signature names.

    Raises: `Miswritten` where a default, which `check` leaves to its author, is not what its annotation says, or where
        the factory does not take these arguments.
    """
    known = settings_of(factory)
    try:
        typed = {name.removeprefix(_FIELD): value for name, value in _schema(factory)(**settings)}
    except ValidationError as error:
        wrong = known[str(error.errors()[0]["loc"][0])]
        must = f"must be {_article(wrong.type)}, not {_told(settings.get(wrong.name))}"
        raise Miswritten(f"{factory.__qualname__}: '{wrong.name}' {must}; that goes for its default, too") from error
    for name, setting in known.items():
        if setting.registered and resolve and isinstance(typed[name], str):
            typed[name] = resolve(setting.registered, typed[name])
    try:
        inspect.signature(factory).bind(*arguments, **typed)
    except TypeError as error:
        takes = "data, *, settings" if arguments else "*, settings"
        raise Miswritten(f"{factory.__qualname__} must take ({takes}): {error}") from error
    return factory(*arguments, **typed)


def describe(annotation: Any) -> str:
    """An annotation in words."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [
            f"{sign} {getattr(bound, attribute):g}"
            for bound in args[1:]
            for kind, sign, attribute in ((Ge, ">=", "ge"), (Gt, ">", "gt"), (Le, "<=", "le"))
            if isinstance(bound, kind)
        ]
        return " and ".join([" ".join([describe(args[0]), *bounds[:1]]), *bounds[1:]])
    if origin is Literal:
        return " | ".join(str(choice) for choice in args)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(arg) for arg in args)
    if annotation in (None, type(None)):
        return "null"
    if annotation is bool:
        return "true or false"
    if origin in (list, tuple):
        inner = ", ".join("..." if arg is Ellipsis else describe(arg) for arg in args)
        return f"[{inner}]"
    return {str: "text", int: "whole number", float: "number"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )


def _is_place(annotation: Any) -> bool:
    return isinstance(annotation, Local) or any(_is_place(arg) for arg in get_args(annotation))


def _numeric(annotation: Any) -> bool:
    return annotation in (int, float) or any(_numeric(arg) for arg in get_args(annotation)[:1])


def _article(words: str) -> str:
    return f"a {words}" if words.startswith(("whole", "number", "name")) else words


def _told(value: Any) -> str:
    """A value as YAML would show it, cut short."""
    text = {True: "true", False: "false", None: "null"}.get(value) if isinstance(value, (bool, type(None))) else None
    text = text or repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@lru_cache(maxsize=256)
def _schema(factory: Callable[..., Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name, setting in settings_of(factory).items():
        default = ... if setting.required else setting.default
        fields[_FIELD + name] = (setting.annotation, Field(default, alias=name, validate_default=False))
    # A folder may be called 2024.
    config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, protected_namespaces=(), allow_inf_nan=False)
    return create_model(factory.__qualname__.replace(".", "_"), __config__=config, __base__=None, **fields)


def _registered(setting: Setting) -> Setting:
    """Where the annotation bears `Registered`, possibly beside None, the schema takes a name."""
    marks = [setting.annotation, *get_args(setting.annotation)]
    for mark in marks:
        for kind in get_args(mark)[1:] if get_origin(mark) is Annotated else ():
            if isinstance(kind, Registered):
                optional = type(None) in get_args(setting.annotation)
                return replace(setting, annotation=str | None if optional else str, registered=kind.kind)
    return setting


def _meanings(docstring: str) -> dict[str, tuple[str, str]]:
    """The lines `name: meaning [unit]` under `Settings:`; deeper lines continue the one above."""
    found = re.search(r"^Settings:\n((?:[ \t]+\S.*\n?|\n)+)", docstring + "\n", re.MULTILINE)
    if not found:
        return {}
    joined = re.sub(r"\n {8,}", " ", found[1])
    pattern = re.compile(r"^ {4}(\w+): (.*?)(?: \[([^\]]+)\])?$", re.MULTILINE)
    return {name: (meaning, unit) for name, meaning, unit in pattern.findall(joined)}
