"""`python -m imgen.sweeping.lifeline GRACE MODULE ...`: runs a module for as long as somebody holds its standard input.

Whoever started it may be killed at any moment. Then nobody is left to end it, and it would go on holding its run, its
memory and its GPU: so it ends itself, with the signal at which training saves.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time


def watch(grace: float) -> None:
    """Wait for the end of standard input; then ask this process to end, and after so many seconds end its group."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main(grace: str, module: str, *arguments: str) -> None:
    """Run a module as `python -m` would, watched."""
    # A worker of Ray blocks SIGINT, and what it starts inherits that.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    threading.Thread(target=watch, args=(float(grace),), daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
