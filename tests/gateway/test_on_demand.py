"""Predictions on demand: answered and refused as in the stream, and nothing is recorded."""

import httpx
import pytest

from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS
from tests.gateway.conftest import PNG, Served, Start

PREDICT = "/v1/streams/pets/predict"


def tried(gateway: Served, data: bytes = PNG, kind: str = "image/png", path: str = PREDICT) -> httpx.Response:
    return gateway.client.post(path, content=data, headers={"Content-Type": kind})


def ends(gateway: Served) -> object:
    return [gateway.log.bounds(topic) for topic in (IMAGES, EXAMPLES, PREDICTIONS, DEAD_LETTERS)]


def test_a_picture_is_answered_and_nothing_is_recorded(shared_gateway: Served) -> None:
    shared_gateway.post_image(wait=10)
    before, status = ends(shared_gateway), shared_gateway.client.get("/v1/streams/pets").json()["images"]
    answer = tried(shared_gateway)
    assert (answer.status_code, answer.json()["label"], answer.json()["stream"]) == (200, "cat", "pets")
    assert ends(shared_gateway) == before
    assert shared_gateway.client.get("/v1/streams/pets").json()["images"] == status


@pytest.mark.parametrize(
    ("data", "kind", "status", "detail"),
    [
        (b"broken", "image/png", 422, "undecodable: so says the test"),
        (b"huge", "image/png", 413, "too-large: so says the test"),
        (b"busy", "image/png", 503, "so says the test; send the request again"),
        (b"", "image/png", 422, "body"),
        (PNG, "text/plain", 415, "is neither an image nor features"),
        (PNG, "multipart/form-data; boundary=x", 415, "is neither an image nor features"),
    ],
)
def test_an_image_that_cannot_be_extracted_gets_a_reason(
    shared_gateway: Served, data: bytes, kind: str, status: int, detail: str
) -> None:
    shared_gateway.post_image(wait=10)
    before = ends(shared_gateway)
    answer = tried(shared_gateway, data, kind)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]
    assert ends(shared_gateway) == before


def test_a_picture_larger_than_the_stream_takes_is_413(start: Start) -> None:
    assert tried(start(max_image_bytes=2_000), bytes(2_001)).status_code == 413


def test_a_stream_that_does_not_exist_is_404(shared_gateway: Served) -> None:
    assert "unheard-of" in tried(shared_gateway, path="/v1/streams/unheard-of/predict").json()["detail"]


def test_the_list_can_be_of_a_challengers_predictions(shared_gateway: Served) -> None:
    shared_gateway.post_image(b"=cat@0.9", stream="models", id="one", wait=10)
    shared_gateway.post_image(b"=dog@0.9", stream="models", id="two", wait=10)
    shared_gateway.post_label("one", "dog", stream="models", wait=10)
    shared_gateway.post_label("two", "dog", stream="models", wait=10)

    def listed(**params: str) -> list[str]:
        answer = shared_gateway.client.get("/v1/streams/models/predictions", params=params)
        assert answer.status_code == 200, answer.text
        return [prediction["id"] for prediction in answer.json()["predictions"]]

    assert listed(model="contrary", predicted="dog") == ["one"]
    assert listed(model="contrary", predicted="cat", truth="dog") == ["two"]
    assert listed(model="contrary", wrong="true") == ["two"]
    assert listed(model="contrary", wrong="false") == ["one"]
    assert listed(model="echo", wrong="true") == listed(wrong="true") == ["one"]
    assert listed(model="contrary", predicted="bird") == []


def test_a_misspelt_model_of_the_list_is_named_with_those_there_are(shared_gateway: Served) -> None:
    shared_gateway.post_image(wait=10)
    answer = shared_gateway.client.get("/v1/streams/pets/predictions", params={"model": "contrarian"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "model"
    assert "contrary" in answer.json()["detail"]


def test_the_installation_says_how_commands_are_typed(shared_gateway: Served) -> None:
    answer = shared_gateway.client.get("/v1/installation").json()
    assert answer == {
        "program": ".venv/bin/prequel",
        "container": False,
        "url": "http://127.0.0.1:8000",
        "keys": False,
    }
