"""Opens logs on a real Kafka for a test, and sees to it that none of their clients is left at its end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.log.kafka.security import KafkaSecurity
from tests.servers.ports import wait_until

OpenLog = Callable[..., KafkaLog]


@contextmanager
def opened_logs(**defaults: Any) -> Iterator[OpenLog]:
    """``open_log(servers, *security, **options)``: KafkaCluster's options, over the defaults; closed at the end."""
    opened: list[KafkaLog] = []

    def open_log(servers: str, *security: str, **options: Any) -> KafkaLog:
        opened.append(KafkaLog(KafkaCluster(servers, KafkaSecurity(*security), **(defaults | options))))
        return opened[-1]

    yield open_log
    for log in opened:
        log.close()
    wait_until(lambda: not client_threads(), 60, f"the end of all clients: {client_threads()}")


def client_threads() -> list[str]:
    """Names of kafka-python's threads that are still running."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kafka-")]
