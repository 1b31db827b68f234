"""A process: log, store, metrics and health, and the services that run in it until it is told to stop."""

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
from prequel.shared.queries import DeferredQueries, Queries
from prequel.shared.runtime.backends import open_log, open_store
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.operations import OperationsServer
from prequel.shared.runtime.processor import Processor
from prequel.shared.runtime.runner import Runner


class Process:
    """What all services of one process share. ``stop`` ends all of them; one that fails for good sets it too."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self.health = Health(failing=self.stop)
        self.metrics = Metrics(CollectorRegistry())
        self.log = open_log(settings)
        self.store = open_store(settings)
        self._threads: list[threading.Thread] = []

    def start(self, name: str, target: Callable[[], None]) -> None:
        """Run a service on a thread of its own. If it raises, the whole process ends and says why.

        The other services do not go on alone: a half-dead process would look healthy, and nothing would restart it.
        """

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
        """Run one service beside its operations server until ``stop``; return the exit code. Raises ConfigError.

        ``service`` gets the address of that server, to announce it, starts threads, and returns the learner's queries.
        The process is not ready before ``service`` has returned: what is not ready then either has said so itself.
        """
        queries = DeferredQueries()
        # The server first: probes and scrapes are answered while a backbone loads or a state is restored.
        server = self._operations_server(queries, extraction)
        host, port = server.address
        self.health.waits("process", "starting; this takes seconds")
        server.start()
        print(f"health and metrics at http://{host}:{port}", flush=True)
        try:
            queries.queries = service(self.settings.advertise or f"{_reachable(host)}:{port}")
            self.health.works("process")
            self.stop.wait()
        finally:
            server.close()
            code = self.close()
        return code

    def _operations_server(self, queries: Queries, extraction: Extraction | None) -> OperationsServer:
        """Raises ConfigError if it cannot listen at the address of the settings."""
        host, port = self.settings.ops_host, self.settings.ops_port
        # On loopback no key is needed: no other machine can connect.
        keys = ApiKeys(() if is_loopback(host) else self.settings.keys)
        try:
            return OperationsServer(
                host, port, health=self.health, metrics=self.metrics, queries=queries, extraction=extraction, keys=keys
            )
        except OSError as error:
            raise ConfigError(
                f"PREQUEL_OPS_HOST={host}, PREQUEL_OPS_PORT={port}: cannot listen there ({error.strerror or error}): "
                "set an address of this machine and a free port (0: any)"
            ) from error

    def close(self) -> int:
        """Wait until every service has finished its batch and committed; return 1 if one of them failed, else 0."""
        self.stop.set()
        for thread in self._threads:
            thread.join()
        # After the threads: a service that ends may still write its last snapshot.
        self.log.close()
        self.store.close()
        return int(self.health.failed is not None)

    def _remedy(self, error: OffsetOutOfRange) -> str:
        """Never carried out automatically: the missing records are lost for good, and an operator should know."""
        if error.topic == EXAMPLES:
            return "Stop all learners and run `prequel rebuild`: it learns again from what is left in the log"
        group = f"{self.settings.group}-extractor"
        return (
            f"Stop the members of group {group} and run: kafka-consumer-groups.sh --group {group} "
            f"--topic {self.settings.kafka_topic_prefix}{error.topic} --reset-offsets --to-earliest --execute"
        )

    def _fail(self, name: str, reason: str) -> None:
        print(f"prequel: the {name} stopped: {reason}", file=sys.stderr, flush=True)
        self.health.fails(name, reason)


def _reachable(host: str) -> str:
    """The host under which others reach a listener; one on all addresses goes by this machine's or container's name."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
