"""A process: a log, a store, metrics and health, and the services that run in it until it is told to stop."""

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from prequel.shared.api_keys import ApiKeys
from prequel.shared.config import ConfigError, Settings, is_loopback
from prequel.shared.extraction import Extraction
from prequel.shared.log.base import EXAMPLES, OffsetOutOfRange
from prequel.shared.queries import Answer, Queries, UnknownStream
from prequel.shared.runtime.backends import open_log, open_store
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.operations import OperationsServer
from prequel.shared.runtime.processor import Processor
from prequel.shared.runtime.runner import Runner
from prequel.shared.status import StreamDetail
from prequel.shared.vectors import Vector


class Process:
    """What one process holds. ``stop`` ends all of it; a part that fails for good sets it too."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self.health = Health(failing=self.stop)
        self.metrics = Metrics(CollectorRegistry())
        self.log = open_log(settings)
        self.store = open_store(settings)
        self._threads: list[threading.Thread] = []

    def start(self, name: str, target: Callable[[], None]) -> None:
        """Run a service on a thread of its own; where it fails, the whole process ends, with the reason said."""

        def run() -> None:
            try:
                target()
            except ConfigError as error:
                self._fail(name, str(error))
            except OffsetOutOfRange as error:
                self._fail(name, f"{error}. {self._remedy(error)}")
            except Exception as error:
                logging.getLogger("prequel").exception("the %s stopped", name)
                self._fail(name, repr(error))

        thread = threading.Thread(target=run, name=name)
        self._threads.append(thread)
        thread.start()

    def run_processor(
        self, processor: Processor, *, checkpoint_seconds: float, ready: Callable[[], None] = lambda: None
    ) -> None:
        """Run a processor in this thread until ``stop``; see Runner. Raises what needs an operator."""
        Runner(
            self.log,
            processor,
            group=f"{self.settings.group}-{processor.name}",
            clock=time.monotonic,
            metrics=self.metrics,
            health=self.health,
            checkpoint_seconds=checkpoint_seconds,
            checkpoint_events=self.settings.checkpoint_events,
            ready=ready,
        ).run(self.stop)

    def run_service(self, service: Callable[[str], Queries | None], extraction: Extraction | None = None) -> int:
        """Run one service beside its operations server until ``stop``; the exit code. Raises ConfigError."""
        queries = _Later()
        ops = self._ops(queries, extraction)
        host, port = ops.address
        ops.start()
        print(f"health and metrics at http://{host}:{port}", flush=True)
        try:
            queries.found = service(self.settings.advertise or f"{_reachable(host)}:{port}")
            self.stop.wait()
        finally:
            ops.close()
            code = self.close()
        return code

    def _ops(self, queries: Queries, extraction: Extraction | None) -> OperationsServer:
        """Raises ConfigError where nobody can listen there."""
        host, port = self.settings.ops_host, self.settings.ops_port
        try:
            return OperationsServer(
                host,
                port,
                health=self.health,
                metrics=self.metrics,
                queries=queries,
                extraction=extraction,
                keys=self._ops_keys(),
            )
        except OSError as error:
            raise ConfigError(
                f"PREQUEL_OPS_HOST={host}, PREQUEL_OPS_PORT={port}: cannot listen there ({error.strerror or error}): "
                "give an address of this machine, and a port that is free (0: any)"
            ) from error

    def _ops_keys(self) -> ApiKeys:
        """On loopback nobody is asked for a key."""
        return ApiKeys(() if is_loopback(self.settings.ops_host) else self.settings.keys)

    def close(self) -> int:
        """Wait until every service has finished its batch and committed; 1 where one of them crashed."""
        self.stop.set()
        for thread in self._threads:
            thread.join()
        self.log.close()
        self.store.close()
        return int(self.health.failed is not None)

    def _remedy(self, error: OffsetOutOfRange) -> str:
        """Never done by itself: what is missing is gone for good, and somebody should know."""
        if error.topic == EXAMPLES:
            return "Stop all learners and run `prequel rebuild`: it folds what the log still holds"
        group = f"{self.settings.group}-extractor"
        return (
            f"Stop the members of group {group} and run: kafka-consumer-groups.sh --group {group} "
            f"--topic {self.settings.kafka_topic_prefix}{error.topic} --reset-offsets --to-earliest --execute"
        )

    def _fail(self, name: str, reason: str) -> None:
        print(f"prequel: the {name} stopped: {reason}", file=sys.stderr, flush=True)
        self.health.fails(name, reason)


class _Later:
    """Queries to a learner that is still being made."""

    found: Queries | None = None

    def answer(self, stream: str, features: Vector) -> Answer:
        if self.found is None:
            raise UnknownStream(stream)
        return self.found.answer(stream, features)

    def detail(self, stream: str) -> StreamDetail:
        if self.found is None:
            raise UnknownStream(stream)
        return self.found.detail(stream)


def _reachable(host: str) -> str:
    """The host that others reach a listener by: one on every address goes by this machine's (or container's) name."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
