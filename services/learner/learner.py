"""The learner: folds the partitions it owns, publishes predictions and statuses, commits snapshots."""

import threading
from collections.abc import Callable, Mapping, Sequence

from prequel.services.learner.checkpoint import write_checkpoint
from prequel.services.learner.config_agreement import agree_on_config
from prequel.services.learner.context import LearnerContext
from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.output_messages import count_outputs, output_messages
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.services.learner.publishing.publisher import StatusPublisher
from prequel.services.learner.queries import StreamQueries
from prequel.services.learner.replay.backtests.backtests import Backtests
from prequel.services.learner.replay.catch_ups import CatchUps
from prequel.services.learner.replay.jobs.base import JobContext, Workers
from prequel.services.learner.replay.jobs.in_process import InProcessWorkers
from prequel.services.learner.replay.jobs.kinds import KINDS
from prequel.services.learner.replay.jobs.queue import JobQueue
from prequel.services.learner.replay.rebuild_schedule import RebuildSchedule
from prequel.services.learner.restore import published_snapshot, restore_partition
from prequel.shared.backtests import Backtest, BacktestRequest
from prequel.shared.config import Settings
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import EXAMPLES, Log, Message, Record
from prequel.shared.opinions import ExampleQueue, QueueRequest, SimilarExamples
from prequel.shared.queries import Answer
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed
from prequel.shared.status import StreamDetail, StreamHistory
from prequel.shared.store.base import Fenced, Store
from prequel.shared.vectors import Vector

CHECK_KEY = "learner/check"
"""Written before a group is joined, and read by nobody."""
STORE_CHECK_SECONDS = 5.0
"""How often an idle learner checks that the store still has its snapshots: a store that was emptied is noticed within
this time. More often, and many idle learners would be a load of their own."""
IDLE_SECONDS = 0.2
"""How long a poll waits when nothing is due: what SIGTERM, at most, waits for. Half of it wakes idle processes twice as
often for nothing."""


