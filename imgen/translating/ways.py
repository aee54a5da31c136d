"""Which of a model's translations is meant by the styles that people type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from imgen import names
from imgen.errors import DataError
from imgen.model import Way
from imgen.translating.outputs import folder_names

_MOST_TOLD = 8


@dataclass(frozen=True)
class Asked:
    """Styles as typed. source: what is shown, "" if not said; targets: what to make of it, one after another.

    every: all that can be made of any picture, each of the picture itself; of: all values of this attribute.
    """

    source: str = ""
    targets: tuple[str, ...] = ()
    every: bool = False
    of: str = ""

    @property
    def nothing(self) -> bool:
        """Whether it is left to the model: its first translation, or every edit that it can make."""
        return not (self.source or self.targets or self.every or self.of)

    def __str__(self) -> str:
        """What a model should be able to do, as the end of "none of them ..."."""
        if self.every or self.of:
            return f"has a model that edits {self.of or 'any picture'}"
        if not self.source and not self.targets:
            return "has a model that translates pictures"
        start = f" {self.source}" if self.source else ""
        return f"translates{start}" + "".join(f" to {target}" for target in self.targets)


@dataclass(frozen=True)
class Route:
    """Translations of a picture, or of what an earlier one made of it: the stages, counted from 1.

    written: the ending of a file's stem by stage; folders: the folder that it lies in, by stage, where there are some.
    back: from the last stage, for sheets only. starts: the stage that each way starts from, 0 being the picture; left
    out, they go one after another. note: what people should know of the request.
    """

    ways: tuple[Way, ...]
    written: dict[int, str]
    back: Way | None = None
    starts: tuple[int, ...] = ()
    folders: dict[int, str] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        if not self.starts:
            object.__setattr__(self, "starts", tuple(range(len(self.ways))))

    @property
    def source(self) -> str | None:
        """What the first pictures show, None for any."""
        return self.ways[0].source

    def styles(self, stage: int) -> tuple[str, ...]:
        """What is made of a picture, in order, until a stage."""
        made: list[str] = []
        while stage:
            made.append(self.ways[stage - 1].target)
            stage = self.starts[stage - 1]
        return tuple(reversed(made))


def attributes(ways: Sequence[Way]) -> dict[str, list[str]]:
    """The values that any picture can be given, by attribute, in order; nothing where ways are between styles."""
    found: dict[str, list[str]] = {}
    for way in ways:
        if way.source is None and way.attribute is not None:
            found.setdefault(way.attribute, []).append(way.target)
    return found if sum(map(len, found.values())) == len(ways) else {}


def can(ways: Sequence[Way]) -> str:
    """What a model can do, in words: `translates apples to pears and pears to apples`, `edits Smiling (0 or 1)`."""
    if edited := attributes(ways):
        return f"edits {names.listed(edited)}"
    # A source is named once for all that directly follow.
    told = [
        way.target
        if place and ways[place - 1].source == way.source
        else f"{way.source or 'any picture'} to {way.target}"
        for place, way in enumerate(ways)
    ]
    if len(told) > _MOST_TOLD:
        told = [*told[:_MOST_TOLD], f"{len(told) - _MOST_TOLD} more"]
    return "translates " + (" and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told) or "nothing")


def choose(ways: Sequence[Way], asked: Asked) -> tuple[Way, ...]:
    """The ways that a request means, one for each target, or the first of all for no request.

    Raises: `DataError` where it means none, or several, with what there is.
    """
    if not ways:
        raise DataError("this model can translate nothing")
    if not asked.source and not asked.targets:
        return (ways[0],)
    try:
        source = _style(asked.source, ways) if asked.source else None
        targets = [_style(target, ways) for target in asked.targets]
        if not targets and attributes(ways):
            raise DataError(f"--style_A {source} says what is shown: say with --to what to make of it")
        return tuple(_in_turn(ways, source, targets))
    except DataError as error:
        raise _with_all(error, ways) from None


def back_of(way: Way, ways: Sequence[Way], source: str | None = None) -> Way | None:
    """The way that undoes another, if the model has one. source: what its input shows, where the way takes any."""
    start = way.source or source
    if start is None:
        return None
    fitting = [back for back in ways if back.target == start and back.attribute == way.attribute]
    return next((back for back in fitting if back.source in (way.target, None)), None)


def route(ways: Sequence[Way], asked: Asked, *, cycle: bool = False, chain: int = 0) -> Route:
    """The translations that are asked for.

    cycle: there, and back; chain: so many translations in all, there and back again.
    Raises: `DataError` where the model has no such way, or none back.
    """
    if asked.every or asked.of or (asked.nothing and attributes(ways) and not (cycle or chain)):
        return _every(ways, asked.of)
    chosen = choose(ways, asked)
    note = _note(ways, asked, chosen[0])
    if len(chosen) > 1:
        if cycle or chain:
            raise DataError("--cycle and --chain go to and fro between two styles; give --to once")
        return Route(chosen, {len(chosen): ""}, note=note)
    way = chosen[0]
    back = back_of(way, ways, _style(asked.source, ways) if asked.source else None)
    if (cycle or chain > 1) and back is None:
        if values := attributes(ways).get(way.attribute or ""):
            told = " or ".join(value for value in values if value != way.target)
            raise DataError(f"the way back from {way.target} is to what was shown: give --style_A, such as {told}")
        raise DataError(f"this model has no way back from {way.target}; it {can(ways)}")
    if chain:
        turns = tuple((way, back)[n % 2] or way for n in range(chain))
        return Route(turns, {n: f".{n}" for n in range(1, chain + 1)}, note=note)
    if cycle:
        assert back is not None
        return Route((way, back), {1: "", 2: ".back"}, note=note)
    return Route((way,), {1: ""}, back, note=note)


def _every(ways: Sequence[Way], of: str) -> Route:
    """Each of what can be made of any picture, or the values of one attribute, in a folder of its own."""
    free = tuple(way for way in ways if way.source is None)
    option = "--every-of" if of else "--every"
    if not free or (of and not attributes(ways)):
        raise DataError(f"{option} needs a model that edits attributes of any picture; this one {can(ways)}")
    if of:
        try:
            name = names.find(of, attributes(ways), "attribute", listed=False)
        except DataError as error:
            raise _with_all(error, ways) from None
        free = tuple(way for way in free if way.attribute == name)
    stages = range(1, len(free) + 1)
    folders = dict(zip(stages, folder_names([way.target for way in free]), strict=True))
    return Route(free, dict.fromkeys(stages, ""), starts=(0,) * len(free), folders=folders)


def _note(ways: Sequence[Way], asked: Asked, way: Way) -> str:
    """That what is shown is no value of the attribute that is edited, where that is so."""
    if not asked.source or way.attribute is None:
        return ""
    source = _style(asked.source, ways)
    known = next(each for each, values in attributes(ways).items() if source in values)
    if known == way.attribute:
        return ""
    return f"--style_A {source} is of {known} and says nothing of {way.attribute}, of which {way.target} is"


def _style(text: str, ways: Sequence[Way]) -> str:
    """The name in the ways that a text means."""
    if edited := attributes(ways):
        return names.value(text, edited)
    known = list(dict.fromkeys(name for way in ways for name in (way.source, way.target) if name))
    meant = str(names.style(text, dict.fromkeys(name.removeprefix("not ") for name in known), "style"))
    if meant not in known:
        raise DataError(f"this model knows no style '{meant}'")
    return meant


def _with_all(error: DataError, ways: Sequence[Way]) -> DataError:
    """The same, with all that the model can do."""
    told = str(error)
    return DataError(f"{told}{' It' if told.endswith('?') else '; it'} {can(ways)}")


def _in_turn(ways: Sequence[Way], source: str | None, targets: Sequence[str]) -> list[Way]:
    if not targets:
        return [_only([way for way in ways if way.source == source], f"from {source}", "--style_B")]
    chosen = []
    for place, target in enumerate(targets):
        if target == source:
            raise DataError(f"from {source} to {target} there is nothing to translate")
        fitting = [way for way in ways if way.target == target]
        exact = [way for way in fitting if source is not None and way.source == source]
        free = [way for way in fitting if way.source is None]
        # Later in a row, a picture may show more than what the way before it made of it.
        other = fitting if source is None or place else []
        chosen.append(_only(exact or free or other, f"{f'from {source} ' if source else ''}to {target}", "--style_A"))
        source = target
    return chosen


def _only(fitting: Sequence[Way], what: str, option: str) -> Way:
    if not fitting:
        raise DataError(f"this model has no way {what}")
    if len(fitting) > 1:
        raise DataError(f"this model has {len(fitting)} ways {what}: say which with {option}")
    return fitting[0]
