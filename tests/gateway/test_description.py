"""The API is described right, /docs and the page load only the gateway's files, and metrics name routes, not paths."""

import re
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from prometheus_client.parser import text_string_to_metric_families

from prequel.services.gateway.http.static_files import WEB
from prequel.shared.validation_messages import explain
from tests.gateway.conftest import PNG, Served


@pytest.fixture(scope="module")
def described(shared_gateway: Served) -> dict[str, Any]:
    description: dict[str, Any] = shared_gateway.client.get("/openapi.json").json()
    return description


def valid(described: dict[str, Any], answer: httpx.Response, method: str, path: str) -> None:
    """The answer's body is what the description says of this call and status."""
    content = described["paths"][path][method]["responses"][str(answer.status_code)]["content"]
    kind = answer.headers["content-type"].partition(";")[0]
    schema = {**content[kind]["schema"], "components": described["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json())


def test_answers_are_as_described(shared_gateway: Served, described: dict[str, Any]) -> None:
    client, stream = shared_gateway.client, "/v1/streams/{stream}"
    valid(described, shared_gateway.post_image(b"silent"), "post", f"{stream}/images")
    valid(described, shared_gateway.post_image(id="a", wait=10), "post", f"{stream}/images")
    files = [("file", ("a.png", PNG)), ("file", ("b.png", PNG))]
    several = client.post("/v1/streams/pets/images", files=files, params={"wait": 10})
    valid(described, several, "post", f"{stream}/images")
    valid(described, shared_gateway.post_label("a", "cat"), "post", f"{stream}/labels")
    valid(described, shared_gateway.post_label("a", "cat", wait=10), "post", f"{stream}/labels")
    valid(described, shared_gateway.post_label("a", "forbidden", wait=10), "post", f"{stream}/labels")
    commands = "/v1/streams/pets/commands"
    valid(described, client.post(commands, json={"do": "models.rebuild"}), "post", f"{stream}/commands")
    done = client.post(commands, json={"do": "models.rebuild"}, params={"wait": 10})
    valid(described, done, "post", f"{stream}/commands")
    predict = client.post("/v1/streams/pets/predict", json={"features": [1, 2, 3, 4]})
    valid(described, predict, "post", f"{stream}/predict")
    for path, template in (
        ("/v1/streams", "/v1/streams"),
        ("/v1/streams/pets", stream),
        ("/v1/streams/pets/curve", f"{stream}/curve"),
        ("/v1/streams/pets/confusion", f"{stream}/confusion"),
        ("/v1/streams/pets/reliability", f"{stream}/reliability"),
        ("/v1/streams/pets/history", f"{stream}/history"),
        ("/v1/streams/pets/predictions", f"{stream}/predictions"),
        ("/v1/streams/pets/predictions/a", f"{stream}/predictions/{{id}}"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        valid(described, answer, "get", template)


def test_problems_are_as_described(shared_gateway: Served, described: dict[str, Any]) -> None:
    client, stream = shared_gateway.client, "/v1/streams/{stream}"
    body = {"content": PNG, "headers": {"Content-Type": "text/plain"}}
    valid(described, client.post("/v1/streams/pets/images", **body), "post", f"{stream}/images")  # type: ignore[arg-type]
    valid(described, shared_gateway.post_image(wait=99), "post", f"{stream}/images")
    valid(described, shared_gateway.post_label("a b", "cat"), "post", f"{stream}/labels")
    valid(described, client.get("/v1/streams/nobody"), "get", stream)
    valid(described, client.get("/v1/streams/nobody/predictions/a"), "get", f"{stream}/predictions/{{id}}")
    valid(described, client.get("/v1/streams/nobody/images/a"), "get", f"{stream}/images/{{id}}")


def test_every_problem_is_a_problem_in_the_description(described: dict[str, Any]) -> None:
    for calls in described["paths"].values():
        for call in calls.values():
            for status, answer in call["responses"].items():
                if status >= "4" and (status, call["summary"]) != ("503", "Alive?") and call["summary"] != "Ready?":
                    assert list(answer["content"]) == ["application/problem+json"], (call["summary"], status)


def test_the_contract_s_calls_are_there(described: dict[str, Any]) -> None:
    calls = {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    stream = "/v1/streams/{stream}"
    assert calls >= {
        f"POST {stream}/images",
        f"GET {stream}/predictions/{{id}}",
        f"GET {stream}/predictions",
        f"GET {stream}/images/{{id}}",
        f"POST {stream}/labels",
        f"POST {stream}/predict",
        "GET /v1/streams",
        f"GET {stream}",
        f"GET {stream}/curve",
        f"GET {stream}/confusion",
        f"GET {stream}/reliability",
        f"GET {stream}/history",
        f"POST {stream}/commands",
        f"GET {stream}/events",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    }


def test_docs_load_only_files_of_the_gateway(shared_gateway: Served) -> None:
    answer = shared_gateway.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    files = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(files) == 4
    for file in [*files, "/openapi.json"]:
        assert file.startswith("/")
        assert shared_gateway.client.get(file).status_code == 200


def test_the_page_may_run_its_own_scripts_only(shared_gateway: Served) -> None:
    answer = shared_gateway.client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-cache"


def test_every_file_of_the_page_is_served_and_revalidated(shared_gateway: Served) -> None:
    files = [file for file in WEB.rglob("*") if file.is_file()]
    assert files
    for file in files:
        path = f"/{file.relative_to(WEB)}"
        answer = shared_gateway.client.get(path)
        assert answer.content == file.read_bytes()
        again = shared_gateway.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")


def test_a_file_comes_whole_whatever_part_is_asked_for(shared_gateway: Served) -> None:
    for part in ("bytes=0-3", "bytes=9-1", "nonsense"):
        answer = shared_gateway.client.get("/index.html", headers={"Range": part})
        assert (answer.status_code, answer.content) == (200, (WEB / "index.html").read_bytes())


def test_scripts_and_styles_have_types_that_browsers_run(shared_gateway: Served) -> None:
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for file in WEB.rglob("*"):
        if file.suffix in kinds:
            answer = shared_gateway.client.head(f"/{file.relative_to(WEB)}")
            assert answer.headers["content-type"].partition(";")[0] == kinds[file.suffix]


@pytest.mark.parametrize("path", ["/v1/streams", "/", "/docs", "/metrics", "/healthz", "/nothing"])
def test_every_answer_has_the_safe_headers(shared_gateway: Served, path: str) -> None:
    headers = shared_gateway.client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"]


def requests_counted(gateway: Served) -> dict[tuple[str, str, str], float]:
    families = text_string_to_metric_families(gateway.client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return {
        (sample.labels["route"], sample.labels["method"], sample.labels["code"]): sample.value
        for sample in samples
        if sample.name == "prequel_http_request_seconds_count"
    }


def test_requests_are_measured_by_the_template_of_their_route(gateway: Served) -> None:
    client = gateway.client
    for name in "abc":
        client.get(f"/v1/streams/{name}/predictions/x")
        client.get(f"/{name}.html")
    client.get("/v1/streams/UPPER")
    client.request("BREW", "/v1/streams")
    client.get("/v1/streams", headers={"Host": "evil.example"})
    client.get("/index.html")
    counted = requests_counted(gateway)
    assert counted["/v1/streams/{stream}/predictions/{id}", "GET", "404"] == 3
    assert counted["none", "GET", "404"] == 3
    assert counted["/v1/streams/{stream}", "GET", "422"] == 1
    assert counted["/v1/streams", "other", "405"] == 1
    assert counted["none", "GET", "403"] == 1
    assert counted["/{file}", "GET", "200"] == 1


def patterns(description: Any) -> set[str]:
    """Every regular expression in a description."""
    if isinstance(description, list):
        return set().union(*map(patterns, description))
    if not isinstance(description, dict):
        return set()
    own = description.get("pattern")
    return set().union({own} if isinstance(own, str) else (), *map(patterns, description.values()))


def test_what_must_have_a_form_is_refused_in_words(shared_gateway: Served) -> None:
    found = patterns(shared_gateway.client.get("/openapi.json").json())
    assert len(found) >= 5
    for pattern in found:
        text = explain({"type": "string_pattern_mismatch", "ctx": {"pattern": pattern}, "msg": f"matches {pattern}"})
        assert text.startswith("must be "), pattern
        assert pattern not in text
