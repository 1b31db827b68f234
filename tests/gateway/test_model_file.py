"""The call that hands a model out, and how a gateway asks the learner and the converter for it."""

import pytest

from prequel.shared.model_files import CannotConvert, ModelFormat
from tests.gateway.conftest import Served, Start

URL = "/v1/streams/pets/model"


@pytest.fixture(scope="module", autouse=True)
def _a_stream(shared_gateway: Served) -> None:
    shared_gateway.post_image(id="first", wait=10)


def test_the_champion_leaves_as_arrays_under_the_streams_name(shared_gateway: Served) -> None:
    answer = shared_gateway.client.get(URL)
    assert (answer.status_code, answer.content) == (200, b"pets/echo")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="pets.npz"'
    assert shared_gateway.client.get(URL, params={"model": "ridge"}).content == b"pets/ridge"


@pytest.mark.parametrize(
    ("params", "status", "detail"),
    [
        ({"model": "river"}, 422, "model: a pickle"),
        ({"format": "keras"}, 422, "prequel export STREAM --what model --format keras"),
        ({"format": "pickle"}, 422, "format: "),
        ({"models": "x"}, 422, "unknown parameter"),
    ],
)
def test_what_cannot_leave_is_refused_with_what_to_do(
    shared_gateway: Served, params: dict[str, str], status: int, detail: str
) -> None:
    answer = shared_gateway.client.get(URL, params=params)
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True)


def test_an_unknown_stream_is_named_with_the_nearest(shared_gateway: Served) -> None:
    answer = shared_gateway.client.get("/v1/streams/pest/model")
    assert (answer.status_code, "did you mean pets?" in answer.json()["detail"]) == (404, True)


def test_other_forms_are_made_of_the_arrays(start: Start) -> None:
    def convert(data: bytes, format: ModelFormat) -> bytes:
        if format == "onnx":
            raise CannotConvert("no formula")
        return data + b" as " + format.encode()

    gateway = start(convert_model=convert)
    gateway.post_image(id="first", wait=10)
    answer = gateway.client.get(URL, params={"format": "keras"})
    assert (answer.content, answer.headers["content-disposition"]) == (
        b"pets/echo as keras",
        'attachment; filename="pets.keras"',
    )
    answer = gateway.client.get(URL, params={"format": "onnx"})
    assert (answer.status_code, answer.json()["errors"][0]) == (422, {"field": "format", "message": "no formula"})