class Learner:
    """A Processor (shared/runtime/processor.py) over ``examples``, and the Queries of its partitions' streams.

    ``owner`` is an id of this process, ``address`` where it answers queries, None where nobody can ask it; ``clock``
    gives seconds since the epoch; ``workers`` run its jobs, None: this process does, one by one between two batches.
    """

    name = "learner"
    topic = EXAMPLES
    max_records = 512

    def __init__(
        self,
        settings: Settings,
        *,
        log: Log,
        store: Store,
        registry: ModelRegistry,
        metrics: Metrics,
        clock: Callable[[], float],
        owner: str,
        address: str | None = None,
        health: Health | None = None,
        workers: Workers | None = None,
    ) -> None:
        self._context = LearnerContext(
            settings=settings,
            config=fold_config(settings),
            log=log,
            store=store,
            registry=registry,
            metrics=metrics,
            health=health or Health(),
            clock=clock,
            owner=owner,
            started=clock(),
        )
        context = JobContext(settings=settings, log=log, store=store, registry=registry)
        self._lock = threading.Lock()
        """Held while the state changes and while a query reads it: a query must not see half a batch."""
        self._partitions: dict[int, OwnedPartition] = {}
        self._queries = StreamQueries(
            self._partitions, self._lock, signed=bool(settings.snapshot_key.get_secret_value())
        )
        self._jobs = JobQueue(workers or InProcessWorkers(KINDS, context))
        self._catch_ups = CatchUps(self._context, self._partitions, self._jobs)
        self._schedule = RebuildSchedule(self._context, self._partitions)
        self._publisher = StatusPublisher(
            self._context, self._partitions, address=address, catching_up=self._catch_ups.status
        )
        self._backtests = Backtests(self._context, self._partitions, self._lock, self._jobs)
        self._store_checked_at = clock()

    def close(self) -> None:
        """End the jobs that run, and take no more."""
        self._jobs.close()

    # Processor.

    def ready(self) -> None:
        """Raises StoreUnavailable where no snapshot could be written now: such a learner must not join its group.

        It writes, since a store that is full, or a replica, can be read without a problem.
        """
        self._context.store.put(CHECK_KEY, b"")

    def restore(self, partition: int, generation: int) -> int:
        owned = restore_partition(self._context, partition, generation)
        owned.fold.replays = self._catch_ups
        with self._lock:
            self._partitions[partition] = owned
        self._publisher.add_partition(owned)
        self._agree(owned)
        self._backtests.resume(owned)
        if snapshot := published_snapshot(self._context, owned):
            self._publisher.add_snapshot(owned, snapshot)
        return owned.fold.position

    def process(self, records: Sequence[Record]) -> Processed:
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        messages: list[Message] = []
        rejected: list[tuple[Record, Rejected]] = []
        for number, batch in by_partition.items():
            self._fold(self._partitions[number], batch, messages, rejected)
        for partition in self._partitions.values():
            partition.eraser.work()
        self._jobs.work()
        self._schedule.work()
        self._publisher.add_streams(self._catch_ups.work())
        self._backtests.work()
        if not records and self._context.clock() - self._store_checked_at >= STORE_CHECK_SECONDS:
            self._check_store()
        self._publisher.publish_if_due(busy=bool(records))
        return Processed(messages, rejected, {n: self._partitions[n].fold.position for n in by_partition})

    def poll_timeout(self) -> float:
        timeouts = (partition.eraser.poll_timeout(IDLE_SECONDS) for partition in self._partitions.values())
        return self._publisher.poll_timeout(min(timeouts, default=IDLE_SECONDS))

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        for number in sorted(positions):
            partition = self._partitions[number]
            self._publisher.add_snapshot(partition, write_checkpoint(self._context, partition))
        self._publisher.publish()
        self._publisher.publish_details(sorted(positions))

    def discard(self, partition: int) -> None:
        with self._lock:
            revoked = self._partitions.pop(partition, None)
        self._jobs.cancel_all(lambda owner: owner.partition == partition)
        self._catch_ups.discard(partition)
        self._publisher.remove_partition(partition, list(revoked.fold.streams) if revoked else [])

    def hide_metrics(self, partition: int) -> None:
        self._publisher.remove_partition_gauges(partition)

    # Queries.

    def answer(self, stream: str, features: Vector) -> Answer:
        return self._queries.answer(stream, features)

    def detail(self, stream: str) -> StreamDetail:
        return self._queries.detail(stream)

    def history(self, stream: str) -> StreamHistory:
        return self._queries.history(stream)

    def model_problem(self, stream: str, spec: str) -> str:
        return self._queries.model_problem(stream, spec)

    def model_file(self, stream: str, spec: str) -> bytes:
        return self._queries.model_file(stream, spec)

    def start_backtest(self, stream: str, request: BacktestRequest) -> Backtest:
        return self._backtests.start(stream, request)

    def end_backtest(self, stream: str, id: str) -> Backtest | None:
        return self._backtests.end(stream, id)

    def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
        return self._queries.queue(stream, request)

    def similar(self, stream: str, id: str, limit: int, position: str | None = None) -> SimilarExamples:
        return self._queries.similar(stream, id, limit, position)

    # The parts.

    def _fold(
        self,
        partition: OwnedPartition,
        records: Sequence[Record],
        messages: list[Message],
        rejected: list[tuple[Record, Rejected]],
    ) -> None:
        """Fold the records of one partition; the results are added to ``messages`` and ``rejected``."""
        metrics = self._context.metrics
        with self._lock:
            result = partition.fold.apply(records)
            self._queries.drop_old()
        self._agree(partition)
        count_outputs(result, partition.fold.streams, metrics, topic=self.topic)
        self._publisher.add_result(partition, result)
        messages += output_messages(result)
        rejected += partition.eraser.take(result)
        for deletion in result.deletions:
            self._backtests.stream_deleted(deletion.stream)
        metrics.early.labels(str(partition.number)).set(len(partition.fold.orphan_labels))

    def _agree(self, partition: OwnedPartition) -> None:
        if agree_on_config(self._context, partition):
            self._publisher.add_all(partition)

    def _check_store(self) -> None:
        """Raises Fenced where the store was emptied, so that the state is rebuilt before an event has to come."""
        lost = self._publisher.check_store()
        self._store_checked_at = self._context.clock()
        if lost:
            raise Fenced(f"examples:{lost[0]}: the store has lost the snapshots; the state is rebuilt from the log")
