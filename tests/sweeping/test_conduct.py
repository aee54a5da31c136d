"""The conductor, with workers that are threads of this process and a trainer that only pretends."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

import pytest

from imgen.errors import ImgenError
from imgen.sweeping import conduct, states, tasks
from imgen.sweeping.conduct import Asked, Conductor, Seen, Terms
from imgen.sweeping.ending import KILL, STOP, Outcome
from imgen.sweeping.pool import Board


class Threads:
    """Does what `pool.Pool` does, in threads."""

    gpus = 0.0

    def __init__(self, workers: int = 2) -> None:
        self.board, self.most = Board(), 0
        self.pool = ThreadPoolExecutor(workers)

    def submit(self, job):
        def work():
            try:
                return tasks.train(job, lambda process: self.board.beat(job.name, "here", process))
            finally:
                self.board.over(job.name)

        return self.pool.submit(work)

    def ended(self, tokens, seconds):
        self.most = max(self.most, len(tokens))
        return list(wait(tokens, 0.05, "FIRST_COMPLETED").done)

    def outcomes(self, token):
        return token.result()

    def cancel(self, tokens):
        for token in tokens:
            token.cancel()

    def ask(self, word):
        return self.board.ask(word)


@pytest.fixture
def sweep(points, places, stub, monkeypatch):
    """Conducts the points with the terms; gives what was seen, by name, and the lines that were said."""
    for name, seconds in {"_PAUSE": 0.02, "_BEAT": 0.05, "_SEEN": 0.3}.items():
        monkeypatch.setattr(tasks, name, seconds)
    three = points("dim=4,8,16")

    def run(hows=(), told=lambda seen: None, pool=None, asked=None, found=three, **terms):
        stub.update(hows)
        journal = states.journal(places)
        seen = {point.name: Seen(point.name, states.read(places, point, journal)) for point in found}
        said: list[str] = []
        conductor = Conductor(places, found, seen, Terms(**{"grace": 5, **terms}), told=told, say=said.append)
        conductor.work(pool or Threads(), asked or Asked(said.append))
        return {name: each.state for name, each in seen.items()}, said

    return run


def test_all_come_through(sweep, places):
    seen, said = sweep()
    assert {state.state for state in seen.values()} == {"done"} and said == []
    assert len(places.attempts.read_text().splitlines()) == 3


def test_one_that_is_killed_is_started_again_and_one_that_is_wrong_is_not(sweep, places):
    seen, said = sweep({"dim=4": "twice", "dim=8": "wrong"}, retries=1)
    assert [state.state for state in seen.values()] == ["done", "failed", "done"]
    assert [state.attempts for state in seen.values()] == [2, 1, 1]
    assert seen["dim=8"].status == 2 and seen["dim=8"].reason == "because of wrong"
    assert said == ["dim=4: killed by SIGKILL; again from step 0 (1 of 1)"]
    journal = states.journal(places)
    assert [(each.how, each.status) for each in journal["dim=4"]] == [("again", -9), ("done", 0)]


def test_retries_have_an_end(sweep):
    seen, said = sweep({"dim=4": "crash"}, retries=2)
    assert (seen["dim=4"].state, seen["dim=4"].attempts, len(said)) == ("failed", 3, 2)
    assert sweep({"dim=4": "crash"}, retries=0)[0]["dim=4"].attempts == 4


def test_no_more_at_once_than_asked_for(sweep):
    pool = Threads(4)
    sweep(most=1, pool=pool)
    assert pool.most == 1


@pytest.mark.parametrize(("numbers", "status"), [([signal.SIGINT], 130), ([signal.SIGTERM], 75)])
def test_a_signal_lets_runs_save(sweep, places, numbers, status):
    lines: list[str] = []
    asked = Asked(lines.append)

    def told(seen):
        if numbers and places.run("dim=4").joinpath("ready").exists():
            os.kill(os.getpid(), numbers.pop())

    with asked.heard(), asked.patiently():
        seen, _ = sweep({"dim=4": "wait"}, told=told, asked=asked, most=1)
    assert asked.end("x").exit_status == status
    assert [state.state for state in seen.values()] == ["waiting"] * 3, "no checkpoint was written by the stub"
    assert (seen["dim=4"].status, seen["dim=4"].attempts, seen["dim=8"].attempts) == (75, 1, 0)
    assert lines == ["asking the runs to save and end; Ctrl-C once more ends them at once"]


def test_the_second_ctrl_c_ends_them_at_once(sweep, places):
    lines: list[str] = []
    asked, began = Asked(lines.append), time.monotonic()

    def told(seen):
        if places.run("dim=4").joinpath("ready").exists():
            os.kill(os.getpid(), signal.SIGINT)

    with asked.heard(), asked.patiently():
        seen, _ = sweep({"dim=4": "deaf"}, told=told, asked=asked, most=1, grace=60)
    assert time.monotonic() - began < 30
    assert seen["dim=4"].status == -9 and lines[-1] == "ending the runs at once"


def test_a_run_that_hears_nothing_is_given_up_after_a_while(sweep, places, monkeypatch):
    """A worker that is cut off: the sweep ends all the same."""
    monkeypatch.setattr(conduct, "_KILLED", 0.3)
    pool, asked = Threads(), Asked(lambda line: None)

    def ask(word):
        if pool.board.at and places.run("dim=4").joinpath("ready").exists():
            asked.word = asked.word or STOP
        return dict(pool.board.at)

    pool.ask = ask
    began = time.monotonic()
    sweep({"dim=4": "wait"}, pool=pool, asked=asked, most=1, grace=0.3)
    assert time.monotonic() - began < 20
    pool.board.word = KILL


def test_before_anything_is_at_work_a_signal_ends_the_command():
    asked = Asked(lambda line: None)
    with pytest.raises(ImgenError, match="interrupted; nothing was begun"), asked.heard():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)


def test_a_signal_that_was_lost_before_anything_is_at_work_still_counts():
    asked = Asked(lambda line: None)
    with asked.heard():
        with suppress(ImgenError):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        os.kill(os.getpid(), signal.SIGTERM)  # it is ending already, and is not torn from that
        with pytest.raises(ImgenError, match="ended by SIGTERM; nothing was begun"), asked.patiently():
            pass


def test_while_all_is_put_away_a_signal_waits():
    lines: list[str] = []
    asked = Asked(lines.append)
    with asked.heard():
        with asked.patiently():
            pass
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
    assert (asked.word, lines) == ("", [])


def test_a_machine_without_the_folder_ends_the_sweep(sweep, monkeypatch):
    monkeypatch.setattr(tasks, "_unseen", lambda job: "does not see it")
    with pytest.raises(ImgenError, match="does not see it"):
        sweep()


def test_a_worker_that_is_lost(sweep, places):
    class Losing(Threads):
        left = 1

        def outcomes(self, token):
            told = token.result()
            if Losing.left:
                Losing.left -= 1
                return [Outcome("failed", reason="its worker or machine was lost", again=True)]
            return told

    seen, said = sweep(pool=Losing())
    assert {state.state for state in seen.values()} == {"done"} and "its worker or machine was lost; again" in said[0]


class Grouping(Threads):
    """Threads that keep which runs each job had."""

    def __init__(self, workers: int = 2) -> None:
        super().__init__(workers)
        self.jobs: list[list[str]] = []

    def submit(self, job):
        self.jobs.append([run.name for run in job.runs])
        return super().submit(job)


def test_runs_that_differ_in_their_seeds_alone_share_a_process(sweep, points):
    """Three at most in each; what one comes to is its own, and who failed is tried again with whoever waits."""
    found, pool = points("dim=4,8", seeds=(0, 1, 2, 3)), Grouping(1)
    hows = {"dim=4_seed=1": "wrong", "dim=4_seed=2": "crash once"}
    seen, said = sweep(hows, found=found, pool=pool, most=1, together=3)
    first, second = ([f"dim={dim}_seed={seed}" for seed in range(4)] for dim in (4, 8))
    assert pool.jobs == [first[:3], [first[3], first[2]], second[:3], second[3:]]
    assert {name for name, state in seen.items() if state.state != "done"} == {"dim=4_seed=1"}
    assert (seen["dim=4_seed=1"].status, seen["dim=4_seed=1"].reason) == (2, "because of wrong")
    assert said == ["dim=4_seed=2: because of crash once; again from step 0 (1 of 2)"]
    assert [state.attempts for state in seen.values()] == [1, 1, 2, 1, 1, 1, 1, 1]


def test_a_sweep_goes_on_with_other_numbers_in_a_process(sweep, points, places):
    found = points("dim=4", seeds=(0, 1, 2))
    assert sweep({"dim=4_seed=1": "wrong"}, found=found, together=2, most=1)[0]["dim=4_seed=1"].state == "failed"
    pool = Grouping()
    seen, _ = sweep({"dim=4_seed=1": "fine"}, found=found[1:2], pool=pool, together=3)
    assert pool.jobs == [["dim=4_seed=1"]] and seen["dim=4_seed=1"].attempts == 2


def test_a_lost_machine_is_lost_for_all_runs_of_a_process(sweep, points):
    class Losing(Grouping):
        def outcomes(self, token):
            told = token.result()
            return told if len(self.jobs) > 1 else [Outcome("failed", reason="its machine was lost", again=True)]

    found, pool = points("dim=4", seeds=(0, 1)), Losing()
    seen, said = sweep(found=found, pool=pool, together=2)
    assert {state.state for state in seen.values()} == {"done"} and len(said) == 2
