"""Every bad request gets a problem that names what is wrong; none takes effect, none ends the gateway."""

import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import PNG, Served, starting
from tests.servers import plain_http

IMAGES = "/v1/streams/pets/images"
LABELS = "/v1/streams/pets/labels"
PREDICT = "/v1/streams/pets/predict"
PNG_TYPE = {"Content-Type": "image/png"}
NOT_ENGLISH = re.compile(r"Input should|Field required|Method Not Allowed|\[[^]]*\]\{")
"""The words of frameworks, and patterns."""


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem that the answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert not NOT_ENGLISH.search(body["detail"])
    return body


def fields(answer: httpx.Response) -> list[str]:
    """The fields that a 422 names."""
    return [error["field"] for error in problem(answer, 422)["errors"]]


@pytest.mark.parametrize(
    "stream", ["UPPER", "-dash", ".dot", "a" * 64, "spaced out", "ünïcode", "semi;colon", "per%25cent", "%00"]
)
def test_a_bad_stream_name_is_named_in_every_call(shared_gateway: Served, stream: str) -> None:
    client, base = shared_gateway.client, f"/v1/streams/{stream}"
    assert fields(client.post(f"{base}/images", content=PNG, headers=PNG_TYPE)) == ["stream"]
    assert fields(client.post(f"{base}/labels", json={"id": "a", "label": "b"})) == ["stream"]
    assert fields(client.post(f"{base}/predict", json={"features": [1]})) == ["stream"]
    for path in (
        "",
        "/predictions",
        "/predictions/a",
        "/images/a",
        "/curve",
        "/confusion",
        "/reliability",
        "/history",
        "/events",
    ):
        assert fields(client.get(base + path)) == ["stream"]


@pytest.mark.parametrize(
    ("params", "headers", "field"),
    [
        ({"label": ""}, {}, "label"),
        ({"label": "x" * 129}, {}, "label"),
        ({"label": "two\nlines"}, {}, "label"),
        ({"wait": "soon"}, {}, "wait"),
        ({"wait": -1}, {}, "wait"),
        ({"wait": 61}, {}, "wait"),
        ({"wait": "nan"}, {}, "wait"),
        ({"wait": "inf"}, {}, "wait"),
        ({"lable": "cat"}, {}, "lable"),
        ({}, {"Idempotency-Key": "has spaces"}, "Idempotency-Key"),
        ({}, {"Idempotency-Key": "x" * 129}, "Idempotency-Key"),
        ({}, {"Idempotency-Key": ""}, "Idempotency-Key"),
    ],
)
def test_a_bad_parameter_of_an_image_is_named(
    shared_gateway: Served, params: dict[str, Any], headers: dict[str, str], field: str
) -> None:
    before = shared_gateway.log.bounds("images")
    answer = shared_gateway.client.post(IMAGES, content=PNG, params=params, headers={**PNG_TYPE, **headers})
    assert fields(answer) == [field]
    assert shared_gateway.log.bounds("images") == before


