"""API keys, the page's session, and what pages of other origins may not do."""

import re
from collections.abc import Iterator

import httpx
import pytest

from prequel.services.gateway.http.sessions import COOKIE, SESSION_SECONDS, Credentials
from tests.gateway.conftest import PNG, Served, starting
from tests.servers import plain_http

KEY, OTHER = "first-Key", "second key"
IMAGES = "/v1/streams/pets/images"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with starting(tmp_path_factory.mktemp("keyed")) as start:
        yield start(api_keys=f"{KEY}, {OTHER}")


@pytest.fixture
def client(keyed: Served) -> Iterator[httpx.Client]:
    """A client without a cookie of another test's."""
    with plain_http.client(keyed.url, timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/streams"),
        ("GET", "/v1/streams/pets"),
        ("GET", "/v1/streams/pets/curve"),
        ("GET", "/v1/streams/pets/confusion"),
        ("GET", "/v1/streams/pets/reliability"),
        ("GET", "/v1/streams/pets/events"),
        ("GET", "/v1/events"),
        ("GET", "/v1/streams/pets/predictions"),
        ("GET", "/v1/streams/pets/predictions/a"),
        ("GET", "/v1/streams/pets/images/a"),
        ("POST", IMAGES),
        ("POST", "/v1/streams/pets/labels"),
        ("POST", "/v1/streams/pets/predict"),
        ("GET", "/metrics"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/nothing-there"),
        ("POST", "/"),
    ],
)
def test_every_call_needs_a_key(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_every_call_of_the_description_needs_a_key(client: httpx.Client) -> None:
    paths = client.get("/openapi.json", headers={"X-API-Key": KEY}).json()["paths"]
    calls = [(method, re.sub(r"{\w+}", "x", path)) for path, methods in paths.items() for method in methods]
    assert {"/v1/streams/x/export", "/v1/streams/x/model", "/v1/streams/x/examples"} <= {path for _, path in calls}
    answers = {(method, path): client.request(method, path).status_code for method, path in calls}
    # A session begins with a key of its own, and ends without one.
    assert {path for (_, path), status in answers.items() if status != 401} <= {"/healthz", "/readyz", "/v1/session"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/index.html"])
def test_health_and_the_page_need_none(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {OTHER}"},
        {"X-API-Key": KEY},
        {"X-API-Key": OTHER},
    ],
)
def test_each_key_opens(client: httpx.Client, headers: dict[str, str]) -> None:
    assert client.get("/v1/streams", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {KEY}, {OTHER}"},
        {"X-API-Key": ""},
        {"X-API-Key": KEY.lower()},
        {"X-API-Key": "clé".encode()},
        {"Cookie": "prequel_session="},
        {"Cookie": f"prequel_session={KEY}"},
        {"Cookie": "prequel_session=1000.0000"},
        {"Cookie": "=;;prequel_session=é"},
    ],
)
def test_anything_else_does_not_open(client: httpx.Client, headers: dict[str, str | bytes]) -> None:
    given = [(name, value if isinstance(value, bytes) else value.encode("latin-1")) for name, value in headers.items()]
    raw = [(name.encode(), value) for name, value in given]
    assert client.get("/v1/streams", headers=raw).status_code == 401


@pytest.mark.parametrize(
    ("headers", "detail", "challenge"),
    [
        ({}, "an API key is needed", "Bearer"),
        ({"X-API-Key": "nope"}, "not one of PREQUEL_API_KEYS", 'Bearer error="invalid_token"'),
        ({"Authorization": "Bearer nope"}, "not one of PREQUEL_API_KEYS", 'Bearer error="invalid_token"'),
        ({"Cookie": f"{COOKIE}=1.x"}, "session has expired", 'Bearer error="invalid_token"'),
    ],
)
def test_a_wrong_key_is_distinguished_from_a_missing_one(
    client: httpx.Client, headers: dict[str, str], detail: str, challenge: str
) -> None:
    answer = client.get("/v1/streams", headers=headers)
    assert detail in answer.json()["detail"]
    assert answer.headers["www-authenticate"] == challenge


