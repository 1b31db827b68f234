"""The catch-ups of a learner: which streams need one, the jobs that make them, and when each is handed over."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prequel.services.learner.context import SOURCE, LearnerContext
from prequel.services.learner.fold.decisions.decisions import CATCH_UP
from prequel.services.learner.fold.decisions.model_handlers import joining_models
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.services.learner.replay.catch_up_job import plan_catch_up
from prequel.services.learner.replay.hand_over import stream_plan, would_lose
from prequel.services.learner.replay.jobs.queue import DONE, JobOwner, JobQueue, QueuedJob, QueueFull
from prequel.services.learner.replay.plan import ReplayPlan
from prequel.services.learner.replay.stored_replay import decode_replay
from prequel.services.learner.replay.stream_replay import StreamReplay
from prequel.shared.events.commands import encode_command
from prequel.shared.log.base import EXAMPLES
from prequel.shared.runtime.deadlines import CATCH_UP_RETRY_S
from prequel.shared.status import CatchUpStatus

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class CatchUp:
    """One stream's, from the job that is asked for it to the record at which it is handed over."""

    plan: ReplayPlan
    settings: int
    """How many settings the log had when it began: with more, it is obsolete."""
    begin: int
    job: QueuedJob
    replay: StreamReplay | None = None
    """Once the job has made it."""
    appended_at: int | None = None
    """The offset of the record at which the fold takes it over, once that is in the log."""
    problem: str = ""
    retry_at: float = 0.0
    shown: tuple[float, str, bool] = (0.0, "", False)
    """Progress, problem and whether it is appended, as they were last shown."""

    @property
    def appended(self) -> bool:
        return self.appended_at is not None

    def is_of(self, stream: StreamState, settings: int) -> bool:
        """Whether it replays the past that this stream has now, and not that of one deleted, or decided about since."""
        plan = self.plan
        if not plan.admits_classes_of(stream):
            return False
        return (plan.begun, plan.decisions.given, self.settings) == (stream.begun, stream.decisions.given, settings)


