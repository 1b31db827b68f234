"""Whatever is sent, the answer is never a 500, and every error is a problem."""

import json
import string
from urllib.parse import quote

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.conftest import PNG, Served

paths = st.sampled_from(
    [
        "/v1/streams",
        "/v1/streams/{}",
        "/v1/streams/{}/images",
        "/v1/streams/{}/images/{}",
        "/v1/streams/{}/labels",
        "/v1/streams/{}/predict",
        "/v1/streams/{}/predictions",
        "/v1/streams/{}/predictions/{}",
        "/v1/streams/{}/curve",
        "/v1/streams/{}/confusion",
        "/v1/session",
        "/healthz",
        "/readyz",
        "/metrics",
        "/{}",
        "/{}/{}",
        "/v1/{}",
    ]
)
names = st.one_of(st.sampled_from(["pets", "a", "seen", "x" * 63]), st.text(max_size=20), st.text("../%\\", max_size=8))
parameters = st.dictionaries(
    st.sampled_from(
        ["label", "wait", "sort", "predicted", "truth", "wrong", "limit", "before", "size", "model", "else"]
    ),
    st.one_of(
        st.sampled_from(["", "0", "0.01", "-1", "1e999", "nan", "recent", "uncertain", "true", "0:3", "96", "cat"]),
        st.text(max_size=10),
        st.integers().map(str),
    ),
    max_size=3,
)
HEADERS = [
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "If-None-Match",
    "Range",
    "X-API-Key",
    "Authorization",
    "Cookie",
]
TYPES = ["application/json", "image/png", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain", "a"]
headers = st.dictionaries(
    st.sampled_from(HEADERS), st.sampled_from(TYPES) | st.text(string.printable.strip(), max_size=20), max_size=3
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("id", "label", "by", "why", "features", "key", "else")
nearly = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, anything))
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n1\r\n--x--'
bodies = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([PNG, b"silent", b"broken", FORM]),
    (anything | nearly | st.lists(nearly, max_size=3)).map(lambda value: json.dumps(value).encode()),
)


def quoted(name: str) -> str:
    return quote(name.encode("utf-8", "replace"), safe="")


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
    paths,
    names,
    names,
    parameters,
    headers,
    bodies,
)
def test_no_request_is_answered_with_500(
    shared_gateway: Served,
    method: str,
    path: str,
    first: str,
    second: str,
    params: dict[str, str],
    headers: dict[str, str],
    body: bytes,
) -> None:
    params = {name: value for name, value in params.items() if name != "wait" or value in ("0", "0.01", "-1", "nan")}
    target = path.format(quoted(first), quoted(second))
    check(shared_gateway.client.request(method, target, params=params, headers=headers, content=body))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["labels", "predict"]), anything | nearly | st.lists(nearly, max_size=3))
def test_no_json_is_answered_with_500(shared_gateway: Served, call: str, body: object) -> None:
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    answer = shared_gateway.client.post(
        f"/v1/streams/pets/{call}", content=content, headers={"Content-Type": "application/json"}
    )
    check(answer)


MAGIC = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x10\0\0\0WEBP"]


@settings(max_examples=200, deadline=None)
@given(st.builds(bytes.__add__, st.sampled_from(MAGIC), st.binary(max_size=300)).filter(bool))
def test_any_bytes_can_be_sent_and_read_back(shared_gateway: Served, data: bytes) -> None:
    answer = shared_gateway.post_image(data, wait=10)
    assert answer.status_code == 200
    path = f"/v1/streams/pets/images/{answer.json()['id']}"
    assert shared_gateway.client.get(path).content == data
    assert shared_gateway.client.get(path, params={"size": 32}).status_code in (200, 422)
