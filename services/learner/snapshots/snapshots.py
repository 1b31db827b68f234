"""Snapshots: content-addressed parts written first, then one small fenced root; the root is the commit."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from prequel.services.learner.snapshots.blobs import Part, sha256, unpack
from prequel.services.learner.snapshots.fingerprint import build
from prequel.services.learner.snapshots.stored_stream import Saved
from prequel.services.learner.snapshots.writing import Putting
from prequel.shared.config import ConfigError
from prequel.shared.store.base import Fence, Store

KEPT = 3
MOST_SWEPT = 3_000
"""Dead parts that go with one root; more wait for the next: while they are deleted, Redis serves nobody."""
FORMAT = 5
"""Raised with every change of what a state holds or how it is folded: no state may come of two kinds of fold."""

logger = logging.getLogger(__name__)


class SnapshotTooLarge(ConfigError):
    """A state has outgrown PREQUEL_SNAPSHOT_MAX_BYTES."""


class Root(NamedTuple):
    """One snapshot: the state of every stream of the partition after all events before ``offset``."""

    offset: int
    generation: int
    owner: str
    partitions: int
    defaults: list[Any]
    """The history of the settings that it was folded with."""
    last: str
    """The digest of the last record before ``offset``; empty where nothing was folded."""
    digest: str
    built_on: dict[str, str]
    streams: dict[str, str]
    """Stream -> address of its head."""
    refused: Sequence[str] = ()
    """Streams for which there was no room, so far as they are remembered."""


class Written(NamedTuple):
    """What a snapshot cost: bytes that had to be written, of the bytes that it stands for."""

    digest: str
    written: int
    total: int
    saved: dict[str, Saved]
    """The streams that need not be made into parts again until they change."""


def digest(heads: Mapping[str, str], defaults: Sequence[Any], refused: Sequence[str] = ()) -> str:
    """Of a partition's state, from the digests of its streams' heads and the history of its settings.

    Not when the processes began that wrote them: that changes nothing in the fold.
    """
    history = [[offset, settings] for offset, _, settings in defaults]
    return sha256(orjson.dumps([dict(heads), history, list(refused)], option=orjson.OPT_SORT_KEYS))


class Snapshots:
    """The snapshots of one partition, under one fence. Every call may block; raises StoreUnavailable, Fenced."""

    def __init__(self, store: Store, partition: int, fence: Fence, *, most_bytes: int) -> None:
        self._store, self._fence, self._most_bytes = store, fence, most_bytes
        self._root_key = root_key(partition)
        self._prefix = f"snapshot/{partition}/part/"
        self._roots: list[Root] = []
        self._live: dict[tuple[int, int], set[str]] = {}
        self._stale: set[str] = set()
        self._heads: dict[str, frozenset[str]] = {}
        self.outdated = False
        """Whether what was acquired is of an older format, which this Prequel cannot read."""

    def acquire(self) -> list[Root]:
        """Take the partition over: its kept roots, newest first; whoever had it can write no more."""
        body = self._store.acquire(self._root_key, self._fence)
        self._roots = read_roots(body)
        self.outdated = bool(body) and not self._roots
        self._live = {_key(root): self._addresses(root) for root in self._roots}
        self._heads = {}  # of no use later: what is written from now on is known
        self._stale = self._addressed(self._store.keys(self._prefix)) - self._kept()
        return self._roots

    def read(self, address: str) -> bytes:
        """A part. Raises ValueError where it is missing or damaged."""
        body = self._store.get(self._prefix + address)
        if body is None or sha256(body) != address:
            raise ValueError(f"part {address} of a snapshot is missing or damaged")
        return body

    def write(
        self,
        offset: int,
        partitions: int,
        defaults: Sequence[Any],
        streams: Mapping[str, Mapping[str, Part]],
        last: str = "",
        *,
        refused: Sequence[str] = (),
        saved: Mapping[str, Saved] | None = None,
    ) -> Written:
        """Make a snapshot the newest: parts that are not stored yet, then the root with the sweep of dead parts.

        Of a stream in ``saved``, which has not changed since, the parts are not even asked for.
        """
        found, again, written = self._put(streams, saved or {})
        sizes = dict(pair for one in found.values() for pair in one.sizes.items())
        root = Root(
            offset,
            self._fence.generation,
            self._fence.owner,
            partitions,
            list(defaults),
            last,
            digest({name: one.digest for name, one in found.items()}, defaults, refused),
            build(),
            {name: one.head for name, one in found.items()},
            list(refused),
        )
        self._commit(root, set(sizes))
        return Written(root.digest, written, sum(sizes.values()), again)

    def _put(
        self, streams: Mapping[str, Mapping[str, Part]], saved: Mapping[str, Saved]
    ) -> tuple[dict[str, Saved], dict[str, Saved], int]:
        """All streams as they are stored then, those of them that serve for later snapshots, and the bytes written."""
        # Asked anew each time: a Redis that came back without its last second has lost parts that we wrote, and one
        # that was cut off in the middle of a part has its key, but not its value.
        put = Putting(self._store, self._prefix, self._addressed(self._store.keys_with_values(self._prefix)))
        found: dict[str, Saved] = {}
        again: dict[str, Saved] = {}
        total = 0
        for name in streams:
            one, reusable = saved.get(name), True
            if one is None or not one.sizes.keys() <= put.held:
                one, reusable = put.stream(streams[name])
            found[name] = one
            if reusable:
                again[name] = one
            total += sum(one.sizes.values())
            if total > self._most_bytes:
                raise self._too_large(total)
        put.flush()
        return found, again, put.written

    def _too_large(self, total: int) -> SnapshotTooLarge:
        return SnapshotTooLarge(
            f"the state takes {total} bytes and more, PREQUEL_SNAPSHOT_MAX_BYTES={self._most_bytes}: "
            "raise it, or lower PREQUEL_WINDOW, PREQUEL_MAX_STREAMS or the number of models"
        )

    def disown(self, root: Root) -> None:
        """Never go back to this snapshot; what it alone needs is swept with the next one."""
        self._roots = [kept for kept in self._roots if kept != root]
        self._stale |= self._live.pop(_key(root), set())

    def lost(self) -> bool:
        """Whether the store has forgotten that there were snapshots of ours."""
        return bool(self._roots) and self._store.get(self._root_key) is None

    def _commit(self, root: Root, addresses: set[str]) -> None:
        roots = [root, *self._roots][:KEPT]
        live = {_key(kept): self._live.get(_key(kept), set()) for kept in roots}
        live[_key(root)] = addresses
        everything = self._kept() | self._stale
        dropped = sorted(everything - set().union(*live.values()))
        body = orjson.dumps({"format": FORMAT, "roots": [kept._asdict() for kept in roots]})
        swept, later = dropped[:MOST_SWEPT], dropped[MOST_SWEPT:]
        self._store.swap(self._root_key, self._fence, body, [self._prefix + address for address in swept])
        self._roots, self._live, self._stale = roots, live, set(later)

    def _addressed(self, keys: Iterable[str]) -> set[str]:
        return {key.removeprefix(self._prefix) for key in keys}

    def _kept(self) -> set[str]:
        return set().union(*self._live.values())

    def _addresses(self, root: Root) -> set[str]:
        """All parts of a root. One whose heads cannot be read is kept for its own sake, without protecting more."""
        return set().union(*(self._named(head) for head in root.streams.values()))

    def _named(self, head: str) -> frozenset[str]:
        """The head itself and the parts that it names. Kept roots have most heads in common: each is read once."""
        if head not in self._heads:
            try:
                places = unpack(self.read(head))[0]["parts"].values()
                self._heads[head] = frozenset([head, *(place[0] for place in places if place[0])])
            except ValueError:
                self._heads[head] = frozenset([head])
        return self._heads[head]


def _key(root: Root) -> tuple[int, int]:
    return root.generation, root.offset


def root_key(partition: int) -> str:
    return f"snapshot/{partition}/root"


def read_roots(body: bytes | None) -> list[Root]:
    """Newest first; none of an older format. Raises ConfigError for a format of the future."""
    if not body:
        return []
    content = orjson.loads(body)
    if content["format"] > FORMAT:
        raise ConfigError(
            f"the snapshots have format {content['format']}, this Prequel writes {FORMAT}: use the newer Prequel that "
            "wrote them, or start with an empty store to fold everything anew"
        )
    if content["format"] < FORMAT:
        return []
    return [Root(**root) for root in content["roots"]]
