"""Forms of several images, each with an id and a label of its own."""

import tempfile
from pathlib import Path

import pytest

from prequel.shared.events.images import decode_image
from tests.gateway.conftest import PNG, Served

PATH = "/v1/streams/pets/images"
FILES = [("file", (f"{number}.png", PNG + bytes([number]), "image/png")) for number in range(3)]


def test_each_image_has_its_id_and_label_and_all_keep_their_order(gateway: Served) -> None:
    form = {"id": ["c", "a", "b"], "label": ["cat", "", "wild cat"]}
    answer = gateway.client.post(PATH, files=FILES, data=form)
    assert answer.status_code == 202
    assert [accepted["id"] for accepted in answer.json()] == ["c", "a", "b"]
    records = gateway.log.read("images", 0, [0, 1, 2])
    images = [decode_image(records[offset]) for offset in range(3)]
    assert [(image.id, image.label, image.data[-1]) for image in images] == [
        ("c", "cat", 0),
        ("a", None, 1),
        ("b", "wild cat", 2),
    ]


def test_a_form_without_labels_takes_the_one_of_the_request(gateway: Served) -> None:
    gateway.client.post(PATH, files=FILES, params={"label": "cat"}, data={"id": ["x", "y", "z"]})
    assert decode_image(gateway.log.read("images", 0, [2])[2]).label == "cat"


def test_a_single_image_of_a_form_has_its_id(gateway: Served) -> None:
    answer = gateway.client.post(PATH, files=FILES[:1], data={"id": "mine", "label": "dog"})
    assert answer.json()["id"] == "mine"
    assert decode_image(gateway.log.read("images", 0, [0])[0]).label == "dog"


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"id": ["a", "b"]}, "id"),
        ({"label": ["cat"] * 4}, "label"),
        ({"id": ["a", "b", "not an id"]}, "id 3"),
        ({"id": ["a", "", "c"]}, "id 2"),
        ({"label": ["a", "b\x01", "c"]}, "label 2"),
        ({"lable": ["a", "b", "c"]}, "lable"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_appended(
    gateway: Served, form: dict[str, list[str]], field: str
) -> None:
    answer = gateway.client.post(PATH, files=FILES, data=form)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert gateway.log.bounds("images")[0].end == 0


def test_a_label_comes_in_one_spelling_whatever_the_door(gateway: Served) -> None:
    spelled = " Ka\u0308se\n"
    gateway.post_image(id="a", label=spelled, wait=10)
    gateway.client.post(PATH, files=FILES[:1], data={"id": "b", "label": spelled}, params={"wait": 10})
    gateway.post_image(id="c", wait=10)
    outcome = gateway.post_label("c", spelled, wait=10).json()
    assert outcome["label"] == "K\u00e4se"
    listed = gateway.client.get("/v1/streams/pets/predictions", params={"truth": spelled}).json()["predictions"]
    assert sorted(prediction["id"] for prediction in listed) == ["a", "b", "c"]
    headers = [dict(record.headers) for record in gateway.log.read("images", 0, [0, 1]).values()]
    assert [record_headers["ce_label"].decode() for record_headers in headers] == ["K\u00e4se"] * 2


def test_a_label_of_nothing_but_space_is_none(gateway: Served) -> None:
    assert gateway.post_image(label=" ").status_code == 422
    assert gateway.post_label("a", "\t").status_code == 422
    gateway.client.post(PATH, files=FILES[:1], data={"id": "b", "label": "  "})
    assert decode_image(gateway.log.read("images", 0, [0])[0]).label is None


def test_a_form_that_finds_no_room_for_temporary_files_is_refused(
    gateway: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Large parts are kept there while the rest comes: in a folder that has gone, as on a disk that is full."""
    large = PNG + bytes(2 * 2**20)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    answer = gateway.client.post("/v1/streams/pets/images", files={"file": ("a.png", large, "image/png")})
    assert (answer.status_code, "TMPDIR" in answer.json()["detail"]) == (503, True), answer.text
    monkeypatch.setattr(tempfile, "tempdir", None)
    answer = gateway.client.post("/v1/streams/pets/images", files={"file": ("a.png", large, "image/png")})
    assert answer.status_code == 202
