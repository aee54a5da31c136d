"""Which of a model's translations is meant by the styles that people type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imgen import names
from imgen.errors import DataError
from imgen.model import Way

_MOST_TOLD = 8


@dataclass(frozen=True)
class Asked:
    """Styles as typed. source: what is shown, "" if not said; targets: what to make of it, one after another."""

    source: str = ""
    targets: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What a model should be able to do, as the end of "none of them ..."."""
        if not self.source and not self.targets:
            return "has a model that translates pictures"
        start = f" {self.source}" if self.source else ""
        return f"translates{start}" + "".join(f" to {target}" for target in self.targets)


@dataclass(frozen=True)
class Route:
    """Translations one after another. written: the ending of a file's stem by stage, from 1; back: for sheets only."""

    ways: tuple[Way, ...]
    written: dict[int, str]
    back: Way | None = None

    @property
    def source(self) -> str | None:
        """What the first pictures show, None for any."""
        return self.ways[0].source


def can(ways: Sequence[Way]) -> str:
    """What a model can do, in words: `translates apples to pears and pears to apples`."""
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
        return tuple(_in_turn(ways, source, targets))
    except DataError as error:
        told = str(error)
        raise DataError(f"{told}{' It' if told.endswith('?') else '; it'} {can(ways)}") from None


def back_of(way: Way, ways: Sequence[Way], source: str | None = None) -> Way | None:
    """The way that undoes another, if the model has one. source: what its input shows, where the way takes any."""
    start = way.source or source
    if start is None:
        return None
    return next((back for back in ways if back.target == start and back.source in (way.target, None)), None)


def route(ways: Sequence[Way], asked: Asked, *, cycle: bool = False, chain: int = 0) -> Route:
    """The translations that are asked for.

    cycle: there, and back; chain: so many translations in all, there and back again.
    Raises: `DataError` where the model has no such way, or none back.
    """
    chosen = choose(ways, asked)
    if len(chosen) > 1:
        if cycle or chain:
            raise DataError("--cycle and --chain go to and fro between two styles; give --to once")
        return Route(chosen, {len(chosen): ""})
    way = chosen[0]
    back = back_of(way, ways, _style(asked.source, ways) if asked.source else None)
    if (cycle or chain > 1) and back is None:
        raise DataError(f"this model has no way back from {way.target}; it {can(ways)}")
    if chain:
        return Route(tuple((way, back)[n % 2] or way for n in range(chain)), {n: f".{n}" for n in range(1, chain + 1)})
    if cycle:
        assert back is not None
        return Route((way, back), {1: "", 2: ".back"})
    return Route((way,), {1: ""}, back)


def _style(text: str, ways: Sequence[Way]) -> str:
    """The name in the ways that a text means."""
    known = list(dict.fromkeys(name for way in ways for name in (way.source, way.target) if name))
    meant = str(names.style(text, dict.fromkeys(name.removeprefix("not ") for name in known), "style"))
    if meant not in known:
        raise DataError(f"this model knows no style '{meant}'")
    return meant


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
