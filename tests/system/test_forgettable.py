"""On real Kafka and Redis, with PREQUEL_FORGETTABLE: images that only their keys can open."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from prequel.shared.events.images import encode_image
from prequel.shared.events.names import id_digest
from prequel.shared.images.encryption import KEY_PREFIX, delete_keys, key_name
from prequel.shared.log.base import IMAGES
from prequel.shared.log.kafka.log import KafkaLog
from tests.servers import plain_http
from tests.servers.ports import wait_until
from tests.system.cluster import DEADLINE_S, Cluster, all_ready
from tests.system.oracle import dead_letters


def noise(seed: int) -> bytes:
    """A PNG that does not compress, so that its bytes are nowhere by chance."""
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def running(servers: Cluster) -> Iterator[Cluster]:
    """One set of services for all of these tests."""
    servers.reset()
    servers.start("gateway", settings={"PREQUEL_FORGETTABLE": "1"})
    servers.start("extractor")  # Without the setting: the header of the event decides.
    servers.start("learner")
    all_ready(servers.services)
    yield servers
    servers.end_services()


@pytest.fixture
def http(running: Cluster) -> Iterator[httpx.Client]:
    with plain_http.client(running.services[0].url, timeout=DEADLINE_S) as client:
        yield client


@pytest.fixture
def log(running: Cluster) -> Iterator[KafkaLog]:
    with closing(running.log()) as opened:
        yield opened


def send(http: httpx.Client, id: str, data: bytes, wait: float = 60) -> httpx.Response:
    headers = {"Content-Type": "image/png", "Idempotency-Key": id}
    return http.post("/v1/streams/pets/images", content=data, headers=headers, params={"wait": wait})


def on_disk(folder: Path, data: bytes) -> list[Path]:
    """The files of the broker that have these bytes: it stores batches as they were sent, uncompressed where noise."""
    return [path for path in folder.rglob("*.log") if data in path.read_bytes()]


def end(log: KafkaLog) -> int:
    return sum(bounds.end for bounds in log.bounds(IMAGES).values())


def test_forgotten_images_are_unreadable_and_all_others_as_before(
    running: Cluster, http: httpx.Client, log: KafkaLog
) -> None:
    assert send(http, "gone", noise(1)).status_code == 200
    assert send(http, "kept", noise(2)).status_code == 200
    plain = encode_image("plain", "pets", noise(3), label=None, time=0.0, source="kcat", content_type="image/png")
    log.append([plain])
    assert http.get("/v1/streams/pets/predictions/plain", params={"wait": 60}).status_code == 200
    pixels = slice(60, 160)
    assert on_disk(running.folder, noise(3)[pixels])
    assert not on_disk(running.folder, noise(1)[pixels]) + on_disk(running.folder, noise(2)[pixels])
    command = {"do": "example.forget", "ids": ["gone"]}
    answer = http.post("/v1/streams/pets/commands", json=command, params={"wait": 60}).json()
    assert answer["status"] == "applied"
    assert "In Kafka features and labels are kept for ever" in answer["records"]
    found = {id: http.get(f"/v1/streams/pets/images/{id}").status_code for id in ("gone", "kept", "plain")}
    assert found == {"gone": 404, "kept": 200, "plain": 200}
    assert http.get("/v1/streams/pets/images/kept").content == noise(2)
    with closing(running.store()) as store:
        wait_until(lambda: store.keys(KEY_PREFIX) == [key_name("pets", "kept")], DEADLINE_S, "the end of the key")
        state = store.get_all(store.keys(""))
    assert b"gone" not in b"".join([*state.values(), *(name.encode() for name in state)])
    assert http.get("/v1/streams/pets").json()["images"] == 2


def test_an_image_that_was_forgotten_before_it_was_extracted_is_a_dead_letter(
    running: Cluster, http: httpx.Client, log: KafkaLog
) -> None:
    (extractor,) = (service for service in running.services if service.kind == "extractor")
    assert send(http, "first", noise(5)).status_code == 200
    extractor.kill()
    assert send(http, "unseen", noise(4), wait=0).status_code == 202
    with closing(running.store()) as store:
        delete_keys(store, "pets", [id_digest("unseen")])
    extractor.start()
    wait_until(lambda: bool(dead_letters(log)), DEADLINE_S, "the dead letter")
    assert [reason for reason, _ in dead_letters(log).values()] == ["forgotten"]
    assert send(http, "unseen", noise(4)).status_code == 200  # sent again, it is a new image


def test_without_redis_no_image_is_accepted_and_afterwards_all(
    running: Cluster, http: httpx.Client, log: KafkaLog
) -> None:
    assert send(http, "before", noise(1)).status_code == 200
    before = end(log)
    running.redis.kill()
    try:
        answer = send(http, "i", noise(2))
        assert (answer.status_code, "nothing was stored" in answer.text) == (503, True)
        assert end(log) == before
    finally:
        running.redis.start()
    wait_until(lambda: send(http, "i", noise(2)).status_code == 200, DEADLINE_S, "the image after the outage")
    assert http.get("/v1/streams/pets/images/i").content == noise(2)
    assert http.get("/v1/streams/pets/images/before").content == noise(1)


def test_an_export_has_the_images_as_they_were_sent_and_lists_those_without_a_key(
    running: Cluster, http: httpx.Client
) -> None:
    assert send(http, "leaves", noise(50)).status_code == 200
    assert send(http, "keyless", noise(51)).status_code == 200
    with closing(running.store()) as store:
        delete_keys(store, "pets", [id_digest("keyless")])
    answer = http.get("/v1/streams/pets/export", params={"what": "images"})
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read("leaves.png") == noise(50)
        assert "keyless.png" not in archive.namelist()
        missing = archive.read("missing.csv").decode()
    assert any(line.startswith("keyless,,") for line in missing.splitlines())
    assert "the image's key is not in the store" in missing
