"""Parts of a snapshot on their way to the store, many together."""

from collections.abc import Mapping

from prequel.services.learner.snapshots.blobs import Part
from prequel.services.learner.snapshots.stored_stream import Saved
from prequel.shared.store.base import Store

GROUP_BYTES = 8 * 2**20
"""Written together: enough for one sync of the disk to cost little beside it; more would only take memory."""


class Putting:
    """``held`` are the addresses that the store has, or will have after the next ``flush``. Raises StoreUnavailable."""

    def __init__(self, store: Store, prefix: str, held: set[str]) -> None:
        self._store, self._prefix, self.held = store, prefix, held
        self.written = 0
        self._waiting: dict[str, bytes] = {}
        self._bytes = 0

    def stream(self, parts: Mapping[str, Part]) -> tuple[Saved, bool]:
        """Put what is not held; what is stored then, and whether that serves for later snapshots too."""
        own = [each for each in parts.values() if each.address]
        for each in own:
            if each.address not in self.held:
                self._put(each)
        head = parts["head"]
        reusable = not any(each.signed for name, each in parts.items() if name != "head")
        return Saved(head.address, head.digest, {each.address: len(each.body) for each in own}), reusable

    def flush(self) -> None:
        """Write what waits, durable on return as far as the store is."""
        if self._waiting:
            self._store.put_all(self._waiting)
        self._waiting, self._bytes = {}, 0

    def _put(self, each: Part) -> None:
        self.held.add(each.address)
        self._waiting[self._prefix + each.address] = each.body
        self._bytes += len(each.body)
        self.written += len(each.body)
        if self._bytes >= GROUP_BYTES:
            self.flush()