@pytest.mark.parametrize(
    "kind",
    [None, "text/plain", "application/json", "application/octet-stream", "image", "image/", "IMAGE", "image/p ng"],
)
def test_a_body_that_is_no_image_by_its_type_is_refused(shared_gateway: Served, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    body = problem(shared_gateway.client.post(IMAGES, content=PNG, headers=headers), 415)
    assert "send them with Content-Type: image/png" in body["detail"]


def test_types_may_have_parameters_and_capitals(shared_gateway: Served) -> None:
    headers = {"Content-Type": "Image/JPEG; quality=90"}
    assert shared_gateway.client.post(IMAGES, content=b"silent", headers=headers).status_code == 202


def test_nothing_is_no_image(shared_gateway: Served) -> None:
    assert fields(shared_gateway.client.post(IMAGES, headers=PNG_TYPE)) == ["body"]
    empty = {"file": ("a.png", b"", "image/png")}
    assert fields(shared_gateway.client.post(IMAGES, files=empty)) == ["file 1 (a.png)"]
    assert fields(shared_gateway.client.post(IMAGES, files={"photo": ("a.png", PNG, "image/png")})) == ["photo"]
    form = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nno file\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert fields(shared_gateway.client.post(IMAGES, content=form, headers=headers)) == ["file"]
    assert fields(shared_gateway.client.post(IMAGES, content=b"--x--\r\n", headers=headers)) == ["file"]


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=y"])
def test_a_form_that_is_none_is_refused(shared_gateway: Served, kind: str) -> None:
    answer = shared_gateway.client.post(IMAGES, content=b"--x\r\nnonsense", headers={"Content-Type": kind})
    assert fields(answer) in (["body"], ["file"])


def test_too_many_files_are_refused(shared_gateway: Served) -> None:
    files = [("file", (f"{number}.png", PNG, "image/png")) for number in range(101)]
    assert "100" in problem(shared_gateway.client.post(IMAGES, files=files), 422)["detail"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with starting(tmp_path_factory.mktemp("small")) as start:
        yield start(max_image_bytes=2_000)


def test_an_image_that_says_it_is_too_large_is_not_read(small: Served) -> None:
    with socket.create_connection(("127.0.0.1", small.client.base_url.port or 0), timeout=20) as raw:
        raw.sendall(f"POST {IMAGES} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n".encode())
        raw.sendall(b"Content-Length: 2001\r\n\r\n")
        assert b" 413 " in raw.recv(4096).split(b"\r\n")[0]


def test_an_image_without_a_length_is_read_no_further_than_the_limit(small: Served) -> None:
    with socket.create_connection(("127.0.0.1", small.client.base_url.port or 0), timeout=20) as raw:
        raw.sendall(f"POST {IMAGES} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n".encode())
        raw.sendall(b"Transfer-Encoding: chunked\r\n\r\n" + b"7d1\r\n" + b"x" * 2_001 + b"\r\n")
        assert b" 413 " in raw.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize("size", [2_001, 5_000_000])
def test_an_image_that_turns_out_too_large_is_refused(small: Served, size: int) -> None:
    def body() -> Iterator[bytes]:
        for start in range(0, size, 500):
            yield b"x" * min(500, size - start)

    with plain_http.client(small.url, timeout=20) as client:
        assert "2000" in problem(client.post(IMAGES, content=body(), headers=PNG_TYPE), 413)["detail"]
    assert small.client.get("/healthz").status_code == 200


def test_an_image_of_exactly_the_largest_size_is_accepted(small: Served) -> None:
    assert small.client.post(IMAGES, content=b"silent".ljust(2_000), headers=PNG_TYPE).status_code == 202


def test_a_form_with_a_file_too_large_is_refused(small: Served) -> None:
    files = [("file", ("a.png", b"silent", "image/png")), ("file", ("b.png", b"x" * 2_001, "image/png"))]
    before = small.log.bounds("images")
    assert "b.png" in problem(small.client.post(IMAGES, files=files), 413)["detail"]
    assert small.log.bounds("images") == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"null", "body"),
        (b'"text"', "body"),
        (b"3", "body"),
        (b"[]", "body"),
        (b'{"id": "a"}', "label"),
        (b'{"label": "cat"}', "id"),
        (b'{"id": 7, "label": "cat"}', "id"),
        (b'{"id": "has spaces", "label": "cat"}', "id"),
        (b'{"id": "a", "label": ""}', "label"),
        (b'{"id": "a", "label": 3}', "label"),
        (b'{"id": "a", "label": "\\u0007"}', "label"),
        (b'{"id": "a", "label": "\\ud800"}', "label"),
        (b'{"id": "a", "label": "cat", "by": 3}', "by"),
        (b'{"id": "a", "label": "cat", "why": "Because"}', "why"),
        (b'{"id": "a", "label": "cat", "why": ""}', "why"),
        (b'{"id": "a", "label": "cat", "lable": "dog"}', "lable"),
        (b'[{"id": "a", "label": "cat"}, {"id": "b"}]', "1.label"),
        (b'[{"id": "a", "label": "cat"}, 3]', "1"),
        (b"[" * 100_000, "body"),
        (b"\xff\xfe{}", "body"),
    ],
)
def test_a_bad_label_is_named(shared_gateway: Served, body: bytes, field: str) -> None:
    before = shared_gateway.log.bounds("examples")
    answer = shared_gateway.client.post(LABELS, content=body, headers={"Content-Type": "application/json"})
    assert fields(answer) == [field]
    assert shared_gateway.log.bounds("examples") == before


