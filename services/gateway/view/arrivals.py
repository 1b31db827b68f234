"""Futures by key: who waits for something from the log is woken when it arrives."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Arrivals(Generic[Key, Value]):
    """Keeps the newest ``keep`` values for those who come to ask only after the arrival. For the event loop only."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._kept: OrderedDict[Key, Value] = OrderedDict()
        self._waiting: defaultdict[Key, set[asyncio.Future[Value | None]]] = defaultdict(set)
        self._closed = False

    def arrive(self, key: Key, value: Value) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._keep:
            self._kept.popitem(last=False)
        self._wake(key, value)

    def forget(self, unwanted: Callable[[Key], bool]) -> None:
        self._kept = OrderedDict((key, value) for key, value in self._kept.items() if not unwanted(key))

    def get(self, key: Key) -> Value | None:
        return self._kept.get(key)

    async def wait(self, key: Key, seconds: float) -> Value | None:
        """The value, as soon as it is there; None if ``seconds`` pass, or the service ends, without it."""
        if key in self._kept or self._closed or seconds <= 0:
            return self._kept.get(key)
        future: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._waiting[key].add(future)
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            self._forget(key, future)

    def close(self) -> None:
        """Let everybody go who waits, and nobody wait any more."""
        self._closed = True
        for key in list(self._waiting):
            self._wake(key, None)

    def _wake(self, key: Key, value: Value | None) -> None:
        for future in self._waiting.get(key, ()):
            if not future.done():
                future.set_result(value)

    def _forget(self, key: Key, future: asyncio.Future[Value | None]) -> None:
        self._waiting[key].discard(future)
        if not self._waiting[key]:
            del self._waiting[key]
