"""docker-compose.yml on a real Kafka and Redis: every service's own command, environment, health check and end."""

import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.deploy.deployment import DEADLINE_S, Deployment
from tests.deploy.scraping import Prometheus, Series, expressions
from tests.servers import plain_http
from tests.servers.jars import NoKafka
from tests.servers.ports import wait_until
from tests.servers.redis import NoRedis
from tests.servers.session import missing

KEY = "a-key-of-the-test"
SERVICES = ("extractor", "learner", "gateway")
TARGETS = {name: ["up"] for name in (*SERVICES, "prometheus")}
"""What Prometheus says once it has scraped each of them."""
DIGITS = 1797


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Everything up, no image sent yet."""
    try:
        with Deployment(
            tmp_path_factory.mktemp("deployment"), {"PREQUEL_API_KEYS": KEY, "GRAFANA_PASSWORD": "x"}
        ) as running:
            assert not any(running.healthy(name) for name in SERVICES), "a health check passes where nothing runs"
            running.up(*SERVICES)
            yield running
    except (NoKafka, NoRedis) as error:
        missing(str(error))


@pytest.fixture(scope="module")
def gateway(deployment: Deployment) -> Iterator[httpx.Client]:
    host, port = deployment.addresses["gateway", 8000]
    with plain_http.client(f"http://{host}:{port}", headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def scraping(deployment: Deployment) -> Iterator[Prometheus | None]:
    """Prometheus, which saw every service before the digits; None where it is not installed."""
    if shutil.which("prometheus") is None:
        yield None
        return
    prometheus = Prometheus(deployment)
    deployment.begin("prometheus", prometheus.command(), os.environ)
    wait_until(lambda: prometheus.targets() == TARGETS, DEADLINE_S, "all services scraped")
    yield prometheus
    prometheus.close()


@pytest.fixture
def prometheus(scraping: Prometheus | None, digits: dict[str, Any]) -> Prometheus:
    """Prometheus, once the digits have been learned."""
    if scraping is None:
        missing("prometheus is not installed: install Debian's package of this name")
    return scraping


@pytest.fixture(scope="module")
def digits(deployment: Deployment, gateway: httpx.Client, scraping: Prometheus | None) -> dict[str, Any]:
    """The status of the stream that the demo profile fills, once all is learned."""
    said = deployment.run("demo")
    assert "1,797 of 1,797 images sent" in said, said

    def learned() -> bool:
        answer = gateway.get("/v1/streams/digits")
        return answer.status_code == 200 and answer.json()["labelled"] >= DIGITS

    wait_until(learned, DEADLINE_S, f"all digits learned\n{deployment.tail('learner')}")
    return dict(gateway.get("/v1/streams/digits").json())


@pytest.fixture(scope="module")
def oddities(gateway: httpx.Client, digits: dict[str, Any]) -> None:
    """What the digits do not bring: something that is no image, and a label that comes by itself (and is known)."""
    sent = gateway.post("/v1/streams/digits/images", content=b"no image", headers={"Content-Type": "image/png"})
    assert sent.status_code == 202, sent.text
    known = gateway.get("/v1/streams/digits/predictions/digits-0000").json()["truth"]
    label = gateway.post("/v1/streams/digits/labels?wait=30", json={"id": "digits-0000", "label": known})
    assert label.json()["status"] == "unchanged", label.text


def test_the_digits_stream_through_each_once(digits: dict[str, Any]) -> None:
    assert digits["images"] == digits["labelled"] == DIGITS
    assert digits["models"][digits["champion"]]["scored"] == DIGITS - 1, "before the first label there is no prediction"
    assert digits["models"][digits["champion"]]["accuracy"] > 0.9
    assert digits["pending"] == digits["waiting"] == 0


def test_the_gateway_asks_for_the_key(gateway: httpx.Client) -> None:
    stranger = {"Authorization": "Bearer another"}
    assert gateway.get("/v1/streams", headers=stranger).status_code == 401
    assert gateway.get("/metrics", headers=stranger).status_code == 401


def test_the_gateway_reaches_the_learner(gateway: httpx.Client, digits: dict[str, Any]) -> None:
    answer = gateway.post("/v1/streams/digits/predict", json={"features": [0.0] * digits["dim"]})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["probabilities"]) == 10


def test_data_and_models_leave_through_the_gateway(gateway: httpx.Client, digits: dict[str, Any]) -> None:
    """With the packages of its image: what they do not make is answered with what does."""
    labels = gateway.get("/v1/streams/digits/export", params={"what": "labels", "format": "ndjson"}, timeout=DEADLINE_S)
    assert labels.status_code == 200, labels.text
    assert len(labels.text.splitlines()) == digits["labelled"]
    arrays = gateway.get("/v1/streams/digits/model", params={"format": "npz"})
    assert arrays.status_code == 200, arrays.text
    keras = gateway.get("/v1/streams/digits/model", params={"format": "keras"}, timeout=DEADLINE_S)
    assert keras.headers["content-type"] == "application/problem+json"
    assert "npz" in keras.json()["detail"]


def test_services_write_to_their_cache_and_nowhere_else(deployment: Deployment, digits: dict[str, Any]) -> None:
    assert not list((deployment.folder / "workdir").iterdir())
    assert {each.name for each in (deployment.folder / "cache").iterdir()} <= {"backbones", "keras", "numba"}
    assert list((deployment.folder / "cache" / "backbones").iterdir())
    assert list((deployment.folder / "cache" / "numba").iterdir())


def test_prometheus_finds_every_service(prometheus: Prometheus) -> None:
    wait_until(lambda: prometheus.targets() == TARGETS, DEADLINE_S, f"all up: {prometheus.targets()}")


@pytest.mark.skipif(shutil.which("wget") is None, reason="wget is in Prometheus's image, and not here")
def test_prometheus_passes_its_health_check(deployment: Deployment, prometheus: Prometheus) -> None:
    assert deployment.healthy("prometheus")


def test_prometheus_agrees_with_the_gateway(prometheus: Prometheus, digits: dict[str, Any]) -> None:
    def agrees() -> bool:
        return all(prometheus.query(text) == pytest.approx(wanted, rel=1e-12) for text, wanted in _told(digits).items())

    wait_until(agrees, DEADLINE_S, "the dashboard shows what the gateway says")


def test_a_rejected_image_is_seen(oddities: None, prometheus: Prometheus) -> None:
    (rejections,) = (text for panel, text in expressions() if panel == "Rejections")
    who = (("reason", "undecodable"), ("service", "extractor"))
    wait_until(lambda: prometheus.query(rejections).get(who) == 1, DEADLINE_S, "the rejection is counted")


@pytest.mark.parametrize(("panel", "text"), expressions(), ids=[each.panel for each in expressions()])
def test_every_expression_of_the_dashboard_has_data(
    panel: str, text: str, oddities: None, prometheus: Prometheus
) -> None:
    wait_until(lambda: bool(prometheus.query(text)), DEADLINE_S, f"{panel}: data for {text}")


def test_a_stop_finishes_within_its_grace_period(deployment: Deployment, digits: dict[str, Any]) -> None:
    """The last test here: it ends what the others use."""
    began = time.monotonic()
    running = [name for name in (*SERVICES, "prometheus") if name in deployment.processes]
    assert {name: deployment.stop(name) for name in running} == dict.fromkeys(running, 0)
    assert time.monotonic() - began < 120


def _told(digits: dict[str, Any]) -> dict[str, Series]:
    """What the panels must show, by expression, after what the gateway says."""
    stream = ("stream", "digits")

    def by_model(field: str) -> Series:
        return {(("model", name), stream): float(model[field]) for name, model in digits["models"].items()}

    shown: dict[str, Series] = {
        "Accuracy since the start": by_model("accuracy"),
        "Accuracy of the last scored examples": by_model("window_accuracy"),
        "Cohen's kappa": by_model("kappa"),
        "Log loss": by_model("log_loss"),
        "Label coverage": {(stream,): digits["label_coverage"]},
        "Examples waiting for a label": {(stream,): digits["pending"]},
    }
    found = {text: shown[panel] for panel, text in expressions() if panel in shown}
    assert len(found) == len(shown)
    return found
