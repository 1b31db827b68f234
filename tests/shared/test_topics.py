"""Topics: what is expected, what is created, and what is reported of those that do not fit."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from prequel.shared.config import ConfigError, Settings
from prequel.shared.environment import from_environment
from prequel.shared.log.base import TOPICS
from prequel.shared.log.kafka.cluster import kafka_cluster
from prequel.shared.log.kafka.retention_check import check_retention
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.retention import floors
from prequel.shared.store.sqlite import SqliteStore
from prequel.shared.topics import TopicState, check, create, expected_topics, topic_name


class Existing:
    """Topics in memory."""

    def __init__(self, topics: dict[str, TopicState]) -> None:
        self.topics = topics

    def describe(self, topics: Sequence[str]) -> dict[str, TopicState]:
        return {topic: state for topic, state in self.topics.items() if topic in topics}

    def create(self, topic: str, state: TopicState) -> None:
        assert topic not in self.topics
        self.topics[topic] = state


def settings(**values: object) -> Settings:
    return from_environment({"PREQUEL_LOG": "kafka://k1:9092,k2:9092"}, **values)


def test_missing_topics_are_created_once_and_then_fit() -> None:
    kafka_cluster = Existing({})
    assert [problem.topic for problem in check(kafka_cluster, settings())] == list(TOPICS)
    assert create(kafka_cluster, settings()) == list(TOPICS)
    assert create(kafka_cluster, settings()) == []
    assert check(kafka_cluster, settings()) == []


def test_the_settings_decide_what_is_expected() -> None:
    configured = settings(
        kafka_partitions=7, kafka_replication=3, kafka_min_insync=2, retention_examples="36h", max_image_bytes=2**25
    )
    for state in expected_topics(configured).values():
        assert (state.partitions, state.replication) == (7, 3)
        assert state.settings["min.insync.replicas"] == "2"
        assert int(state.settings["max.message.bytes"]) > 2**25
    assert expected_topics(configured)["examples"].settings["retention.ms"] == "129600000"
    assert expected_topics(configured)["images"].settings["retention.ms"] == "-1"


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ({"partitions": 5}, ["topic images: partitions is 5, expected 4.", "PREQUEL_KAFKA_PARTITIONS=5"]),
        ({"replication": 1}, ["replication factor is 1, expected at least 2", "k1:9092,k2:9092"]),
        (
            {"max.message.bytes": "1048588"},
            [
                "topic images: max.message.bytes is 1048588, expected 16842752. Run: kafka-configs.sh",
                "--bootstrap-server k1:9092,k2:9092 --alter --entity-type topics --entity-name images",
                "--add-config max.message.bytes=16842752",
            ],
        ),
        ({"min.insync.replicas": "1"}, ["min.insync.replicas is 1, expected 2"]),
        ({"cleanup.policy": "compact"}, ["cleanup.policy is compact, expected delete"]),
    ],
)
def test_a_problem_names_topic_setting_actual_expected_and_remedy(
    actual: dict[str, object], expected: list[str]
) -> None:
    configured = settings(kafka_replication=2, kafka_min_insync=2)
    plan = expected_topics(configured)
    images = plan["images"]
    changed = {name: str(value) for name, value in actual.items() if "." in name}
    images = images._replace(settings={**images.settings, **changed})
    if "partitions" in actual:
        images = images._replace(partitions=5)
    if "replication" in actual:
        images = images._replace(replication=1)
    (problem,) = check(Existing({**plan, "images": images}), configured)
    for part in expected:
        assert part in str(problem)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"kafka_min_insync": 2}, "PREQUEL_KAFKA_REPLICATION=1"),
    ],
)
def test_settings_that_make_no_usable_topic_are_refused(values: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        expected_topics(settings(**values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"kafka_security": "SASL_SSL"}, "PREQUEL_KAFKA_SASL"),
        ({"kafka_sasl": "PLAIN", "kafka_user": "u"}, "PREQUEL_KAFKA_SECURITY=PLAINTEXT"),
        ({"kafka_security": "SASL_SSL", "kafka_sasl": "PLAIN"}, "PREQUEL_KAFKA_USER"),
    ],
)
def test_settings_of_a_cluster_that_contradict_are_refused(values: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        kafka_cluster(settings(**values))


def test_the_settings_make_the_cluster() -> None:
    made = kafka_cluster(settings(log="kafka://k1:9092,k2:9092/", kafka_session=3, max_image_bytes=2**24))
    assert made.servers == "k1:9092,k2:9092"
    assert made.session_s == 3
    assert made.max_record_bytes > 2**24


def test_more_than_expected_is_accepted() -> None:
    configured = settings(retention_images="24h")
    generous = {"retention.ms": "-1", "max.message.bytes": "99999999", "min.insync.replicas": "2"}
    plan = {
        topic: state._replace(replication=3, settings={**state.settings, **generous})
        for topic, state in expected_topics(configured).items()
    }
    assert check(Existing(plan), configured) == []


def test_messages_call_a_topic_by_its_name_on_the_cluster(tmp_path: Path) -> None:
    """An operator looks for that name: `images` may be there too, and another Prequel's."""
    configured = settings(kafka_topic_prefix="staging.", retention_images="30d")
    assert {each.topic for each in check(Existing({}), configured)} == {f"staging.{topic}" for topic in TOPICS}
    short = Existing({topic: TopicState(1, 1, {"retention.ms": "60000"}) for topic in TOPICS})
    with closing(SqliteLog(tmp_path / "log")) as log, closing(SqliteStore(tmp_path / "store")) as store:
        floors.publish(store, 0, floors.Floor(0, "pets", 1.0))
        report = check_retention(short, log, store, settings=configured, now=1_000.0)
    assert [remark.split()[1] for remark in report.remarks] == [f"staging.{topic}" for topic in TOPICS]
    assert [str(each).split(":")[0] for each in report.too_short] == ["topic staging.examples"]
    embedded = Settings.model_validate({"kafka_topic_prefix": "staging."})
    assert topic_name(embedded, "images") == "images"
