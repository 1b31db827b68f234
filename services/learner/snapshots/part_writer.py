"""Writes the parts of a snapshot to the store, many together, and none that is there already."""

from collections.abc import Mapping

from prequel.services.learner.snapshots.blobs import Part
from prequel.services.learner.snapshots.stored_stream import StoredStream
from prequel.shared.store.base import Store

GROUP_BYTES = 8 * 2**20
"""Written together: enough for one sync of the disk to cost little beside it; more would only take memory."""


class PartWriter:
    """``stored`` are the addresses that the store has, or will have after the next ``flush``.

    Every call may block; raises StoreUnavailable.
    """

    def __init__(self, store: Store, prefix: str, stored: set[str]) -> None:
        self._store, self._prefix, self.stored = store, prefix, stored
        self.written_bytes = 0
        self._waiting: dict[str, bytes] = {}
        self._waiting_bytes = 0

    def write_stream(self, parts: Mapping[str, Part]) -> tuple[StoredStream, bool]:
        """Write the parts that are not stored; the stream as it is stored then, and whether a later snapshot may
        use that as it is (not where a part is signed: its signature is for one snapshot alone)."""
        addressed = [part for part in parts.values() if part.address]
        for part in addressed:
            if part.address not in self.stored:
                self._add(part)
        head = parts["head"]
        reusable = not any(part.signed for name, part in parts.items() if name != "head")
        return StoredStream(head.address, head.digest, {part.address: len(part.body) for part in addressed}), reusable

    def flush(self) -> None:
        """Write what waits; durable on return as far as the store is."""
        if self._waiting:
            self._store.put_all(self._waiting)
        self._waiting, self._waiting_bytes = {}, 0

    def _add(self, part: Part) -> None:
        self.stored.add(part.address)
        self._waiting[self._prefix + part.address] = part.body
        self._waiting_bytes += len(part.body)
        self.written_bytes += len(part.body)
        if self._waiting_bytes >= GROUP_BYTES:
            self.flush()