def test_a_label_that_is_not_said_to_be_json_is_refused(shared_gateway: Served) -> None:
    body = b'{"id": "a", "label": "cat"}'
    assert fields(shared_gateway.client.post(LABELS, content=body, headers={"Content-Type": "text/plain"})) == ["body"]


def test_too_many_labels_at_once_are_refused(shared_gateway: Served) -> None:
    many = [{"id": "a", "label": "cat"}] * 10_001
    assert fields(shared_gateway.client.post(LABELS, json=many)) == ["body"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "features"),
        (b'{"features": []}', "features"),
        (b'{"features": 3}', "features"),
        (b'{"features": [1, "2"]}', "features.1"),
        (b'{"features": [1, null]}', "features.1"),
        (b'{"features": [1, 2, NaN]}', "features.2"),
        (b'{"features": [1, -Infinity]}', "features.1"),
        (b'{"features": [1, 1e39]}', "features.1"),
        (b'{"features": [1, 1e999]}', "features.1"),
        (b'{"features": [1, 2, 3]}', "features"),
        (b'{"features": [1, 2, 3, 4], "id": "a"}', "id"),
    ],
)
def test_bad_features_are_named(shared_gateway: Served, body: bytes, field: str) -> None:
    shared_gateway.post_image(wait=10)
    answer = shared_gateway.client.post(PREDICT, content=body, headers={"Content-Type": "application/json"})
    assert fields(answer) == [field]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"sort": "best"}, "sort"),
        ({"limit": 0}, "limit"),
        ({"limit": 1_001}, "limit"),
        ({"limit": "all"}, "limit"),
        ({"before": "yesterday"}, "before"),
        ({"before": "1:1:1"}, "before"),
        ({"wrong": "perhaps"}, "wrong"),
        ({"truth": "x" * 129}, "truth"),
        ({"offset": 3}, "offset"),
    ],
)
def test_a_bad_parameter_of_the_list_is_named(shared_gateway: Served, params: dict[str, Any], field: str) -> None:
    assert fields(shared_gateway.client.get("/v1/streams/pets/predictions", params=params)) == [field]


@pytest.mark.parametrize("size", ["0", "15", "1025", "large", "9" * 400])
def test_a_bad_thumbnail_size_is_named(shared_gateway: Served, size: str) -> None:
    assert fields(shared_gateway.client.get("/v1/streams/pets/images/a", params={"size": size})) == ["size"]


@pytest.mark.parametrize("model", ["gpt", f"mix({'slda;decay=0.001, ' * 80}ncm)"])
@pytest.mark.parametrize("call", ["confusion", "predictions"])
def test_an_unknown_model_is_named_with_those_there_are(shared_gateway: Served, call: str, model: str) -> None:
    shared_gateway.post_image(wait=10)
    answer = shared_gateway.client.get(f"/v1/streams/pets/{call}", params={"model": model})
    assert fields(answer) == ["model"]
    assert "echo" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/streams/unheard-of",
        "/v1/streams/unheard-of/curve",
        "/v1/streams/unheard-of/confusion",
        "/v1/streams/unheard-of/reliability",
        "/v1/streams/unheard-of/history",
        "/v1/streams/unheard-of/images/a",
        "/v1/streams/unheard-of/predictions/a",
        "/v1",
        "/v2/models",
        "/nothing.html",
        "/../app.py",
        "/%2e%2e/app.py",
        "/vendor/../../app.py",
        "/vendor",
        "/%00",
    ],
)
def test_unknown_paths_are_404(shared_gateway: Served, path: str) -> None:
    problem(shared_gateway.client.get(path), 404)


def test_asking_a_stream_that_no_learner_knows_is_404(shared_gateway: Served) -> None:
    answer = shared_gateway.client.post("/v1/streams/unheard-of/predict", json={"features": [1]})
    assert "unheard-of" in problem(answer, 404)["detail"]


