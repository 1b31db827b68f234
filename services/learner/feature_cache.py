"""The newest feature vectors in memory; all others are read back from the log by position."""

from collections import OrderedDict
from collections.abc import Iterable

from shared.events import Erased, Features, Rejected, Vector, decode_example
from shared.log import EXAMPLES, Log, Position


class FeatureCache:
    """Feature vectors by position, bounded in number and bytes: one a partition, so that dropping it drops all."""

    def __init__(self, log: Log, most_examples: int, most_bytes: int) -> None:
        self._log, self._most_examples, self._most_bytes = log, most_examples, most_bytes
        self._vectors: OrderedDict[Position, Vector] = OrderedDict()
        self._bytes = 0

    def put(self, position: Position, vector: Vector) -> None:
        self._vectors[position] = vector
        self._bytes += vector.nbytes
        while len(self._vectors) > self._most_examples or self._bytes > self._most_bytes:
            self._bytes -= self._vectors.popitem(last=False)[1].nbytes

    def fetch(self, positions: Iterable[Position]) -> dict[Position, Vector]:
        """The vectors at these positions; those that retention, or a deletion, has removed are missing.

        Blocks while those not in memory are read, together. Raises LogUnavailable.
        """
        wanted = list(dict.fromkeys(positions))
        found = {position: self._vectors[position] for position in wanted if position in self._vectors}
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
                found[Position(partition, offset)] = event.vector
        return found
