"""What the store said last of a key, for blocking calls that cannot wait for a store that is away or hangs."""

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from prequel.shared.runtime.deadlines import ADDRESS_S
from prequel.shared.store.base import Store, StoreUnavailable

THREADS = 2
"""That a store which hangs may keep; who comes then waits for his turn, and no longer than for an answer."""

KEPT = 10_000
"""Keys remembered: the status of a small stream takes some kilobytes."""


class Remembered:
    """Reads of one store. Safe from any thread."""

    def __init__(self, store: Store, seconds: float = ADDRESS_S) -> None:
        self._store, self._seconds = store, seconds
        self._threads = ThreadPoolExecutor(THREADS, "gateway-addresses")
        self._known: OrderedDict[str, bytes | None] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        """As the store has it now, or had it last. Blocks for ``seconds`` at most; raises StoreUnavailable."""
        asked = self._threads.submit(self._store.get, key)
        try:
            found = asked.result(self._seconds)
        except TimeoutError:
            asked.cancel()
            return self._last(key, StoreUnavailable(f"it hangs: no answer within {self._seconds:g} s"))
        except StoreUnavailable as error:
            return self._last(key, error)
        self._known[key] = found
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return found

    def close(self) -> None:
        """What has begun is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _last(self, key: str, error: StoreUnavailable) -> bytes | None:
        try:
            return self._known[key]
        except KeyError:
            raise error from None