def test_a_browser_without_a_session_is_sent_to_the_page_that_asks_for_the_key(client: httpx.Client) -> None:
    answer = client.get("/docs", headers={"Accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["detail"].endswith("; in a browser, enter it at / first")
    assert "browser" not in client.get("/docs").json()["detail"]


def test_a_session_stands_for_the_key_in_a_browser(client: httpx.Client) -> None:
    answer = client.post("/v1/session", json={"key": KEY})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={SESSION_SECONDS}"))
    assert KEY not in cookie
    assert client.get("/v1/streams").status_code == 200
    assert client.delete("/v1/session").status_code == 204
    assert client.get("/v1/streams").status_code == 401


@pytest.mark.parametrize("other", ['prefs={"a": 1}', "odd", "a b=c", 'open="', "=x"])
def test_a_session_holds_beside_the_odd_cookies_of_other_applications(client: httpx.Client, other: str) -> None:
    session = Credentials([KEY], lambda: 1_000.0).new_session(KEY.encode())
    for header in (f"{other}; {COOKIE}={session}", f"{COOKIE}={session}; {other}"):
        assert client.get("/v1/streams", headers={"Cookie": header}).status_code == 200
        assert client.get("/v1/streams", headers={"Cookie": header.replace(session, "1.x")}).status_code == 401


def test_no_session_without_a_key(client: httpx.Client) -> None:
    assert client.post("/v1/session", json={"key": "wrong"}).status_code == 401
    assert client.post("/v1/session", json={}).status_code == 422
    assert client.get("/v1/streams").status_code == 401


def test_a_session_ends_with_its_time_and_with_its_key() -> None:
    now = [5_000.0]
    keys = Credentials([KEY, OTHER], lambda: now[0])
    session = keys.new_session(OTHER.encode())
    assert keys.valid_session(session)
    assert not Credentials([KEY], lambda: now[0]).valid_session(session)
    assert Credentials([OTHER], lambda: now[0]).valid_session(session)
    issued, _, signature = session.partition(".")
    assert not keys.valid_session(f"{int(issued) + 1}.{signature}")
    now[0] += SESSION_SECONDS - 1
    assert keys.valid_session(session)
    now[0] += 1
    assert not keys.valid_session(session)


def test_a_session_of_a_gateway_without_keys_is_nothing(shared_gateway: Served) -> None:
    answer = shared_gateway.client.post("/v1/session", json={"key": "any"})
    assert answer.status_code == 204
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1", "127.9.9.9:80", "[::1]:8000", "prequel.localhost"]
)
def test_loopback_names_are_answered(shared_gateway: Served, host: str) -> None:
    assert shared_gateway.client.get("/v1/streams", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.7",
        "[::2]",
        "a:b:c",
    ],
)
def test_a_name_that_was_rebound_to_loopback_is_not(shared_gateway: Served, host: str) -> None:
    for path in ("/v1/streams", "/", "/metrics"):
        answer = shared_gateway.client.get(path, headers={"Host": host})
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
        assert "PREQUEL_API_KEYS" in answer.json()["detail"]
    assert shared_gateway.client.get("/readyz", headers={"Host": host}).status_code == 200


def test_with_keys_any_name_is_answered(client: httpx.Client) -> None:
    headers = {"Host": "prequel.example", "X-API-Key": KEY}
    assert client.get("/v1/streams", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_origin_changes_nothing(shared_gateway: Served, headers: dict[str, str]) -> None:
    before = shared_gateway.log.bounds("images"), shared_gateway.log.bounds("examples")
    client, label = shared_gateway.client, {"id": "a", "label": "b"}
    assert client.post(IMAGES, content=PNG, headers={**headers, "Content-Type": "image/png"}).status_code == 403
    assert client.post(IMAGES, files={"file": ("a.png", PNG)}, headers=headers).status_code == 403
    assert client.post("/v1/streams/pets/labels", json=label, headers=headers).status_code == 403
    assert (shared_gateway.log.bounds("images"), shared_gateway.log.bounds("examples")) == before


def test_our_own_page_and_other_programs_may(shared_gateway: Served) -> None:
    for headers in ({"Origin": shared_gateway.url, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {}):
        answer = shared_gateway.client.post(IMAGES, content=b"silent", headers={**headers, "Content-Type": "image/png"})
        assert answer.status_code == 202


def test_a_stolen_session_is_of_no_use_to_another_origin(client: httpx.Client) -> None:
    client.post("/v1/session", json={"key": KEY})
    headers = {"Origin": "https://evil.example", "Content-Type": "image/png"}
    assert client.post(IMAGES, content=PNG, headers=headers).status_code == 403


def test_no_answer_allows_other_origins_to_read_it(shared_gateway: Served) -> None:
    answer = shared_gateway.client.get("/v1/streams", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway behind a TLS proxy that puts a Host of its own before it."""
    with starting(tmp_path_factory.mktemp("proxied")) as start:
        yield start(api_keys=KEY, public_url="https://Prequel.example.org/")


@pytest.mark.parametrize(("origin", "code"), [("https://prequel.example.org", 202), ("https://evil.example", 403)])
def test_the_page_behind_a_proxy_that_changes_the_host_may_send(proxied: Served, origin: str, code: int) -> None:
    headers = {"Host": "gateway:8000", "Origin": origin, "X-API-Key": KEY, "Content-Type": "image/png"}
    answer = proxied.client.post(IMAGES, content=PNG, headers=headers)
    assert answer.status_code == code, answer.text
    assert code == 202 or f"({origin}) may not do this" in answer.json()["detail"]


def test_the_session_of_a_page_that_comes_by_tls_stays_on_tls(proxied: Served, keyed: Served) -> None:
    assert "Secure" in proxied.client.post("/v1/session", json={"key": KEY}).headers["set-cookie"]
    assert "Secure" not in keyed.client.post("/v1/session", json={"key": KEY}).headers["set-cookie"]
