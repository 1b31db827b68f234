"""Forgotten images are in no list and no answer any more, from the moment on that the command is durable."""

import gc
from pathlib import Path
from typing import Any

import httpx
import pytest

from prequel.services.gateway.view.forgotten import MAX_IMAGES, ForgottenImages
from prequel.services.gateway.view.gallery import Gallery
from prequel.services.gateway.view.live import LiveView
from prequel.services.gateway.view.thumbnails import Thumbnails
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.names import id_digest, id_hashes
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Command, Outcome
from prequel.shared.log.base import EXAMPLES, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.opinions import (
    ExampleQueue,
    Opinion,
    QueuedExample,
    QueueRequest,
    SimilarExample,
    SimilarExamples,
)
from prequel.shared.runtime.garbage_collection import collect_everything
from tests.gateway.conftest import PNG, Served, Start, until
from tests.gateway.echo_learner import predicted
from tests.gateway.faults import FaultyLog

DATA = PNG + b"=cat@0.9"
PETS = "/v1/streams/pets"
KEPT = ("retention_images", "retention_examples", "retention_predictions")


def forget(gateway: Served, *ids: str, wait: float = 10) -> httpx.Response:
    body = {"do": "example.forget", "ids": list(ids)}
    return gateway.client.post(f"{PETS}/commands", json=body, params={"wait": wait})


def two_images(gateway: Served) -> None:
    """Before some events in ``examples``: the echo's predictions have the positions of their images."""
    for id in ("gone", "kept"):
        assert gateway.post_image(DATA, id=id, wait=10).status_code == 200
    for label in ("a", "b", "c"):
        gateway.post_label("gone", label, wait=10)


def shown(gateway: Served, id: str) -> list[int]:
    paths = (f"predictions/{id}", f"images/{id}", f"images/{id}?size=16")
    return [gateway.client.get(f"{PETS}/{path}").status_code for path in paths]


def listed(gateway: Served) -> list[str]:
    return [each["id"] for each in gateway.client.get(f"{PETS}/predictions").json()["predictions"]]


def test_what_is_forgotten_is_shown_nowhere(gateway: Served) -> None:
    two_images(gateway)
    assert shown(gateway, "gone") == [200, 200, 200]
    answer = forget(gateway, "gone").json()
    assert (answer["status"], "erased" in answer["records"], "forgotten" in answer) == ("applied", True, False)
    assert (shown(gateway, "gone"), shown(gateway, "kept")) == ([404, 404, 404], [200, 200, 200])
    assert listed(gateway) == ["kept"]
    found = gateway.client.post(f"{PETS}/lookup", json={"ids": ["gone", "kept"]}).json()["examples"]
    assert [each["id"] for each in found] == ["kept"]
    gateway.post_image(DATA, id="last", wait=10)
    seen = list[str]()
    with gateway.client.stream("GET", f"{PETS}/events", headers={"Last-Event-ID": "0:1"}) as events:
        for line in events.iter_lines():
            seen.append(line)
            if '"last"' in line or "reset" in line:
                break
    assert '"last"' in seen[-1], "what has come since the event 0:1"
    assert "gone" not in "".join(seen)


def test_the_same_id_again_is_a_new_image(gateway: Served) -> None:
    """With other bytes too, which would be a conflict if the first were remembered."""
    two_images(gateway)
    forget(gateway, "gone")
    other = PNG + b"other=dog@0.9"
    for _ in range(5):  # until the echo's positions, those of images, are beyond the command's
        gateway.post_image(DATA, wait=10)
    answer = gateway.post_image(other, id="gone", wait=10)
    assert (answer.status_code, answer.json()["prediction"]["label"]) == (200, "dog")
    assert gateway.client.get(f"{PETS}/images/gone").content == other
    assert shown(gateway, "gone") == [200, 200, 200]


@pytest.mark.parametrize("id", ["gone", "a-number-plate"])
def test_the_command_in_the_log_says_which_images_it_means_but_has_no_id(gateway: Served, id: str) -> None:
    """Whether it is refused or not."""
    two_images(gateway)
    assert forget(gateway, id).json()["status"] == ("applied" if id == "gone" else "refused")
    records = gateway.log.read(EXAMPLES, 0, range(gateway.log.bounds(EXAMPLES)[0].end))
    (command,) = [event for record in records.values() if isinstance(event := decode_example(record), Command)]
    assert (command.do, command.arguments) == ("example.forget", {"hashed": [id_hashes(id)], "images": {"0": 2}})
    (written,) = [record for record in records.values() if b"example.forget" in record.value]
    assert id.encode() not in b"".join([written.value, *(value for _, value in written.headers)])


def test_a_refused_command_hides_nothing(gateway: Served) -> None:
    two_images(gateway)
    answer = forget(gateway, "kept", "unknown").json()
    assert (answer["status"], "records" in answer) == ("refused", False), "and it erases nothing"
    assert shown(gateway, "kept") == [200, 200, 200]


