"""Processes that work side by side, and end when they should."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """How many processes draw at once without waiting for each other."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(work: Callable[..., Result], arguments: Iterable[tuple[Any, ...]], processes: int) -> Generator[Result]:
    """What `work` gives for each, as it comes; closed early, what is begun is ended and no more is begun.

    Raises: `concurrent.futures.process.BrokenProcessPool` where a process dies, and what `work` raises.
    """
    # New interpreters: whatever threads and locks there are here, a copy of them would not work.
    context = multiprocessing.get_context("spawn")
    with _one_thread_each():
        pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_settle)
        try:
            with _undisturbed():
                futures = [pool.submit(work, *each) for each in arguments]
            for future in as_completed(futures):
                yield future.result()
        finally:
            with _deaf():
                pool.shutdown(cancel_futures=True)


def _settle() -> None:
    """A drawing process ends when it is told to, or when nobody is there who could."""
    # Ctrl-C reaches every process of a terminal: the first one decides, and blocks that are begun are kept.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C waits until processes are started, and they hear none before they know how to take it."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    pressed: list[int] = []
    # Blocking it is for the processes, which inherit that: here another thread could still take it.
    handler = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGINT, handler or signal.SIG_DFL)
    if pressed:
        raise KeyboardInterrupt


@contextmanager
def _deaf() -> Iterator[None]:
    """A second Ctrl-C changes nothing: a pool that is left half shut would keep its processes, and us with them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler or signal.SIG_DFL)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
