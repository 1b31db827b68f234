"""Reads of the store off the event loop, each with a deadline; while it is away, only an occasional one is tried."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from prequel.services.gateway.blocking_calls import BlockingCalls, CallTimeout
from prequel.shared.runtime.deadlines import STORE_BACKOFF, STORE_READ_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.retry import Attempts
from prequel.shared.store.base import Store, StoreUnavailable

THREADS = 2
"""One for the large reads of all streams, one for the others; more would only wait for the same server."""

Result = TypeVar("Result")


class StoreReads:
    """Every call raises StoreUnavailable: at once while the store is known to be away, until the next attempt is due.

    ``name`` is what /readyz calls the store, ``purpose`` what it says is waiting for it.
    """

    def __init__(self, store: Store, health: Health, name: str = "the store", purpose: str = "store") -> None:
        self._store, self._name = store, name
        self._calls = BlockingCalls("gateway-store", THREADS, STORE_READ_S)
        self._attempts = Attempts(f"gateway: {purpose}", health, STORE_BACKOFF)

    async def get(self, key: str) -> bytes | None:
        return await self.call(lambda: self._store.get(key))

    async def get_all(self, keys: Sequence[str], decode: Callable[[dict[str, bytes]], Result]) -> Result:
        """``decode`` runs on the same thread: decoding hundreds of values takes longer than reading them."""
        return await self.call(lambda: decode(self._store.get_all(keys)))

    async def keys(self, prefix: str) -> list[str]:
        return await self.call(lambda: self._store.keys(prefix))

    def close(self) -> None:
        self._calls.close()

    async def call(self, read: Callable[[], Result]) -> Result:
        """What ``read``, which uses the store, returns."""
        if not self._attempts.due:
            raise StoreUnavailable(self._attempts.reason)
        try:
            result = await self._calls.run(read)
        except CallTimeout as timeout:
            error = StoreUnavailable(f"{self._name} hangs: {timeout}; check it, and the network to it")
            self._attempts.failed(error)
            raise error from None
        except StoreUnavailable as error:
            self._attempts.failed(error)
            raise
        self._attempts.worked()
        return result
