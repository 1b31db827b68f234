"""Appends to the log off the event loop; requests that come while one runs share the next (group commit)."""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from shared.health import Health
from shared.log import Log, LogUnavailable, Message, Position, RecordTooLarge

MOST_RECORDS = 1_000
MOST_BYTES = 32 * 2**20
PATIENCE_SECONDS = 10.0
COMPLAINT_SECONDS = 5.0
CLOSE_SECONDS = 1.0

Positions = list[Position]


class Order(NamedTuple):
    """What one request wants appended, and where it waits for the positions."""

    messages: Sequence[Message]
    done: asyncio.Future[Positions]


class Lane:
    """One append at a time, in order of arrival. For the event loop only."""

    def __init__(self, log: Log, name: str, health: Health, patience: float = PATIENCE_SECONDS) -> None:
        self._log, self._name, self._health, self._patience = log, f"gateway: {name}", health, patience
        self._thread = ThreadPoolExecutor(1, f"gateway-{name}")
        self._orders: deque[Order] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def append(self, messages: Sequence[Message]) -> Positions:
        """Durable on return. Raises LogUnavailable, also after ``patience`` seconds without an answer: then they may or
        may not be in the log, now or later. Raises RecordTooLarge.
        """
        order = Order(messages, asyncio.get_running_loop().create_future())
        self._orders.append(order)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            return await asyncio.wait_for(order.done, self._patience)
        except TimeoutError:
            raise LogUnavailable(f"no answer within {self._patience:g} s") from None

    async def close(self) -> None:
        """Finish what was begun, unless the log keeps it too long: then nobody was told that it is there."""
        if self._worker:
            await asyncio.wait({self._worker}, timeout=CLOSE_SECONDS)
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        while self._orders:
            await self._deliver(self._take())

    def _take(self) -> list[Order]:
        taken: list[Order] = []
        records = size = 0
        while self._orders and (not taken or (records < MOST_RECORDS and size < MOST_BYTES)):
            order = self._orders.popleft()
            if not order.done.done():
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
            self._health.works(self._name)
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
            self._health.waits(self._name, str(error))
            asyncio.get_running_loop().call_later(COMPLAINT_SECONDS, self._health.works, self._name)
        for order in orders:
            if not order.done.done():
                order.done.set_exception(error)

    def _hand_out(self, orders: list[Order], positions: Positions) -> None:
        start = 0
        for order in orders:
            if not order.done.done():
                order.done.set_result(positions[start : start + len(order.messages)])
            start += len(order.messages)
