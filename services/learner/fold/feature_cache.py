"""The newest feature vectors in memory; all others are read back from the log by position."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat

from prequel.services.learner.fold.log_range import read_range
from prequel.services.learner.fold.vector_blocks import VectorBlocks
from prequel.services.learner.models.base import Matrix
from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Erased, Features, Rejected
from prequel.shared.log.base import EXAMPLES, Log, Position, Record
from prequel.shared.vectors import Vector

REPLAY_BATCH_RECORDS = 512
"""Records in one batch of a replay, as many as a learner folds at once: more would only take more memory."""


class FeatureCache:
    """Feature vectors by position, at most ``max_examples`` and ``max_bytes``; of each size in blocks of their own.

    Each partition has a cache of its own, so that revoking it frees them all.
    """

    def __init__(self, log: Log, max_examples: int, max_bytes: int) -> None:
        self._log, self._max_examples, self._max_bytes = log, max_examples, max_bytes
        self._slots: OrderedDict[Position, tuple[int, int]] = OrderedDict()
        """Where each vector is: its size, and its slot in the blocks of that size. Numbers alone, so that the garbage
        collector need not look through 20,000 of them again and again."""
        self._blocks: dict[int, VectorBlocks] = {}
        """By the size of a vector."""
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
        """Copy the vector of a new example, and evict the oldest where there are too many."""
        self.remove(position)
        self._make_room(1, vector.nbytes)
        if not self._has_room(vector.nbytes):
            return
        self._slots[position] = vector.size, self.blocks(vector.size).add(vector, position.offset)
        self._bytes += vector.nbytes
        if attributes:
            self._attributes[position] = attributes

    def put_run(self, events: Sequence[Features], xs: Matrix) -> None:
        """As ``put`` for each of some new examples, at once; ``xs`` are their vectors, float32 [n, dim]."""
        self._remove_all([event.position for event in events if event.position in self._slots])
        dim, size = xs.shape[1], 4 * xs.shape[1]
        most = min(self._max_examples, self._max_bytes // size)
        events, xs = events[len(events) - most :] if len(events) > most else events, xs[-most:] if most else xs[:0]
        self._make_room(len(events), size)
        if not events or not self._fits(len(events), size):
            return
        positions = [event.position for event in events]
        slots = self.blocks(dim).add_run(xs, [position.offset for position in positions])
        self._slots.update(zip(positions, zip(repeat(dim), slots, strict=False), strict=True))
        self._bytes += size * len(events)
        self._attributes.update((event.position, event.attributes) for event in events if event.attributes)

    def _make_room(self, vectors: int, size: int) -> None:
        """Evict the oldest until so many vectors of ``size`` bytes fit, or nothing is left."""
        too_many = max(0, len(self._slots) + vectors - self._max_examples)
        self._remove_all(list(islice(self._slots, too_many)))
        while self._slots and not self._fits(vectors, size):
            self.remove(next(iter(self._slots)))

    def _fits(self, vectors: int, size: int) -> bool:
        return len(self._slots) + vectors <= self._max_examples and self._bytes + vectors * size <= self._max_bytes

    def put_old(self, position: Position, vector: Vector) -> None:
        """Copy the vector of an older example, which was read again, if there is room: it is evicted first."""
        if position not in self._slots and self._has_room(vector.nbytes):
            self.put(position, vector)
            self._slots.move_to_end(position, last=False)

    def remove(self, position: Position) -> None:
        """Forget the vector at a position, if it is in memory; its bytes are overwritten."""
        if position in self._slots:
            self._remove_all([position])

    def _remove_all(self, positions: Sequence[Position]) -> None:
        """The same of these positions, which are in memory."""
        freed: dict[int, list[int]] = {}
        for position in positions:
            dim, slot = self._slots.pop(position)
            freed.setdefault(dim, []).append(slot)
            self._attributes.pop(position, None)
        for dim, slots in freed.items():
            self._blocks[dim].remove_run(slots)
            self._bytes -= 4 * dim * len(slots)
            if not len(self._blocks[dim]):
                del self._blocks[dim]

    def peek(self, position: Position) -> Vector | None:
        """A copy of the vector, if it is in memory."""
        return self._row(position).copy() if position in self._slots else None

    def _row(self, position: Position) -> Vector:
        dim, slot = self._slots[position]
        return self._blocks[dim].row(slot)

    def blocks(self, dim: int) -> VectorBlocks:
        """The vectors in memory that have so many values."""
        if dim not in self._blocks:
            self._blocks[dim] = VectorBlocks(dim)
        return self._blocks[dim]

    @property
    def room(self) -> int:
        """For how many more vectors there is room, by their number."""
        return self._max_examples - len(self._slots) if self._has_room(0) else 0

    def _has_room(self, size: int) -> bool:
        return len(self._slots) < self._max_examples and self._bytes + size <= self._max_bytes

    def fetch(self, positions: Iterable[Position]) -> dict[Position, Vector]:
        """The vectors at these positions; those that retention, or a deletion, has removed are missing.

        They are missing also where they are still in memory: what becomes of a label must not depend on when the
        learner started. Blocks while those not in memory are read, together. Raises LogUnavailable.
        """
        readable = [position for position in dict.fromkeys(positions) if position.offset >= self._begin(position)]
        # Copies: a slot is taken again by a new example, perhaps before the batch that asks has used the vector.
        vectors: dict[Position, Vector] = {at: self._row(at).copy() for at in readable if at in self._slots}
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

    def read(self, positions: Iterable[Position]) -> dict[Position, Vector]:
        """The vectors at these positions, from the log; those that it has no more are missing. It changes nothing here,
        and is safe from any thread. Blocks; raises LogUnavailable."""
        offsets: dict[int, list[int]] = {}
        for position in positions:
            offsets.setdefault(position.partition, []).append(position.offset)
        return {event.position: event.vector for event in self._read(offsets)}

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

    def begins(self) -> dict[int, int]:
        """Where the log begins now, by partition. Blocks; raises LogUnavailable. Safe from any thread."""
        return {partition: begin for partition, (begin, _) in self._log.bounds(EXAMPLES).items()}

    def _begin(self, position: Position) -> int:
        if self._begins is None:
            self._begins = self.begins()
        return self._begins.get(position.partition, 0)
