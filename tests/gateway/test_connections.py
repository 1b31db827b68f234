"""Connections and bodies that are slow, too many, cut off or compressed; other clients are served all the same."""

import gzip
import logging
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import anyio
import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from prequel.services.gateway.http.body_limits import BodyLimits
from prequel.services.gateway.http.connections import BACKLOG, RESERVED_FILES, IdleConnections, max_connections
from prequel.shared.runtime.deadlines import REQUEST_HEAD_S
from tests.gateway.conftest import PNG, Served, Start, until
from tests.servers import plain_http

IMAGES = "/v1/streams/pets/images"
HEAD = f"POST {IMAGES} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n".encode()


@contextmanager
def connected(gateway: Served) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", gateway.client.base_url.port or 0), timeout=30) as connection:
        yield connection


@contextmanager
def few_files(soft: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_process_asks_for_the_files_that_it_may_have() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with few_files(256):
        most = max_connections()
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert files > 256 or hard == 256
    assert most + BACKLOG + RESERVED_FILES <= files


def test_one_connection_too_many_gets_503(start: Start) -> None:
    gateway = start(connections=8)
    with ExitStack() as stack:

        def refused() -> bool:
            """Those that come in one turn of the event loop come in together, so one by one."""
            one = stack.enter_context(connected(gateway))
            one.settimeout(0.2)
            try:
                answer = one.recv(1000)
            except TimeoutError:
                return False
            return answer.startswith(b"HTTP/1.1 503 ") and b"too many connections" in answer

        taken = [refused() for _ in range(10)]
        assert taken == sorted(taken)
        assert taken[-1]
    until(lambda: plain_http.get(f"{gateway.url}/healthz", timeout=10).status_code == 200)


class Transport:
    gone = False

    def __init__(self, closing: bool) -> None:
        self._closing = closing

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self.gone = True


class Cycle:
    def __init__(self, response_complete: bool) -> None:
        self.response_complete = response_complete


class Connection:
    def __init__(self, cycle: Cycle | None, closing: bool = False) -> None:
        self.cycle, self.transport = cycle, Transport(closing)


def test_idle_connections_are_closed() -> None:
    now = [0.0]
    cut_off = Connection(Cycle(False), closing=True)
    everyone = [Connection(None), Connection(Cycle(True)), cut_off, Connection(Cycle(False))]
    idle = IdleConnections(lambda: now[0])
    for now[0] in (0.0, REQUEST_HEAD_S):
        idle.close_expired(everyone)
        assert not any(connection.transport.gone for connection in everyone)
    now[0] = REQUEST_HEAD_S + 1
    idle.close_expired(everyone)
    assert [connection.transport.gone for connection in everyone] == [True, True, True, False]


def test_a_connection_with_a_request_since_is_not_closed() -> None:
    now = [0.0]
    one = Connection(None)
    idle = IdleConnections(lambda: now[0])
    for now[0] in range(3 * int(REQUEST_HEAD_S)):
        idle.close_expired([one])
        if now[0] % 5 == 0:
            one.cycle = Cycle(True)  # asked and answered between two looks
    assert not one.transport.gone


@pytest.mark.parametrize("kind", ["image/png", "application/json", "multipart/form-data; boundary=x"])
def test_a_request_that_is_cut_off_is_no_bug(gateway: Served, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    path = IMAGES if kind != "application/json" else "/v1/streams/pets/labels"
    head = HEAD.replace(b"image/png", kind.encode()).replace(IMAGES.encode(), path.encode())
    with caplog.at_level(logging.WARNING):
        with connected(gateway) as connection:
            connection.sendall(head + b"--x\r\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        counted = 'prequel_http_request_seconds_count{code="4'
        until(lambda: counted in gateway.client.get("/metrics").text)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert 'code="500"' not in gateway.client.get("/metrics").text


def test_a_compressed_body_is_refused(gateway: Served) -> None:
    for path, body, kind in (
        (IMAGES, PNG, "image/png"),
        ("/v1/streams/pets/labels", b'{"id": "a", "label": "b"}', "application/json"),
    ):
        headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
        answer = gateway.client.post(path, content=gzip.compress(body), headers=headers)
        assert (answer.status_code, "Content-Encoding" in answer.json()["detail"]) == (415, True)
        answer = gateway.client.post(path, content=body, headers={**headers, "Content-Encoding": "identity"})
        assert answer.status_code == 202


def test_a_query_that_is_no_utf8_is_refused_not_read_as_something_else(gateway: Served) -> None:
    for broken in (b"%ff", b"%ED%A0%BD", b"caf%e9"):
        answer = gateway.client.post(
            httpx.URL(f"{gateway.url}{IMAGES}?label=", query=b"label=" + broken),
            content=PNG,
            headers={"Content-Type": "image/png"},
        )
        assert (answer.status_code, "UTF-8" in answer.json()["detail"]) == (422, True), answer.text


@pytest.mark.anyio
@pytest.mark.parametrize(("pause_s", "silence_s", "whole_s"), [(0.2, 0.05, 30), (0.01, 30, 0.05)])
async def test_a_body_that_does_not_come_frees_its_memory(pause_s: float, silence_s: float, whole_s: float) -> None:
    answered: list[Message] = []

    async def body() -> Message:
        """A byte now and then, for ever."""
        await anyio.sleep(pause_s)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Message) -> None:
        answered.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive())["more_body"]:
                pass
        except Exception as problem:
            answered.append({"type": "problem", "status": problem.status_code})  # type: ignore[attr-defined]

    limit = BodyLimits(
        app, image_bytes=10**6, form_bytes=10**6, other_bytes=10**6, silence_s=silence_s, whole_s=whole_s
    )
    with anyio.fail_after(30):
        await limit({"type": "http", "headers": []}, body, send)
    assert [message["status"] for message in answered] == [408]
    assert limit._received == 0
