"""The newest feature vectors in memory; all others are read back from the log by position."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from prequel.services.learner.fold.log_range import read_range
from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Erased, Features, Rejected
from prequel.shared.log.base import EXAMPLES, Log, Position, Record
from prequel.shared.vectors import Vector

REPLAY_BATCH_RECORDS = 512
"""Records in one batch of a replay, as many as a learner folds at once: more would only take more memory."""


class FeatureCache:
    """Feature vectors by position, at most ``max_examples`` and ``max_bytes``.

    Each partition has a cache of its own, so that revoking it frees them all.
    """

    def __init__(self, log: Log, max_examples: int, max_bytes: int) -> None:
        self._log, self._max_examples, self._max_bytes = log, max_examples, max_bytes
        self._vectors: OrderedDict[Position, Vector] = OrderedDict()
        self._bytes = 0
        self._attributes: dict[Position, Attributes] = {}
        self.attributes_read: dict[Position, Attributes] = {}
        """Attributes of what was fetched for this batch, from memory or not: so they depend on the log only."""
        self._begins: dict[int, int] | None = None

    def empty_copy(self) -> "FeatureCache":
        """An empty cache over the same log, for a replay, which meets every vector again."""
        return FeatureCache(self._log, self._max_examples, self._max_bytes)

    def replay(self, partition: int, end: int) -> tuple[int, Iterator[list[Record]]]:
        """Where the log begins, and its records from there to ``end``, in batches. Blocks; raises LogUnavailable."""
        begin = self._log.bounds(EXAMPLES)[partition].begin
        return begin, read_range(self._log, partition, begin, end, batch_records=REPLAY_BATCH_RECORDS)

    def read_range(self, partition: int, begin: int, end: int) -> Iterator[list[Record]]:
        """The records from ``begin``, or from where the log begins now, to ``end``, in batches.

        Blocks; raises LogUnavailable.
        """
        begin = max(begin, self._log.bounds(EXAMPLES)[partition].begin)
        return read_range(self._log, partition, begin, end, batch_records=REPLAY_BATCH_RECORDS)

    def begin_batch(self) -> None:
        """Forget where the log begins: it is asked again, once, when the batch's first label needs it."""
        self.attributes_read, self._begins = {}, None

    def put(self, position: Position, vector: Vector, attributes: Attributes = NO_ATTRIBUTES) -> None:
        """Add the vector of a new example, and evict the oldest where there are too many."""
        self._vectors[position] = vector
        if attributes:
            self._attributes[position] = attributes
        self._bytes += vector.nbytes
        while len(self._vectors) > self._max_examples or self._bytes > self._max_bytes:
            evicted, vector = self._vectors.popitem(last=False)
            self._bytes -= vector.nbytes
            self._attributes.pop(evicted, None)

    def fetch(self, positions: Iterable[Position]) -> dict[Position, Vector]:
        """The vectors at these positions; those that retention, or a deletion, has removed are missing.

        They are missing also where they are still in memory: what becomes of a label must not depend on when the
        learner started. Blocks while those not in memory are read, together. Raises LogUnavailable.
        """
        readable = [position for position in dict.fromkeys(positions) if position.offset >= self._begin(position)]
        vectors = {position: self._vectors[position] for position in readable if position in self._vectors}
        if self._attributes:
            self.attributes_read.update({at: self._attributes[at] for at in vectors if at in self._attributes})
        missing: dict[int, list[int]] = {}
        for position in readable:
            if position not in vectors:
                missing.setdefault(position.partition, []).append(position.offset)
        for event in self._read(missing):
            vectors[event.position] = event.vector
            if event.attributes:
                self.attributes_read[event.position] = event.attributes
        return vectors

    def _read(self, offsets: dict[int, list[int]]) -> Iterator[Features]:
        """The feature events at these offsets, by partition; without those that were erased."""
        for partition, missing in offsets.items():
            for offset, record in self._log.read(EXAMPLES, partition, sorted(missing)).items():
                event = decode_example(record)
                if isinstance(event, Erased):
                    continue
                if not isinstance(event, Features):
                    raise Rejected("not-features", f"{EXAMPLES}:{partition}:{offset} is not a feature event any more")
                yield event

    def _begin(self, position: Position) -> int:
        if self._begins is None:
            self._begins = {partition: begin for partition, (begin, _) in self._log.bounds(EXAMPLES).items()}
        return self._begins.get(position.partition, 0)
