"""Images sent as CloudEvents over HTTP, and what is told of a body that is no image."""

import base64
import json

import pytest

from shared.attributes import STRUCTURED
from shared.events import Image, decode_image
from tests.gateway.conftest import PNG, Served

PATH = "/v1/streams/pets/images"


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
def test_what_is_wrong_is_named(shared_gateway: Served, headers: dict[str, str], body: bytes, field: str) -> None:
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
def test_a_body_that_is_no_image_is_told_what_it_is(shared_gateway: Served, kind: str, body: bytes, words: str) -> None:
    answer = shared_gateway.client.post(PATH, content=body, headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert words in answer.json()["detail"]


def test_attributes_are_shown_with_the_prediction(shared_gateway: Served) -> None:
    headers = {"Content-Type": "image/png", "ce-id": "shown", "ce-camera": "north"}
    answer = shared_gateway.client.post(PATH, content=PNG, headers=headers, params={"wait": 10})
    assert answer.status_code == 200
    found = shared_gateway.client.get("/v1/streams/pets/predictions/shown").json()
    assert found["attributes"] == answer.json()["prediction"]["attributes"] == {"camera": "north"}
