"""The one loop of every processor: poll, process, flush the outputs, checkpoint."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

from prequel.shared.events.dead_letters import abridged, encode_rejected
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import Log, LogUnavailable, Member, Message, Record, RecordTooLarge
from prequel.shared.runtime.deadlines import METRIC_AGAIN, REJOIN
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.retry import Attempts, Backoff
from prequel.shared.store.base import Fenced, StoreUnavailable

CHECKPOINT_SHARE = 0.1
"""Of the time, at most, that goes into checkpoints: one that took 2 s is followed by 18 s of work. With half as much a
crash would replay twice as long, with twice as much every large state would slow its stream down by a quarter."""
IN_FLIGHT_BATCHES = 2
"""Batches of outputs on their way to the log while the next one is processed."""


class Processed(NamedTuple):
    """Outputs, and what they stand for: all input before ``positions`` (partition -> next offset) is in them."""

    messages: Sequence[Message]
    rejected: Sequence[tuple[Record, Rejected]]
    positions: Mapping[int, int]


class Processor(Protocol):
    """A stateless map (extractor) or a fold (learner) over the partitions of one topic. Called from one thread.

    Any exception but those named is a bug: the runner stops, nothing is checkpointed, a restart replays.
    """

    name: str
    topic: str
    most_records: int
    """Records that one poll may return."""

    def restore(self, partition: int, generation: int) -> int | None:
        """Take over a partition; return the offset to read from, None for the group's committed one.

        May block. Raises Fenced if somebody newer owns it, StoreUnavailable.
        """
        ...

    def process(self, records: Sequence[Record]) -> Processed:
        """Take records in; return what is finished: perhaps of earlier records, perhaps nothing yet."""
        ...

    def patience(self) -> float:
        """Seconds that the next ``process`` can wait for a first record; 0 when there is work without one."""
        ...

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        """Commit the state as of the last ``process``; everything before ``positions`` is durable in the outputs.

        May block. Raises Fenced, StoreUnavailable, LogUnavailable: the runner then drops everything and restores.
        """
        ...

    def drop(self, partition: int) -> None:
        """Forget a partition's state without writing anything, also where ``restore`` did not come to its end."""
        ...

    def hide(self, partition: int) -> None:
        """Take out the metrics of a partition that is somebody else's."""
        ...


