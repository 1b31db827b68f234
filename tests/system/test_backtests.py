"""Back-tests on Kafka and Redis: beside learners in processes of their own, one of which is killed meanwhile."""

import numpy as np

from prequel.shared.backtests import BacktestResult
from prequel.shared.events.features import encode_features
from prequel.shared.events.types import Image
from prequel.shared.log.base import Message, Position
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.status import ModelStatus
from tests.servers import plain_http
from tests.servers.ports import wait_until
from tests.system.cluster import DEADLINE_S, Cluster, Service, all_ready

EXAMPLES, DIM = 2_000, 64


def past(stream: str) -> list[Message]:
    """Labelled examples of two classes."""
    random = np.random.default_rng(1)
    truths = random.integers(2, size=EXAMPLES)
    vectors = (random.normal(size=(2, DIM))[truths] / 4 + random.normal(size=(EXAMPLES, DIM))).astype(np.float32)
    messages = []
    for number, (truth, vector) in enumerate(zip(truths, vectors, strict=True)):
        image = Image(f"i{number}", stream, "ab"[truth], 1.7e9 + number, b"", Position(0, number))
        messages.append(encode_features(image, vector, "compact-x", source="test"))
    return messages


def read(gateway: Service, path: str) -> dict[str, object]:
    """Empty while nobody answers."""
    answer = plain_http.get(f"{gateway.url}/v1/streams/past{path}", timeout=30)
    return dict(answer.json()) if answer.status_code == 200 else {}


def done(gateway: Service, id: str) -> BacktestResult:
    wait_until(lambda: read(gateway, f"/backtests/{id}").get("status") == "done", DEADLINE_S, "the back-test is done")
    return BacktestResult.model_validate(read(gateway, f"/backtests/{id}")["result"])


def test_its_learner_is_killed_and_another_goes_on(cluster: Cluster, log: KafkaLog) -> None:
    learners = cluster.start("learner", 2, settings={"PREQUEL_MODELS": "ncm"})
    (gateway,) = cluster.start("gateway")
    all_ready(cluster.services)
    log.append([message for pair in zip(past("past"), past("other"), strict=True) for message in pair])
    wait_until(lambda: read(gateway, "").get("images") == EXAMPLES, DEADLINE_S, "the past is learned")
    live = ModelStatus.model_validate(read(gateway, "")["models"]["ncm"])  # type: ignore[index]

    shown = cluster.run("backtest", "past", "--models", "slda,logistic", "--url", gateway.url)
    assert shown.returncode == 0, shown.stderr
    assert f"{EXAMPLES:,} images with {EXAMPLES:,} labels" in shown.stdout

    url = f"{gateway.url}/v1/streams/past/backtests"
    id = plain_http.post(url, timeout=30, json={"models": ["ridge", "mix"]}).json()["id"]
    wait_until(lambda: float(str(read(gateway, f"/backtests/{id}").get("progress", 0))) > 0, DEADLINE_S, "it runs")
    for learner in learners:
        learner.kill()
    learners[0].start()
    result = done(gateway, id)
    assert (result.images, list(result.models)) == (EXAMPLES, ["ncm", "ridge", "mix"])
    assert result.models["ncm"] == live
