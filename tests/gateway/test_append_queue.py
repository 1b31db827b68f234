"""Appends off the event loop: in groups, in order, with an answer for each request."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prequel.services.gateway.append_queue import AppendQueue, AppendUnconfirmed
from prequel.shared.log.base import LogUnavailable, Message, Position, RecordTooLarge
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.deadlines import APPEND_PROBLEM_SHOWN_S
from prequel.shared.runtime.health import Health
from tests.gateway.faults import FaultyLog

pytestmark = pytest.mark.anyio


@pytest.fixture
def log(tmp_path: Path) -> FaultyLog:
    return FaultyLog(SqliteLog(tmp_path, max_record_bytes=1_000))


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def queue(log: FaultyLog, health: Health) -> AsyncIterator[AppendQueue]:
    queue = AppendQueue(log, "images", health, timeout=5)
    yield queue
    log.gate.set()
    await queue.close()


def message(value: bytes) -> Message:
    return Message("images", None, value)


async def until_an_append_hangs(log: FaultyLog) -> None:
    """Until an append hangs in the log."""
    while log.appends == 0:
        await asyncio.sleep(0.001)


async def test_requests_during_an_append_share_the_next(log: FaultyLog, queue: AppendQueue) -> None:
    log.gate.clear()
    first = asyncio.create_task(queue.append([message(b"first")]))
    await until_an_append_hangs(log)
    others = [asyncio.create_task(queue.append([message(b"%d" % n), message(b"%d'" % n)])) for n in range(50)]
    await asyncio.sleep(0)
    log.gate.set()
    assert await first == [Position(0, 0)]
    positions = await asyncio.gather(*others)
    assert positions == [[Position(0, 1 + 2 * n), Position(0, 2 + 2 * n)] for n in range(50)]
    assert log.appends == 2
    assert [log.read("images", 0, [99])[99].value, log.read("images", 0, [100])[100].value] == [b"49", b"49'"]


async def test_a_group_is_bounded(log: FaultyLog, queue: AppendQueue) -> None:
    await asyncio.gather(*(queue.append([message(b"x")] * 400) for _ in range(6)))
    assert log.appends == 2


async def test_a_record_that_is_too_large_fails_only_its_own_request(log: FaultyLog, queue: AppendQueue) -> None:
    log.gate.clear()
    first = asyncio.create_task(queue.append([message(b"first")]))
    await until_an_append_hangs(log)
    sizes = (10, 2_000, 20)
    tasks = [asyncio.create_task(queue.append([message(b"x" * size)])) for size in sizes]
    await asyncio.sleep(0)
    log.gate.set()
    answers = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert answers[:2] == [[Position(0, 0)], [Position(0, 1)]]
    assert isinstance(answers[2], RecordTooLarge)
    assert answers[3] == [Position(0, 2)]


async def test_an_unavailable_log_fails_the_group_and_shows_on_readyz(
    log: FaultyLog, queue: AppendQueue, health: Health
) -> None:
    log.full = True
    with pytest.raises(LogUnavailable, match="disk is full"):
        await queue.append([message(b"x")])
    assert health.reasons == {"gateway: images": "the disk is full"}
    log.full = False
    assert await queue.append([message(b"y")]) == [Position(0, 0)]
    assert health.reasons == {}


async def test_a_log_that_does_not_answer_is_unavailable(log: FaultyLog, health: Health) -> None:
    assert log.bounds("images")[0].end == 0  # makes the log's files, which may take longer than the timeout
    queue = AppendQueue(log, "images", health, timeout=0.05)
    log.gate.clear()
    with pytest.raises(AppendUnconfirmed, match="may still arrive") as begun:
        await queue.append([message(b"in the log nevertheless")])
    with pytest.raises(AppendUnconfirmed, match="nothing was sent") as waiting:
        await queue.append([message(b"given up before it was tried")])
    assert (begun.value.may_arrive, waiting.value.may_arrive) == (True, False)
    assert "hangs" in health.reasons["gateway: images"]
    log.gate.set()
    await queue.close()
    async with asyncio.timeout(60):
        while log.bounds("images")[0].end == 0:
            await asyncio.sleep(0.01)
    assert log.bounds("images")[0].end == 1


async def test_each_problem_is_shown_as_long_whatever_came_before(
    log: FaultyLog, queue: AppendQueue, health: Health
) -> None:
    """The loop's own clock is set forward: nothing waits."""
    loop, ahead = asyncio.get_running_loop(), [0.0]
    now = loop.time
    loop.time = lambda: now() + ahead[0]  # type: ignore[method-assign]  # asyncio's clock, not ours
    log.full = True
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            await queue.append([message(b"x")])
        ahead[0] += APPEND_PROBLEM_SHOWN_S * 2 / 3
        await asyncio.sleep(0.001)  # The timers that are due now run before this one.
    assert "gateway: images" in health.reasons
    ahead[0] += APPEND_PROBLEM_SHOWN_S * 2 / 3
    await asyncio.sleep(0.001)
    assert health.reasons == {}


async def test_a_bug_reaches_the_request(queue: AppendQueue) -> None:
    with pytest.raises(ValueError, match="topic"):
        await queue.append([Message("no topic name!", None, b"x")])
    assert await queue.append([message(b"x")]) == [Position(0, 0)]
