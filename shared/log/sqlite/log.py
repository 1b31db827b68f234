"""The embedded log: a folder with one SQLite file per topic and one for the consumer groups."""

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from prequel.shared.log.base import (
    EXAMPLES,
    IMAGES,
    Bounds,
    LogUnavailable,
    Message,
    Position,
    Record,
    RecordTooLarge,
)
from prequel.shared.log.erasable import Remains
from prequel.shared.log.sqlite.encoding import EncodedMessage
from prequel.shared.log.sqlite.groups import Groups
from prequel.shared.log.sqlite.member import SqliteMember
from prequel.shared.log.sqlite.pruning import FilePruning
from prequel.shared.log.sqlite.reader import SqliteReader
from prequel.shared.log.sqlite.retention_lock import RetentionLock
from prequel.shared.log.sqlite.topic import Topic
from prequel.shared.runtime.deadlines import LEASE_S, SQLITE_BUSY_S
from prequel.shared.runtime.disk import DiskSpace, disk_space

MAX_RECORD_BYTES = 64 * 2**20
"""SQLite would take 1 GB, but a record is in memory several times while it is appended or read."""

MAX_POLL_BYTES = 32 * 2**20
"""Of values in one poll: what a service keeps in memory of a topic. Enough for hundreds of images."""

_RESERVES = {IMAGES: 2}
"""How many times the disk's reserve appends to a topic leave free; once for topics that are not listed. So, where the
disk fills up, images are refused first: those that are there can still become features and predictions, and once these
are written, the images may be pruned."""

_TOPIC_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


class SqliteLog:
    """shared.log.base.Log in a folder of one machine's own disk (not NFS). Nothing is opened before the first call.

    ``partitions``: one number for every topic, or one by topic (1 for topics that are not listed); the files remember
    it and refuse another.
    ``clock``: seconds since the epoch.
    ``lease_s``: for how long a group member that does not poll is sure to stay one (see Groups).
    ``new_id``: names group members, each time differently.
    ``max_record_bytes``: of key, headers and value; larger records raise RecordTooLarge.
    ``max_poll_bytes``: of values in one poll, but for a single larger record.
    ``create`` False: files that do not exist are an error, for commands that only look.
    """

    def __init__(
        self,
        directory: Path,
        *,
        partitions: Mapping[str, int] | int = 1,
        clock: Callable[[], float] = time.time,
        lease_s: float = LEASE_S,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        busy_timeout_s: float = SQLITE_BUSY_S,
        max_record_bytes: int = MAX_RECORD_BYTES,
        max_poll_bytes: int = MAX_POLL_BYTES,
        create: bool = True,
    ) -> None:
        self._directory, self._partitions, self._clock, self._new_id = directory, partitions, clock, new_id
        self._busy_timeout_s, self._create = busy_timeout_s, create
        self._max_record_bytes, self._max_poll_bytes = max_record_bytes, max_poll_bytes
        self._groups = Groups(directory, clock=clock, lease_s=lease_s, busy_timeout_s=busy_timeout_s, create=create)
        self._retention_lock = RetentionLock(directory / "_retention.lock", create=create)
        self._topics: dict[str, Topic] = {}
        self._lock = threading.Lock()
        self._closed = False

    def append(self, messages: Sequence[Message]) -> list[Position]:
        """Messages of one topic are appended in one transaction, all or none; topics one after the other."""
        encoded = [self._encode(message) for message in messages]
        places: dict[str, list[int]] = {}
        for place, message in enumerate(messages):
            places.setdefault(message.topic, []).append(place)
        positions: dict[int, Position] = {}
        for name, own in places.items():
            positions |= zip(own, self._topic(name).append([encoded[place] for place in own]), strict=True)
        return [positions[place] for place in range(len(messages))]

    def _encode(self, message: Message) -> EncodedMessage:
        encoded = self._topic(message.topic).encode(message)
        if encoded.size > self._max_record_bytes:
            raise RecordTooLarge(
                f"a record of {encoded.size} bytes for topic {message.topic} is too large: "
                f"the log takes {self._max_record_bytes} bytes at most"
            )
        return encoded

    def partitions(self, topic: str) -> int:
        return self._topic(topic).partitions

    def bounds(self, topic: str) -> dict[int, Bounds]:
        return self._topic(topic).bounds()

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        return self._topic(topic).read(partition, offsets)

    def erase(
        self,
        topic: str,
        partition: int,
        offsets: range,
        *,
        mentioning: bytes,
        redact: Callable[[Record], Remains | None],
    ) -> int:
        """See shared.log.erasable.ErasableLog."""
        return self._topic(topic).erase(partition, offsets, mentioning=mentioning, redact=redact)

    def scrub(self, topic: str, *, begin: bool) -> bool:
        """See shared.log.erasable.ErasableLog."""
        return self._topic(topic).scrub(begin=begin)

    def follow(self, topic: str, positions: Mapping[int, int]) -> SqliteReader:
        return SqliteReader(self._topic(topic), positions, max_bytes=self._max_poll_bytes)

    def join(self, group: str, topic: str) -> SqliteMember:
        return SqliteMember(self._groups, self._topic(topic), group, self._new_id(), max_bytes=self._max_poll_bytes)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> the group's committed position, where it has one. Blocks; raises LogUnavailable."""
        return self._groups.committed(group, topic)

    def lag(self, group: str, topic: str) -> dict[int, int]:
        committed = self.committed(group, topic)
        bounds = self.bounds(topic)
        return {partition: max(0, end - committed.get(partition, begin)) for partition, (begin, end) in bounds.items()}

    def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """Bytes that each topic takes on the disk, what is free in its file included. Blocks; raises LogUnavailable."""
        return {name: self._topic(name).size() for name in topics}

    def disk(self) -> DiskSpace:
        try:
            return disk_space(self._directory)
        except OSError as error:
            raise LogUnavailable(f"{self._directory}: {error}") from error

    def pruning(self, topic: str) -> FilePruning:
        """What deletes old records of a topic. Raises LogUnavailable."""
        return self._topic(topic).pruning()

    @contextmanager
    def pruning_lock(self) -> Iterator[bool]:
        """See RetentionLock.pruning."""
        self._topic(EXAMPLES)  # Where the log does not exist, this raises the better error.
        with self._retention_lock.pruning() as may_prune:
            yield may_prune

    @contextmanager
    def replay_lock(self) -> Iterator[None]:
        """See RetentionLock.replay."""
        self._topic(EXAMPLES)
        with self._retention_lock.replay():
            yield

    def close(self) -> None:
        """Release the files; readers and members that wait wake up and raise LogUnavailable. May be called again."""
        with self._lock:
            self._closed = True
            topics = list(self._topics.values())
        for topic in topics:
            topic.close()
        self._groups.close()

    def _topic(self, name: str) -> Topic:
        with self._lock:
            if self._closed:
                raise LogUnavailable(f"the log in {self._directory} is closed")
            if name not in self._topics:
                self._topics[name] = self._open(name)
            return self._topics[name]

    def _open(self, name: str) -> Topic:
        if not _TOPIC_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a topic name ({_TOPIC_NAME.pattern})")
        partitions = self._partitions
        topic = Topic(
            name,
            self._directory / f"{name}.sqlite",
            partitions if isinstance(partitions, int) else partitions.get(name, 1),
            clock=self._clock,
            busy_timeout_s=self._busy_timeout_s,
            create=self._create,
            reserves=_RESERVES.get(name, 1),
        )
        topic.open()
        return topic
