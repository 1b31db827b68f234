"""Examples that come as features, over a real learner: every form, every refusal, and calls that expect an image."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from prequel.services.extractor.reextraction.missing_features import MissingFeatures
from prequel.shared.config import Settings
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.features import encode_features
from prequel.shared.events.types import Features, Image
from prequel.shared.log.base import EXAMPLES, IMAGES, Position
from prequel.shared.vectors import MAX_FEATURES
from tests.gateway.conftest import PNG, until
from tests.servers import plain_http
from tests.servers.one_process import FunctionExtractor, OneProcess

ROWS = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], "<f4")
BINARY = {"Content-Type": "application/octet-stream"}
LINES = {"Content-Type": "application/x-ndjson"}


class Served:
    """A gateway with a learner and an extractor of vectors of three values; ``examples`` posts to a stream."""

    def __init__(self, system: OneProcess, http: httpx.Client) -> None:
        self.system, self.http = system, http

    def examples(self, stream: str, body: Any = None, **options: Any) -> httpx.Response:
        if body is not None:
            options["json"] = body
        return self.http.post(f"/v1/streams/{stream}/examples", **options)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(f"/v1/streams/{path}", params=params)

    def features(self, position: str) -> Features:
        partition, offset = Position.parse(position)
        event = decode_example(self.system.log.read(EXAMPLES, partition, [offset])[offset])
        assert isinstance(event, Features)
        return event


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    extractor = FunctionExtractor("own", lambda data: np.ones(3, np.float32), ("undecodable", "so says the test"))
    settings = Settings.model_validate({"models": "nearest", "max_streams": 100})
    system = OneProcess(tmp_path_factory.mktemp("examples") / "data", settings, extractor)
    with plain_http.client(system.url, timeout=90) as http:
        until(lambda: http.get("/readyz").status_code == 200)
        yield Served(system, http)
    system.close()


def test_one_example_is_durable_and_its_record_is_what_an_extractor_writes_but_for_the_image(served: Served) -> None:
    answer = served.examples(
        "one", {"features": [1, 2.5], "id": "a", "label": " cat "}, params={"backbone": "clip b/32"}
    )
    assert answer.status_code == 202
    assert answer.json() == {"id": "a", "stream": "one", "position": answer.json()["position"]}
    event = served.features(answer.json()["position"])
    assert (event.id, event.stream, event.label, event.backbone) == ("a", "one", "cat", "clip b/32")
    assert (event.image, event.vector.tolist()) == (None, [1, 2.5])
    assert len(event.digest) == 32


def test_with_wait_the_prediction_is_in_the_answer_and_the_label_is_learned(served: Served) -> None:
    served.examples("waits", {"features": [0, 0], "label": "cat"}, params={"wait": 30})
    served.examples("waits", {"features": [9, 9], "label": "dog"}, params={"wait": 30})
    answer = served.examples("waits", {"features": [8, 9], "id": "b"}, params={"wait": 30})
    assert answer.status_code == 200
    prediction = answer.json()["prediction"]
    assert (prediction["label"], prediction["image"], prediction["truth"]) == ("dog", None, None)
    status = served.get("waits").json()
    assert (status["images"], status["labelled"], status["backbone"], status["dim"]) == (3, 2, "custom", 2)
    assert served.get("waits/history").json()["labels"] == {"by": {"producer": 2}, "why": {"producer": 2}}


def as_json(ids: list[str], labels: list[str]) -> dict[str, Any]:
    rows = zip(ROWS.tolist(), ids, labels, strict=True)
    return {"json": [{"features": row, "id": id, "label": label or None} for row, id, label in rows]}


def as_lines(ids: list[str], labels: list[str]) -> dict[str, Any]:
    lines = [json.dumps(example) for example in as_json(ids, labels)["json"]]
    return {"content": "\n\n".join(lines) + "\r\n", "headers": LINES}


def as_form(ids: list[str], labels: list[str]) -> dict[str, Any]:
    return {"files": {"file": ROWS.tobytes()}, "data": {"id": ids, "label": labels}, "params": {"dim": 3}}


@pytest.mark.parametrize("form", [as_json, as_lines, as_form])
def test_several_in_every_form_are_the_same_events(served: Served, form: Any) -> None:
    ids, stream = ["a", "b", "c"], form.__name__.replace("_", "-")
    answer = served.examples(stream, **form(ids, ["cat", "", "dog"]))
    assert answer.status_code == 202, answer.text
    events = [served.features(each["position"]) for each in answer.json()]
    assert [event.id for event in events] == [each["id"] for each in answer.json()] == ids
    assert [event.label for event in events] == ["cat", None, "dog"]
    assert np.array_equal([event.vector for event in events], ROWS)


def test_rows_as_the_body_take_label_and_key_from_the_request(served: Served) -> None:
    options: dict[str, Any] = {"headers": {**BINARY, "Idempotency-Key": "k"}, "params": {"dim": 3, "label": "cat"}}
    answer = served.examples("rows", content=ROWS.tobytes(), **options)
    assert [each["id"] for each in answer.json()] == ["k.1", "k.2", "k.3"]
    assert [served.features(each["position"]).label for each in answer.json()] == ["cat"] * 3
    one = served.examples("rows", content=ROWS[0].tobytes(), headers=BINARY)
    assert isinstance(one.json(), dict)
    assert served.features(one.json()["position"]).vector.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"content": b""}, "body"),
        ({"json": 7}, "body"),
        ({"json": []}, "body"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, "body"),
        ({"json": {}}, "features"),
        ({"json": {"features": []}}, "features"),
        ({"json": {"features": "1,2,3"}}, "features"),
        ({"json": {"features": [1, "2", 3]}}, "features.1"),
        ({"json": {"features": [1, True, 3]}}, "features.1"),
        ({"json": {"features": [1, [2], 3]}}, "features.1"),
        ({"json": {"features": [1, 2, 1e39]}}, "features.2"),
        ({"json": {"features": [1, 2, 10**400]}}, "body"),
        ({"json": {"features": [1], "vector": [1]}}, "vector"),
        ({"json": {"features": [1], "id": "no spaces"}}, "id"),
        ({"json": {"features": [1], "id": 7}}, "id"),
        ({"json": {"features": [1], "label": "a\nb"}}, "label"),
        ({"json": {"features": [1], "label": 3}}, "label"),
        ({"json": {"features": [1], "backbone": ""}}, "backbone"),
        ({"json": [{"features": [1, 2]}, {"features": [1]}]}, "1.features"),
        ({"json": [{"features": [1], "backbone": "x"}, {"features": [1]}]}, "1.backbone"),
        ({"json": [{"features": [1]}, 7]}, "1"),
        (
            {
                "content": b'[{"features": [1]}, {"features": [0.5, NaN]}]',
                "headers": {"Content-Type": "application/json"},
            },
            "1.features.1",
        ),
        ({"content": b'{"features": [1]}\n\n{"features": [-Infinity]}', "headers": LINES}, "line 3.features.0"),
        ({"json": [{"features": [1]}, {"features": [0.5, 1e19]}]}, "1.features.1"),
        ({"content": b'{"features": [1]}\n{"features": [1', "headers": LINES}, "line 2"),
        ({"content": b" \n", "headers": LINES}, "body"),
        ({"content": bytes(4 * (MAX_FEATURES + 1)), "headers": BINARY}, "features"),
        ({"content": b"\0\0\0", "headers": BINARY}, "body"),
        ({"content": ROWS.tobytes(), "headers": BINARY, "params": {"dim": 2}}, "body"),
        ({"content": ROWS.tobytes(), "headers": BINARY, "params": {"dim": 0}}, "dim"),
        ({"content": ROWS.tobytes(), "headers": BINARY, "params": {"dims": 3}}, "dims"),
        ({"content": np.array([1, np.nan], "<f4").tobytes(), "headers": BINARY, "params": {"dim": 1}}, "1.features.0"),
        ({"json": {"features": [1]}, "params": {"backbone": "a\tb"}}, "backbone"),
        ({"files": {"file": ROWS.tobytes()}, "data": {"id": ["a"]}, "params": {"dim": 3}}, "id"),
        ({"files": {"file": ROWS.tobytes()}, "data": {"label": ["a", "b\0", "c"]}, "params": {"dim": 3}}, "label 2"),
        ({"files": {"file": ROWS.tobytes()}, "data": {"why": ["a"]}}, "why"),
        ({"files": {"image": ROWS.tobytes()}}, "image"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_appended(served: Served, options: dict[str, Any], field: str) -> None:
    before = served.system.log.bounds(EXAMPLES)[0].end
    answer = served.examples("wrong", **options)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.headers["content-type"] == "application/problem+json"
    assert served.system.log.bounds(EXAMPLES)[0].end == before


def test_other_content_types_too_many_and_too_large(served: Served) -> None:
    assert served.examples("wrong", content=PNG, headers={"Content-Type": "image/png"}).status_code == 415
    many = served.examples("wrong", [{"features": [1]}] * 1_001)
    assert (many.status_code, "1000" in many.json()["detail"]) == (413, True)
    body = b"0" * (33 * 2**20)
    assert served.examples("wrong", content=body, headers=BINARY).status_code == 413


@pytest.mark.parametrize("wait", [0, 30])
def test_a_stream_takes_features_of_its_first_backbone_and_length_alone(served: Served, wait: int) -> None:
    """Without ``wait`` the learner has published nothing of the stream when the next request comes."""
    stream = f"kind-{wait}"
    served.examples(stream, {"features": [1, 2], "backbone": "clip"}, params={"wait": wait})
    before = served.system.log.bounds(EXAMPLES)[0].end
    for body, field in [({"features": [1, 2]}, "backbone"), ({"features": [1], "backbone": "clip"}, "features")]:
        answer = served.examples(stream, [body, body])
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, f"0.{field}")
        assert "clip" in answer.json()["detail"]
    assert served.system.log.bounds(EXAMPLES)[0].end == before


def test_a_refused_first_request_decides_nothing_for_its_stream(served: Served) -> None:
    twice = [{"features": [1, 2], "id": "a"}, {"features": [1, 3], "id": "a"}]
    assert served.examples("undecided", twice).status_code == 409
    answer = served.examples("undecided", {"features": [1], "id": "a", "backbone": "clip"})
    assert answer.status_code == 202, answer.text
    assert served.examples("undecided", {"features": [1, 2]}).status_code == 409


def test_a_resend_that_is_refused_leaves_what_came_first(served: Served) -> None:
    served.examples("decided", {"features": [1, 2], "id": "a", "label": "cat"})
    assert served.examples("decided", {"features": [1, 2], "id": "a", "label": "dog"}).status_code == 409
    assert served.examples("decided", {"features": [1]}).status_code == 409


def test_a_stream_of_images_takes_no_features_of_another_backbone(served: Served) -> None:
    served.http.post(
        "/v1/streams/images/images", content=PNG, headers={"Content-Type": "image/png"}, params={"wait": 30}
    )
    assert served.examples("images", {"features": [1, 2, 3]}).status_code == 409
    assert served.examples("images", {"features": [1, 2, 3], "backbone": "own"}, params={"wait": 30}).status_code == 200


@pytest.mark.parametrize("wait", [0, 30])
def test_the_same_id_again_counts_once_and_with_another_vector_or_label_conflicts(served: Served, wait: int) -> None:
    stream, example = f"again-{wait}", dict[str, Any](features=[1, 2], id="a", label="cat")
    served.examples(stream, example, params={"wait": wait})
    assert served.examples(stream, example, params={"wait": 30}).status_code == 200
    assert served.get(stream).json()["images"] == 1
    for change, conflict in (({"features": [1, 3]}, "content"), ({"label": "dog"}, "label")):
        answer = served.examples(stream, [example | change])
        assert (answer.status_code, answer.json()["conflict"]) == (409, conflict)
        assert answer.json()["errors"][0]["field"] == "0.id"
    image = {"Content-Type": "image/png", "Idempotency-Key": "a"}
    assert served.http.post(f"/v1/streams/{stream}/images", content=PNG, headers=image).status_code == 409


def test_a_gateway_that_does_not_remember_reads_the_first_features_from_the_log(served: Served) -> None:
    example = {"features": [1, 2], "id": "a", "label": "cat"}
    served.examples("restarted", example, params={"wait": 30})
    served.system.close_gateway()
    served.system.open_gateway()
    until(lambda: served.http.get("/readyz").status_code == 200)
    assert served.examples("restarted", example, params={"wait": 30}).status_code == 200
    assert served.examples("restarted", example | {"features": [2, 1]}).json()["conflict"] == "content"
    assert served.examples("restarted", example | {"label": "dog"}).json()["conflict"] == "label"


def test_a_stream_that_was_created_for_a_backbone_takes_features_of_that_one(served: Served) -> None:
    served.http.post(
        "/v1/streams/chosen/commands", json={"do": "stream.create", "backbone": "compact"}, params={"wait": 30}
    )
    answer = served.examples("chosen", {"features": [1, 2]})
    assert (answer.status_code, "compact" in answer.json()["detail"]) == (409, True)
    assert (
        served.examples("chosen", {"features": [1, 2], "backbone": "compact-32"}, params={"wait": 30}).status_code
        == 200
    )


def test_every_call_that_expects_an_image_says_that_there_is_none(served: Served) -> None:
    labels = {"a": "cat", "b": "dog", "c": None, "d": None}
    bodies = [{"features": [number, 1], "id": id, "label": label} for number, (id, label) in enumerate(labels.items())]
    served.examples("plain", bodies, params={"wait": 30})
    for params in ({}, {"size": 96}):
        answer = served.get("plain/images/a", **params)
        assert (answer.status_code, "features" in answer.json()["detail"]) == (404, True)
    assert served.get("plain/predictions/a").json()["image"] is None
    assert len(served.get("plain/predictions").json()["predictions"]) == 4
    assert {each["id"] for each in served.get("plain/queue", by="uncertain").json()["examples"]} == {"c", "d"}
    assert {each["id"] for each in served.get("plain/similar/c").json()["examples"]} == {"a", "b"}
    images = [each["image"] for each in served.get("plain/queue", by="uncertain").json()["examples"]]
    assert images == [None, None]
    lookup = served.http.post("/v1/streams/plain/lookup", json={"ids": ["a", "c"]}).json()["examples"]
    assert [each["truth"] for each in lookup] == ["cat", None]
    label = served.http.post("/v1/streams/plain/labels", json={"id": "c", "label": "dog"}, params={"wait": 30}).json()
    assert label["status"] == "learned"

    answer = served.http.post("/v1/streams/plain/predict", json={"features": [0, 1]})
    assert answer.json()["label"] == "cat"


@pytest.mark.parametrize("call", ["predict", "images"])
def test_no_image_is_taken_where_the_features_are_somebodys_own(served: Served, call: str) -> None:
    served.examples(f"words-{call}", {"features": [1, 2], "backbone": "minilm"}, params={"wait": 30})
    assert served.get(f"words-{call}").json()["images"] == 1
    appended = served.system.log.bounds(IMAGES)[0].end
    answer = served.http.post(f"/v1/streams/words-{call}/{call}", content=PNG, headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.json()["reason"]) == (409, "not-extractable")
    assert "no extractor makes" in answer.json()["detail"]
    assert served.system.log.bounds(IMAGES)[0].end == appended


def test_images_are_taken_where_somebodys_own_extractor_has_made_features_of_one(served: Served) -> None:
    image = Image("a", "sights", None, 0.0, PNG, Position(0, 0))
    served.system.log.append([encode_features(image, ROWS[0], "my-net-1", source="test")])
    until(lambda: served.get("sights/predictions/a").status_code == 200)
    until(lambda: served.get("sights").json().get("backbone") == "my-net-1")
    answer = served.http.post("/v1/streams/sights/images", content=PNG, headers={"Content-Type": "image/png"})
    assert answer.status_code == 202, answer.text


def test_an_example_can_be_forgotten_and_sent_again(served: Served) -> None:
    bodies = [{"features": [number, 1], "id": id, "label": "cat"} for number, id in enumerate("ab")]
    first = served.examples("private", bodies, params={"wait": 30}).json()[0]["position"]
    command = {"do": "example.forget", "ids": ["a"]}
    answer = served.http.post("/v1/streams/private/commands", json=command, params={"wait": 30})
    assert answer.json()["status"] == "applied"
    assert served.get("private/predictions/a").status_code == 404
    assert served.get("private/images/a").status_code == 404
    until(lambda: served.get("private").json()["catching_up"] is None)
    again = served.examples("private", {"features": [7, 7], "id": "a", "label": "dog"}, params={"wait": 30})
    assert again.status_code == 200, again.text
    until(lambda: served.get("private").json()["images"] == 2)
    partition, offset = Position.parse(first)
    until(lambda: served.system.log.read(EXAMPLES, partition, [offset])[offset].value == b"")


def test_a_deleted_stream_begins_anew_with_other_features(served: Served) -> None:
    served.examples("gone", {"features": [1, 2], "id": "a"}, params={"wait": 30})
    assert served.http.delete("/v1/streams/gone", params={"wait": 30}).json()["status"] == "applied"
    assert served.get("gone").status_code == 404
    answer = served.examples("gone", {"features": [1], "id": "a", "backbone": "other"}, params={"wait": 30})
    assert answer.status_code == 200, answer.text
    assert served.get("gone").json()["images"] == 1


def test_reextraction_finds_no_image_and_counts_what_has_none(served: Served) -> None:
    served.examples("kept", [{"features": [1]}, {"features": [2]}], params={"wait": 30})
    missing = MissingFeatures(served.system.log, "kept", "compact-avg-32-0badcafe")
    assert (missing.read(), missing.without_image) == ([], 2)
