"""Conducts a sweep: hands runs to the pool, starts those again that may come through, and ends all in order."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from imgen import files
from imgen.errors import ImgenError
from imgen.sweeping import states
from imgen.sweeping.ending import KILL, STOP, Outcome
from imgen.sweeping.folder import Places
from imgen.sweeping.grid import Point
from imgen.sweeping.groups import Waiting
from imgen.sweeping.states import DONE, FAILED, RUNNING, UNFINISHED, WAITING, Attempt, State
from imgen.sweeping.tasks import Job, Run
from imgen.train.signals import Stopped

_TICK, _KILLED = 0.5, 15.0  # seconds between two looks, and until killed runs are given up


class Machines(Protocol):
    """What hands jobs to workers: `pool.Pool`."""

    gpus: float

    def submit(self, job: Job) -> Any: ...
    def ended(self, tokens: Sequence[Any], seconds: float) -> list[Any]: ...
    def outcomes(self, token: Any) -> Sequence[Outcome]: ...
    def cancel(self, tokens: Sequence[Any]) -> None: ...
    def ask(self, word: str) -> dict[str, tuple[str, int]]: ...


@dataclass(frozen=True)
class Terms:
    """How runs are trained.

    together: runs in one process, which shares the cores and GPUs of one run. retries: times that a run is started
    again in this command. grace: seconds to save in. timeout: seconds of one process. most: processes at once, None as
    many as the machines take.
    """

    cpus: float = 1
    together: int = 1
    retries: int = 2
    timeout: float | None = None
    grace: float = 60
    most: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """One run as people see it while the sweep goes on."""

    name: str
    state: State
    rate: float = 0.0
    left: float = 0.0
    again: int = 0
    changed: bool = True
    begun: Mapping[str, Any] = field(default_factory=dict)
    """What it told when it last began, before this attempt: as long as it tells the same, it is no further."""

    def become(self, state: str, **changes: Any) -> None:
        """Take another state."""
        self.state = replace(self.state, state=state, **changes)
        self.rate, self.left, self.changed = 0.0, 0.0, True


Told = Callable[[Sequence[Seen]], None]
Says = Callable[[str], None]


class Conductor:
    """One command's work on a sweep."""

    def __init__(
        self,
        places: Places,
        points: Sequence[Point],
        seen: Mapping[str, Seen],
        terms: Terms,
        *,
        told: Told = lambda seen: None,
        say: Says = lambda line: None,
    ) -> None:
        """points: the runs to train; seen: those and the others. told: hears how far it is; say: gets lines."""
        self.places, self.terms, self.seen = places, terms, seen
        self.points = points
        self.told, self.say = told, say
        self._running: dict[Any, tuple[str, ...]] = {}
        self._problem: ImgenError | None = None

    def work(self, pool: Machines, asked: Asked) -> None:
        """Train all runs, and leave when they are through or a signal has ended them.

        Raises: `Stopped` after a signal, `ImgenError` where a machine does not see the folder; runs are saved before.
        """
        for point in self.points:
            self.seen[point.name].become(_unfinished(self.seen[point.name].state))
        session = secrets.token_hex(8)
        files.write(self.places.session, session)
        waiting = Waiting(self.points, self.terms.together)
        word, until = "", 0.0
        while waiting or self._running:
            while waiting and not word and len(self._running) < (self.terms.most or len(self.points)):
                names = waiting.take()
                self._running[pool.submit(self._job(names, session, pool.gpus))] = names
            for token in pool.ended(list(self._running), _TICK):
                names, outcomes = self._running.pop(token), pool.outcomes(token)
                # One outcome stands for all, as where their machine was lost.
                for name, outcome in zip(
                    names, outcomes if len(outcomes) > 1 else [*outcomes] * len(names), strict=True
                ):
                    if self._take(name, outcome) and not word:
                        waiting.put(name)
            at = pool.ask(word)
            self._look(at)
            self.told(list(self.seen.values()))
            now, wanted = time.monotonic(), asked.word or (STOP if self._problem else "")
            if wanted != word:
                word, until = wanted, now + (_KILLED if wanted == KILL else self.terms.grace + _KILLED)
                at = pool.ask(word)
                self._take_back(pool, at)
                waiting.clear()
            elif word and now > until:
                if word == KILL:
                    break
                asked.word = KILL
        if self._problem:
            raise self._problem

    def _job(self, names: Sequence[str], session: str, gpus: float) -> Job:
        places, terms = self.places, self.terms
        for name in names:
            self.seen[name].begun = states.started(places.run(name))
        return Job(
            tuple(Run(name, str(places.recipe(name)), str(places.run(name)), str(places.log(name))) for name in names),
            cwd=str(Path.cwd()),
            session=session,
            session_file=str(places.session),
            cpus=terms.cpus,
            gpus=gpus,
            timeout=terms.timeout,
            grace=terms.grace,
            environment=terms.environment,
        )

    def _take(self, name: str, outcome: Outcome) -> bool:
        """Note what became of an attempt; gives whether the run is to be started again."""
        seen = self.seen[name]
        if outcome.how == "unshared":
            self._problem = self._problem or ImgenError(f"{outcome.where}: {outcome.reason}")
            seen.become(_unfinished(seen.state))
            return False
        folder = self.places.run(name)
        step, steps, _, _ = states.progress(folder)
        again = outcome.again and seen.again < self.terms.retries
        if outcome.how != "ended" or outcome.status is not None:
            how = "again" if again else outcome.how
            attempt = Attempt(name, how, outcome.status, outcome.seconds, outcome.where, outcome.reason)
            states.note(self.places, attempt)
        changes = {
            "step": step,
            "steps": steps or seen.state.steps,
            "status": outcome.status,
            "reason": outcome.reason,
            "seconds": round(seen.state.seconds + outcome.seconds, 1),
            "attempts": seen.state.attempts + (outcome.how != "ended" or outcome.status is not None),
            "where": outcome.where or seen.state.where,
        }
        if outcome.how == "done":
            seen.become(DONE, **changes | {"step": changes["steps"] or step})
            return False
        changes["step"] = step = states.saved_step(folder)
        if again:
            seen.again += 1
            self.say(f"{name}: {outcome.reason}; again from step {step:,} ({seen.again} of {self.terms.retries})")
        seen.become(FAILED if outcome.how == "failed" and not again else UNFINISHED if step else WAITING, **changes)
        return again

    def _look(self, at: Mapping[str, tuple[str, int]]) -> None:
        """How far the runs are that workers are at."""
        for names in self._running.values():
            where, process = at.get(names[0], ("", 0))
            if process:
                for name in names:
                    self._look_at(name, where)

    def _look_at(self, name: str, where: str) -> None:
        seen, folder = self.seen[name], self.places.run(name)
        if seen.state.state != RUNNING:
            seen.become(RUNNING, where=where)
        if states.started(folder) == seen.begun:
            return
        step, steps, seen.rate, seen.left = states.progress(folder)
        seen.state = replace(seen.state, where=where, step=step, steps=steps or seen.state.steps)

    def _take_back(self, pool: Machines, at: Mapping[str, tuple[str, int]]) -> None:
        """Runs that no worker has begun wait for the next time."""
        for token, names in list(self._running.items()):
            if names[0] not in at:
                pool.cancel([token])
                del self._running[token]


