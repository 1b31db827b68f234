"""Runs a processor as a member of a consumer group until it is told to stop, and restores it after every failure."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from prequel.shared.log.base import Log, LogUnavailable
from prequel.shared.runtime.deadlines import METRIC_BACKOFF, REJOIN_BACKOFF
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processor
from prequel.shared.runtime.retry import Attempts, Backoff
from prequel.shared.runtime.session import Session
from prequel.shared.store.base import Fenced, StoreUnavailable


class Runner:
    """Session after session of one processor; see Session for the steps of each and their order.

    Whatever becomes unavailable (log, store) or is taken over by another process (Fenced), the answer is the same as to
    a crash: discard the state, leave the group, wait, restore, replay. So there is one way of recovery, and each outage
    exercises it. What is only shown (lag, gauges) costs nothing when it fails.

    ``ready`` raises what is unavailable. It is called before joining the group: a process that cannot work would take
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
        backoff: Backoff = REJOIN_BACKOFF,
    ) -> None:
        self._log, self._processor, self._group = log, processor, group
        self._clock, self._metrics, self._health = clock, metrics, health
        self._checkpoint_seconds, self._checkpoint_events = checkpoint_seconds, checkpoint_events
        self._ready = ready
        self._attempts = Attempts(processor.name, health, backoff, clock=clock)
        self._measuring = Attempts(f"{processor.name}: metrics", health, METRIC_BACKOFF, clock=clock)
        self._shown: set[int] = set()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``; then finish the batch, checkpoint, return. Raises what is a bug or needs an operator."""
        while not stop.is_set():
            try:
                self._log.partitions(self._processor.topic)
                self._ready()
                self._run_session(stop)
            except (LogUnavailable, StoreUnavailable, Fenced) as error:
                stop.wait(self._attempts.failed(error))
            except BaseException as error:
                self._health.fails(self._processor.name, f"stopped: {error!r}")
                raise

    def _run_session(self, stop: threading.Event) -> None:
        member = self._log.join(self._group, self._processor.topic)
        with ThreadPoolExecutor(1, f"{self._processor.name}-publisher") as executor:
            session = Session(
                self._log,
                self._processor,
                member,
                executor,
                group=self._group,
                metrics=self._metrics,
                clock=self._clock,
                shown=self._shown,
                measuring=self._measuring,
            )
            try:
                while not stop.is_set():
                    session.turn()
                    self._attempts.worked()
                    if session.checkpoint_due(self._checkpoint_seconds, self._checkpoint_events):
                        session.checkpoint()
                    if session.measurement_due(self._checkpoint_seconds):
                        session.measure()
                session.finish()
            finally:
                # After a failure everything in the queue will be replayed. It is cancelled, because with the log
                # unavailable each batch would wait for its own timeout, one after the other.
                executor.shutdown(wait=False, cancel_futures=True)
                session.discard()
                member.close()
