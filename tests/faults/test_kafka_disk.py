"""A real broker whose disk fills up: appends are refused, nothing acknowledged is lost, and it recovers."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from prequel.shared.log.base import LogUnavailable, Message, Position
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.topics import TopicState
from tests.servers.jars import NoKafka
from tests.servers.kafka import Kafka
from tests.servers.ports import wait_until
from tests.servers.session import missing

DISK_MB, BALLAST_MB = 160, 80
TIMEOUT_S = 120.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 160 MiB, half of it taken by a file ``ballast``."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no tmpfs can be mounted here: a broker's full disk was not tried")
    (tmp_path / "ballast").write_bytes(bytes(BALLAST_MB * 2**20))
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.fixture
def broker(disk: Path) -> Iterator[Kafka]:
    server = Kafka(disk / "cluster", properties={"log.segment.bytes": str(8 * 2**20)})
    try:
        server.start()
    except NoKafka as error:
        missing(str(error))
    yield server
    server.discard()


def fill(log: KafkaLog, topic: str, acknowledged: dict[Position, bytes]) -> str:
    """Append until the log refuses; the message of its error. ``acknowledged`` gets what was acknowledged."""
    for number in range(1_000):
        values = [b"%d.%d." % (number, each) + os.urandom(100_000) for each in range(4)]
        try:
            positions = log.append([Message(topic, b"k", value) for value in values])
        except LogUnavailable as error:
            return str(error)
        acknowledged.update(zip(positions, values, strict=True))
    raise AssertionError("the disk never filled up")


def read(log: KafkaLog, topic: str, count: int) -> dict[Position, bytes]:
    """The first ``count`` records, as soon as the broker can deliver them."""
    stored: dict[Position, bytes] = {}

    def complete() -> bool:
        with suppress(LogUnavailable), closing(log.follow(topic, {0: len(stored)})) as reader:
            stored.update((Position(0, each.offset), each.value) for each in reader.poll(100, 1.0))
        return len(stored) >= count

    wait_until(complete, TIMEOUT_S, f"{count} records of {topic}")
    return stored


@pytest.mark.soak
def test_a_broker_on_a_full_disk_loses_nothing_and_goes_on_once_there_is_room(broker: Kafka, disk: Path) -> None:
    acknowledged: dict[Position, bytes] = {}
    with closing(KafkaLog(KafkaCluster(broker.bootstrap(), timeout_s=5.0, delivery_s=10.0))) as log:
        topic = f"t-{uuid.uuid4().hex[:12]}"
        log.create(topic, TopicState(1, 1, {}))
        refusal = fill(log, topic, acknowledged)
        assert f"appending to {topic}" in refusal
        assert "check that enough brokers run" in refusal
        assert len(acknowledged) >= 100, "the disk was full before anything was written"
        broker.kill()  # Kafka does not use a failed disk again: an operator who has made room restarts the broker.
        (disk / "ballast").unlink()
        broker.start()
        after = Message(topic, b"k", b"after")

        def appended() -> bool:
            with suppress(LogUnavailable):
                acknowledged.update(zip(log.append([after]), [after.value], strict=True))
            return after.value in acknowledged.values()

        wait_until(appended, TIMEOUT_S, "an append once there is room")
        stored = read(log, topic, max(acknowledged).offset + 1)
    assert {position: stored.get(position) for position in acknowledged} == acknowledged
