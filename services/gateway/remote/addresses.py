"""Addresses of learners and extractors, read from the store; the newest known while the store is away or hangs."""

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from prequel.shared.runtime.deadlines import ADDRESS_S
from prequel.shared.store.base import Store, StoreUnavailable

THREADS = 2
"""A store that hangs keeps both. Reads that come then wait for their turn, within the same timeout."""

MAX_CACHED = 10_000
"""Keys whose value is remembered. The status of a small stream, which holds its learner's address, is some kilobytes:
ten times as many would take hundreds of megabytes, fewer would fail calls of streams that work while Redis restarts."""


class AddressReader(Protocol):
    """The part of the store that remote services need. Blocks; raises StoreUnavailable."""

    def get(self, key: str) -> bytes | None: ...


class AddressCache:
    """Asks the store each time, so that a learner's move shows at once. Safe to call from any thread."""

    def __init__(self, store: Store, timeout: float = ADDRESS_S) -> None:
        self._store, self._timeout = store, timeout
        self._threads = ThreadPoolExecutor(THREADS, "gateway-addresses")
        self._cached: OrderedDict[str, bytes | None] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        """The value in the store now, or the last one read. Blocks ``timeout`` seconds at most.

        Raises StoreUnavailable where the store does not answer and never gave a value for this key.
        """
        future = self._threads.submit(self._store.get, key)
        try:
            value = future.result(self._timeout)
        except TimeoutError:
            future.cancel()
            return self._last_known(key, StoreUnavailable(f"the store hangs: no answer within {self._timeout:g} s"))
        except StoreUnavailable as error:
            return self._last_known(key, error)
        self._cached[key] = value
        if len(self._cached) > MAX_CACHED:
            self._cached.popitem(last=False)
        return value

    def close(self) -> None:
        """Does not wait for reads in progress."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _last_known(self, key: str, error: StoreUnavailable) -> bytes | None:
        try:
            return self._cached[key]
        except KeyError:
            raise error from None
