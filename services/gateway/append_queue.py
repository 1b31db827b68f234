"""Appends to the log off the event loop; requests that arrive during one append share the next (group commit)."""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from prequel.shared.log.base import Log, LogUnavailable, Message, Position, RecordTooLarge
from prequel.shared.runtime.deadlines import APPEND_PROBLEM_SHOWN_S, APPEND_S, GATEWAY_CLOSE_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.supervisor import ReportWorking, Supervisor

MAX_GROUP_RECORDS = 1_000
"""A group ends here, or its first requests would wait for the transaction of all others: some 20 ms on SQLite."""
MAX_GROUP_BYTES = 32 * 2**20
"""The same for images. More gains nothing: a write of this size takes far longer than the fsync that it saves."""

Positions = list[Position]


class AppendUnconfirmed(LogUnavailable):
    """The log did not confirm an append in time.

    ``may_arrive``: the append had begun, so that the records may be in the log now or later.
    """

    def __init__(self, detail: str, *, may_arrive: bool) -> None:
        consequence = "the records may still arrive" if may_arrive else "nothing was sent to the log"
        super().__init__(f"{detail}; {consequence}")
        self.may_arrive = may_arrive


@dataclass(eq=False)
class PendingAppend:
    """The messages of one request, the future of their positions, and whether the log has been given them."""

    messages: Sequence[Message]
    positions: asyncio.Future[Positions]
    begun: bool = False


class AppendQueue:
    """One append at a time, in order of arrival. Call it on the event loop only.

    One thread per queue calls the log. With two, later requests could overtake earlier ones, and each append would
    wait for an fsync of its own instead of sharing it.
    """

    def __init__(self, log: Log, name: str, health: Health, *, timeout: float = APPEND_S) -> None:
        self._supervisor = Supervisor(health)
        self._log, self._health, self._timeout = log, health, timeout
        self._log_name, self._name = f"gateway: {name}", f"gateway: appending {name}"
        self._thread = ThreadPoolExecutor(1, f"gateway-{name}")
        self._pending: deque[PendingAppend] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._forgetting: asyncio.TimerHandle | None = None

    async def append(self, messages: Sequence[Message]) -> Positions:
        """The position of each message; all are durable on return.

        Raises LogUnavailable where the log failed (any of the messages may or may not be there), AppendUnconfirmed
        where it has not answered after ``timeout`` seconds, RecordTooLarge.
        """
        pending = PendingAppend(messages, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._supervisor.run_async(self._name, self._work))
        try:
            return await asyncio.wait_for(pending.positions, self._timeout)
        except TimeoutError:
            reason = f"no answer within {self._timeout:g} s"
            self._report(f"the log hangs: {reason}")
            raise AppendUnconfirmed(reason, may_arrive=pending.begun) from None

    async def close(self) -> None:
        """Finish the append in progress, without a long wait for a log that hangs: no client was told of it."""
        if self._worker:
            await asyncio.wait({self._worker}, timeout=GATEWAY_CLOSE_S)
        self._thread.shutdown(wait=False)

    async def _work(self, working: ReportWorking) -> None:
        while self._pending:
            await self._append_group(self._next_group())
            working()

    def _next_group(self) -> list[PendingAppend]:
        """At least one request, whatever its size. Requests that have timed out are left out: never begun, so that
        their clients, who were told so, can send them again without a duplicate."""
        group: list[PendingAppend] = []
        records = size = 0
        while self._pending and (not group or (records < MAX_GROUP_RECORDS and size < MAX_GROUP_BYTES)):
            pending = self._pending.popleft()
            if not pending.positions.done():
                pending.begun = True
                group.append(pending)
                records += len(pending.messages)
                size += sum(len(message.value) for message in pending.messages)
        return group

    async def _append_group(self, group: list[PendingAppend]) -> None:
        messages = [message for pending in group for message in pending.messages]
        if not messages:
            return
        try:
            positions = await asyncio.get_running_loop().run_in_executor(self._thread, self._log.append, messages)
        except RecordTooLarge as error:
            await self._append_singly(group, error)
        except Exception as error:
            self._fail(group, error)
        else:
            self._health.works(self._log_name)
            self._resolve(group, positions)

    async def _append_singly(self, group: list[PendingAppend], error: RecordTooLarge) -> None:
        """The log appends none of a group in which one record is too large: find the request that it belongs to."""
        if len(group) == 1:
            return self._fail(group, error)
        for pending in group:
            await self._append_group([pending])
        return None

    def _fail(self, group: list[PendingAppend], error: Exception) -> None:
        """Every request of the group answers its own client with the error."""
        if isinstance(error, LogUnavailable):
            self._report(str(error))
        for pending in group:
            if not pending.positions.done():
                pending.positions.set_exception(error)

    def _report(self, reason: str) -> None:
        """Show the reason on /readyz until an append succeeds, or for APPEND_PROBLEM_SHOWN_S: without requests
        no append would."""
        self._health.waits(self._log_name, reason)
        if self._forgetting:  # Of an earlier problem: this one is shown as long as any.
            self._forgetting.cancel()
        forget = partial(self._health.works, self._log_name)
        self._forgetting = asyncio.get_running_loop().call_later(APPEND_PROBLEM_SHOWN_S, forget)

    def _resolve(self, group: list[PendingAppend], positions: Positions) -> None:
        start = 0
        for pending in group:
            if not pending.positions.done():
                pending.positions.set_result(positions[start : start + len(pending.messages)])
            start += len(pending.messages)


def may_have_been_appended(error: LogUnavailable) -> bool:
    """Whether records may be in the log, now or later, although their append failed with this error."""
    return error.may_arrive if isinstance(error, AppendUnconfirmed) else True
