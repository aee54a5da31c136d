"""The machines that train: a Ray of this command's own, or a cluster that it joins; the one place that knows Ray."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imgen.errors import ImgenError
from imgen.extras import need
from imgen.sweeping import tasks
from imgen.sweeping.clusters import SILENT, check_address, check_room
from imgen.sweeping.ending import STOP, Outcome
from imgen.sweeping.tasks import Job

_ANSWER, _BEAT = 20.0, 1.0  # seconds for the board to answer, and between two looks at it
_PAUSE = 0.1  # seconds between two looks at whether Ray has started
_HOME, _LOCK = "imgen-ray-", ".lock"
_LONGEST = 40  # characters of a folder for Ray's sockets, whose paths the system keeps short
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}

_SECRET = secrets.token_hex(32)


class Board:
    """Where the workers read what is asked of them, and write where each run is: an actor of Ray."""

    def __init__(self) -> None:
        """Nothing is asked."""
        self.word = ""
        self.at: dict[str, tuple[str, int]] = {}

    def beat(self, run: str, where: str, process: int) -> str:
        """A worker's word that it is at this run; gives what is asked of it."""
        self.at[run] = (where, process)
        return self.word

    def over(self, run: str) -> None:
        """A worker is through with this run."""
        self.at.pop(run, None)

    def ask(self, word: str) -> dict[str, tuple[str, int]]:
        """Ask something of all workers; gives where each run is, and its process's number, 0 before it has one."""
        self.word = word
        return dict(self.at)


