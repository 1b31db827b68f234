"""Snapshots: content-addressed parts written first, then one small fenced root; the root is the commit."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from prequel.services.learner.snapshots.blobs import Part, sha256, unpack
from prequel.services.learner.snapshots.fingerprint import build
from prequel.services.learner.snapshots.part_writer import PartWriter
from prequel.services.learner.snapshots.root import Root, encode_roots, partition_digest, read_roots, root_key
from prequel.services.learner.snapshots.stored_stream import StoredStream
from prequel.shared.config import ConfigError
from prequel.shared.store.base import Fence, Store

MAX_SNAPSHOTS = 3
"""Snapshots kept of a partition. With three, one of a lost end of the log and one that is damaged do not yet mean a
replay of everything; with more, retention would have to keep the log, and the store dead parts, for longer."""
MAX_SWEPT_PARTS = 3_000
"""Dead parts that are deleted with one root; more wait for the next: while they are deleted, Redis serves nobody."""


class SnapshotTooLarge(ConfigError):
    """A state has outgrown PREQUEL_SNAPSHOT_MAX_BYTES."""


class SnapshotContent(NamedTuple):
    """The state of a partition before ``offset``; the other fields as in Root. ``streams`` makes parts when asked."""

    offset: int
    streams: Mapping[str, Mapping[str, Part]]
    config_history: Sequence[Any] = ()
    last_record: str = ""
    rejected_streams: Sequence[str] = ()


class WrittenSnapshot(NamedTuple):
    """The cost of a snapshot: ``written_bytes`` had to be written, of the ``total_bytes`` that all its parts have."""

    digest: str
    written_bytes: int
    total_bytes: int
    stored: dict[str, StoredStream]
    """The streams that need not be made into parts again until they change."""


class Snapshots:
    """The snapshots of one partition, under one fence. Every call may block; raises StoreUnavailable, Fenced."""

    def __init__(self, store: Store, partition: int, fence: Fence, *, max_bytes: int) -> None:
        self._store, self._fence, self._max_bytes = store, fence, max_bytes
        self._root_key = root_key(partition)
        self._prefix = f"snapshot/{partition}/part/"
        self._roots: list[Root] = []
        self._addresses: dict[tuple[int, int], set[str]] = {}
        """By root (generation, offset), the addresses of its parts."""
        self._dead: set[str] = set()
        """Addresses of parts that no root needs."""
        self._heads: dict[str, frozenset[str]] = {}
        self.outdated = False
        """Whether what was acquired is of an older format, which this Prequel cannot read."""

    def acquire(self) -> list[Root]:
        """Take the partition over: its stored roots, newest first; whoever owned it before can write no more."""
        body = self._store.acquire(self._root_key, self._fence)
        self._roots = read_roots(body)
        self.outdated = bool(body) and not self._roots
        self._addresses = {_key(root): self._addresses_of(root) for root in self._roots}
        self._heads = {}  # Of no use later: what is written from now on is known.
        self._dead = self._without_prefix(self._store.keys(self._prefix)) - self._live()
        return self._roots

    def read(self, address: str) -> bytes:
        """A part. Raises ValueError where it is missing or damaged."""
        body = self._store.get(self._prefix + address)
        if body is None or sha256(body) != address:
            raise ValueError(f"part {address} of a snapshot is missing or damaged")
        return body

    def write(
        self, content: SnapshotContent, *, partitions: int, stored: Mapping[str, StoredStream] | None = None
    ) -> WrittenSnapshot:
        """Make a snapshot the newest: parts that are not stored yet, then the root with the sweep of dead parts.

        ``partitions`` is how many the topic has. Of a stream in ``stored``, which has not changed since, the parts are
        not even asked for. Raises SnapshotTooLarge, with nothing committed.
        """
        streams, reusable, written = self._write_parts(content.streams, stored or {})
        sizes = dict(pair for stream in streams.values() for pair in stream.sizes.items())
        digests = {name: stream.digest for name, stream in streams.items()}
        root = Root(
            offset=content.offset,
            generation=self._fence.generation,
            owner=self._fence.owner,
            partitions=partitions,
            defaults=list(content.config_history),
            last=content.last_record,
            digest=partition_digest(digests, content.config_history, content.rejected_streams),
            built_on=build(),
            streams={name: stream.head for name, stream in streams.items()},
            refused=list(content.rejected_streams),
        )
        self._commit(root, set(sizes))
        return WrittenSnapshot(root.digest, written, sum(sizes.values()), reusable)

    def _write_parts(
        self, streams: Mapping[str, Mapping[str, Part]], stored: Mapping[str, StoredStream]
    ) -> tuple[dict[str, StoredStream], dict[str, StoredStream], int]:
        """All streams as they are stored then, those of them that later snapshots may use, and the bytes written."""
        # Asked each time: a Redis that came back without its last second has lost parts that were written, and one
        # that was cut off in the middle of a part has its key, but not its value.
        writer = PartWriter(self._store, self._prefix, self._without_prefix(self._store.keys_with_values(self._prefix)))
        all_streams: dict[str, StoredStream] = {}
        reusable_streams: dict[str, StoredStream] = {}
        total = 0
        for name in streams:
            stream, reusable = stored.get(name), True
            if stream is None or not stream.sizes.keys() <= writer.stored:
                stream, reusable = writer.write_stream(streams[name])
            all_streams[name] = stream
            if reusable:
                reusable_streams[name] = stream
            total += sum(stream.sizes.values())
            if total > self._max_bytes:
                raise self._too_large(total)
        writer.flush()
        return all_streams, reusable_streams, writer.written_bytes

    def _too_large(self, total: int) -> SnapshotTooLarge:
        return SnapshotTooLarge(
            f"the state takes {total} bytes or more, PREQUEL_SNAPSHOT_MAX_BYTES={self._max_bytes}: "
            "raise it, or lower PREQUEL_WINDOW, PREQUEL_MAX_STREAMS or the number of models"
        )

    def discard(self, root: Root) -> None:
        """Never go back to this snapshot; what it alone needs is swept with the next one."""
        self._roots = [other for other in self._roots if other != root]
        self._dead |= self._addresses.pop(_key(root), set())

    def keep_newest(self) -> None:
        """Drop every other snapshot, and delete all parts that the newest does not need: nothing of them is left."""
        while len(self._roots) > 1 or self._dead:
            kept = _key(self._roots[0]) if self._roots else None
            self._swap(self._roots[:1], {kept: self._addresses[kept]} if kept else {})

    def lost(self) -> bool:
        """Whether the store has lost the snapshots of this partition."""
        return bool(self._roots) and self._store.get(self._root_key) is None

    def _commit(self, root: Root, addresses: set[str]) -> None:
        roots = [root, *self._roots][:MAX_SNAPSHOTS]
        live = {_key(kept): self._addresses.get(_key(kept), set()) for kept in roots}
        live[_key(root)] = addresses
        self._swap(roots, live)

    def _swap(self, roots: list[Root], live: dict[tuple[int, int], set[str]]) -> None:
        known = self._live() | self._dead
        dead = sorted(known - set().union(*live.values()))
        swept, later = dead[:MAX_SWEPT_PARTS], dead[MAX_SWEPT_PARTS:]
        keys = [self._prefix + address for address in swept]
        # One step of the store: a part that is swept before the root is swapped would be missing after a crash.
        self._store.swap(self._root_key, self._fence, encode_roots(roots), keys)
        self._roots, self._addresses, self._dead = roots, live, set(later)

    def _without_prefix(self, keys: Iterable[str]) -> set[str]:
        return {key.removeprefix(self._prefix) for key in keys}

    def _live(self) -> set[str]:
        return set().union(*self._addresses.values())

    def _addresses_of(self, root: Root) -> set[str]:
        """All parts of a root. A head that cannot be read is kept itself, and protects no other part."""
        return set().union(*(self._named_by(head) for head in root.streams.values()))

    def _named_by(self, head: str) -> frozenset[str]:
        """The head itself and the parts that it names. Roots have most heads in common: each is read once."""
        if head not in self._heads:
            try:
                places = unpack(self.read(head))[0]["parts"].values()
                self._heads[head] = frozenset([head, *(place[0] for place in places if place[0])])
            except ValueError:
                self._heads[head] = frozenset([head])
        return self._heads[head]


def _key(root: Root) -> tuple[int, int]:
    return root.generation, root.offset
