"""One membership in a consumer group: the numbered steps from a poll to a checkpoint, and why they have this order."""

from collections.abc import Callable
from concurrent.futures import Executor

from prequel.shared.log.base import Log, LogUnavailable, Member
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed, Processor
from prequel.shared.runtime.publisher import Publisher
from prequel.shared.runtime.retry import Attempts

CHECKPOINT_SHARE = 0.1
"""The part of the time, at most, that goes into checkpoints: one that took 2 s is followed by 18 s of work. With half
as much a crash would replay twice as long; with twice as much a large state would slow its stream down by a quarter."""


class Session:
    """From joining the group to leaving it, or to the first failure. Not to be used afterwards.

    One turn is steps 1 to 4; a checkpoint, every few seconds, is steps 5 to 7:

        1. poll     new records, and changes of ownership
        2. own      revoked partitions are discarded, assigned ones restored
        3. process  the processor decodes the records, predicts and learns
        4. publish  outputs and dead letters are appended in the background
        5. flush    wait until all of them are durable in the log
        6. save     the processor's state, together with its positions in the input
                    (a learner's own steps: services/learner/checkpoint.py)
        7. commit   the positions to the consumer group

    What is lost if the process dies:
        before 5    nothing is: the last state is older than the outputs. The records since then are read again, and
                    give equal outputs. Consumers ignore a copy by its id and position.
        5 to 6      the same; there are only more copies.
        6 to 7      the learner resumes at the positions in its state, so nothing is repeated. The extractor has no
                    state: its positions are the group's, and it extracts the images since the last commit again.

    The order must not change. State before outputs (6 before 5): after a crash the state would contain examples whose
    predictions are not in the log and never will be. Positions before state (7 before 6): after a crash the records
    between them would be skipped, that is, images lost or labels not learned.
    """

    def __init__(
        self,
        log: Log,
        processor: Processor,
        member: Member,
        executor: Executor,
        *,
        group: str,
        metrics: Metrics,
        clock: Callable[[], float],
        shown: set[int],
        measuring: Attempts,
    ) -> None:
        """``shown`` are the partitions that have metrics; like ``measuring``, it outlives the session."""
        self._log, self._processor, self._member = log, processor, member
        self._publisher = Publisher(log, executor, processor.name)
        self._group, self._metrics, self._clock, self._shown = group, metrics, clock, shown
        self._measuring = measuring
        self._owned: set[int] = set()
        self._resumed_by_group: set[int] = set()
        """Partitions whose position is the one committed to the group: only there does step 7 count."""
        self._positions: dict[int, int] = {}
        """Partition -> next offset, of what was processed since the last checkpoint."""
        self._uncommitted: dict[int, int] = {}
        """The same of what was saved (step 6) and is not committed yet (step 7)."""
        self._last_checkpoint, self._last_measurement = clock(), clock()
        self._events_since = 0
        self._min_interval = 0.0
        """Seconds until the next checkpoint may come, by CHECKPOINT_SHARE."""

    # Steps 1 to 4.

    def turn(self) -> None:
        """Poll once, process, publish. Blocks for a record and for earlier outputs. Raises what their append raised."""
        # 1. Poll. Not longer than the processor allows: it may have a batch to finish.
        polled = self._member.poll(self._processor.max_records, self._processor.poll_timeout())

        # 2. Ownership before records: a record of an assigned partition comes only after its seek, and a revoked one
        #    may be assigned again in the same poll.
        for partition in polled.revoked:
            self.revoke(partition)
        for partition in polled.assigned:
            self._assign(partition, polled.generation)

        # 3. Process, also without records: the processor may have earlier ones to finish.
        processed = self._processor.process(polled.records)
        self._events_since += len(polled.records)

        # 4. Publish.
        self._publish(processed)

    def _publish(self, processed: Processed) -> None:
        for _, rejected in processed.rejected:
            self._metrics.rejected.labels(self._processor.name, rejected.reason).inc()
        # The positions first: ``submit`` may raise, and then nothing of this session is checkpointed any more.
        self._positions.update((p, offset) for p, offset in processed.positions.items() if p in self._owned)
        self._publisher.submit(processed)

    # Steps 5 to 7.

    def checkpoint_due(self, seconds: float, events: int) -> bool:
        """Whether to checkpoint now. The clock decides when, never what: a state is the same wherever it is saved."""
        passed = self._clock() - self._last_checkpoint
        enough = self._events_since >= events or passed >= seconds
        return bool(self._positions) and passed >= self._min_interval and enough

    def checkpoint(self) -> None:
        """Make everything processed so far durable. Blocks; raises Fenced, StoreUnavailable, LogUnavailable."""
        # 5. Flush. After this, everything that the state is derived from has its outputs in the log.
        self._publisher.flush()

        # 6. Save. Fenced: if another process owns the partition by now, this raises and nothing is overwritten.
        began = self._clock()
        self._processor.checkpoint(self._positions)

        # 7. Commit.
        self._uncommitted |= self._positions
        self._positions, self._events_since, self._last_checkpoint = {}, 0, self._clock()
        self._min_interval = (self._last_checkpoint - began) * (1 - CHECKPOINT_SHARE) / CHECKPOINT_SHARE
        self._commit_saved()

    def _commit_saved(self) -> None:
        """Raises only where the group's position decides what is read next. Elsewhere it is only shown."""
        if self._resumed_by_group & set(self._uncommitted):
            self._commit()
        else:
            self._measuring.run(self._commit, LogUnavailable)

    def _commit(self) -> None:
        """What the group does not take now, because it is rebalancing, is committed next time."""
        if self._uncommitted and self._member.commit(self._uncommitted):
            self._uncommitted = {}

    def finish(self) -> None:
        """At an orderly stop: finish what the processor has begun, then checkpoint. Raises like ``checkpoint``."""
        while self._processor.poll_timeout() == 0:
            self._publish(self._processor.process(()))
        if self._positions:
            self.checkpoint()

    # Ownership (step 2).

    def _assign(self, partition: int, generation: int) -> None:
        # Noted before ``restore``: if that fails half-way, the partition is discarded, and later its metrics hidden.
        self._owned.add(partition)
        self._shown.add(partition)
        offset = self._processor.restore(partition, generation)
        if offset is None:
            self._resumed_by_group.add(partition)
            offset = self._member.committed(partition)
        else:
            self._uncommitted[partition] = offset  # So that the group's lag shows what is really left to read.
        if offset is None:
            offset = self._log.bounds(self._processor.topic)[partition].begin
        self._member.seek(partition, offset)

    def revoke(self, partition: int) -> None:
        """Another member owns the partition now, or will. What is unsaved of it is processed again there."""
        self._forget(partition)
        self._hide(partition)

    def discard(self) -> None:
        """Forget all state without saving it.

        The metrics stay until another member is known to own the partitions: a process that cannot work must remain
        visible, and its next session will probably own the same ones.
        """
        for partition in sorted(self._owned):
            self._forget(partition)

    def _forget(self, partition: int) -> None:
        self._owned.discard(partition)
        self._resumed_by_group.discard(partition)
        self._positions.pop(partition, None)
        self._uncommitted.pop(partition, None)
        self._processor.discard(partition)

    # Metrics.

    def measurement_due(self, seconds: float) -> bool:
        return self._clock() - self._last_measurement >= seconds

    def measure(self) -> None:
        """Show how far behind the group is. A failure here costs no state: it is reported and tried again later."""
        self._measuring.run(self._measure, LogUnavailable)
        self._last_measurement = self._clock()

    def _measure(self) -> None:
        """Show the lag of the partitions owned here and of no others: each process shows its own."""
        self._commit()
        topic = self._processor.topic
        for partition, behind in self._log.lag(self._group, topic).items():
            if partition in self._owned:
                self._metrics.lag.labels(self._processor.name, topic, str(partition)).set(behind)
        for partition in self._shown - self._owned:
            self._hide(partition)

    def _hide(self, partition: int) -> None:
        self._shown.discard(partition)
        self._metrics.lag.remove(self._processor.name, self._processor.topic, str(partition))
        self._processor.hide_metrics(partition)
