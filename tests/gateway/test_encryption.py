"""Where PREQUEL_FORGETTABLE is set, images stand encrypted in a log that cannot erase; people see them as they were."""

from pathlib import Path

import pytest

from prequel.shared.events.images import decode_image
from prequel.shared.events.names import id_digest
from prequel.shared.images.encryption import KEY_PREFIX, delete_keys
from prequel.shared.log.base import IMAGES, Log, Message, Record
from prequel.shared.log.sqlite.log import SqliteLog
from tests.gateway.conftest import PNG, Served, Start, until
from tests.gateway.faults import FaultyLog, FaultyStore

DATA = PNG + b"=cat@0.9"


@pytest.fixture
def log(tmp_path: Path) -> FaultyLog:
    """Over the same folder as the echo's log; this one cannot erase, as Kafka cannot."""
    return FaultyLog(SqliteLog(tmp_path / "log"))


@pytest.fixture
def gateway(start: Start, log: FaultyLog) -> Served:
    return start(log=log, forgettable=True)


def images(log: Log) -> list[Record]:
    (begin, end) = log.bounds(IMAGES)[0]
    return list(log.read(IMAGES, 0, range(begin, end)).values())


def test_the_log_has_no_byte_of_the_image_and_its_readers_all(gateway: Served) -> None:
    answer = gateway.post_image(DATA, id="i", label="cat", wait=10)
    assert (answer.status_code, answer.json()["prediction"]["label"]) == (200, "cat"), answer.text
    (record,) = images(gateway.log)
    assert DATA[:16] not in record.value
    assert decode_image(record).key_id
    assert gateway.client.get("/v1/streams/pets/images/i").content == DATA
    small = gateway.client.get("/v1/streams/pets/images/i", params={"size": 16})
    assert (small.status_code, small.headers["content-type"]) == (200, "image/png")


def test_without_its_key_an_image_is_gone(gateway: Served) -> None:
    gateway.post_image(DATA, id="i", wait=10)
    delete_keys(gateway.store, "pets", [id_digest("i")])
    answer = gateway.client.get("/v1/streams/pets/images/i")
    assert (answer.status_code, "forgotten" in answer.json()["detail"]) == (410, True)


def test_the_same_image_again_is_the_same_and_another_is_refused(start: Start, log: FaultyLog) -> None:
    """By a gateway that has to read the first one from the log, too."""
    start(log=log, forgettable=True).post_image(DATA, id="i", wait=10)
    second = start(log=log, forgettable=True)
    assert second.post_image(DATA, id="i", wait=10).status_code == 200
    assert second.post_image(DATA + b"other", id="i").status_code == 409
    assert len({decode_image(record).key_id for record in images(log)}) == 1
    assert second.client.get("/v1/streams/pets/images/i").content == DATA


def test_while_the_store_is_away_nothing_is_accepted(start: Start, log: FaultyLog) -> None:
    working = start(log=log, forgettable=True)
    working.post_image(DATA, id="before", wait=10)  # so that the stream is known, and the store need not be asked
    store = FaultyStore(working.store)
    gateway = start(log=log, store=store, forgettable=True)
    store.away = True
    answer = gateway.post_image(DATA, id="i")
    assert (answer.status_code, "nothing was stored" in answer.json()["detail"]) == (503, True), answer.text
    assert answer.headers["Retry-After"]
    assert len(images(log)) == 1
    store.away = False
    other = PNG + b"=dog"  # for which the id is free
    until(lambda: gateway.post_image(other, id="i", wait=10).status_code == 200)


def test_a_form_of_several_images_has_a_key_for_each(gateway: Served) -> None:
    files = [("file", (f"{n}.png", DATA + str(n).encode(), "image/png")) for n in range(3)]
    answer = gateway.client.post("/v1/streams/pets/images", files=files, params={"wait": 10})
    assert answer.status_code == 200, answer.text
    ids = [each["id"] for each in answer.json()]
    assert [gateway.client.get(f"/v1/streams/pets/images/{id}").content[-1:] for id in ids] == [b"0", b"1", b"2"]
    assert (
        len({decode_image(record).key_id for record in images(gateway.log)}) == len(gateway.store.keys(KEY_PREFIX)) == 3
    )


def test_plain_images_of_others_are_read_as_before(gateway: Served) -> None:
    """Whoever writes to Kafka without a gateway may leave them as they are."""
    gateway.post_image(DATA, id="ours", wait=10)
    (ours,) = images(gateway.log)
    headers = tuple(
        (name, b"theirs" if name == "ce_id" else value)
        for name, value in ours.headers
        if name not in ("ce_encryption", "ce_keyid")
    )
    gateway.log.append([Message(IMAGES, None, DATA, headers)])
    answer = gateway.client.get("/v1/streams/pets/predictions/theirs", params={"wait": 10})
    assert answer.status_code == 200
    assert gateway.client.get("/v1/streams/pets/images/theirs").content == DATA


def test_a_log_that_erases_needs_no_keys(start: Start) -> None:
    gateway = start(forgettable=True)
    gateway.post_image(DATA, id="i", wait=10)
    (record,) = images(gateway.log)
    assert (record.value, gateway.store.keys(KEY_PREFIX)) == (DATA, [])
