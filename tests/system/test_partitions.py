"""Records of a client with another partitioner (librdkafka's default) are moved to their partition, once."""

import json
import shutil
import subprocess
from pathlib import Path

from prequel.shared.log.base import EXAMPLES
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.log.partitioner import partition_for
from tests.servers import plain_http
from tests.servers.ports import wait_until
from tests.servers.session import missing
from tests.system import events
from tests.system.cluster import DEADLINE_S, Cluster, all_ready
from tests.system.oracle import records


def test_labels_by_kcats_own_partitioner_reach_their_stream_and_no_stream_has_two_states(
    cluster: Cluster, log: KafkaLog, tmp_path: Path
) -> None:
    kcat = shutil.which("kcat") or shutil.which("kafkacat") or missing("kcat is not installed")
    streams = [f"garden{number}" for number in range(8)]
    log.append([events.features(stream, id, [number, 1]) for stream in streams for number, id in enumerate("ab")])
    learners = cluster.start("learner", 2)
    (gateway,) = cluster.start("gateway")
    all_ready([*learners, gateway])
    for stream in streams:
        labels = [("a", "x"), ("b", "y"), ("a", "y")]
        lines = "".join(json.dumps({"id": id, "label": label}) + "\n" for id, label in labels)
        arguments = ["-b", cluster.kafka.bootstrap(), "-t", EXAMPLES, "-k", stream, "-H", "ce_type=prequel.label.v1"]
        subprocess.run([kcat, "-P", *arguments], input=lines.encode(), check=True, timeout=60)
    sent = [record for partition in range(4) for record in records(log, EXAMPLES, partition) if not was_moved(record)]
    astray = [r for r in sent if r.key and r.partition != partition_for(r.key, 4)]
    assert astray, "kcat's partitioner is Kafka's: nothing was tried"

    learned = {"learned": 2, "corrected": 1}

    def done() -> bool:
        listed = plain_http.get(f"{gateway.url}/v1/streams", timeout=20).json()["streams"]
        return {each["stream"]: each["statuses"] for each in listed} == dict.fromkeys(streams, learned)

    wait_until(done, DEADLINE_S, "the labels to be learned")
    moved = [r for partition in range(4) for r in records(log, EXAMPLES, partition) if was_moved(r)]
    assert len(moved) >= len(astray)
    assert all(r.partition == partition_for(r.key or b"", 4) for r in moved)
    counted = [
        line
        for learner in learners
        for line in plain_http.get(f"{learner.url}/metrics", timeout=20).text.splitlines()
        if line.startswith("prequel_moved_total{")
    ]
    assert sum(float(line.rpartition(" ")[2]) for line in counted) >= len(astray)
    for service in learners:
        service.kill()
    cluster.start("learner")
    log.append([events.label(stream, "b", "x") for stream in streams])
    wait_until(
        lambda: all(
            each["statuses"] == {**learned, "corrected": 2}
            for each in plain_http.get(f"{gateway.url}/v1/streams", timeout=20).json()["streams"]
        ),
        DEADLINE_S,
        "the later corrections, and nothing twice",
    )
    path = f"{gateway.url}/v1/streams/garden0"
    with plain_http.client(timeout=60) as http:
        answer = http.delete(path, params={"wait": 30})
    assert (answer.status_code, answer.json()["status"]) == (200, "applied")
    assert "until retention ends them" in answer.json()["records"]
    assert plain_http.get(path, timeout=20).status_code == 404


def was_moved(record: object) -> bool:
    return any(name == "ce_moved" for name, _ in record.headers)  # type: ignore[attr-defined]
