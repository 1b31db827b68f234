"""The predictions of a stream as they were made at the time, beside the rows of its examples."""

from collections.abc import Sequence

from prequel.services.learner.exports.example_row import ExampleRow
from prequel.shared.events.decoding import decode_prediction_event
from prequel.shared.events.types import Prediction, Rejected
from prequel.shared.log.base import PREDICTIONS, Log, LogUnavailable, OffsetOutOfRange, Position
from prequel.shared.log.partitioner import partition_for
from prequel.shared.runtime.deadlines import REPLAY_POLL_S

BATCH_RECORDS = 1_000
"""Predictions of one poll: a megabyte."""


class PastPredictions:
    """Reads the topic `predictions` once, in step with the rows. Its copies of a record, after a crash, are equal.

    A row whose prediction retention has removed, or that is not written yet, has none.
    """

    def __init__(self, log: Log, stream: str) -> None:
        """Blocks; raises LogUnavailable."""
        self._key = stream.encode()
        self._partition = partition_for(self._key, log.partitions(PREDICTIONS))
        begin, self._end = log.bounds(PREDICTIONS)[self._partition]
        self._reader = log.follow(PREDICTIONS, {self._partition: begin})
        self._found: dict[tuple[str, Position | None], Prediction] = {}
        self._newest = -1
        """The largest offset of features of which a prediction was read."""

    def close(self) -> None:
        self._reader.close()

    def add_to(self, rows: Sequence[ExampleRow], before: int) -> None:
        """Give each row its prediction; all features of the rows stand before offset ``before``.

        Blocks; raises LogUnavailable.
        """
        while self._newest < before - 1 and self._reader.positions()[self._partition] < self._end:
            self._poll()
        for row in rows:
            row.then = self._found.pop((row.id, row.image), None)
        if rows:  # What is older has no row any more: it was forgotten, or is a copy.
            self._found = {key: found for key, found in self._found.items() if found.position.offset >= before}

    def _poll(self) -> None:
        try:
            records = self._reader.poll(BATCH_RECORDS, REPLAY_POLL_S)
        except OffsetOutOfRange as error:
            raise LogUnavailable(f"retention removed predictions before they were read: {error}") from error
        for record in records:
            if record.key != self._key:
                continue
            try:
                event = decode_prediction_event(record)
            except Rejected:
                continue
            if isinstance(event, Prediction):
                self._found[event.id, event.image] = event
                self._newest = max(self._newest, event.position.offset)
