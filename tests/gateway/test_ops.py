"""The operations server of extractor and learner, and the gateway's queries through it."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from prequel.services.gateway.remote.learner import LearnerUnavailable, RemoteLearner
from prequel.shared import status
from prequel.shared.api_keys import ApiKeys
from prequel.shared.backtests import Backtest, BacktestRefused, BacktestRequest
from prequel.shared.log.base import LogUnavailable
from prequel.shared.opinions import ExampleQueue, QueueRequest, SimilarExamples, UnknownExample
from prequel.shared.queries import Answer, ModelCannotLeave, UnknownStream
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.http_server import MAX_BODY_BYTES
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.operations import OperationsServer
from prequel.shared.status import CommandEntry, StreamDetail, StreamHistory
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from prequel.shared.vectors import Vector
from tests.gateway.conftest import Served, Start, free_port
from tests.gateway.echo_learner import status_of
from tests.gateway.test_hanging import HangingStore
from tests.servers import plain_http

COMMAND = CommandEntry(
    id="c1",
    do="models.add",
    arguments={"model": "ridge", "from": "log"},
    by="ann",
    at=1.5,
    position="0:3",
    status="applied",
    undoable=True,
    catching_up=True,
)

BACKTEST = Backtest(id="b1", stream="pets", status="waiting", champion="sum", models=["ridge"], asked_at=1.5)
EMPTY_QUEUE = ExampleQueue(
    stream="pets", position="0:7", by="random", model="sum", exact=True, examples=[], asked=0, not_asked=0, next=None
)
NOTHING_SIMILAR = SimilarExamples(
    stream="pets", position="0:7", id="", examples=[], typical_distance=1.0, asked=0, not_asked=0
)


class Pets:
    """Knows one stream of three features and says their sum."""

    def answer(self, stream: str, features: Vector) -> Answer:
        if stream != "pets":
            raise UnknownStream(stream)
        if features.shape != (3,):
            raise ValueError(f"{features.size} values, where the stream has 3")
        total = float(features.sum())
        return Answer(stream=stream, position="0:7", model="sum", label="cat", probabilities={"cat": total}, models={})

    def detail(self, stream: str) -> StreamDetail:
        if stream != "pets":
            raise UnknownStream(stream)
        return StreamDetail(stream=stream, position="0:7", classes={"sum": {}}, curve=[], confusion={})

    def history(self, stream: str) -> StreamHistory:
        if stream != "pets":
            raise UnknownStream(stream)
        return StreamHistory(stream=stream, position="0:7", commands=[COMMAND], labels_by={"ann": 3})

    def model_problem(self, stream: str, spec: str) -> str:
        if stream != "pets":
            raise UnknownStream(stream)
        return "" if spec == "sum" else f"there is no model {spec!r}"

    def model_file(self, stream: str, spec: str) -> bytes:
        if stream != "pets":
            raise UnknownStream(stream)
        if spec != "sum":
            raise ModelCannotLeave(f"there is no model {spec!r}")
        return b"\x00arrays"

    def start_backtest(self, stream: str, request: BacktestRequest) -> Backtest:
        if stream != "pets":
            raise UnknownStream(stream)
        if request.models == ["away"]:
            raise StoreUnavailable("so says the test")
        if request.last == 7:
            raise BacktestRefused("10 jobs wait already")
        if request.last is not None:
            raise BacktestRefused("too many: give fewer", "last")
        return BACKTEST.model_copy(update={"id": request.id, "models": request.models, "since": request.since})

    def end_backtest(self, stream: str, id: str) -> Backtest | None:
        if stream != "pets":
            raise UnknownStream(stream)
        return BACKTEST.model_copy(update={"status": "cancelled"}) if id == BACKTEST.id else None

    def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
        if stream != "pets":
            raise UnknownStream(stream)
        if request.predicted == "unread":
            raise LogUnavailable("so says the test")
        return EMPTY_QUEUE.model_copy(update={"by": request.by, "next": request.after})

    def similar(self, stream: str, id: str, limit: int, position: str | None = None) -> SimilarExamples:
        if stream != "pets":
            raise UnknownStream(stream)
        if id == "gone":
            raise UnknownExample("gone is not among the newest")
        return NOTHING_SIMILAR.model_copy(update={"id": id, "asked": limit})


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def ops(health: Health) -> Iterator[OperationsServer]:
    server = OperationsServer("127.0.0.1", 0, health=health, metrics=Metrics(CollectorRegistry()), queries=Pets())
    server.start()
    yield server
    server.close()


@pytest.fixture
def client(ops: OperationsServer) -> Iterator[httpx.Client]:
    host, port = ops.address
    with plain_http.client(f"http://{host}:{port}", timeout=5) as client:
        yield client


@pytest.fixture
def learner(ops: OperationsServer, tmp_path: Path) -> Iterator[RemoteLearner]:
    store = SqliteStore(tmp_path / "store.sqlite")
    for stream, address in (
        ("pets", "{}:{}".format(*ops.address)),
        ("gone", "127.0.0.1:" + str(free_port())),
        ("no", ""),
    ):
        current = status_of(stream, 1, 0).model_copy(update={"address": address or None})
        store.put(status.key(stream), current.model_dump_json().encode())
    store.put(status.key("old"), b'{"stream": "old"}')
    with plain_http.client(timeout=5) as http:
        yield RemoteLearner(store, http)
    store.close()


def test_alive_and_ready_with_reasons(client: httpx.Client, health: Health) -> None:
    assert client.get("/healthz").json() == {"alive": True, "reason": None}
    assert client.get("/readyz").json() == {"ready": True, "reasons": {}}
    health.waits("learner", "the log is away")
    assert client.get("/healthz").status_code == 200
    assert (client.get("/readyz").status_code, client.get("/readyz").json()["reasons"]) == (
        503,
        {"learner": "the log is away"},
    )
    health.fails("learner", "a bug")
    assert (client.get("/healthz").status_code, client.get("/healthz").json()["reason"]) == (503, "learner: a bug")


def test_metrics_are_prometheus_text(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE prequel_log_lag gauge" in answer.text


def test_a_query_is_answered(client: httpx.Client) -> None:
    answer = client.post("/predict", json={"stream": "pets", "features": [0.25, 0.5, 0]})
    assert answer.status_code == 200
    assert Answer.model_validate_json(answer.content).probabilities == {"cat": 0.75}


@pytest.mark.parametrize(
    ("body", "code", "names"),
    [
        (b"", 422, "JSON"),
        (b"[]", 422, "stream"),
        (b'{"stream": "UPPER", "features": [1, 2, 3]}', 422, "stream"),
        (b'{"stream": "pets"}', 422, "features"),
        (b'{"stream": "pets", "features": []}', 422, "features"),
        (b'{"stream": "pets", "features": [1, "2", 3]}', 422, "features"),
        (b'{"stream": "pets", "features": [1, true, 3]}', 422, "features"),
        (b'{"stream": "pets", "features": [1, [2], 3]}', 422, "features"),
        (b'{"stream": "pets", "features": [1, 1e39, 3]}', 422, "features"),
        (b'{"stream": "pets", "features": [1, NaN, 3]}', 422, "JSON"),
        (b'{"stream": "pets", "features": [1, 2]}', 422, "the stream has 3"),
        (b'{"stream": "other", "features": [1, 2, 3]}', 404, "other"),
        (b"\xff\xfe", 422, "JSON"),
    ],
)
def test_a_bad_query_gets_the_reason(client: httpx.Client, body: bytes, code: int, names: str) -> None:
    answer = client.post("/predict", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (code, "application/problem+json")
    assert names in answer.json()["detail"]
    assert client.get("/healthz").status_code == 200


def test_a_detail_is_asked_of_the_learner(client: httpx.Client, learner: RemoteLearner) -> None:
    assert learner.detail("pets") == StreamDetail.model_validate_json(client.get("/detail/pets").content)
    assert client.get("/detail/other").status_code == 404
    with pytest.raises(LearnerUnavailable, match="cannot be reached"):
        learner.detail("gone")


def test_a_queue_is_asked_of_the_learner(client: httpx.Client, learner: RemoteLearner) -> None:
    request = QueueRequest(by="suspect", truth="cat", limit=7, after="12:3")
    assert learner.queue("pets", request) == EMPTY_QUEUE.model_copy(update={"by": "suspect", "next": "12:3"})
    for stream in ("other", "no", "gone"):
        with pytest.raises((UnknownStream, LearnerUnavailable)):
            learner.queue(stream, request)
    with pytest.raises(LearnerUnavailable, match="so says the test"):
        learner.queue("pets", QueueRequest(by="random", predicted="unread"))
    for body in (b"{", b"{}", b'{"stream": "pets", "request": {"by": "chance"}}', b'{"stream": "A b", "request": {}}'):
        assert client.post("/queue", content=body).status_code == 422
    assert client.post("/queue", json={"stream": "other", "request": {"by": "random"}}).status_code == 404


def test_near_examples_are_asked_of_the_learner(client: httpx.Client, learner: RemoteLearner) -> None:
    assert learner.similar("pets", "a", 5) == NOTHING_SIMILAR.model_copy(update={"id": "a", "asked": 5})
    with pytest.raises(UnknownExample, match="gone is not among"):
        learner.similar("pets", "gone", 5)
    with pytest.raises(UnknownStream):
        learner.similar("other", "a", 5)
    assert client.post("/similar", json={"stream": "other", "id": "a", "limit": 5}).status_code == 404
    assert client.post("/similar", json={"stream": "pets", "id": "a", "limit": 5_000}).status_code == 422


def test_a_history_is_asked_of_the_learner(client: httpx.Client, learner: RemoteLearner) -> None:
    assert learner.history("pets") == StreamHistory.model_validate_json(client.get("/history/pets").content)
    assert learner.history("pets").commands == [COMMAND]
    assert client.get("/history/other").status_code == 404
    with pytest.raises(LearnerUnavailable, match="cannot be reached"):
        learner.history("gone")


def test_a_model_is_checked_by_the_learner(client: httpx.Client, learner: RemoteLearner) -> None:
    assert (learner.model_problem("pets", "sum"), learner.model_problem("pets", "su")) == ("", "there is no model 'su'")
    answer = client.post("/model-problem", json={"stream": "pets"})
    assert (answer.status_code, answer.json()["detail"][:7]) == (422, "model: ")
    assert client.post("/model-problem", json={"stream": "other", "model": "sum"}).status_code == 404


def test_a_model_leaves_the_learner_as_bytes(client: httpx.Client, learner: RemoteLearner) -> None:
    assert learner.model_file("pets", "sum") == b"\x00arrays"
    with pytest.raises(ModelCannotLeave, match="there is no model 'su'"):
        learner.model_file("pets", "su")
    with pytest.raises(UnknownStream):
        learner.model_file("nobody", "sum")
    assert client.post("/model-file", json={"stream": "other", "model": "sum"}).status_code == 404
    assert client.post("/model-file", json={"stream": "pets"}).status_code == 422


def test_unknown_paths_and_wrong_methods(client: httpx.Client) -> None:
    assert client.get("/predict").status_code == 404
    assert client.post("/healthz", content=b"{}").status_code == 404
    assert client.delete("/healthz").status_code == 501


@pytest.mark.parametrize(
    ("header", "code"),
    [(f"Content-Length: {MAX_BODY_BYTES + 1}", b"413"), ("Content-Length: x", b"411"), ("X-Nothing: 1", b"411")],
)
def test_a_body_of_unknown_or_great_length_is_not_read(ops: OperationsServer, header: str, code: bytes) -> None:
    with socket.create_connection(ops.address, timeout=5) as raw:
        raw.sendall(f"POST /predict HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert answer.split(b" ")[1] == code


def test_without_queries_nothing_can_be_asked(health: Health) -> None:
    server = OperationsServer("127.0.0.1", 0, health=health, metrics=Metrics(CollectorRegistry()), queries=None)
    server.start()
    host, port = server.address
    assert (
        plain_http.post(
            f"http://{host}:{port}/predict", json={"stream": "pets", "features": [1]}, timeout=5
        ).status_code
        == 404
    )
    server.close()
    with pytest.raises(httpx.ConnectError):
        plain_http.get(f"http://{host}:{port}/healthz", timeout=5)


def test_a_gateway_asks_the_learner_that_owns_the_stream(learner: RemoteLearner) -> None:
    answer = learner.answer("pets", np.array([1, 2, 3.5], np.float32))
    assert (answer.probabilities, answer.position) == ({"cat": 6.5}, "0:7")


def test_features_that_the_learner_refuses_are_refused(learner: RemoteLearner) -> None:
    with pytest.raises(ValueError, match="the stream has 3"):
        learner.answer("pets", np.zeros(4, np.float32))
    with pytest.raises(UnknownStream):
        learner.answer("nobody", np.zeros(3, np.float32))


def test_a_remote_learner_starts_and_ends_back_tests(learner: RemoteLearner) -> None:
    request = BacktestRequest(id="b7", models=["ridge", "ncm"], since="0:3")
    assert learner.start_backtest("pets", request) == BACKTEST.model_copy(
        update={"id": "b7", "models": ["ridge", "ncm"], "since": "0:3"}
    )
    ended = learner.end_backtest("pets", "b1")
    assert ended is not None
    assert (ended.id, ended.status) == ("b1", "cancelled")
    assert learner.end_backtest("pets", "b2") is None


def test_what_a_learner_refuses_to_back_test_arrives_as_it_says(learner: RemoteLearner) -> None:
    def refusal(last: int) -> BacktestRefused:
        with pytest.raises(BacktestRefused) as refused:
            learner.start_backtest("pets", BacktestRequest(id="b", models=["ridge"], last=last))
        return refused.value

    assert [(each.field, each.why) for each in map(refusal, (7, 8))] == [
        ("", "10 jobs wait already"),
        ("last", "too many: give fewer"),
    ]
    with pytest.raises(UnknownStream):
        learner.start_backtest("nobody", BacktestRequest(id="b", models=["ridge"]))
    with pytest.raises(UnknownStream):
        learner.end_backtest("nobody", "b")
    with pytest.raises(LearnerUnavailable, match="the store cannot be reached"):
        learner.start_backtest("pets", BacktestRequest(id="b", models=["away"]))


def test_a_back_test_without_models_is_refused(client: httpx.Client) -> None:
    answer = client.post("/backtests/start", json={"stream": "pets", "id": "b"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "models: is missing")


@pytest.mark.parametrize(
    ("stream", "why"), [("gone", "cannot be reached"), ("no", "PREQUEL_ADVERTISE"), ("old", "run the same version")]
)
def test_a_learner_that_is_away_is_unavailable(learner: RemoteLearner, stream: str, why: str) -> None:
    with pytest.raises(LearnerUnavailable, match=why):
        learner.answer(stream, np.zeros(3, np.float32))


def test_beyond_loopback_the_key_is_asked_for(health: Health) -> None:
    keys = ApiKeys(["a-key", "another"])
    server = OperationsServer(
        "127.0.0.1", 0, health=health, metrics=Metrics(CollectorRegistry()), queries=Pets(), keys=keys
    )
    server.start()
    try:
        with plain_http.client("http://{}:{}".format(*server.address), timeout=5) as client:
            assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
            for path in ("/metrics", "/nothing"):
                missing, wrong = client.get(path), client.get(path, headers={"X-API-Key": "a-kex"})
                assert (missing.status_code, wrong.status_code) == (401, 401)
                assert missing.headers["www-authenticate"] == "Bearer"
                assert "is needed" in missing.json()["detail"]
                assert "not one of PREQUEL_API_KEYS" in wrong.json()["detail"]
            body = {"stream": "pets", "features": [0.25, 0.5, 0]}
            assert client.post("/predict", json=body).status_code == 401
            assert client.post("/predict", json=body, headers={"x-api-key": "another"}).status_code == 200
            assert client.get("/metrics", headers={"Authorization": "Bearer a-key"}).status_code == 200
    finally:
        server.close()


def test_a_query_reaches_its_learner_while_the_store_hangs(
    ops: OperationsServer, start: Start, gateway: Served
) -> None:
    """The address was in the store a moment ago: that it cannot be read again is no reason to refuse."""
    current = status_of("pets", 1, 0).model_copy(update={"address": "{}:{}".format(*ops.address)})
    gateway.store.put(status.key("pets"), current.model_dump_json().encode())
    store = HangingStore(gateway.store)
    served = start(store=store, queries=None)
    features = {"features": [0.25, 0.5, 0]}
    assert served.client.post("/v1/streams/pets/predict", json=features).status_code == 200
    store.gate.clear()
    try:
        for _ in range(5):
            began = time.monotonic()
            answer = served.client.post("/v1/streams/pets/predict", json=features)
            assert (answer.status_code, time.monotonic() - began < 2.0) == (200, True), answer.text
    finally:
        store.gate.set()
