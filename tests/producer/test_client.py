"""The client against a real HTTP server that fails in every way."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from rich.console import Console

from prequel.services.producer.client import Client, connect
from prequel.services.producer.commands.label import label_image
from prequel.services.producer.errors import GatewayError, RequestRefused, Stopped, WrongUsage
from prequel.services.producer.sources.base import LoadedImage
from tests.servers.ports import free_port

IMAGES = [LoadedImage(f"id-{number}", f"{number}.png", "cat", bytes([number]) * 10, "image/png") for number in range(3)]
Script = list[tuple[int, Any] | None]


class Scripted(ThreadingHTTPServer):
    """Answers each request with the next line of its script; None closes the connection without an answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: Script = []
        self.requests: list[bytes] = []
        self.headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(f"{self.command} {self.path} ".encode() + body)
        self.server.headers = dict(self.headers)
        answer = self.server.script.pop(0)
        if answer is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        code, content = answer
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as scripted:
        thread = threading.Thread(target=scripted.serve_forever, args=(0.01,))
        thread.start()
        yield scripted
        scripted.shutdown()
        thread.join()


@pytest.fixture
def client(server: Scripted, stop: threading.Event) -> Iterator[Client]:
    with connect(server.url, "kéy", stop=stop, clock=time.monotonic, timeout_s=20) as connected:
        yield connected


def test_a_request_without_an_answer_is_sent_again_under_the_same_ids(server: Scripted, client: Client) -> None:
    server.script = [None, (503, {"detail": "the log is away"}), (502, b"<html>"), (202, [{}, {}, {}])]
    assert client.post_images("pets", IMAGES) == []
    assert len(server.requests) == 4
    forms = [request.partition(b"\r\n")[2] for request in server.requests]
    assert all(forms[0].count(image.id.encode()) == 1 for image in IMAGES)
    boundaries = {request.partition(b"\r\n")[0].rpartition(b" ")[2] for request in server.requests}
    plain = {form.replace(boundary, b"") for form in forms for boundary in boundaries if boundary in form}
    assert len(plain) == 1


def test_the_key_is_sent_as_it_is(server: Scripted, client: Client) -> None:
    server.script = [(200, {"streams": []})]
    client.check()
    assert server.headers["X-API-Key"].encode("latin-1").decode() == "kéy"


def test_only_the_refused_image_of_several_is_named(server: Scripted, client: Client) -> None:
    refused = (413, {"detail": "too large"})
    server.script = [refused, (202, {}), refused, refused, (202, {})]
    assert [(image, str(refused)) for image, refused in client.post_images("pets", IMAGES)] == [
        (IMAGES[1], "too large")
    ]


def test_a_dead_letter_is_an_error_and_a_missing_prediction_none(server: Scripted, client: Client) -> None:
    server.script = [
        (404, {"detail": "no prediction of x yet"}),
        (404, {"detail": "image x has no prediction: undecodable: broken", "reason": "undecodable"}),
    ]
    assert client.prediction("pets", "x") is None
    with pytest.raises(RequestRefused, match=r"^undecodable: broken$"):
        client.prediction("pets", "x")


def test_a_timeout_says_what_to_do(server: Scripted, stop: threading.Event) -> None:
    server.script = [(503, {"detail": "the log is away"})] * 4
    ticks = iter(range(0, 100, 2))
    message = r"no gateway answers .*the log is away.*prequel up.*url"
    with (
        connect(server.url, None, stop=stop, clock=lambda: next(ticks), timeout_s=5) as client,
        pytest.raises(GatewayError, match=message),
    ):
        client.streams()
    assert len(server.requests) == 3


def test_stop_ends_the_waiting(server: Scripted, client: Client, stop: threading.Event) -> None:
    server.script = [(503, {"detail": "the log is away"})]
    stop.set()
    with pytest.raises(Stopped):
        client.streams()


def test_a_missing_gateway_is_reported_at_once(stop: threading.Event) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with connect(url, None, stop=stop, clock=time.monotonic) as client:
        with pytest.raises(GatewayError, match=r"no gateway answers at .*refused.*`prequel up`"):
            client.check()
        assert "refused" in client.not_ready()["gateway"]


@pytest.mark.parametrize("answer", [(200, b"<html>hello"), (200, []), (200, 7), (404, b""), (301, b"")])
def test_other_servers_are_recognized(server: Scripted, client: Client, answer: tuple[int, Any]) -> None:
    server.script = [answer]
    with pytest.raises(GatewayError, match=r"not as a gateway of Prequel: give another url"):
        client.check()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, {"detail": "an API key is needed"}), "an API key is needed.*PREQUEL_API_KEYS"),
        ((403, {"detail": "only loopback names"}), "cannot answer this: only loopback names"),
        ((500, b"oops"), "cannot answer this: 500"),
    ],
)
def test_errors_that_repetition_cannot_help_are_raised_at_once(
    server: Scripted, client: Client, answer: tuple[int, Any], message: str
) -> None:
    server.script = [answer]
    with pytest.raises(GatewayError, match=message) as caught:
        client.check()
    assert not isinstance(caught.value, RequestRefused)


def test_reasons_for_not_being_ready(server: Scripted, client: Client) -> None:
    server.script = [
        (200, {"ready": True, "reasons": {}}),
        (503, {"ready": False, "reasons": {"learner": "waits"}}),
        (503, b""),
    ]
    assert client.not_ready() == {}
    assert client.not_ready() == {"learner": "waits"}
    assert client.not_ready() == {"gateway": "503 Service Unavailable"}


def test_stopped_services_are_an_error(server: Scripted, client: Client) -> None:
    server.script = [(200, {"alive": True, "reason": None}), (503, {"alive": False, "reason": "learner: a bug"}), None]
    client.check_alive()
    with pytest.raises(GatewayError, match=r"have stopped \(learner: a bug\): start them again"):
        client.check_alive()
    client.check_alive()


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", "http://[::1", ""])
def test_invalid_addresses(url: str, stop: threading.Event) -> None:
    message = r"not a valid address.*http://127\.0\.0\.1:8000"
    with pytest.raises(WrongUsage, match=message), connect(url, None, stop=stop, clock=time.monotonic):
        pass


@pytest.mark.parametrize("key", ["secret\n", " secret", "sec\0ret"])
def test_a_key_that_cannot_be_sent_is_refused_at_once(key: str, stop: threading.Event) -> None:
    with (
        pytest.raises(WrongUsage, match=r"the API key has spaces around it or a line break"),
        connect("http://localhost", key, stop=stop, clock=time.monotonic),
    ):
        pass


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        (
            {"reason": "too-many-streams", "detail": "10 streams are all"},
            "rejected: too-many-streams: 10 streams are all",
        ),
        ({}, "rejected: too many labels wait for their images, or the stream has too many classes"),
    ],
)
def test_the_reason_of_a_rejected_label_is_printed(
    more: dict[str, str], outcome: str, server: Scripted, client: Client, console: Console
) -> None:
    server.script = [(200, {"streams": []}), (200, [{"id": "a", "status": "rejected", **more}])]
    assert label_image(client, "pets", "a", "cat", console=console) == 1
    assert console.file.getvalue() == f"pets a: {outcome}\n"  # type: ignore[attr-defined]  # the fixture's StringIO
