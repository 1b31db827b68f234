"""Results from the log by key: a request that waits for one is woken when it arrives."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class PendingResults(Generic[Key, Value]):
    """Remembers the newest ``max_remembered`` results for requests that come after them.

    Call it on the event loop only: that is why it needs no lock.
    """

    def __init__(self, max_remembered: int) -> None:
        self._max_remembered = max_remembered
        self._results: OrderedDict[Key, Value] = OrderedDict()
        self._waiting: defaultdict[Key, dict[asyncio.Future[Value | None], Callable[[Value], bool]]] = defaultdict(dict)
        self._closed = False

    def resolve(self, key: Key, value: Value) -> None:
        """Remember the result, and wake every request that waits for it."""
        self._results[key] = value
        self._results.move_to_end(key)
        if len(self._results) > self._max_remembered:
            self._results.popitem(last=False)
        self._wake(key, value)

    def forget(self, matches: Callable[[Key, Value], bool]) -> None:
        self._results = OrderedDict((key, value) for key, value in self._results.items() if not matches(key, value))

    def get(self, key: Key) -> Value | None:
        return self._results.get(key)

    async def wait(self, key: Key, timeout: float, accept: Callable[[Value], bool] = lambda _: True) -> Value | None:
        """The result as soon as it is there; None after ``timeout`` seconds without it, or when the service ends.

        ``accept`` tells the result that is waited for from others with the same key. It is asked here, not by a caller
        who would then wait again: of two results that arrive together, the caller would see only the first.
        """
        result = self._results.get(key)
        if result is not None and accept(result):
            return result
        if self._closed or timeout <= 0:
            return None
        future: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._waiting[key][future] = accept
        try:
            return await asyncio.wait_for(future, timeout)
        except TimeoutError:
            return None
        finally:
            self._stop_waiting(key, future)

    def close(self) -> None:
        """Wake every request that waits, with None, and let no more requests wait."""
        self._closed = True
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)

    def _wake(self, key: Key, value: Value) -> None:
        for future, accept in self._waiting.get(key, {}).items():
            if not future.done() and accept(value):
                future.set_result(value)

    def _stop_waiting(self, key: Key, future: asyncio.Future[Value | None]) -> None:
        del self._waiting[key][future]
        if not self._waiting[key]:
            del self._waiting[key]
