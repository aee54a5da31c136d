"""`python -m imgen.sweeping.together N MODULE ...`: runs a module in N processes that train together on one machine.

As `torchrun` does, but they stay in this process's group, so that whoever ends that ends them all; they have as long to
save as they were given; and the exit status is that of the process that failed first.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from types import FrameType

_SAVED = (75, 130)
"""Exit statuses of a process that was asked to end: then all were, or hear it from that one, and save."""


def main(count: str, *command: str) -> int:
    """Run `python -m` with this command in so many processes; gives the exit status, minus a signal's number."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    around = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": count}
    processes: list[subprocess.Popen[bytes]] = []
    asked = 0

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = number
        _send(processes, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hear)
    for rank in range(int(count)):
        own = around | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        argv = [sys.executable, "-m", *command]
        processes.append(subprocess.Popen(argv, env=own, stdin=subprocess.DEVNULL))
    if asked:
        _send(processes, asked)  # it may have come before all were there
    return _wait(processes)


def _wait(processes: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all; where one fails, the others would wait for it for ever, and their words would hide its own."""
    left, failed = {process.pid: process for process in processes}, 0
    while left:
        number, how = os.waitpid(-1, 0)
        process = left.pop(number, None)
        if process is None:
            continue
        process.returncode = os.waitstatus_to_exitcode(how)
        failed = failed or process.returncode
        if failed and failed not in _SAVED:
            _send(list(left.values()), signal.SIGKILL)
    return failed


def _send(processes: list[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        if process.returncode is None:
            process.send_signal(number)


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    if status < 0:
        # Whoever waits for this process learns what came of the one that was killed.
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
