"""The protocol that extractor and learner implement for the runner: restore, process, checkpoint."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from prequel.shared.events.types import Rejected
from prequel.shared.log.base import Message, Record


class Processed(NamedTuple):
    """Finished work: the outputs and rejected records of all input before ``positions`` (partition -> next offset)."""

    messages: Sequence[Message]
    rejected: Sequence[tuple[Record, Rejected]]
    positions: Mapping[int, int]


class Processor(Protocol):
    """A stateless map (extractor) or a fold (learner) over the partitions of one topic. Called from one thread.

    Any exception other than those named is a bug: the runner stops, nothing is checkpointed, a restart replays.
    """

    name: str
    topic: str

    @property
    def max_records(self) -> int:
        """The most records that the next poll returns."""
        ...

    def restore(self, partition: int, generation: int) -> int | None:
        """Take over a partition; return the offset to read from, None for the one that the group has committed.

        May block. Raises Fenced if a newer owner exists, StoreUnavailable.
        """
        ...

    def process(self, records: Sequence[Record]) -> Processed:
        """Take records in; return what is finished: perhaps of earlier records, perhaps nothing yet."""
        ...

    def poll_timeout(self) -> float:
        """Seconds that the next poll may wait for a record; 0 when there is work to do without one."""
        ...

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        """Save the state as of the last ``process``. The outputs of everything before ``positions`` are durable.

        May block. Raises Fenced, StoreUnavailable, LogUnavailable: the runner then discards everything and restores.
        """
        ...

    def discard(self, partition: int) -> None:
        """Forget a partition's state without writing anything. Also called after a ``restore`` that failed."""
        ...

    def hide_metrics(self, partition: int) -> None:
        """Remove the metrics of a partition that another process owns now."""
        ...