class Runner:
    """Drives one processor as a member of one consumer group until it is told to stop.

    Order, never changed: outputs durable -> snapshot with its offset -> commit to the group. Whatever of these becomes
    unavailable, the answer is the same as to a crash: drop the state, leave the group, wait, restore, replay. What is
    only shown (lag, gauges, the group's position of a processor that keeps its own) costs nothing when it fails.

    It joins only once the log has answered and ``ready`` has not raised what is away: whoever cannot work would take
    partitions from those that can, again and again.
    """

    def __init__(
        self,
        log: Log,
        processor: Processor,
        *,
        group: str,
        clock: Callable[[], float],
        metrics: Metrics,
        health: Health,
        checkpoint_seconds: float,
        checkpoint_events: int,
        ready: Callable[[], None] = lambda: None,
        backoff: Backoff = REJOIN,
    ) -> None:
        self._log, self._processor, self._group = log, processor, group
        self._clock, self._metrics, self._health = clock, metrics, health
        self._checkpoint_seconds, self._checkpoint_events = checkpoint_seconds, checkpoint_events
        self._ready = ready
        self._attempts = Attempts(processor.name, health, backoff, clock=clock)
        self._measuring = Attempts(f"{processor.name}: metrics", health, METRIC_AGAIN, clock=clock)
        self._shown: set[int] = set()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``; then finish the batch, snapshot, return. Raises what is a bug, or needs an operator."""
        while not stop.is_set():
            try:
                self._log.partitions(self._processor.topic)
                self._ready()
                self._attend(stop)
            except (LogUnavailable, StoreUnavailable, Fenced) as error:
                stop.wait(self._attempts.failed(error))
            except BaseException as error:
                self._health.fails(self._processor.name, f"stopped: {error!r}")
                raise

    def _attend(self, stop: threading.Event) -> None:
        member = self._log.join(self._group, self._processor.topic)
        with ThreadPoolExecutor(1, f"{self._processor.name}-publisher") as publisher:
            session = Session(
                self._log,
                self._processor,
                member,
                self._group,
                publisher,
                self._metrics,
                self._clock,
                self._shown,
                self._measuring,
            )
            try:
                while not stop.is_set():
                    session.turn()
                    self._attempts.worked()
                    if session.due(self._checkpoint_seconds, self._checkpoint_events):
                        session.checkpoint()
                    if session.stale(self._checkpoint_seconds):
                        session.measure()
                session.finish()
            finally:
                # After a failure all of it is replayed: with the log away each batch in the queue would wait for it.
                publisher.shutdown(wait=False, cancel_futures=True)
                session.drop()
                member.close()


class Session:
    """One membership: from joining the group to leaving it, or to the first failure."""

    def __init__(
        self,
        log: Log,
        processor: Processor,
        member: Member,
        group: str,
        publisher: ThreadPoolExecutor,
        metrics: Metrics,
        clock: Callable[[], float],
        shown: set[int],
        measuring: Attempts,
    ) -> None:
        """``shown``: partitions whose metrics are shown, kept from session to session, as is ``measuring``."""
        self._log, self._processor, self._member, self._publisher = log, processor, member, publisher
        self._group, self._metrics, self._clock, self._shown = group, metrics, clock, shown
        self._measuring = measuring
        self._owned: set[int] = set()
        self._by_group: set[int] = set()
        """Those whose position is the one that the group has committed: only there does a commit count."""
        self._positions: dict[int, int] = {}
        self._in_flight: deque[Future[None]] = deque()
        self._uncommitted: dict[int, int] = {}
        self._since, self._events, self._measured = clock(), 0, clock()
        self._pause = 0.0
        """Seconds that the next checkpoint stays away from the last, which took its share."""

    def turn(self) -> None:
        """Poll once, process, hand the outputs to the publisher. Raises what a failed publication raised."""
        polled = self._member.poll(self._processor.most_records, self._processor.patience())
        for partition in polled.lost:
            self.lose(partition)
        for partition in polled.assigned:
            self._take(partition, polled.generation)
        self._account(self._processor.process(polled.records))
        self._events += len(polled.records)
        self._settle(IN_FLIGHT_BATCHES)

    def due(self, seconds: float, events: int) -> bool:
        """Whether to checkpoint now. The clock decides when, never what: a state is the same wherever it is saved."""
        passed = self._clock() - self._since
        return bool(self._positions) and passed >= self._pause and (self._events >= events or passed >= seconds)

    def stale(self, seconds: float) -> bool:
        return self._clock() - self._measured >= seconds

    def checkpoint(self) -> None:
        """Outputs durable, then the state, then the group's position (for the extractor: the one that counts)."""
        self._settle(0)
        began = self._clock()
        self._processor.checkpoint(self._positions)
        self._uncommitted |= self._positions
        self._since, self._events, self._positions = self._clock(), 0, {}
        self._pause = (self._since - began) * (1 - CHECKPOINT_SHARE) / CHECKPOINT_SHARE
        self._note()

    def measure(self) -> None:
        """Show how far behind the group is. Nothing that fails here costs state: it is said, and tried again later."""
        self._measuring.run(self._measure, LogUnavailable)
        self._measured = self._clock()

    def _measure(self) -> None:
        """Of the partitions that are ours, and of no others."""
        self._commit()
        topic = self._processor.topic
        for partition, behind in self._log.lag(self._group, topic).items():
            if partition in self._owned:
                self._metrics.lag.labels(self._processor.name, topic, str(partition)).set(behind)
        for partition in self._shown - self._owned:
            self._hide(partition)

    def finish(self) -> None:
        """Take what is in the processor's pipeline to its end and commit it."""
        while self._processor.patience() == 0:
            self._account(self._processor.process(()))
        if self._positions:
            self.checkpoint()

    def lose(self, partition: int) -> None:
        """Another member has it, or will have it."""
        self._forget(partition)
        self._hide(partition)

    def drop(self) -> None:
        """Forget everything. What is shown of the partitions stays until somebody is known to have them.

        Whoever cannot work has to be seen: the next session will begin with the same ones, most likely.
        """
        for partition in sorted(self._owned):
            self._forget(partition)

    def _take(self, partition: int, generation: int) -> None:
        # First: a processor that fails half-way through restoring is told to drop it, and later to hide it.
        self._owned.add(partition)
        self._shown.add(partition)
        offset = self._processor.restore(partition, generation)
        if offset is None:
            self._by_group.add(partition)
            offset = self._member.committed(partition)
        else:
            self._uncommitted[partition] = offset
        if offset is None:
            offset = self._log.bounds(self._processor.topic)[partition].begin
        self._member.seek(partition, offset)

    def _commit(self) -> None:
        if self._uncommitted and self._member.commit(self._uncommitted):
            self._uncommitted = {}

    def _note(self) -> None:
        """Commit, where that is for people only: a processor's own state has the position that counts."""
        if self._by_group & set(self._uncommitted):
            self._commit()
        else:
            self._measuring.run(self._commit, LogUnavailable)

    def _forget(self, partition: int) -> None:
        self._owned.discard(partition)
        self._by_group.discard(partition)
        self._positions.pop(partition, None)
        self._uncommitted.pop(partition, None)
        self._processor.drop(partition)

    def _hide(self, partition: int) -> None:
        self._shown.discard(partition)
        self._metrics.lag.remove(self._processor.name, self._processor.topic, str(partition))
        self._processor.hide(partition)

    def _account(self, processed: Processed) -> None:
        for _, rejected in processed.rejected:
            self._metrics.rejected.labels(self._processor.name, rejected.reason).inc()
        if processed.messages or processed.rejected:
            self._in_flight.append(self._publisher.submit(self._publish, processed))
        self._positions.update((p, offset) for p, offset in processed.positions.items() if p in self._owned)

    def _publish(self, processed: Processed) -> None:
        """Append outputs and dead letters. Blocks; raises LogUnavailable, and RecordTooLarge for an output: a bug."""
        buried = [(record, rejected) for record, rejected in processed.rejected if not rejected.counted]
        letters = [self._dead_letter(record, rejected) for record, rejected in buried]
        try:
            self._log.append([*processed.messages, *letters])
        except RecordTooLarge:
            self._log.append(processed.messages)
            # One by one: what becomes of a letter must not depend on those that came with it.
            for record, rejected in buried:
                self._bury(record, rejected)

    def _bury(self, record: Record, rejected: Rejected) -> None:
        """Append a dead letter: abridged where the log takes the record, but not the reason on top of it."""
        try:
            self._log.append([self._dead_letter(record, rejected)])
        except RecordTooLarge:
            self._log.append([self._dead_letter(*abridged(record, rejected))])

    def _dead_letter(self, record: Record, rejected: Rejected) -> Message:
        return encode_rejected(record, rejected, source=f"prequel/{self._processor.name}", time=record.appended_at)

    def _settle(self, most: int) -> None:
        while len(self._in_flight) > most:
            self._in_flight.popleft().result()
        while self._in_flight and self._in_flight[0].done():
            self._in_flight.popleft().result()
