"""Appends off the event loop: grouped, in order, each answered for itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prequel.services.gateway.append_queue import Lane, Unconfirmed
from prequel.shared.log.base import LogUnavailable, Message, Position, RecordTooLarge
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.supervisor import Supervisor
from tests.gateway.faults import FaultyLog

pytestmark = pytest.mark.anyio


@pytest.fixture
def log(tmp_path: Path) -> FaultyLog:
    return FaultyLog(SqliteLog(tmp_path, max_record_bytes=1_000))


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def lane(log: FaultyLog, health: Health) -> AsyncIterator[Lane]:
    lane = Lane(log, "images", health, Supervisor(health), patience=5)
    yield lane
    log.gate.set()
    await lane.close()


def message(value: bytes) -> Message:
    return Message("images", None, value)


async def held_up(log: FaultyLog) -> None:
    """Until an append hangs in the log."""
    while log.appends == 0:
        await asyncio.sleep(0.001)


async def test_what_comes_during_an_append_shares_the_next(log: FaultyLog, lane: Lane) -> None:
    log.gate.clear()
    first = asyncio.create_task(lane.append([message(b"first")]))
    await held_up(log)
    others = [asyncio.create_task(lane.append([message(b"%d" % n), message(b"%d'" % n)])) for n in range(50)]
    await asyncio.sleep(0)
    log.gate.set()
    assert await first == [Position(0, 0)]
    positions = await asyncio.gather(*others)
    assert positions == [[Position(0, 1 + 2 * n), Position(0, 2 + 2 * n)] for n in range(50)]
    assert log.appends == 2
    assert [log.read("images", 0, [99])[99].value, log.read("images", 0, [100])[100].value] == [b"49", b"49'"]


async def test_a_group_is_bounded(log: FaultyLog, lane: Lane) -> None:
    await asyncio.gather(*(lane.append([message(b"x")] * 400) for _ in range(6)))
    assert log.appends == 2


async def test_too_large_a_record_is_its_own_request_s_fault(log: FaultyLog, lane: Lane) -> None:
    log.gate.clear()
    first = asyncio.create_task(lane.append([message(b"first")]))
    await held_up(log)
    sizes = (10, 2_000, 20)
    tasks = [asyncio.create_task(lane.append([message(b"x" * size)])) for size in sizes]
    await asyncio.sleep(0)
    log.gate.set()
    answers = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert answers[:2] == [[Position(0, 0)], [Position(0, 1)]]
    assert isinstance(answers[2], RecordTooLarge)
    assert answers[3] == [Position(0, 2)]


async def test_a_log_that_is_away_fails_who_is_in_the_group_and_shows(
    log: FaultyLog, lane: Lane, health: Health
) -> None:
    log.full = True
    with pytest.raises(LogUnavailable, match="disk is full"):
        await lane.append([message(b"x")])
    assert health.reasons == {"gateway: images": "the disk is full"}
    log.full = False
    assert await lane.append([message(b"y")]) == [Position(0, 0)]
    assert health.reasons == {}


async def test_a_log_that_does_not_answer_is_away(log: FaultyLog, health: Health) -> None:
    assert log.bounds("images")[0].end == 0  # makes the log's files, which may take longer than the patience
    lane = Lane(log, "images", health, Supervisor(health), patience=0.05)
    log.gate.clear()
    with pytest.raises(Unconfirmed, match="may still arrive") as begun:
        await lane.append([message(b"in the log nevertheless")])
    with pytest.raises(Unconfirmed, match="will not arrive") as waiting:
        await lane.append([message(b"given up before it was tried")])
    assert (begun.value.may_arrive, waiting.value.may_arrive) == (True, False)
    assert "hangs" in health.reasons["gateway: images"]
    log.gate.set()
    await lane.close()
    async with asyncio.timeout(60):
        while log.bounds("images")[0].end == 0:
            await asyncio.sleep(0.01)
    assert log.bounds("images")[0].end == 1


async def test_a_bug_reaches_whoever_asked(lane: Lane) -> None:
    with pytest.raises(ValueError, match="topic"):
        await lane.append([Message("no topic name!", None, b"x")])
    assert await lane.append([message(b"x")]) == [Position(0, 0)]
