"""Appends to the log off the event loop; requests that come while one runs share the next (group commit)."""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from prequel.shared.log.base import Log, LogUnavailable, Message, Position, RecordTooLarge
from prequel.shared.runtime.deadlines import APPEND_PROBLEM_SHOWN_S, APPEND_S, GATEWAY_CLOSE_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.supervisor import ReportWorking, Supervisor

MOST_RECORDS = 1_000
MOST_BYTES = 32 * 2**20

Positions = list[Position]


class Unconfirmed(LogUnavailable):
    """The log did not confirm an append in time; ``may_arrive``: it was handed over, and may be there now or later."""

    def __init__(self, detail: str, *, may_arrive: bool) -> None:
        fate = "it may still arrive" if may_arrive else "it was not handed to the log, and will not arrive"
        super().__init__(f"{detail}; {fate}")
        self.may_arrive = may_arrive


@dataclass(eq=False)
class Order:
    """What one request wants appended, where it waits for the positions, and whether the log has it in hand."""

    messages: Sequence[Message]
    done: asyncio.Future[Positions]
    begun: bool = False


class Lane:
    """One append at a time, in order of arrival. For the event loop only."""

    def __init__(self, log: Log, name: str, health: Health, supervisor: Supervisor, patience: float = APPEND_S) -> None:
        self._supervisor = supervisor
        self._log, self._health, self._patience = log, health, patience
        self._log_name, self._name = f"gateway: {name}", f"gateway: appending {name}"
        self._thread = ThreadPoolExecutor(1, f"gateway-{name}")
        self._orders: deque[Order] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def append(self, messages: Sequence[Message]) -> Positions:
        """Durable on return. Raises LogUnavailable where the log said so: any may or may not be there; Unconfirmed
        after ``patience`` seconds without its answer. Raises RecordTooLarge.
        """
        order = Order(messages, asyncio.get_running_loop().create_future())
        self._orders.append(order)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._supervisor.run_async(self._name, self._work))
        try:
            return await asyncio.wait_for(order.done, self._patience)
        except TimeoutError:
            late = f"no answer within {self._patience:g} s"
            self._complain(f"the log hangs: {late}")
            raise Unconfirmed(late, may_arrive=order.begun) from None

    async def close(self) -> None:
        """Finish what was begun, unless the log keeps it too long: then nobody was told that it is there."""
        if self._worker:
            await asyncio.wait({self._worker}, timeout=GATEWAY_CLOSE_S)
        self._thread.shutdown(wait=False)

    async def _work(self, working: ReportWorking) -> None:
        while self._orders:
            await self._deliver(self._take())
            working()

    def _take(self) -> list[Order]:
        taken: list[Order] = []
        records = size = 0
        while self._orders and (not taken or (records < MOST_RECORDS and size < MOST_BYTES)):
            order = self._orders.popleft()
            if not order.done.done():
                order.begun = True
                taken.append(order)
                records += len(order.messages)
                size += sum(len(message.value) for message in order.messages)
        return taken

    async def _deliver(self, orders: list[Order]) -> None:
        messages = [message for order in orders for message in order.messages]
        if not messages:
            return
        try:
            positions = await asyncio.get_running_loop().run_in_executor(self._thread, self._log.append, messages)
        except RecordTooLarge as error:
            await self._deliver_singly(orders, error)
        except Exception as error:
            self._fail(orders, error)
        else:
            self._health.works(self._log_name)
            self._hand_out(orders, positions)

    async def _deliver_singly(self, orders: list[Order], error: RecordTooLarge) -> None:
        """None of a group is appended when one is too large: find out whose it is."""
        if len(orders) == 1:
            return self._fail(orders, error)
        for order in orders:
            await self._deliver([order])
        return None

    def _fail(self, orders: list[Order], error: Exception) -> None:
        """Everybody in the group gets the error (each request answers for itself); readiness says so for a while."""
        if isinstance(error, LogUnavailable):
            self._complain(str(error))
        for order in orders:
            if not order.done.done():
                order.done.set_exception(error)

    def _complain(self, reason: str) -> None:
        """On /readyz, until an append works again, or for a while: nobody asks the log but who appends."""
        self._health.waits(self._log_name, reason)
        asyncio.get_running_loop().call_later(APPEND_PROBLEM_SHOWN_S, self._health.works, self._log_name)

    def _hand_out(self, orders: list[Order], positions: Positions) -> None:
        start = 0
        for order in orders:
            if not order.done.done():
                order.done.set_result(positions[start : start + len(order.messages)])
            start += len(order.messages)


def may_arrive(error: LogUnavailable) -> bool:
    """Whether what was to be appended may be in the log nevertheless, now or later."""
    return error.may_arrive if isinstance(error, Unconfirmed) else True