class Pool:
    """Runs handed to Ray, and what became of them."""

    def __init__(self, address: str | None = None, *, cpus: float, gpus: float | None, memory: int | None) -> None:
        """Start a Ray on this machine, or join the cluster at an address.

        cpus, gpus, memory: for each run; gpus None takes one where there are GPUs.
        Raises: `DataError` where Ray is not installed, `ImgenError` where there is no cluster, or no machine for a run.
        """
        self._before = dict(os.environ)
        os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
        self._home: Path | None = None
        self._closed = threading.Event()
        self.address = address
        self._ray: Any = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray = need("ray", "sweep", "imgen sweep")
                logging.getLogger("ray").setLevel(logging.CRITICAL)
                self._ray = ray
                self._start() if address is None else self._join(address)
            self.gpus = self._gpus(gpus)
            check_room(self._nodes(), cpus, self.gpus, memory)
            self._task = ray.remote(_train).options(
                num_cpus=cpus,
                num_gpus=self.gpus,
                memory=memory,
                max_retries=0,
                # One machine after the other, rather than one until it is full.
                scheduling_strategy="SPREAD",
            )
            self._board = ray.remote(Board).options(num_cpus=0, max_restarts=-1).remote()
            self.ask("")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def submit(self, job: Job) -> Any:
        """Hand in what one process is to train; gives a token for `ended` and `outcomes`."""
        return self._task.remote(job, self._board)

    def ended(self, tokens: Sequence[Any], seconds: float) -> list[Any]:
        """Those that are through, after waiting for the first one for no longer than this."""
        if not tokens:
            time.sleep(seconds)
            return []
        done, _ = self._ray.wait(list(tokens), num_returns=len(tokens), timeout=0)
        if not done:
            done, _ = self._ray.wait(list(tokens), num_returns=1, timeout=seconds)
        return list(done)

    def outcomes(self, token: Any) -> Sequence[Outcome]:
        """What became of the runs of a job that is through; one outcome stands for all of them."""
        errors = self._ray.exceptions
        try:
            told: Sequence[Outcome] = self._ray.get(token, timeout=_ANSWER)
            return told
        except errors.TaskCancelledError:
            return [Outcome("ended", reason="had not begun")]
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            return [Outcome("failed", reason=f"its worker or machine was lost ({type(error).__name__})", again=True)]
        except errors.RayError as error:
            # What the worker's own code raised: imgen is absent there, or of another version.
            told_ = [line for line in str(error).splitlines() if line.strip()]
            return [Outcome("failed", reason=(told_[-1] if told_ else type(error).__name__)[:300])]

    def cancel(self, tokens: Sequence[Any]) -> None:
        """Take back runs that have not begun."""
        for token in tokens:
            self._ray.cancel(token)

    def ask(self, word: str) -> dict[str, tuple[str, int]]:
        """Ask something of all workers; gives where each run is, or nothing while nobody answers."""
        try:
            told: dict[str, tuple[str, int]] = self._ray.get(self._board.ask.remote(word), timeout=_ANSWER)
            return told
        except self._ray.exceptions.RayError:
            return {}

    def close(self) -> None:
        """Leave the cluster; a Ray of our own ends, and nothing of it stays."""
        try:
            if self._ray is not None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self._ray.shutdown()
        finally:
            self._closed.set()
            if self._home:
                self._lock.close()
                shutil.rmtree(self._home, ignore_errors=True)
            for name in {*os.environ, *self._before}:
                if self._before.get(name) is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = self._before[name]

    def _start(self) -> None:
        # Sockets and logs: in a folder of their own, which goes when we go.
        home = tempfile.mkdtemp(prefix=_HOME)
        if len(home) > _LONGEST and Path("/tmp").is_dir():
            Path(home).rmdir()
            home = tempfile.mkdtemp(prefix=_HOME, dir="/tmp")
        self._home = Path(home)
        self._lock = (self._home / _LOCK).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        sweep_up(self._home.parent)
        if "RAY_AUTH_MODE" not in os.environ and "RAY_AUTH_TOKEN" not in os.environ:
            # Others on this machine must not run code through us: Ray asks for a secret, which it keeps in the home
            # folder unless it is given one. This one lasts as long as the process, which reads it once, and in no file.
            os.environ["RAY_AUTH_TOKEN"] = _SECRET
        # Of the cores of this machine those that this process may use, as a batch system shares them out.
        mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        cores = {} if mine == os.cpu_count() else {"num_cpus": mine}
        try:
            self._init(address="local", **cores, include_dashboard=False, _temp_dir=home, **SILENT)
        except ImgenError:
            raise
        except Exception as error:
            raise ImgenError(f"Ray does not start on this machine: {_first(error)}") from None

    def _join(self, address: str) -> None:
        check_address(address)
        try:
            self._init(address=address, **SILENT)
        except ImgenError:
            raise
        except Exception as error:
            raise ImgenError(f"--address {address}: no cluster of Ray can be joined there: {_first(error)}") from None

    def _init(self, **given: Any) -> None:
        """Start Ray, or join one, in a thread of its own.

        There it leaves SIGTERM alone, and what a signal raises here is not lost in it: that waits until Ray is there,
        for one that is half started cannot be ended. The thread stays: with it would end what it started.
        """
        failed: list[Exception] = []
        ready = threading.Event()

        def start() -> None:
            try:
                self._ray.init(**given)
            except Exception as error:
                failed.append(error)
            ready.set()
            self._closed.wait()

        threading.Thread(target=start, daemon=True).start()
        raised: BaseException | None = None
        while not ready.is_set():
            try:
                ready.wait(_PAUSE)
            except BaseException as error:
                raised = raised or error
        if raised or failed:
            raise raised or failed[0]

    def _gpus(self, wanted: float | None) -> float:
        if wanted is not None:
            return wanted
        return 1.0 if any(node.get("GPU", 0) >= 1 for node in self._nodes()) else 0.0

    def _nodes(self) -> list[Mapping[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]


def sweep_up(folder: Path) -> None:
    """Remove what killed commands left behind of their Ray's sockets and logs: what nobody holds any more."""
    for lock in folder.glob(f"{_HOME}*/{_LOCK}"):
        try:
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue  # at work, or somebody else's


def _train(job: Job, board: Any) -> Sequence[Outcome]:
    """The task of Ray: one attempt at the runs of a job."""
    import ray

    where, at, word = socket.gethostname(), [0], [""]
    answered, over = threading.Event(), threading.Event()

    def ask() -> str:
        try:
            told: str = ray.get(board.beat.remote(job.name, where, at[0]), timeout=_ANSWER)
            return told
        except ray.exceptions.ActorUnavailableError:
            return word[0]  # it moves to another machine
        except ray.exceptions.RayActorError:
            return STOP  # whoever started the sweep is gone
        except ray.exceptions.RayError:
            return word[0]

    def listen() -> None:
        while not over.is_set():
            word[0] = ask()
            answered.set()
            over.wait(_BEAT)

    def asked(process: int) -> str:
        at[0] = process
        answered.wait(_ANSWER)
        return word[0]

    # In a thread: a task whose main thread waits for an answer lends its cores to others meanwhile.
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        return tasks.train(job, asked)
    finally:
        over.set()
        listener.join(_ANSWER)
        board.over.remote(job.name)


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
