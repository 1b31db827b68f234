"""Appends a processor's outputs and dead letters to the log in the background, in the order they were produced."""

from collections import deque
from concurrent.futures import Executor, Future

from prequel.shared.events.dead_letters import abridged, encode_rejected
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import Log, Message, Record, RecordTooLarge
from prequel.shared.runtime.processor import Processed

IN_FLIGHT_BATCHES = 2
"""Batches that are being appended while the next one is processed. One alone would make the processor wait whenever an
append takes longer than a batch; more would only fill memory, since the log is then the slower of the two."""


class Publisher:
    """``executor`` must have one thread: it keeps the order. ``name`` becomes the source of the dead letters."""

    def __init__(self, log: Log, executor: Executor, name: str) -> None:
        self._log, self._executor, self._source = log, executor, f"prequel/{name}"
        self._in_flight: deque[Future[None]] = deque()

    def submit(self, processed: Processed) -> None:
        """Begin to append. Blocks while too many batches are in flight; raises what an earlier append raised."""
        if processed.messages or processed.rejected:
            self._in_flight.append(self._executor.submit(self._append, processed))
        self._wait(IN_FLIGHT_BATCHES)

    def flush(self) -> None:
        """Wait until everything submitted is durable in the log. Raises what an append raised."""
        self._wait(0)

    def _wait(self, max_in_flight: int) -> None:
        while len(self._in_flight) > max_in_flight:
            self._in_flight.popleft().result()
        # Those that have ended are looked at too: a failed append must not stay unnoticed while others are in flight.
        while self._in_flight and self._in_flight[0].done():
            self._in_flight.popleft().result()

    def _append(self, processed: Processed) -> None:
        """Raises LogUnavailable, and RecordTooLarge for an output, which is a bug of the processor."""
        rejected = [pair for pair in processed.rejected if not pair[1].counted]
        dead_letters = [self._dead_letter(*pair) for pair in rejected]
        try:
            self._log.append([*processed.messages, *dead_letters])
        except RecordTooLarge:
            # The log took nothing of the batch. First the outputs, alone: if one of them is too large, stop here.
            self._log.append(processed.messages)
            # Then one by one: which dead letters are abridged must not depend on the others in the batch.
            for record, reason in rejected:
                self._append_dead_letter(record, reason)

    def _append_dead_letter(self, record: Record, rejected: Rejected) -> None:
        """Abridged where the log took the record, but does not take it with the reason added."""
        try:
            self._log.append([self._dead_letter(record, rejected)])
        except RecordTooLarge:
            self._log.append([self._dead_letter(*abridged(record, rejected))])

    def _dead_letter(self, record: Record, rejected: Rejected) -> Message:
        # Its time is the record's, not now: the same record rejected again after a crash gives an equal dead letter.
        return encode_rejected(record, rejected, source=self._source, time=record.appended_at)
