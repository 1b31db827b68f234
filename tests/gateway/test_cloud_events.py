"""Images sent as CloudEvents over HTTP, and the errors for bodies that are no image."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest

from prequel.shared.events.decoding import decode_example
from prequel.shared.events.images import decode_image
from prequel.shared.events.structured import STRUCTURED
from prequel.shared.events.types import LABEL_TYPE, Image, Label
from tests.gateway.conftest import PNG, Served

PATH = "/v1/streams/pets/images"
AS_PNG = {"Content-Type": "image/png"}


def first(gateway: Served) -> Image:
    return decode_image(gateway.log.read("images", 0, [0])[0])


def test_binary_mode(gateway: Served) -> None:
    headers = {"ce-id": "a-1", "CE-Label": "caf%C3%A9", "ce-source": "/camera", "ce-camera": "north", "ce-dim": "9"}
    answer = gateway.client.post(PATH, content=PNG, headers={"Content-Type": "image/png", **headers})
    assert (answer.status_code, answer.json()["id"]) == (202, "a-1")
    image = first(gateway)
    assert (image.id, image.stream, image.label, image.data) == ("a-1", "pets", "caf\u00e9", PNG)
    assert image.attributes == {"source": "/camera", "camera": "north"}


def test_structured_mode(gateway: Served) -> None:
    event = {"specversion": "1.0", "id": "a-2", "source": "/camera", "type": "photo", "label": "cat", "level": 3}
    body = json.dumps({**event, "datacontenttype": "image/png", "data_base64": base64.b64encode(PNG).decode()})
    answer = gateway.client.post(PATH, content=body, headers={"Content-Type": STRUCTURED})
    assert (answer.status_code, answer.json()["id"]) == (202, "a-2")
    image = first(gateway)
    assert (image.label, image.data) == ("cat", PNG)
    assert image.attributes == {"source": "/camera", "level": "3"}


@pytest.mark.parametrize(
    ("headers", "body", "field"),
    [
        ({"Content-Type": "image/png", "ce-id": "not an id"}, PNG, "ce-id"),
        ({"Content-Type": "image/png", "ce-label": "%01"}, PNG, "ce-label"),
        ({"Content-Type": STRUCTURED}, b"{", "body"),
        ({"Content-Type": STRUCTURED}, b'{"id": "a"}', "body"),
        ({"Content-Type": STRUCTURED}, b'{"id": "a b", "data_base64": "AA=="}', "id"),
        ({"Content-Type": STRUCTURED}, b'{"id": "a", "data_base64": ""}', "data_base64"),
    ],
)
def test_the_wrong_part_is_named(shared_gateway: Served, headers: dict[str, str], body: bytes, field: str) -> None:
    answer = shared_gateway.client.post(PATH, content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("application/json", b'{"image": "..."}', "the body is JSON text"),
        ("text/plain", base64.b64encode(PNG), "the body is base64 text: decode it"),
        ("application/octet-stream", b"\x93NUMPY\1\0", "the body is a NumPy array"),
        ("application/pdf", b"%PDF-1.7", "the body is a PDF"),
        ("application/x-www-form-urlencoded", PNG, "send them with Content-Type: image/png"),
    ],
)
def test_a_body_that_is_no_image_is_named(shared_gateway: Served, kind: str, body: bytes, words: str) -> None:
    answer = shared_gateway.client.post(PATH, content=body, headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert words in answer.json()["detail"]


def test_attributes_are_shown_with_the_prediction(shared_gateway: Served) -> None:
    headers = {"Content-Type": "image/png", "ce-id": "shown", "ce-camera": "north"}
    answer = shared_gateway.client.post(PATH, content=PNG, headers=headers, params={"wait": 10})
    assert answer.status_code == 200
    found = shared_gateway.client.get("/v1/streams/pets/predictions/shown").json()
    assert found["attributes"] == answer.json()["prediction"]["attributes"] == {"camera": "north"}


LABELS = "/v1/streams/pets/labels"
SAID = {"id": "a-1", "label": "cat", "by": "ann"}


def event(data: object = None, **more: object) -> dict[str, object]:
    return {"specversion": "1.0", "id": "e", "source": "/desk", "type": LABEL_TYPE, "data": data or SAID, **more}


def appended_labels(gateway: Served, body: object) -> list[Label]:
    kind = "application/cloudevents-batch+json" if isinstance(body, list) else STRUCTURED
    begin = gateway.log.bounds("examples")[0].end
    answer = gateway.client.post(LABELS, content=json.dumps(body), headers={"Content-Type": kind})
    assert answer.status_code == 202, answer.text
    end = gateway.log.bounds("examples")[0].end
    records = gateway.log.read("examples", 0, range(begin, end))
    return [label for n in range(begin, end) if isinstance(label := decode_example(records[n]), Label)]


def test_a_label_may_be_structured_too(gateway: Served) -> None:
    gateway.post_image(id="a-1", wait=10)
    encoded = base64.b64encode(json.dumps(SAID).encode()).decode()
    for body in (event(), {**event(), "data": json.dumps(SAID)}, {**event(), "data": None, "data_base64": encoded}):
        assert [(label.id, label.label, label.by) for label in appended_labels(gateway, body)] == [
            ("a-1", "cat", "ann")
        ]
    several = [event(), event({"id": "a-2", "label": None})]
    assert [(label.id, label.label) for label in appended_labels(gateway, several)] == [("a-1", "cat"), ("a-2", None)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (event(type="prequel.image.v1"), "this call takes prequel.label.v1"),
        (event(data="not JSON"), "cannot be read"),
        ({key: value for key, value in event().items() if key != "data"}, "neither data_base64 nor data"),
        (event({"id": "a b", "label": "cat"}), "id: "),
    ],
)
def test_a_structured_label_that_is_invalid_is_refused(
    shared_gateway: Served, body: dict[str, object], words: str
) -> None:
    shared_gateway.post_image(id="a-1", wait=10)
    answer = shared_gateway.client.post(LABELS, content=json.dumps(body), headers={"Content-Type": STRUCTURED})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


DECOMPOSED = " cafe\u0301 "
DOORS: dict[str, Callable[[Served], httpx.Response]] = {
    "query": lambda g: g.client.post(PATH, content=PNG, headers=AS_PNG, params={"label": DECOMPOSED}),
    "header": lambda g: g.client.post(PATH, content=PNG, headers={**AS_PNG, "ce-label": quote(DECOMPOSED)}),
    "form": lambda g: g.client.post(PATH, files={"file": ("a.png", PNG)}, data={"label": DECOMPOSED}),
    "structured": lambda g: g.client.post(
        PATH,
        content=json.dumps({**event(), "label": DECOMPOSED, "data_base64": base64.b64encode(PNG).decode()}),
        headers={"Content-Type": STRUCTURED},
    ),
    "label": lambda g: g.client.post(LABELS, json={**SAID, "label": DECOMPOSED}),
    "labels": lambda g: g.client.post(LABELS, json=[{**SAID, "label": DECOMPOSED}]),
    "structured label": lambda g: g.client.post(
        LABELS, content=json.dumps(event({**SAID, "label": DECOMPOSED})), headers={"Content-Type": STRUCTURED}
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_label_has_one_spelling_whatever_the_door(shared_gateway: Served, door: str) -> None:
    shared_gateway.post_image(id="a-1", wait=10)  # Of a stream that nobody knows no label is taken.
    topic = "examples" if "label" in door else "images"
    answer = DOORS[door](shared_gateway)
    assert answer.status_code == 202, answer.text
    accepted = answer.json()[0] if isinstance(answer.json(), list) else answer.json()
    partition, offset = map(int, accepted["position"].split(":"))
    record = shared_gateway.log.read(topic, partition, [offset])[offset]
    written = record.value.decode() if topic == "examples" else dict(record.headers)["ce_label"].decode()
    written = json.loads(written)["label"] if topic == "examples" else written
    assert written == "caf\u00e9"
