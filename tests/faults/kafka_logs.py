"""Opens logs on a real Kafka for a test, and checks at its end that all their clients have ended."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.log.kafka.security import KafkaSecurity
from tests.servers.ports import wait_until

OpenLog = Callable[..., KafkaLog]


@contextmanager
def opened_logs(**defaults: Any) -> Iterator[OpenLog]:
    """``open_log(servers, *security, **options)``: closed at the end.

    ``security``: as for ``security_of``; ``options``: KafkaCluster's, over the defaults.
    """
    opened: list[KafkaLog] = []

    def open_log(servers: str, *security: str, **options: Any) -> KafkaLog:
        opened.append(KafkaLog(KafkaCluster(servers, security_of(*security), **(defaults | options))))
        return opened[-1]

    yield open_log
    for log in opened:
        log.close()
    wait_until(lambda: not client_threads(), 60, f"the end of all clients: {client_threads()}")


def security_of(*values: str) -> KafkaSecurity:
    """Protocol, mechanism, user, password, CA, certificate and key, as many as are given, in this order."""
    return KafkaSecurity(**dict(zip((each.name for each in fields(KafkaSecurity)), values, strict=False)))


def client_threads() -> list[str]:
    """Names of kafka-python's threads that are still running."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kafka-")]
