"""The log: durable, partitioned, ordered records (protocols and value types)."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

IMAGES = "images"
EXAMPLES = "examples"
PREDICTIONS = "predictions"
DEAD_LETTERS = "dead-letters"
TOPICS = (IMAGES, EXAMPLES, PREDICTIONS, DEAD_LETTERS)

Headers = tuple[tuple[str, bytes], ...]


class LogUnavailable(Exception):
    """The log cannot be reached or written now; nothing unacknowledged may be assumed. Try again later."""


class RecordTooLarge(ValueError):
    """A record is larger than the log accepts; it never will."""


class OffsetOutOfRange(Exception):
    """A position was asked for that retention has removed, or that was never written."""

    def __init__(self, topic: str, partition: int, offset: int, begin: int, end: int) -> None:
        super().__init__(
            f"{topic}:{partition}:{offset} is not in the log, which holds [{begin}, {end}): "
            "retention has passed this reader, or the log was replaced"
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
    """What a partition holds: offsets in ``[begin, end)``."""

    begin: int
    end: int


class Message(NamedTuple):
    """A record to be. Without a partition, the key decides it; without a key too, the log spreads evenly."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()
    partition: int | None = None


class Record(NamedTuple):
    """A record as it stands in the log. ``appended_at`` is in seconds since the epoch, set once by the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    appended_at: float


class Polled(NamedTuple):
    """One answer of a group member.

    ``lost`` partitions are no longer ours: drop their state. ``assigned`` ones are newly ours and yield no record
    until ``seek`` says from where. Records of a lost partition are never in ``records``.
    """

    records: list[Record]
    assigned: tuple[int, ...]
    lost: tuple[int, ...]
    generation: int


class Reader(Protocol):
    """Reads a topic from explicit positions, in offset order within a partition. For one thread only."""

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return what is there, waiting at most ``timeout_s`` for the first record.

        Raises OffsetOutOfRange where retention passed the position, LogUnavailable where the log is away.
        """
        ...

    def positions(self) -> dict[int, int]:
        """Partition -> next offset to read."""
        ...

    def close(self) -> None: ...


class Member(Protocol):
    """One member of a consumer group over one topic: partitions come and go. For one thread only."""

    def poll(self, max_records: int, timeout_s: float) -> Polled:
        """Return changes of ownership and what there is to read, waiting at most ``timeout_s``.

        Raises OffsetOutOfRange and LogUnavailable as a Reader does.
        """
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Read an owned partition from ``offset`` on. Does not block."""
        ...

    def committed(self, partition: int) -> int | None:
        """The group's committed position, or None. May block; raises LogUnavailable."""
        ...

    def commit(self, positions: Mapping[int, int]) -> bool:
        """Record positions for the group, durable on return. A partition that is no longer ours is left out.

        False where the group is just dividing its partitions anew and records nothing: commit again after the next
        poll. May block; raises LogUnavailable.
        """
        ...

    def close(self) -> None:
        """Leave the group so that others take over at once."""
        ...


class Log(Protocol):
    """Topics of partitions of records. Safe to use from several threads; its readers and members are not."""

    def append(self, messages: Sequence[Message]) -> list[Position]:
        """Append in order (per partition) and return where each stands. All are durable on return.

        Blocks. Raises LogUnavailable: then any of them may or may not be in the log; RecordTooLarge: none is.
        """
        ...

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has. Raises LogUnavailable."""
        ...

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """Partition -> what it holds. Raises LogUnavailable."""
        ...

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        """Read single records by position; those that retention removed are missing from the answer.

        Blocks until all others are read. Raises LogUnavailable.
        """
        ...

    def follow(self, topic: str, positions: Mapping[int, int]) -> Reader:
        """A reader of these partitions from these positions on."""
        ...

    def join(self, group: str, topic: str) -> Member:
        """A new member of the group."""
        ...

    def lag(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> records between the group's committed position (or the beginning) and the end."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Erasing(Protocol):
    """A log that can take single records out: the embedded one. Calls block and raise LogUnavailable."""

    def erase(
        self, topic: str, partition: int, offsets: range, about: bytes, change: Callable[[Record], Headers | None]
    ) -> int:
        """Empty those of the records at ``offsets`` with ``about`` in key or headers for which ``change`` is not None.

        They stay where they are, with their key, the headers that ``change`` says and no value. Durable on return; how
        many they were.
        """
        ...

    def scrubbed(self, topic: str) -> bool:
        """Whether no byte of what was erased before is left in the topic's files; if not yet, ask again."""
        ...


def partition_for(key: bytes, partitions: int) -> int:
    """The partition of a key, as Kafka's default partitioner has it (murmur2, so that other clients agree)."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    """32-bit MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2), unsigned."""
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    state = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * multiplier & mask
        word = (word ^ (word >> 24)) * multiplier & mask
        state = (state * multiplier & mask) ^ word
    if whole < len(data):
        state = (state ^ int.from_bytes(data[whole:], "little")) * multiplier & mask
    state = (state ^ (state >> 13)) * multiplier & mask
    return state ^ (state >> 15)
