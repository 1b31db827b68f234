"""Snapshots: content-addressed parts written first, then one small fenced root; the root is the commit."""

import logging
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

import orjson

from services.learner.blobs import Part, sha256, unpack
from shared.config import ConfigError
from shared.store import Fence, Store

KEPT = 3
MOST_SWEPT = 3_000
"""Dead parts that go with one root; more wait for the next: while they are deleted, Redis serves nobody."""
FORMAT = 4
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
    limits: list[Any]
    digest: str
    built_on: dict[str, str]
    streams: dict[str, str]
    """Stream -> address of its head."""


class Written(NamedTuple):
    """What a snapshot cost: bytes that had to be written, of the bytes that it stands for."""

    digest: str
    written: int
    total: int


def build() -> dict[str, str]:
    """What bit equality is promised within: versions and kind of processor."""
    names = ("numpy", "numba", "river")
    return {name: version(name) for name in names} | {"python": platform.python_version(), "machine": _processor()}


def digest(heads: Mapping[str, str]) -> str:
    """Of a partition's state, from the digests of its streams' heads."""
    return sha256(orjson.dumps(dict(heads), option=orjson.OPT_SORT_KEYS))


class Snapshots:
    """The snapshots of one partition, under one fence. Every call may block; raises StoreUnavailable, Fenced."""

    def __init__(self, store: Store, partition: int, fence: Fence, *, most_bytes: int) -> None:
        self._store, self._fence, self._most_bytes = store, fence, most_bytes
        self._root_key = root_key(partition)
        self._prefix = f"snapshot/{partition}/part/"
        self._roots: list[Root] = []
        self._live: dict[tuple[int, int], set[str]] = {}
        self._stale: set[str] = set()

    def acquire(self) -> list[Root]:
        """Take the partition over: its kept roots, newest first; whoever had it can write no more."""
        body = self._store.acquire(self._root_key, self._fence)
        self._roots = read_roots(body)
        if body and not self._roots:
            logger.warning("%s is of a Prequel that folded otherwise: folded anew from the log", self._root_key)
        self._live = {_key(root): self._addresses(root) for root in self._roots}
        self._stale = self._addressed(self._store.keys(self._prefix)) - self._kept()
        return self._roots

    def read(self, address: str) -> bytes:
        """A part. Raises ValueError where it is missing or damaged."""
        body = self._store.get(self._prefix + address)
        if body is None or sha256(body) != address:
            raise ValueError(f"part {address} of a snapshot is missing or damaged")
        return body

    def write(
        self, offset: int, partitions: int, limits: tuple[Any, ...], streams: Mapping[str, Mapping[str, Part]]
    ) -> Written:
        """Make a snapshot the newest: parts that are not stored yet, then the root with the sweep of dead parts."""
        parts = {part.address: part for found in streams.values() for part in found.values()}
        total = sum(len(part.body) for part in parts.values())
        if total > self._most_bytes:
            raise SnapshotTooLarge(
                f"the state takes {total} bytes, more than PREQUEL_SNAPSHOT_MAX_BYTES={self._most_bytes}: "
                "raise it, or lower PREQUEL_WINDOW, PREQUEL_MAX_STREAMS or the number of models"
            )
        # Asked anew each time: a Redis that came back without its last second has lost parts that we wrote, and one
        # that was cut off in the middle of a part has its key, but not its value.
        fresh = parts.keys() - self._addressed(self._store.held(self._prefix))
        for address in sorted(fresh):
            self._store.put(self._prefix + address, parts[address].body)
        root = Root(
            offset,
            self._fence.generation,
            self._fence.owner,
            partitions,
            list(limits),
            digest({name: found["head"].digest for name, found in streams.items()}),
            build(),
            {name: found["head"].address for name, found in streams.items()},
        )
        self._commit(root, set(parts))
        return Written(root.digest, sum(len(parts[address].body) for address in fresh), total)

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
        found = set(root.streams.values())
        for address in root.streams.values():
            try:
                found |= {part for part, _ in unpack(self.read(address))[0]["parts"].values()}
            except ValueError:
                continue
        return found


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


def _processor() -> str:
    return f"{platform.machine()} {platform.processor()}".strip()