class CatchUps:
    """For the learner's thread; ``status`` for any that holds its lock. Nothing here is part of a state.

    What is lost in a crash is made again: the stream's decisions say that it waits for a replay, and the fold replays
    by itself where it meets a ``stream.catch-up`` for which there is none here.
    """

    def __init__(self, context: LearnerContext, partitions: Mapping[int, OwnedPartition], jobs: JobQueue) -> None:
        self._context, self._partitions, self._jobs = context, partitions, jobs
        self._running: dict[str, CatchUp] = {}
        self._refused: dict[str, tuple[int, int, int]] = {}
        """By stream, where it began, and how many decisions it had and settings the log, when its commands were
        refused: the fold may have yet to meet that."""
        self._begins: dict[int, int] | None = None
        """Where the log begins, by partition, once a stream has asked in this turn: Kafka is asked over the network."""
        self._appended = 0

    def take(self, stream: str, *, begun: int, given: int, begin: int, end: int) -> StreamReplay | None:
        running = self._running.get(stream)
        if running is None or running.replay is None or running.replay.position > end:
            return None  # A learner that was killed after it had appended the record meets that behind a new replay.
        plan = running.plan
        if (plan.begun, plan.decisions.given, running.begin) != (begun, given, begin):
            return None
        del self._running[stream]
        return running.replay

    def work(self) -> list[tuple[int, str]]:
        """Begin, renew, finish what is due; the streams whose status has changed by it.

        Does not wait for a replay. Blocks where one is handed over, which is an append; raises LogUnavailable.
        """
        self._begins = None
        waiting = list(self._waiting_streams())
        names = {stream.name for _, stream in waiting}
        for name in [name for name in self._running if name not in names]:
            self._jobs.cancel(self._running.pop(name).job)
        return [(number, stream.name) for number, stream in waiting if self._advance(number, stream)]

    def status(self, stream: StreamState) -> CatchUpStatus | None:
        """What is shown of the stream's catch-up; None where it waits for none."""
        if not stream.decisions.pending:
            return None
        running = self._running.get(stream.name)
        return CatchUpStatus(
            progress=1.0 if running and running.appended else running.job.progress if running else 0.0,
            commands=[decision.id for decision in stream.decisions.waiting],
            models=joining_models(stream.decisions),
            problem=running.problem if running else "",
        )

    def discard(self, partition: int) -> None:
        """Forget what is made for a partition that was revoked; its jobs are cancelled with all others of it."""
        self._running = {name: each for name, each in self._running.items() if each.plan.partition != partition}

    def _waiting_streams(self) -> Iterator[tuple[int, StreamState]]:
        for number, partition in self._partitions.items():
            for stream in partition.fold.streams.values():
                if stream.decisions.pending:
                    yield number, stream

    def _advance(self, number: int, stream: StreamState) -> bool:
        """Do what is next for a stream; whether its status is another one than before."""
        running, fold = self._running.get(stream.name), self._partitions[number].fold
        if running and not running.is_of(stream, len(fold.history)):
            self._jobs.cancel(self._running.pop(stream.name).job)  # It replays a past that has changed since.
            running = None
        if running is None or (running.problem and self._context.clock() >= running.retry_at):
            return self._begin(number, stream)
        if running.appended_at is not None and fold.position > running.appended_at:
            self._retry(running, "the record at which it was to be handed over was refused")
            return True
        if running.appended or running.problem:
            return False
        if running.job.ended:
            self._finish(running, number)
        shown, running.shown = running.shown, (running.job.progress, running.problem, running.appended)
        return shown != running.shown

    def _begin(self, number: int, stream: StreamState) -> bool:
        fold = self._partitions[number].fold
        begin = self._begin_of(number)
        if problem := would_lose(stream, begin):
            self._refuse(number, stream, begin, problem)
            return True
        plan = stream_plan(fold, stream, number, begin=begin)
        try:
            job = self._jobs.submit(plan_catch_up(plan, begin), JobOwner(number, stream.name), urgent=True)
        except QueueFull:  # The learner is stopping: whoever owns the partition next begins it.
            return False
        self._running[stream.name] = CatchUp(plan=plan, settings=len(fold.history), begin=begin, job=job)
        logger.info("stream %s: replaying its log beside the live fold, for %s", stream.name, _commands(stream))
        return True

    def _begin_of(self, number: int) -> int:
        """Where the log of a partition begins. Blocks where it is the first to be asked for; raises LogUnavailable."""
        if self._begins is None:
            self._begins = {partition: bounds.begin for partition, bounds in self._context.log.bounds(EXAMPLES).items()}
        return self._begins[number]

    def _finish(self, running: CatchUp, number: int) -> None:
        """Take the replay over from its job, and have the fold take it over at a record of the log."""
        fold, context = self._partitions[number].fold, self._context
        try:
            if running.job.state != DONE:
                raise ValueError(running.job.why or "the replay was cancelled")
            key = context.settings.snapshot_key.get_secret_value().encode()
            running.replay = decode_replay(
                running.job.result, running.plan, context.registry, fold.cache.empty_copy(), key
            )
            running.job.result = b""
        except (ValueError, UnknownModel) as error:
            self._retry(running, str(error))
            return
        arguments = {"given": running.plan.decisions.given, "settings": running.settings, "begin": running.begin}
        running.appended_at = self._append(running.plan.stream, arguments)

    def _retry(self, running: CatchUp, problem: str) -> None:
        running.problem, running.retry_at = problem, self._context.clock() + CATCH_UP_RETRY_S
        running.appended_at = None
        logger.warning("stream %s: catching up failed, and is tried again: %s", running.plan.stream, problem)

    def _refuse(self, number: int, stream: StreamState, begin: int, problem: str) -> None:
        """The commands came by the log itself, or retention was faster than they were."""
        settings = len(self._partitions[number].fold.history)
        refused = stream.begun, stream.decisions.given, settings
        if self._refused.get(stream.name) == refused:
            return
        self._append(
            stream.name,
            {"given": stream.decisions.given, "settings": settings, "begin": begin, "problem": problem},
        )
        self._refused[stream.name] = refused

    def _append(self, stream: str, arguments: Mapping[str, object]) -> int:
        """The record's offset."""
        self._appended += 1
        owner, now = self._context.owner, self._context.clock()
        id = f"catch-up:{owner}:{self._appended}"
        message = encode_command(stream, id, CATCH_UP, arguments=arguments, by="learner", time=now, source=SOURCE)
        (position,) = self._context.log.append([message])
        return position.offset


def _commands(stream: StreamState) -> str:
    return ", ".join(sorted({decision.do for decision in stream.decisions.waiting}))