def _unfinished(state: State) -> str:
    return UNFINISHED if state.step else WAITING


class Asked:
    """What signals ask of a sweep. word: nothing, `STOP` after SIGTERM or SIGINT, `KILL` after the second SIGINT."""

    def __init__(self, say: Says) -> None:
        """say: gets a line when a signal comes."""
        self.word, self.number, self._say, self._patient, self._over = "", 0, say, False, False

    @contextmanager
    def heard(self) -> Iterator[Asked]:
        """While entered, signals end the command: at once, for nothing is at work yet."""
        before = {number: signal.signal(number, self._hear) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def patiently(self) -> Iterator[None]:
        """While entered, signals only leave a word: runs are at work, and shall save. After that they wait for the end.

        Raises: `Stopped` where a signal came before, and whoever was at work then lost what it raised.
        """
        if self.number:
            raise self._nothing()
        self._patient = True
        try:
            yield
        finally:
            self._over = True  # what is left is to put all away, and takes seconds

    def end(self, where: str) -> Stopped:
        """The error that ends the command."""
        word, status = ("ended by SIGTERM", 75) if self.number == signal.SIGTERM else ("interrupted", 130)
        return Stopped(f"{word}; {where}", status)

    def _nothing(self) -> Stopped:
        return self.end("nothing was begun; the same command goes on")

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._over:
            return
        again, before, self.number = self.word, self.number, number
        if not self._patient:
            if before:
                return  # it is ending
            raise self._nothing()
        self.word = KILL if again and number == signal.SIGINT else again or STOP
        if self.word == STOP and not again:
            self._say("asking the runs to save and end; Ctrl-C once more ends them at once")
        elif self.word == KILL and again != KILL:
            self._say("ending the runs at once")
