"""Backoffs, attempts and the supervisor: one policy for whatever is tried again."""

import asyncio
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.shared.runtime import deadlines
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.retry import Attempts, Backoff
from prequel.shared.runtime.supervisor import ReportWorking, Supervisor

QUICK = Backoff(0.001, 0.002)
BACKOFFS = {name: each for name, each in vars(deadlines).items() if isinstance(each, Backoff)}


@given(
    st.floats(0.001, 10),
    st.floats(1, 1000),
    st.floats(0, 1),
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
)
def test_a_pause_grows_up_to_its_cap_and_is_never_zero(
    base: float, times: float, jitter: float, failures: int, chance: float
) -> None:
    backoff = Backoff(base, base * times, jitter)
    pause = backoff.pause(failures, chance)
    assert (1 - jitter) * base * (1 - 1e-9) <= pause <= backoff.cap_s
    assert backoff.pause(failures + 1, chance) >= pause


@pytest.mark.parametrize("name", BACKOFFS)
def test_every_backoff_has_jitter_and_a_cap(name: str) -> None:
    backoff = BACKOFFS[name]
    assert 0 < backoff.base_s < backoff.cap_s < float("inf")
    assert 0 < backoff.jitter <= 1


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def attempts(health: Health, clock: Clock) -> Attempts:
    return Attempts("part", health, Backoff(1.0, 8.0), clock=clock, chance=lambda: 0.0)


def test_pauses_double_while_it_fails_and_are_short_again_later() -> None:
    health, clock = Health(), Clock()
    part = attempts(health, clock)
    pauses = []
    for _ in range(5):
        pauses.append(part.failed(OSError("unavailable")))
        clock.now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 8]
    part.worked()
    assert part.failed(OSError("unavailable")) == 8, "it worked only for a moment"
    clock.now += 17
    assert part.failed(OSError("unavailable")) == 1


def test_a_failure_is_reported_and_not_tried_again_before_its_time() -> None:
    health, clock = Health(), Clock()
    part, tried = attempts(health, clock), []

    def fail() -> None:
        tried.append(clock.now)
        raise OSError("the store is unavailable")

    assert part.run(fail, OSError) is False
    assert health.reasons == {"part": "the store is unavailable; trying again automatically"}
    assert part.run(fail, OSError) is False
    assert len(tried) == 1
    clock.now += 1
    assert part.run(lambda: None)
    assert (health.reasons, part.due) == ({}, True)


def test_an_outage_is_logged_once_and_a_bug_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    part, clock = attempts(Health(), Clock()), Clock()
    for _ in range(5):
        part.failed(OSError("unavailable"))
        clock.now += 10
    assert len(caplog.records) == 1
    part.failed(ZeroDivisionError("a bug"), expected=False)
    assert caplog.records[-1].exc_info
    assert caplog.records[-1].levelno == logging.ERROR


class Task:
    """Fails so often, then works, and has done its work once it is told."""

    def __init__(self, health: Health, errors: list[Exception]) -> None:
        self.health, self.errors = health, errors
        self.seen: list[dict[str, str]] = []

    def __call__(self, working: ReportWorking) -> None:
        self.seen.append(self.health.reasons)
        if self.errors:
            raise self.errors.pop(0)
        working()

    async def on_loop(self, working: ReportWorking) -> None:
        self(working)


ERRORS = (OSError("the server is unavailable"), ZeroDivisionError("a bug"), RuntimeError("another"))
REASONS = ["", "the server is unavailable", "ZeroDivisionError('a bug')", "RuntimeError('another')"]


def check_reports(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    assert [reason in seen.get("task", "") for reason, seen in zip(REASONS, task.seen, strict=True)] == [True] * 4
    assert task.health.reasons == {}
    assert task.health.failed is None
    assert [record.exc_info is not None for record in caplog.records if record.levelno > logging.INFO] == [
        False,
        True,
        True,
    ]


def test_a_task_on_a_thread_is_started_again_whatever_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    task = Task(health, list(ERRORS))
    Supervisor(health, backoff=QUICK).run("task", task, threading.Event(), OSError)
    check_reports(task, caplog)


def test_a_task_on_the_event_loop_too(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    task = Task(health, list(ERRORS))
    asyncio.run(Supervisor(health, backoff=QUICK).run_async("task", task.on_loop, OSError))
    check_reports(task, caplog)


def test_a_task_that_is_stopped_does_not_start_again() -> None:
    health, stop = Health(), threading.Event()
    stop.set()
    task = Task(health, [])
    Supervisor(health).run("task", task, stop)
    assert task.seen == []
