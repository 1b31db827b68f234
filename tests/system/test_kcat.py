"""A plain Kafka client takes part: kcat sends a photograph, which is learned from, and reads predictions as JSON."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image as Picture

from prequel.shared.log.kafka.log import KafkaLog
from tests.servers.ports import wait_until
from tests.servers.session import missing
from tests.system import events
from tests.system.cluster import DEADLINE_S, Cluster
from tests.system.oracle import predicted


@pytest.fixture
def kcat() -> str:
    found = shutil.which("kcat") or shutil.which("kafkacat")
    if found is None:
        missing("kcat is not installed: install Debian's package of this name")
    return found


def test_kcat_sends_a_photograph_and_reads_predictions(
    kcat: str, cluster: Cluster, log: KafkaLog, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    Picture.effect_noise((120, 90), 60).convert("RGB").save(photo)
    servers = cluster.kafka.bootstrap()
    cluster.start("learner")
    cluster.start("extractor")
    subprocess.run(
        [kcat, "-P", "-b", servers, "-t", "images", "-k", "pets", str(photo)], check=True, timeout=60, input=b""
    )
    wait_until(lambda: bool(predicted(log)), DEADLINE_S, "the prediction")
    (id,) = predicted(log)
    log.append([events.label("pets", id, "cat")])
    arguments = [kcat, "-C", "-b", servers, "-t", "predictions", "-o", "beginning", "-e", "-q", "-f", "%k %s\n"]

    def read() -> list[dict[str, object]]:
        lines = subprocess.run(arguments, check=True, timeout=60, capture_output=True, text=True).stdout.splitlines()
        assert all(line.startswith("pets ") for line in lines)
        return [json.loads(line.removeprefix("pets ")) for line in lines]

    wait_until(lambda: len(read()) == 2, DEADLINE_S, "the prediction and the label's outcome")
    prediction, outcome = read()
    assert id.startswith("images:")
    assert (prediction["id"], prediction["stream"], prediction["label"]) == (id, "pets", None)
    assert (outcome["id"], outcome["status"], outcome["label"]) == (id, "learned", "cat")
