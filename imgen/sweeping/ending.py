"""How an attempt at a run ended: what an exit status means, and whether to start the run again."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

STOP, KILL = "stop", "kill"
"""Words by which a worker is asked to end its runs: in order, or at once."""

SAVED = (75, 130)
"""Exit statuses of a run that was asked to save and end, and did."""

BUSY = "another process is training this run"
_DIVERGED = "is not a finite number"
"""Ends of messages of `imgen train`: one passes, the other comes back however often the run is started again."""

_ENDED = re.compile(r"^--- ended with status (\d{1,3}) after (\d+\.\d\d) s$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt.

    how: `done`, `failed`, `ended` as it was asked to, or `unshared`: this machine does not see the sweep's folder.
    again: whether it makes sense to start the run again.
    """

    how: str
    status: int | None = None
    reason: str = ""
    seconds: float = 0.0
    where: str = ""
    again: bool = False


def outcome(status: int, asked_for: str, told: str, seconds: float, where: str, timeout: float | None) -> Outcome:
    """What an exit status means, and whether to start the run again.

    A crash, a kill and 75 may pass. What is wrong with the request (2), a loss that is no number, a time that is over,
    and what somebody ended by hand (130) would come to the same again.
    asked_for: why the process was ended, if it was: `STOP`, `KILL` or `timeout`. told: its last words.
    """
    told = told.removeprefix("imgen: ")
    how, reason, again = "failed", told or f"exit status {status}", True
    if status == 0:
        how, reason, again = "done", "", False
    elif asked_for in (STOP, KILL):
        how, reason, again = "ended", told if status == 75 else "ended before it could save", False
    elif asked_for == "timeout":
        reason, again = f"took longer than --timeout, {timeout:g} seconds", False
    elif status == 2:
        again = BUSY in told
    elif status < 0:
        reason = f"killed by {signal_name(-status)}"
    elif status == 130 or (status == 1 and _DIVERGED in told):
        again = False
    return Outcome(how, status, reason, round(seconds, 2), where, again)


def ended_line(status: int, seconds: float) -> str:
    """The line by which a log tells that its run is over, where its process goes on with others."""
    return f"--- ended with status {status} after {seconds:.2f} s"


def ended_in(words: str) -> tuple[int, float] | None:
    """The exit status that a log tells, and after how many seconds; or None where the run was cut off."""
    found = _ENDED.findall(words)
    return (int(found[-1][0]), float(found[-1][1])) if found else None


def signal_name(number: int) -> str:
    """`SIGKILL` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