@pytest.mark.parametrize(("method", "path"), [("PUT", IMAGES), ("GET", LABELS), ("DELETE", "/healthz"), ("POST", "/")])
def test_a_wrong_method_is_405_and_says_which_are_right(shared_gateway: Served, method: str, path: str) -> None:
    answer = shared_gateway.client.request(method, path)
    detail = problem(answer, 405)["detail"]
    assert answer.headers["allow"]
    assert method not in answer.headers["allow"]
    assert detail == f"{method} is not allowed at {path}, only {answer.headers['allow']}; /docs lists the calls"


def test_all_methods_of_a_path_are_listed(shared_gateway: Served) -> None:
    answer = shared_gateway.client.put("/v1/streams/pets")
    assert answer.headers["allow"] == "DELETE, GET"
    assert "only DELETE, GET; /docs lists the calls" in problem(answer, 405)["detail"]


def test_json_under_another_content_type_gets_a_hint(shared_gateway: Served) -> None:
    answer = shared_gateway.client.post(
        LABELS, content=b'{"id": "a", "label": "b"}', headers={"Content-Type": "text/plain"}
    )
    assert problem(answer, 422)["detail"] == "body: must be a JSON object, sent with Content-Type: application/json"
    answer = shared_gateway.client.post(LABELS, json=5)
    assert problem(answer, 422)["detail"] == "body: must be a JSON object"
    for path in (LABELS, PREDICT, IMAGES):
        answer = shared_gateway.client.post(path, content=b"", headers=PNG_TYPE)
        assert problem(answer, 422)["detail"] == "body: is empty"


def test_an_image_that_becomes_a_dead_letter_answers_every_request(shared_gateway: Served) -> None:
    body = problem(shared_gateway.post_image(b"broken", id="bad:1", wait=10), 422)
    assert (body["reason"], body["id"]) == ("undecodable", "bad:1")
    problem(shared_gateway.post_image(b"huge", id="bad:2", wait=10), 413)
    stranger = problem(shared_gateway.post_image(b"stranger", id="bad:3", wait=10), 422)
    assert (stranger["reason"], stranger["id"]) == ("too-many-streams", "bad:3")
    later = problem(shared_gateway.client.get("/v1/streams/pets/predictions/bad:1"), 404)
    assert "undecodable" in later["detail"]


def test_a_label_that_the_learner_rejects_gets_the_reason(shared_gateway: Served) -> None:
    shared_gateway.post_image(id="full:0", wait=10)
    answer = shared_gateway.post_label("full:0", "forbidden", wait=10)
    assert answer.status_code == 200
    outcome = answer.json()
    assert (outcome["status"], outcome["reason"], outcome["label"]) == ("rejected", "too-many-labels", "forbidden")
    assert "PREQUEL_MAX_LABELS" in outcome["detail"]  # the outcome's, not the dead letter's


def test_an_image_whose_label_is_refused_gets_its_prediction(shared_gateway: Served) -> None:
    answer = shared_gateway.post_image(b"labelled", id="full:1", label="forbidden", wait=10)
    assert (answer.status_code, answer.json()["prediction"]["label"]) == (200, "cat")


def test_one_bad_image_among_several_is_reported_in_its_answer(shared_gateway: Served) -> None:
    files = [("file", ("a.png", PNG, "image/png")), ("file", ("b.png", b"broken", "image/png"))]
    answer = shared_gateway.client.post(IMAGES, files=files, params={"wait": 10})
    assert answer.status_code == 200
    assert "prediction" in answer.json()[0]
    assert answer.json()[1]["refused"]["reason"] == "undecodable"


def test_a_good_image_after_a_bad_one_of_the_same_id_gets_its_prediction(shared_gateway: Served) -> None:
    problem(shared_gateway.post_image(b"broken", id="again", wait=10), 422)
    assert shared_gateway.post_image(PNG, id="again", wait=10).status_code == 200
    assert shared_gateway.client.get("/v1/streams/pets/predictions/again").status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/streams/pets/labels HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{}",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_broken_http_ends_its_connection_only(shared_gateway: Served, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", shared_gateway.client.base_url.port or 0), timeout=20) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert shared_gateway.client.get("/healthz").status_code == 200
