"""Invalid events on Kafka become dead letters with reason and origin, and valid ones are learned."""

from prequel.shared.log.base import EXAMPLES, IMAGES, Message, Position
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.log.partitioner import partition_for
from tests.servers.ports import wait_until
from tests.system import events
from tests.system.cluster import DEADLINE_S, Cluster
from tests.system.oracle import dead_letters, predicted


def poison() -> list[tuple[str, Message]]:
    """Invalid events, each with the reason of its dead letter."""
    good = events.features("pets", "x", [1, 2, 3])
    wrong_dim = tuple((name, b"7" if name == "ce_dim" else value) for name, value in good.headers)
    bad_id = tuple((name, b"no id" if name == "ce_id" else value) for name, value in good.headers)
    valid = events.label("pets", "x", "cat")
    return [
        ("undecodable", events.image("pets", "text", b"this is no picture")),
        ("undecodable", events.image("pets", "empty", b"")),
        ("undecodable", events.image("pets", "cut", events.png()[:20])),
        ("too-large", events.image("pets", "bomb", events.png(4_000))),
        ("bad-stream", Message(IMAGES, b"No Stream", events.png())),
        ("bad-stream", Message(IMAGES, None, events.png())),
        ("bad-features", events.features("pets", "nan", [1, float("nan"), 3])),
        ("bad-features", good._replace(headers=wrong_dim)),
        ("bad-features", good._replace(value=b"123")),
        ("bad-id", good._replace(headers=bad_id)),
        ("unknown-type", good._replace(headers=())),
        ("malformed", valid._replace(value=b"{")),
        ("bad-label", valid._replace(value=b'{"id": "x", "label": 5}')),
        ("bad-label", valid._replace(value=b'{"id": "x", "label": ""}')),
    ]


def test_poison_is_told_and_the_rest_is_learned(cluster: Cluster, log: KafkaLog) -> None:
    limits = {"PREQUEL_MAX_PIXELS": "1000000", "PREQUEL_MAX_STREAMS": "1"}
    cluster.start("learner", settings=limits)
    cluster.start("extractor", settings=limits)
    log.append([events.image("pets", "first", events.png())])
    wait_until(lambda: predicted(log) == {"first"}, DEADLINE_S, "the first image's prediction")
    (home,) = {at.partition for at in log.append([events.label("pets", "first", "cat")])}
    bad = poison()
    where = log.append([message for _, message in bad])
    partitions = log.partitions(EXAMPLES)
    other = next(f"o{number}" for number in range(99) if partition_for(b"o%d" % number, partitions) == home)
    more = log.append([events.features(other, "o", [1, 2, 3])])
    log.append([events.image("pets", "last", events.png())])
    want = {_origin(message.topic, at): reason for (reason, message), at in zip(bad, where, strict=True)}
    want[_origin(EXAMPLES, more[0])] = "too-many-streams"
    wait_until(lambda: len(dead_letters(log)) >= len(want), DEADLINE_S, f"{len(want)} dead letters")
    wait_until(lambda: predicted(log) == {"first", "last"}, DEADLINE_S, "the last image's prediction")
    found = dead_letters(log)
    assert {origin: reason for origin, (reason, _) in found.items()} == want
    assert all(detail for _, detail in found.values())


def _origin(topic: str, at: Position) -> str:
    return f"{topic}:{at.partition}:{at.offset}"