def test_other_gateways_learn_of_it_and_new_ones_too(start: Start) -> None:
    first, second = start(), start()
    two_images(first)
    until(lambda: shown(second, "gone") == [200, 200, 200])
    forget(first, "gone")
    until(lambda: shown(second, "gone") == [404, 404, 404])
    third = start()
    assert (listed(third), shown(third, "gone")) == (["kept"], [404, 404, 404])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            dict.fromkeys(KEPT, "forever"),
            "In Kafka the images are kept for ever, features and labels are kept for ever, predictions for ever",
        ),
        (
            {"forgettable": True, KEPT[1]: "30d", KEPT[2]: "7d"},
            "Nobody can read the images once the stream has caught up: their keys are deleted. "
            "In Kafka features and labels are kept for 30 days, predictions for 7 days.",
        ),
    ],
)
def test_on_a_log_that_cannot_erase_the_answer_says_what_stays(
    start: Start, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    gateway = start(log=FaultyLog(SqliteLog(tmp_path / "log")), **settings)
    two_images(gateway)
    assert said in forget(gateway, "gone").json()["records"]
    assert said in forget(gateway, "kept", wait=0).json()["records"]


def test_what_waits_for_its_effect_is_hidden_and_comes_back_where_it_is_refused() -> None:
    gallery = Gallery(10, 10)
    prediction = predicted("pets", "a", Position(0, 1), DATA)
    value = encode_prediction(prediction, source="test").value
    gallery.add(prediction, value)
    command = Position(0, 5)
    gallery.forgotten.add("pets", [id_digest("a")], command)
    assert (gallery.get("pets", "a"), gallery.newest("pets")) == (None, [])
    gallery.forgotten.withdraw(command)
    assert (gallery.get("pets", "a") is not None, len(gallery.newest("pets"))) == (True, 1)
    assert gallery.forget_images("pets", [id_digest("a")], command) == [Position(0, 1)]
    gallery.add(prediction, value)  # as a learner repeats it after a crash
    assert (gallery.get("pets", "a"), len(gallery)) == (None, 0)
    later = prediction._replace(position=Position(0, 6))
    gallery.add(later, value)
    assert gallery.get("pets", "a") is not None


def test_only_so_many_are_remembered() -> None:
    forgotten = ForgottenImages()
    forgotten.add("first", [id_digest("a")], Position(0, 1))
    forgotten.add("s", [str(n) for n in range(MAX_IMAGES)], Position(0, 2))
    assert not forgotten.any("first")
    assert not forgotten.hides("first", "a", Position(0, 0))
    forgotten.withdraw(Position(0, 2))
    assert not forgotten.any("s")


def test_a_learner_that_has_not_caught_up_shows_it_to_nobody(gateway: Served) -> None:
    two_images(gateway)
    known = dict(gateway.learner.predictions)
    forget(gateway, "gone")
    gateway.learner.predictions |= known  # as a real one does until a replay takes its place
    gateway.learner.truths["pets", "gone"] = None
    queue = gateway.client.get(f"{PETS}/queue", params={"by": "uncertain"}).json()
    assert [example["id"] for example in queue["examples"]] == ["kept"]
    near = [gateway.client.get(f"{PETS}/similar/{id}").status_code for id in ("gone", "kept")]
    assert near == [404, 200]


def test_it_is_hidden_as_soon_as_the_command_is_durable(gateway: Served) -> None:
    two_images(gateway)
    gateway.learner.close()
    assert forget(gateway, "gone", wait=0).status_code == 202
    assert (shown(gateway, "gone"), shown(gateway, "kept")) == ([404, 404, 404], [200, 200, 200])
    assert listed(gateway) == ["kept"]


def test_what_was_refused_of_it_first_is_forgotten_too(gateway: Served) -> None:
    assert gateway.post_image(PNG + b"broken", id="gone", wait=10).status_code == 422
    two_images(gateway)
    forget(gateway, "gone")
    assert shown(gateway, "gone") == [404, 404, 404]


def in_memory(id: str) -> tuple[int, int]:
    """How many outcomes of the image the gateways of this process hold, and how many thumbnails of any."""
    collect_everything()  # Gateways of earlier tests that nobody holds any more would be counted first, and then not.
    objects = gc.get_objects()
    outcomes = [result for each in objects if isinstance(each, LiveView) for result in each._outcomes._results.values()]
    thumbnails = [image for each in objects if isinstance(each, Thumbnails) for image in each._cached]
    return sum(isinstance(result, Outcome) and result.id == id for result in outcomes), len(thumbnails)


def test_a_gateway_keeps_nothing_of_it_in_memory(gateway: Served) -> None:
    two_images(gateway)
    assert shown(gateway, "gone") == shown(gateway, "kept") == [200, 200, 200]
    outcomes, thumbnails = in_memory("gone")  # Those of other tests' gateways among them.
    forget(gateway, "gone")
    assert in_memory("gone") == (outcomes - 3, thumbnails - 1)


class NotCaughtUp:
    """A learner that still has the image: nearly equal to another one, and near it."""

    def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
        opinion = Opinion(label="cat", probabilities={"cat": 1.0}, models={"echo": "cat"}, unknown=False)
        example = QueuedExample(
            id="kept",
            position="0:1",
            at="2026-01-01T00:00:00.000Z",
            truth=None,
            opinion=opinion,
            prediction=opinion,
            duplicates=["gone", "third"],
            duplicate_count=2,
        )
        return ExampleQueue(
            stream=stream,
            position="0:9",
            by=request.by,
            model="echo",
            exact=True,
            examples=[example],
            asked=3,
            not_asked=0,
            next=None,
        )

    def similar(self, stream: str, id: str, limit: int, position: str | None = None) -> SimilarExamples:
        at = "2026-01-01T00:00:00.000Z"
        examples = [
            SimilarExample(id=each, position="0:0", at=at, label="cat", by="ann", labelled_at=at, distance=1.0)
            for each in ("gone", "third")
        ]
        return SimilarExamples(
            stream=stream, position="0:9", id=id, examples=examples, typical_distance=2.0, asked=2, not_asked=0
        )


def test_beside_another_image_it_is_not_named_either(start: Start) -> None:
    gateway = start(queries=NotCaughtUp())
    two_images(gateway)
    forget(gateway, "gone")
    (example,) = gateway.client.get(f"{PETS}/queue", params={"by": "random"}).json()["examples"]
    assert (example["id"], example["duplicates"]) == ("kept", ["third"])
    near = gateway.client.get(f"{PETS}/similar/kept").json()["examples"]
    assert [each["id"] for each in near] == ["third"]
