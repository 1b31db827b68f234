"""Asks a Kafka cluster about its topics and groups, and creates topics."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from kafka import TopicPartition
from kafka.admin import ConfigResource
from kafka.errors import AuthorizationError, TopicAlreadyExistsError
from kafka.protocol.consumer import IsolationLevel, OffsetSpec

from prequel.shared.log.base import Bounds, LogUnavailable
from prequel.shared.log.kafka.clients import new_admin
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.errors import CoordinatorMoved, broker_error, translated
from prequel.shared.runtime.deadlines import COORDINATOR_BACKOFF
from prequel.shared.topics import TopicState

_Answer = TypeVar("_Answer")

NO_SUCH_TOPIC = 3
"""Kafka's error code UNKNOWN_TOPIC_OR_PARTITION."""

NO_LIMIT = 2**63
"""In place of a setting that a broker does not tell."""


class KafkaAdmin:
    """One administrative client for all threads, made at the first question and replaced after any error.

    Questions are rare and short, so one is asked at a time. Every method blocks and raises LogUnavailable.
    """

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._client: Any = None
        self._closed = False

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; raises LogUnavailable where it does not exist."""
        return len(self._ask(f"looking at topic {topic}", lambda client: _existing(client, topic))["partitions"])

    def limit(self, topic: str) -> int:
        """The largest record in bytes that the topic takes and we send; our own limit where we may not ask."""

        def ask(client: Any) -> int:
            with suppress(AuthorizationError):
                settings = _settings(client, topic)
                return min(self._cluster.request_bytes, int(settings.get("max.message.bytes", NO_LIMIT)))
            return self._cluster.max_record_bytes

        return self._ask(f"looking at topic {topic}", ask)

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """Partition -> its offsets; the end is that of committed transactions, as a consumer sees it."""

        def ask(client: Any) -> dict[int, Bounds]:
            partitions = [TopicPartition(topic, p["partition_index"]) for p in _existing(client, topic)["partitions"]]
            begins, ends = (
                client.list_partition_offsets(dict.fromkeys(partitions, spec), IsolationLevel.READ_COMMITTED)
                for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)
            )
            return {tp.partition: Bounds(begins[tp].offset, ends[tp].offset) for tp in sorted(partitions)}

        return self._ask(f"looking at topic {topic}", ask)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> the group's committed offset, where it has one."""
        answer = self._ask(f"looking at group {group}", lambda client: client.list_group_offsets({group: None}))
        return {tp.partition: at.offset for tp, at in answer[group].items() if tp.topic == topic and at.offset >= 0}

    def describe(self, topics: Sequence[str]) -> dict[str, TopicState]:
        """Those of the topics that exist."""

        def ask(client: Any) -> dict[str, TopicState]:
            existing = [topic for topic in client.describe_topics(list(topics)) if topic["error_code"] != NO_SUCH_TOPIC]
            for topic in existing:
                _raise_error(topic)
            return {topic["name"]: _state(client, topic) for topic in existing}

        return self._ask(f"looking at topics {', '.join(topics)}", ask)

    def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """Bytes of each topic: the largest copy of each partition. Topics that we may not ask about are missing."""

        def ask(client: Any) -> dict[str, int]:
            with suppress(AuthorizationError):
                return _sizes(client.describe_log_dirs(list(topics)))
            return {}

        return self._ask(f"looking at the size of {', '.join(topics)}", ask)

    def create(self, topic: str, wanted: TopicState) -> None:
        """Create the topic and wait until it can be used; one that exists (somebody was faster) is left as it is."""
        plan = {
            "num_partitions": wanted.partitions,
            "replication_factor": wanted.replication,
            "configs": dict(wanted.settings),
        }

        def ask(client: Any) -> None:
            with suppress(TopicAlreadyExistsError):
                client.create_topics({topic: plan}, wait_for_metadata=True)

        self._ask(f"creating topic {topic}", ask)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._discard_client()

    def _ask(self, action: str, question: Callable[[Any], _Answer]) -> _Answer:
        """Ask, and again for ``timeout_s`` while the group's coordinator is being elected: a new cluster has none."""
        deadline = self._cluster.clock() + self._cluster.timeout_s
        with self._one_at_a_time(action):
            for tries in itertools.count(1):
                try:
                    with translated(self._cluster, action):
                        return question(self._current_client())
                except LogUnavailable as error:
                    self._discard_client()
                    if not isinstance(error, CoordinatorMoved) or self._cluster.clock() > deadline:
                        raise
                    time.sleep(COORDINATOR_BACKOFF.pause(tries, random.random()))
        raise AssertionError("unreachable")

    @contextmanager
    def _one_at_a_time(self, action: str) -> Iterator[None]:
        """The lock; raises LogUnavailable where its owner waits for brokers that do not answer.

        Twice ``timeout_s``: the owner's question may take one, and its connection another.
        """
        if not self._lock.acquire(timeout=2 * self._cluster.timeout_s):
            raise LogUnavailable(f"{action}: another question to the brokers is not answered, so this one must wait")
        try:
            yield
        finally:
            self._lock.release()

    def _current_client(self) -> Any:
        if self._closed:
            raise LogUnavailable("this log is closed")
        if self._client is None:
            self._client = new_admin(self._cluster)
        return self._client

    def _discard_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _existing(client: Any, topic: str) -> Any:
    (description,) = client.describe_topics([topic])
    _raise_error(description)
    return description


def _raise_error(topic: Mapping[str, Any]) -> None:
    if topic["error_code"]:
        raise broker_error(topic["error_code"], topic["name"])


def _state(client: Any, topic: Mapping[str, Any]) -> TopicState:
    partitions = topic["partitions"]
    return TopicState(len(partitions), len(partitions[0]["replica_nodes"]), _settings(client, topic["name"]))


def _sizes(brokers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """From what each broker tells of its folders; one that this user may not ask lists none."""
    largest: dict[tuple[str, int], int] = {}
    for folder in (folder for broker in brokers for folder in broker["log_dirs"]):
        for topic in folder["topics"]:
            for partition in topic["partitions"]:
                place = topic["name"], partition["partition_index"]
                largest[place] = max(largest.get(place, 0), partition["partition_size"])
    sizes: dict[str, int] = {}
    for (name, _), size in largest.items():
        sizes[name] = sizes.get(name, 0) + size
    return sizes


def _settings(client: Any, topic: str) -> dict[str, str]:
    answer = client.describe_configs([ConfigResource("topic", topic)], config_filter="all")
    return {key: str(setting["value"]) for key, setting in answer["topic"][topic].items()}
