"""A real gateway on a real socket, over the embedded log and store, with an echo for a learner."""

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from prequel.services.extractor.backbones.registry import problem
from prequel.services.gateway import app
from prequel.services.gateway.assembly import Dependencies
from prequel.services.gateway.http import serving
from prequel.shared.config import Settings
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.extraction import Extraction
from prequel.shared.invocation import Invocation
from prequel.shared.log.base import Log, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.model_files import ModelConverter
from prequel.shared.queries import Queries
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.base import Store
from prequel.shared.store.sqlite import SqliteStore
from tests.gateway.echo_learner import EchoLearner, predicted
from tests.servers import plain_http
from tests.servers.ports import free_port as free_port  # others have it from here

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0"
    b"\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82"
)
Start = Callable[..., "Served"]


@dataclass
class Served:
    """A gateway that runs, and what it runs on."""

    client: httpx.Client
    log: Log
    store: Store
    health: Health
    metrics: Metrics
    learner: EchoLearner
    stop: Callable[[], None]
    url: str

    def post_image(self, data: bytes = PNG, stream: str = "pets", **params: object) -> httpx.Response:
        headers = {"Content-Type": "image/png"}
        if "id" in params:
            headers["Idempotency-Key"] = str(params.pop("id"))
        return self.client.post(f"/v1/streams/{stream}/images", content=data, headers=headers, params=params)  # type: ignore[arg-type]

    def post_label(self, id: str, label: str | None, stream: str = "pets", **params: object) -> httpx.Response:
        body = {"id": id, "label": label}
        return self.client.post(f"/v1/streams/{stream}/labels", json=body, params=params)  # type: ignore[arg-type]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts gateways over one log and one store; ``log`` and ``store`` may be wrapped, settings be given."""
    with starting(tmp_path) as start:
        yield start


@pytest.fixture
def gateway(start: Start) -> Served:
    return start()


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One gateway for the tests of a module, which leave each other's streams alone."""
    with starting(tmp_path_factory.mktemp("gateway")) as start:
        yield start()


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """What starts gateways over a log and a store in the folder, and ends them all."""
    with ExitStack() as stack:
        log = SqliteLog(folder / "log")
        store = SqliteStore(folder / "store.sqlite")
        stack.callback(store.close)
        stack.callback(log.close)
        learner = EchoLearner(log, store)
        learner.start()
        stack.callback(learner.close)

        def begin(
            *,
            log: Log = log,
            store: Store = store,
            queries: Queries | None = learner,
            extraction: Extraction = learner,
            ready: bool = True,
            connections: int | None = None,
            convert_model: ModelConverter | None = None,
            **settings: object,
        ) -> Served:
            served = run(
                Settings(**settings),  # type: ignore[arg-type]
                log=log,
                store=store,
                queries=queries,
                learner=learner,
                extraction=extraction,
                connections=connections,
                convert_model=convert_model,
            )
            stack.callback(served.stop)
            if ready:
                until(lambda: served.client.get("/readyz").status_code == 200)
            return served

        yield begin


def run(
    settings: Settings,
    *,
    log: Log,
    store: Store,
    queries: Queries | None,
    learner: EchoLearner,
    extraction: Extraction | None = None,
    connections: int | None = None,
    convert_model: ModelConverter | None = None,
) -> Served:
    """Serve on a free port until ``stop`` is called; the clock begins at 1,000 seconds."""
    health, metrics, stop, began = Health(), Metrics(CollectorRegistry()), threading.Event(), time.monotonic()
    application = app.create(
        Dependencies(
            settings=settings,
            log=log,
            store=store,
            queries=queries,
            backbone_problem=lambda backbone: "" if backbone == "echo-1" else problem(backbone),
            metrics=metrics,
            health=health,
            clock=lambda: 1_000.0 + time.monotonic() - began,
            new_id=lambda: uuid.uuid4().hex,
            extraction=extraction or learner,
            convert_model=convert_model,
            invocation=Invocation(".venv/bin/prequel"),
        )
    )
    listener = serving.listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=serving.serve, args=(application, listener, stop, connections))
    thread.start()
    client = plain_http.client(url, timeout=90)

    def end() -> None:
        stop.set()
        thread.join()
        client.close()

    return Served(client, log, store, health, metrics, learner, end, url)


def flood(gateway: Served, count: int, stream: str = "pets", begin: int = 0) -> None:
    """Many predictions at once into the log, numbered ``begin`` to ``count``; wait until the gateway has them all."""
    for start in range(begin, count, 1_000):
        gateway.log.append(
            [
                encode_prediction(predicted(stream, f"flood.{n}", Position(0, n), PNG), source="test")
                for n in range(start, min(start + 1_000, count))
            ]
        )
    last = f"/v1/streams/{stream}/predictions/flood.{count - 1}"
    assert gateway.client.get(last, params={"wait": 60}).status_code == 200


@contextmanager
def stalled(gateway: Served, path: str) -> Iterator[socket.socket]:
    """A connection that has got the beginning of a stream of events and reads no further by itself."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", gateway.client.base_url.port or 0))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        begun = b""
        while b"retry:" not in begun:
            begun += connection.recv(100)
        yield connection


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what another thread does; fails the test when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


@pytest.fixture
def anyio_backend() -> str:
    """What coroutine tests run on."""
    return "asyncio"
