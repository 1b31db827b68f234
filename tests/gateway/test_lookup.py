"""Looking many images up at once."""

from typing import Any

import pytest

from prequel.services.gateway.routes.lookup import MAX_IDS
from prequel.services.gateway.view.gallery import NOWHERE, Gallery, RefusedLabel
from prequel.shared.events.types import Outcome
from prequel.shared.log.base import Position
from tests.gateway.conftest import PNG, Served
from tests.gateway.echo_learner import predicted

PATH = "/v1/streams/pets/lookup"


def look_up(gateway: Served, *ids: str, who: bool = False) -> list[dict[str, Any]]:
    answer = gateway.client.post(PATH, json={"ids": ids, "who": who})
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["examples"]
    return found


def test_known_images_have_their_truth(gateway: Served) -> None:
    gateway.post_image(id="a", label="cat", wait=10)
    gateway.post_image(id="b", wait=10)
    gateway.post_image(id="c", wait=10)
    gateway.post_label("c", "dog", wait=10)
    found = look_up(gateway, "c", "nobody", "a", "b")
    assert [(example["id"], example["truth"], example["late"], example["refused"]) for example in found] == [
        ("c", "dog", True, None),
        ("a", "cat", False, None),
        ("b", None, False, None),
    ]
    assert look_up(gateway, "nobody") == []


def test_who_gave_a_truth_is_read_from_the_log(gateway: Served) -> None:
    gateway.post_image(id="a", label="cat", wait=10)
    body = [{"id": "a", "label": "cat", "by": "me"}, {"id": "a", "label": "dog", "by": "ada"}]
    gateway.client.post("/v1/streams/pets/labels", json=body, params={"wait": 10})
    assert [example["by"] for example in look_up(gateway, "a")] == [None]
    assert [example["by"] for example in look_up(gateway, "a", who=True)] == ["ada"]


def test_a_retracted_label_is_distinguished_from_none(gateway: Served) -> None:
    for id in ("a", "b"):
        gateway.post_image(id=id, wait=10)
    body = [{"id": "a", "label": "cat", "by": "me"}, {"id": "a", "label": None, "by": "ada"}]
    gateway.client.post("/v1/streams/pets/labels", json=body, params={"wait": 10})
    found = look_up(gateway, "a", "b", who=True)
    assert [(example["truth"], example["late"], example["by"]) for example in found] == [
        (None, True, "ada"),
        (None, False, None),
    ]


@pytest.mark.parametrize("ids", [[], ["not an id"], ["a"] * (MAX_IDS + 1), "a"])
def test_invalid_lookups(gateway: Served, ids: object) -> None:
    assert gateway.client.post(PATH, json={"ids": ids}).status_code == 422


def outcome(status: str, label: str | None, offset: int) -> Outcome:
    return Outcome("a", "pets", Position(0, offset), status, label, None, None, True, 0.0)


@pytest.mark.parametrize("again", [0, 1, 2])
def test_a_refused_label_is_remembered_however_often_it_is_read(again: int) -> None:
    gallery = Gallery(10, 10)
    outcomes = [outcome("rejected", "cow", 5), outcome("learned", "cat", 6), outcome("expired", "emu", 7)]
    gallery.add(predicted("pets", "a", Position(0, 5), PNG), b"{}")
    for label_outcome in [*outcomes, *outcomes[:again]]:
        gallery.apply_outcome(label_outcome)
    row = gallery.get("pets", "a")
    assert row is not None
    assert (row.truth, row.truth_position) == ("cat", Position(0, 6))
    assert row.refused == RefusedLabel(Position(0, 7), "emu", "expired")


def test_a_label_that_is_refused_leaves_no_truth() -> None:
    gallery = Gallery(10, 10)
    gallery.add(predicted("pets", "a", Position(0, 5), PNG), b"{}")
    gallery.apply_outcome(outcome("rejected", "cow", 5))
    row = gallery.get("pets", "a")
    assert row is not None
    assert (row.truth, row.truth_position) == (None, NOWHERE)
    assert row.refused == RefusedLabel(Position(0, 5), "cow", "rejected")
