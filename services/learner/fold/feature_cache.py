"""The newest feature vectors in memory; all others are read back from the log by position."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import closing

from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Erased, Features, Rejected
from prequel.shared.log.base import EXAMPLES, Log, LogUnavailable, OffsetOutOfRange, Position, Record
from prequel.shared.runtime.deadlines import REPLAY_POLL_S
from prequel.shared.vectors import Vector

REPLAYED = 512
"""Records in one batch of a replay, as a learner folds them: more only keep more memory."""


class FeatureCache:
    """Feature vectors by position, bounded in number and bytes: one a partition, so that dropping it drops all."""

    def __init__(self, log: Log, most_examples: int, most_bytes: int) -> None:
        self._log, self._most_examples, self._most_bytes = log, most_examples, most_bytes
        self._vectors: OrderedDict[Position, Vector] = OrderedDict()
        self._bytes = 0
        self._attributes: dict[Position, Attributes] = {}
        self.read: dict[Position, Attributes] = {}
        """The attributes of what was fetched in this turn, from memory or not: so they depend on the log only."""
        self._begins: dict[int, int] | None = None

    def another(self) -> "FeatureCache":
        """An empty one over the same log: of a replay, which meets every vector again."""
        return FeatureCache(self._log, self._most_examples, self._most_bytes)

    def replay(self, partition: int, end: int) -> tuple[int, Iterator[list[Record]]]:
        """Where the log begins, and its records from there to ``end``, in batches. Blocks; raises LogUnavailable."""
        begin = self._log.bounds(EXAMPLES)[partition].begin
        return begin, self._batches(partition, begin, end)

    def _batches(self, partition: int, begin: int, end: int) -> Iterator[list[Record]]:
        with closing(self._log.follow(EXAMPLES, {partition: begin})) as reader:
            while reader.positions()[partition] < end:
                try:
                    records = reader.poll(REPLAYED, REPLAY_POLL_S)
                except OffsetOutOfRange as error:
                    raise LogUnavailable(f"a replay lost the race with retention, and begins again: {error}") from error
                yield [record for record in records if record.offset < end]

    def turn(self) -> None:
        """A new batch begins: where the log begins is asked anew, once, when its first label needs it."""
        self.read, self._begins = {}, None

    def put(self, position: Position, vector: Vector, attributes: Attributes = NO_ATTRIBUTES) -> None:
        self._vectors[position] = vector
        if attributes:
            self._attributes[position] = attributes
        self._bytes += vector.nbytes
        while len(self._vectors) > self._most_examples or self._bytes > self._most_bytes:
            gone, vector = self._vectors.popitem(last=False)
            self._bytes -= vector.nbytes
            self._attributes.pop(gone, None)

    def fetch(self, positions: Iterable[Position]) -> dict[Position, Vector]:
        """The vectors at these positions; those that retention, or a deletion, has removed are missing.

        Also those that are still in memory: what becomes of a label must not depend on when the learner started.
        Blocks while those not in memory are read, together. Raises LogUnavailable.
        """
        wanted = [position for position in dict.fromkeys(positions) if position.offset >= self._begin(position)]
        found = {position: self._vectors[position] for position in wanted if position in self._vectors}
        if self._attributes:
            self.read.update({at: self._attributes[at] for at in found if at in self._attributes})
        missing: dict[int, list[int]] = {}
        for position in wanted:
            if position not in found:
                missing.setdefault(position.partition, []).append(position.offset)
        for partition, offsets in missing.items():
            for offset, record in self._log.read(EXAMPLES, partition, sorted(offsets)).items():
                event = decode_example(record)
                if isinstance(event, Erased):
                    continue
                if not isinstance(event, Features):
                    raise Rejected("not-features", f"{EXAMPLES}:{partition}:{offset} is no feature event any more")
                found[event.position] = event.vector
                if event.attributes:
                    self.read[event.position] = event.attributes
        return found

    def _begin(self, position: Position) -> int:
        if self._begins is None:
            self._begins = {partition: begin for partition, (begin, _) in self._log.bounds(EXAMPLES).items()}
        return self._begins.get(position.partition, 0)
