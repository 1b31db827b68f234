"""Calls between services ignore the proxy that the environment names: it cannot reach their addresses."""

import ast
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from prequel.services.producer.client import connect
from prequel.shared import status
from tests.gateway.conftest import Served, Start
from tests.gateway.echo_learner import status_of
from tests.servers import plain_http

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = {"Client", "AsyncClient", "get", "post", "put", "delete", "request", "stream"}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a proxy that every variable names has been asked for."""
    seen: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(502)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    yield seen
    server.shutdown()
    server.server_close()


def test_a_gateway_asks_learners_directly(start: Start, seen: list[str]) -> None:
    gateway = start(queries=None, ready=False)
    with plain_http.client(gateway.url, timeout=20) as client:
        current = status_of("pets", 1, 0).model_copy(update={"address": "127.0.0.1:1"})
        gateway.store.put(status.key("pets"), current.model_dump_json().encode())
        answer = client.post("/v1/streams/pets/predict", json={"features": [1.0]})
    assert answer.status_code == 503
    assert "127.0.0.1:1 cannot be reached" in answer.json()["detail"]
    assert seen == []


def test_the_command_line_asks_gateways_directly(gateway: Served, seen: list[str]) -> None:
    with connect(gateway.url, None, stop=threading.Event(), clock=lambda: 0.0) as client:
        client.check()
    assert seen == []


def test_every_http_client_ignores_proxies() -> None:
    wrong = []
    for path in sorted(path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_client(node.func):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                if given.get("trust_env") != "False":
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong, f"give trust_env=False: {wrong}"


def test_every_http_client_of_the_tests_is_a_plain_one() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path.name != "plain_http.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _is_client(node.func) and ast.unparse(node.func) != "httpx.AsyncClient"
    ]
    assert not wrong, f"take tests.servers.plain_http, which costs no TLS context: {wrong}"


def _is_client(called: ast.expr) -> bool:
    return isinstance(called, ast.Attribute) and ast.unparse(called.value) == "httpx" and called.attr in CLIENTS
