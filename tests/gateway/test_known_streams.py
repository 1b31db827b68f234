"""A stream that does not exist gets 404; a stream that was deleted is in no answer."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from prequel.services.gateway.view.gallery import Gallery
from prequel.services.gateway.view.known_streams import MAX_SEARCHED_RECORDS
from prequel.services.gateway.view.live import LiveView
from prequel.services.gateway.view.read_your_writes import ReadYourWrites
from prequel.services.gateway.view.statuses import StreamStatuses
from prequel.services.gateway.view.store_reads import StoreReads
from prequel.services.gateway.view.subscriptions import LiveEvent
from prequel.shared import status
from prequel.shared.config import Settings
from prequel.shared.events.attributes import NO_ATTRIBUTES
from prequel.shared.events.commands import encode_applied, encode_command
from prequel.shared.events.dead_letters import encode_rejected
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import encode_image
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Applied, Image, Outcome, Prediction, Rejected
from prequel.shared.log.base import EXAMPLES, IMAGES, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.deadlines import READ_YOUR_WRITES_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.status import PartitionStatus
from prequel.shared.store.sqlite import SqliteStore
from tests.gateway.conftest import PNG, Served, starting, until
from tests.gateway.echo_learner import predicted, status_of


def image(stream: str) -> object:
    return encode_image("i", stream, b"silent", label=None, time=0, source="test", content_type="image/png")


def test_a_label_for_a_mistyped_stream_is_404_with_the_nearest_name_and_leaves_nothing(gateway: Served) -> None:
    gateway.post_image(PNG, wait=10)
    until(lambda: gateway.client.get("/v1/streams/pets").status_code == 200)
    for answer in (
        gateway.post_label("i", "cat", stream="pest", wait=10),
        gateway.client.delete("/v1/streams/pest"),
        gateway.client.get("/v1/streams/pest"),
    ):
        assert (answer.status_code, answer.json()["nearest"]) == (404, "pets")
        assert "did you mean pets?" in answer.json()["detail"]
    assert gateway.log.bounds(EXAMPLES)[0].end == 0


def test_a_label_right_after_its_image_is_accepted_before_the_stream_has_a_status(gateway: Served) -> None:
    assert gateway.post_image(b"silent", stream="new").status_code == 202
    assert gateway.post_label("i", "cat", stream="new").is_success


def test_an_image_from_another_gateway_is_enough(gateway: Served) -> None:
    """By another gateway, or on Kafka; and features whose learner has not come to them."""
    gateway.log.append([image("theirs")])  # type: ignore[list-item]
    assert gateway.post_label("i", "cat", stream="theirs").is_success
    gateway.log.append([encode_command("made", "c", "stream.create", arguments={}, by="", time=0, source="test")])
    assert gateway.post_label("i", "cat", stream="made").is_success
    assert gateway.post_label("i", "cat", stream="nobodys").status_code == 404


def test_with_too_many_records_to_search_the_label_is_accepted(gateway: Served) -> None:
    gateway.log.append([image("theirs")] * (MAX_SEARCHED_RECORDS[IMAGES] + 1))  # type: ignore[list-item]
    assert gateway.post_label("i", "cat", stream="nobodys").is_success


def test_after_a_delete_with_wait_every_call_shows_it(gateway: Served) -> None:
    id = gateway.post_image(PNG, wait=10).json()["id"]
    path = "/v1/streams/pets"
    until(lambda: gateway.client.get(path).status_code == 200)
    answer = gateway.client.delete(path, params={"wait": 10}, headers={"Idempotency-Key": "c1"})
    assert (answer.status_code, answer.json()["status"], answer.json()["id"]) == (200, "applied", "c1")
    assert "erased" in answer.json()["records"]
    for gone in (path, f"{path}/curve", f"{path}/predictions/{id}", f"{path}/images/{id}"):
        assert gateway.client.get(gone).status_code == 404, gone
    assert gateway.client.get("/v1/streams").json()["streams"] == []
    assert gateway.client.get(f"{path}/predictions").json()["predictions"] == []
    assert gateway.post_image(PNG, wait=10).status_code == 200
    assert len(gateway.client.get(f"{path}/predictions").json()["predictions"]) == 1


def test_a_command_is_answered_with_its_effect(gateway: Served) -> None:
    gateway.post_image(PNG, wait=10)
    path = "/v1/streams/pets/commands"
    accepted = gateway.client.post(path, json={"do": "class.rename", "id": "c", "from": "a", "to": "b"})
    assert accepted.status_code in (200, 202)  # The answer may be there before it is asked for.
    assert accepted.json().items() >= {"id": "c", "stream": "pets", "position": "0:0"}.items()
    refused = gateway.client.post(path, json={"do": "models.rebuild"}, params={"wait": 10})
    assert (refused.status_code, refused.json()["status"], refused.json()["why"]) == (
        200,
        "refused",
        "so says the test",
    )


def test_repeated_records_from_before_a_deletion_are_ignored() -> None:
    gallery = Gallery(10, 10)

    def predicted(offset: int) -> None:
        event = Prediction("i", "s", Position(0, offset), "m", None, {}, {}, None, Position(0, 0), 0.0)
        gallery.add(event, encode_prediction(event, source="t").value)

    predicted(3)
    gallery.delete_stream("s", Position(0, 5))
    assert (len(gallery), gallery.get("s", "i")) == (0, None)
    predicted(3)
    assert gallery.get("s", "i") is None
    predicted(6)
    assert gallery.get("s", "i") is not None


def test_a_gateway_that_begins_after_the_deletion_shows_nothing_of_it(tmp_path: Path) -> None:
    with starting(tmp_path) as start:
        first = start()
        first.post_image(PNG, wait=10)
        assert first.client.delete("/v1/streams/pets", params={"wait": 10}).status_code == 200
        second = start()
        assert second.client.get("/v1/streams/pets/predictions").json()["predictions"] == []


def test_late_features_of_a_deleted_stream_are_no_new_one(gateway: Served) -> None:
    gateway.post_image(PNG, wait=10)
    gateway.client.delete("/v1/streams/pets", params={"wait": 10})
    late = Image("late", "pets", None, 0.0, b"", Position(0, 0), NO_ATTRIBUTES)
    gateway.log.append([encode_features(late, np.ones(4, np.float32), "echo-1", source="test")])
    assert gateway.post_label("late", "cat").status_code == 404


@pytest.mark.parametrize("kind", [b"broken", b"stranger"])
def test_dead_letters_of_a_deleted_stream_are_not_found_by_a_later_gateway(tmp_path: Path, kind: bytes) -> None:
    """Nor its bytes: a log may keep them for as long as retention says."""
    with starting(tmp_path) as start:
        first = start()
        first.post_image(PNG, wait=10)
        assert first.post_image(kind, id="a", wait=10).status_code >= 400
        first.client.delete("/v1/streams/pets", params={"wait": 10})
        second = start()
        until(lambda: second.client.get("/readyz").status_code == 200)
        for path in ("predictions/a", "images/a"):
            assert second.client.get(f"/v1/streams/pets/{path}").status_code == 404, path


def test_an_id_sent_again_after_a_deletion_does_not_get_the_old_dead_letter(gateway: Served) -> None:
    gateway.post_image(PNG, wait=10)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(gateway.post_image, b"silent", id="a", wait=20)
        until(lambda: gateway.log.bounds(IMAGES)[0].end == 2)
        old, new = (gateway.log.read(IMAGES, 0, [offset])[offset] for offset in (0, 1))
        named = old._replace(headers=tuple((n, b"a" if n == "ce_id" else v) for n, v in old.headers))
        for record in (named, new):
            rejected = Rejected(f"reason-{record.offset}", "so says the test")
            gateway.log.append([encode_rejected(record, rejected, source="test", time=0)])
        assert waiting.result().json()["reason"] == "reason-1"


def test_repeated_events_of_a_deleted_stream_are_not_published(tmp_path: Path) -> None:
    """A learner that crashes says again what it said, and that comes after the deletion."""
    live = LiveView(SqliteLog(tmp_path), Settings.model_validate({}), Metrics(CollectorRegistry()), Health())
    prediction = predicted("pets", "i", Position(0, 3), b"=cat")
    outcome = Outcome("i", "pets", Position(0, 4), "learned", "cat", None, None, exact=True, time=0.0)
    end = Applied("c", "pets", Position(0, 5), "stream.delete", "applied", "", "me", 0.0)
    old = [
        LiveEvent(Position(0, 10), prediction, encode_prediction(prediction, source="t").value),
        LiveEvent(Position(0, 11), outcome, encode_outcome(outcome, source="t").value),
    ]

    async def received() -> bytes:
        await live.handle([], True)
        listener = live.subscriptions.open("pets", None)
        await live.handle([LiveEvent(Position(0, 12), end, encode_applied(end, source="t").value)], True)
        await live.handle(old, True)
        return await listener.next(0.1)

    assert asyncio.run(received()).count(b"event: ") == 1
    assert live.subscriptions.newest() == "0:12"


def test_after_a_deletion_an_id_may_come_with_other_bytes(gateway: Served) -> None:
    gateway.post_image(PNG, id="a", wait=10)
    assert gateway.post_image(PNG + b"=dog", id="a").status_code == 409
    gateway.client.delete("/v1/streams/pets", params={"wait": 10})
    assert gateway.post_image(PNG + b"=dog", id="a", wait=10).json()["prediction"]["label"] == "dog"


def test_a_deleted_stream_must_find_room_again(gateway: Served) -> None:
    gateway.post_image(PNG)
    until(lambda: gateway.client.get("/v1/streams/pets").status_code == 200)
    full = PartitionStatus(partition=0, partitions=1, streams=1, full="it is full (PREQUEL_MAX_STREAMS)")
    gateway.store.put(status.partition_key(0), full.model_dump_json().encode())
    until(lambda: gateway.post_image(b"silent", stream="new").status_code == 409)
    assert gateway.post_image(PNG).status_code == 202
    deleted = gateway.client.delete("/v1/streams/pets", params={"wait": 10}).json()["position"]
    assert gateway.post_image(b"silent").status_code == 202, "what is full there does not know of the deletion"
    again = full.model_copy(update={"deleted": deleted})
    gateway.store.put(status.partition_key(0), again.model_dump_json().encode())
    until(lambda: gateway.post_image(b"silent", stream="new").status_code == 409)
    gateway.client.delete("/v1/streams/none", params={"wait": 10})
    assert gateway.post_image(PNG, stream="pets").status_code == 409
    created = gateway.client.post("/v1/streams/pets/commands", json={"do": "stream.create"})
    assert (created.status_code, "PREQUEL_MAX_STREAMS" in created.json()["detail"]) == (409, True)


def applied(do: str, offset: int, state: str = "applied") -> LiveEvent:
    event = Applied("c", "pets", Position(0, offset), do, state, "", "", 0.0)
    return LiveEvent(Position(0, offset), event, encode_applied(event, source="test").value)


@pytest.mark.anyio
async def test_a_command_is_a_promise_as_long_as_there_is_a_stream_to_show_it(tmp_path: Path) -> None:
    live = LiveView(SqliteLog(tmp_path), Settings.model_validate({}), Metrics(CollectorRegistry()), Health())
    for offset, do, state, wait, required in (
        (1, "class.rename", "refused", 1, None),
        (2, "stream.create", "applied", 0, None),
        (2, "stream.create", "applied", 1, Position(0, 2)),
        (3, "stream.create", "unchanged", 1, Position(0, 3)),
        (4, "stream.delete", "refused", 1, Position(0, 3)),
        (5, "stream.delete", "applied", 1, None),
    ):
        await live.handle([applied(do, offset, state)], True)
        assert await live.applied(Position(0, offset), wait)
        assert live.read_your_writes.required("pets") == required, (do, state, wait)


@pytest.mark.anyio
async def test_a_status_of_the_time_before_the_deletion_is_none(tmp_path: Path) -> None:
    store, read_your_writes = SqliteStore(tmp_path / "store.sqlite"), ReadYourWrites()
    statuses = StreamStatuses(StoreReads(store, Health()), time.monotonic, read_your_writes)

    def put(position: str) -> None:
        current = status_of("pets", 1, 0).model_copy(update={"position": position})
        store.put(status.key("pets"), current.model_dump_json().encode())

    put("0:5")
    read_your_writes.require("pets", Position(0, 4))
    assert await statuses.get("pets")
    statuses.stream_deleted("pets", Position(0, 5))
    began = time.monotonic()
    for late in (await statuses.get("pets"), await statuses.get("pets", Position(0, 5), fresh=True)):
        assert late is None
    assert await statuses.all() == []
    assert time.monotonic() - began < READ_YOUR_WRITES_S, "nobody waits for what will not be"
    put("0:6")
    assert await statuses.get("pets", fresh=True)
    assert [status.position for status in await statuses.all()] == ["0:6"]
    statuses.close()
    store.close()


@pytest.mark.anyio
async def test_events_of_a_deleted_stream_are_not_sent_after_a_reconnect(tmp_path: Path) -> None:
    live = LiveView(SqliteLog(tmp_path), Settings.model_validate({}), Metrics(CollectorRegistry()), Health())
    others, ours = predicted("others", "o", Position(0, 0), PNG), predicted("pets", "a", Position(0, 1), PNG)
    events = [
        LiveEvent(event.position, event, encode_prediction(event, source="test").value) for event in (others, ours)
    ]
    await live.handle([*events, applied("stream.delete", 2)], True)
    received = await live.subscriptions.open(None, "0:0").next(0)
    assert (b'"a"' in received, b"stream.delete" in received) == (False, True)
