"""One batch of records on its way through the fold: examples not yet predicted, and the results so far."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from prequel.services.learner.fold.commands import Deletion, Removal
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.new_examples import predict_run
from prequel.services.learner.fold.outputs import Output
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.events.outcomes import too_many_labels
from prequel.shared.events.types import Features, Outcome, Rejected
from prequel.shared.log.base import Position, Record
from prequel.shared.vectors import Vector


class FoldResult(NamedTuple):
    """The results of folding some records, in log order."""

    outputs: list[Output]
    rejected: list[tuple[Record, Rejected]]
    duplicates: int
    """Records among them that had been folded before, or brought an example that was known."""
    conflicts: Mapping[str, int]
    """How many of these came with another image (CONTENT) or another label (LABEL) than the first time."""
    misplaced: list[Record]
    """Records that belong to another partition: here they have no effect."""
    deletions: list[Deletion]
    late: list[Removal]
    """What features that came late belong to, among ``rejected``: their records are to be erased too."""
    noted: Collection[str] = ()
    """Streams that have features more of another backbone: of these there is no output."""


class FoldBatch:
    """Runs of new examples, one a stream, are predicted together: a model takes many vectors faster than one by one.

    A run is flushed before anything that must see its examples predicted. ``features`` gives the vector at a position,
    None where retention has removed it; those of new examples go into ``cache``, a run at a time.
    """

    def __init__(self, features: Callable[[Position], Vector | None], cache: FeatureCache) -> None:
        self.features, self._cache = features, cache
        self.outputs: list[Output] = []
        self.noted = set[str]()
        self.duplicates = 0
        self.conflicts = Counter[str]()
        self.deletions: list[Deletion] = []
        self.late: list[Removal] = []
        self._runs: dict[str, tuple[StreamState, dict[str, Features]]] = {}

    def has_unpredicted(self, stream: StreamState, id: str) -> bool:
        """Whether an example with this id waits to be predicted."""
        return stream.name in self._runs and id in self._runs[stream.name][1]

    def add(self, stream: StreamState, event: Features) -> None:
        """Add a new example to the stream's run."""
        self._runs.setdefault(stream.name, (stream, {}))[1][event.id] = event

    def count_duplicate(self, conflict: str) -> None:
        """Count an example that came before, and what was different this time, if anything."""
        self.duplicates += 1
        if conflict:
            self.conflicts[conflict] += 1

    def flush(self, stream: StreamState | None = None) -> None:
        """Predict the examples that wait, of one stream or of all."""
        for name in [stream.name] if stream else list(self._runs):
            if name in self._runs:
                state, run = self._runs.pop(name)
                events = list(run.values())
                xs = np.stack([event.vector for event in events])
                self._cache.put_run(events, xs)
                self.outputs += predict_run(state, events, xs)

    def rejected_labels(self, records: Sequence[Record]) -> Iterable[tuple[Record, Rejected]]:
        """The records whose label was rejected: they are dead letters too.

        Where a label had waited for its features, these are no dead letter: they were predicted, and only the label has
        an outcome that says so.
        """
        by_position = {Position(record.partition, record.offset): record for record in records}
        for at, event in self.outputs:
            if isinstance(event, Outcome) and event.status == "rejected" and event.position == at:
                yield by_position[at], too_many_labels()
