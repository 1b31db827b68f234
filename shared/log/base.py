"""The log: durable, partitioned, ordered records (protocols, value types and errors)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from prequel.shared.errors import PrequelError

IMAGES = "images"
EXAMPLES = "examples"
PREDICTIONS = "predictions"
DEAD_LETTERS = "dead-letters"
TOPICS = (IMAGES, EXAMPLES, PREDICTIONS, DEAD_LETTERS)

Headers = tuple[tuple[str, bytes], ...]
"""Names and values in the producer's order; a name may occur several times."""


class LogUnavailable(PrequelError):
    """The log cannot be reached or written now. Try again later: an append that failed so may have been written."""


class RecordTooLarge(PrequelError, ValueError):
    """A record is larger than the log accepts. Trying again will not help."""


class OffsetOutOfRange(PrequelError):
    """A reader's position is not in the log: retention has removed it, or it was never written."""

    def __init__(self, topic: str, partition: int, offset: int, bounds: "Bounds") -> None:
        begin, end = bounds
        super().__init__(
            f"{topic}:{partition}:{offset} is not in the log, which has offsets {begin} to {end} (exclusive): "
            "retention removed it before it was read, or the log was replaced by another one"
        )
        self.topic, self.partition, self.offset, self.begin, self.end = topic, partition, offset, begin, end


class Position(NamedTuple):
    """A place in a topic: the next offset to read. A record's own position is where reading it begins."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read ``partition:offset``; raises ValueError for anything else."""
        partition, _, offset = text.partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            raise ValueError(f"{text!r} is not partition:offset")
        return cls(int(partition), int(offset))


class Bounds(NamedTuple):
    """The offsets that a partition has: ``begin`` (inclusive) to ``end`` (exclusive, the next one to be written)."""

    begin: int
    end: int


class Message(NamedTuple):
    """What a caller appends. Without a partition the key decides it; without both, the log spreads messages."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()
    partition: int | None = None


class Record(NamedTuple):
    """A message as the log stored it. ``appended_at`` is in seconds since the epoch, set once, by the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    appended_at: float


class PollResult(NamedTuple):
    """What one poll of a group member returns.

    ``revoked`` partitions now belong to somebody else: discard their state, and do not write for them any more.
    ``assigned`` ones are newly owned and return no records before ``seek`` names their position. ``records`` never
    has one of a revoked partition. ``generation`` grows with every change of ownership in the group; it is the fence
    with which a snapshot of an assigned partition is written.
    """

    records: list[Record]
    assigned: tuple[int, ...]
    revoked: tuple[int, ...]
    generation: int


class Reader(Protocol):
    """Reads partitions of one topic from explicit positions, in offset order within each. Not thread-safe."""

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return the next records; empty where none came within ``timeout_s``.

        Blocks at most about ``timeout_s``; longer only while it connects. Raises OffsetOutOfRange where retention has
        removed the position, LogUnavailable where the log cannot be read. After LogUnavailable poll again: no record
        is skipped.
        """
        ...

    def positions(self) -> dict[int, int]:
        """Partition -> next offset to read: of what ``poll`` has returned, not of what was read ahead."""
        ...

    def close(self) -> None:
        """Release the connection. May be called again; ``poll`` then raises LogUnavailable."""
        ...


class Member(Protocol):
    """One member of a consumer group over one topic: partitions are assigned and revoked. Not thread-safe."""

    def poll(self, max_records: int, timeout_s: float) -> PollResult:
        """Return changes of ownership and the next records of the owned partitions.

        Blocks as a Reader's does, and raises the same. It is also the sign of life: a member that does not poll for
        long loses its partitions to others. The first poll joins the group.
        """
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Read an owned partition from ``offset`` on. Does not block. Raises ValueError for one that is not owned."""
        ...

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None where there is none. May block; raises LogUnavailable."""
        ...

    def commit(self, positions: Mapping[int, int]) -> bool:
        """Store next-to-read positions for the group; durable on return.

        Positions of partitions that are not owned any more are left out, so a member that was paused cannot set back
        the position of its successor. Returns False where nothing was stored because the group is just reassigning
        its partitions: poll, then commit again. May block; raises LogUnavailable.
        """
        ...

    def close(self) -> None:
        """Leave the group, so that others take over at once. May be called again. Blocks for seconds at most."""
        ...


class Log(Protocol):
    """Topics of partitions of records. Thread-safe; its readers and members are not.

    Every call may block, for as long as shared/runtime/deadlines.py says.
    """

    def append(self, messages: Sequence[Message]) -> list[Position]:
        """Append in order (within a partition) and return each one's position. All are durable on return.

        Raises LogUnavailable: any of them may or may not be in the log, so one that is appended again may be there
        twice. RecordTooLarge: none of them is. ValueError for a partition that the topic does not have.
        """
        ...

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has. Raises LogUnavailable, also where the topic does not exist."""
        ...

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """Partition -> the offsets it has. Raises LogUnavailable."""
        ...

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        """Offset -> record, for records anywhere in the log; offsets that it does not have are missing.

        Blocks until all are read. Raises LogUnavailable.
        """
        ...

    def follow(self, topic: str, positions: Mapping[int, int]) -> Reader:
        """A reader of these partitions from these positions on; they are checked when it is first polled.

        Raises LogUnavailable where the topic's file cannot be opened; a reader on Kafka connects only when polled.
        """
        ...

    def join(self, group: str, topic: str) -> Member:
        """A new member of the group, which joins when it is first polled. Raises as ``follow``."""
        ...

    def lag(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> records from the group's committed position (or the begin) to the end. Raises LogUnavailable."""
        ...

    def close(self) -> None:
        """Release connections and files. May be called again; whatever needs the log then raises LogUnavailable."""
        ...
