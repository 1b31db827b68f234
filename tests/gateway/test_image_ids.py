"""The same id again: the same image counts once; another image, or another label, is refused and not lost."""

import hashlib
from collections.abc import Sequence

import pytest

from prequel.services.gateway.http.problems import Problem
from prequel.services.gateway.view.image_ids import ImageIds, ImageWithId
from prequel.services.gateway.view.live import LiveView
from prequel.shared.environment import from_environment
from prequel.shared.images.encryption import ImageCipher
from prequel.shared.log.base import Log, Record
from prequel.shared.runtime.health import Health
from tests.gateway.conftest import PNG, Served, Start

OTHER = PNG + b"other"
PATH = "/v1/streams/pets/images"


@pytest.mark.parametrize("wait", [0, 10])
@pytest.mark.parametrize(
    ("first", "again", "conflict"),
    [
        ((PNG, None), (PNG, None), None),
        ((PNG, "cat"), (PNG, "cat"), None),
        ((PNG, "cat"), (PNG, " cat "), None),
        ((PNG, "cat"), (PNG, None), None),
        ((PNG, None), (OTHER, None), "content"),
        ((PNG, "cat"), (OTHER, "cat"), "content"),
        ((PNG, "cat"), (PNG, "dog"), "label"),
        ((PNG, None), (PNG, "dog"), "label"),
    ],
)
def test_an_id_that_comes_again(
    gateway: Served, first: tuple[bytes, str], again: tuple[bytes, str], conflict: str | None, wait: int
) -> None:
    """With ``wait`` the first has its prediction, without it has none yet."""
    params = [{"label": label} if label else {} for _, label in (first, again)]
    assert gateway.post_image(first[0], id="a", wait=wait, **params[0]).status_code == (200 if wait else 202)
    answer = gateway.post_image(again[0], id="a", wait=wait, **params[1])
    if conflict is None:
        assert answer.status_code == (200 if wait else 202)
        return
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert problem["conflict"] == conflict
    assert problem["first"]["label"] == first[1]
    assert problem["first"]["digest"] == hashlib.sha256(first[0]).hexdigest()[:32]
    assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert gateway.log.bounds("images")[0].end == 1


def test_an_image_that_another_gateway_accepted_is_read_back_from_the_log(start: Start) -> None:
    one, two = start(), start()
    one.post_image(id="a", label="cat", wait=10)
    assert two.client.get("/v1/streams/pets/predictions/a", params={"wait": 10}).status_code == 200
    assert two.post_image(OTHER, id="a").status_code == 409
    assert two.post_image(PNG, id="a", label="dog").status_code == 409
    assert two.post_image(PNG, id="a", label="cat").status_code == 202


def test_the_present_label_is_no_conflict(gateway: Served) -> None:
    gateway.post_image(id="a", wait=10)
    assert gateway.post_image(id="a", label="dog").status_code == 409
    gateway.post_label("a", "dog", wait=10)
    assert gateway.post_image(id="a", label="dog").status_code == 202
    assert gateway.post_image(id="a", label="cat").json()["first"]["truth"] == "dog"


def test_an_image_that_became_a_dead_letter_may_come_again_with_other_bytes(gateway: Served) -> None:
    assert gateway.post_image(b"broken", id="a", wait=10).status_code == 422
    assert gateway.post_image(PNG, id="a", wait=10).status_code == 200
    assert gateway.post_image(OTHER, id="a").status_code == 409


def test_another_stream_or_a_generated_id_is_no_conflict(gateway: Served) -> None:
    for data in (PNG, OTHER):
        assert gateway.post_image(data).status_code == 202
        assert gateway.post_image(data, id="a", stream=f"s{len(data)}").status_code == 202


def files(*images: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("file", ("x.png", data, "image/png")) for data in images]


def test_a_form_with_a_conflict_is_refused_as_a_whole(gateway: Served) -> None:
    gateway.post_image(id="b", wait=10)
    answer = gateway.client.post(PATH, files=files(PNG, OTHER), data={"id": ["a", "b"]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "id 2")
    assert gateway.log.bounds("images")[0].end == 1
    assert gateway.post_image(OTHER, id="a").status_code == 202


def test_one_id_twice_in_a_form(gateway: Served) -> None:
    assert gateway.client.post(PATH, files=files(PNG, OTHER), data={"id": ["a", "a"]}).status_code == 409
    assert gateway.client.post(PATH, files=files(PNG, PNG), data={"id": ["a", "a"]}).status_code == 202


def test_bytes_that_retention_has_removed_are_not_compared(start: Start) -> None:
    class Emptied:
        """A log that has lost its images."""

        def __init__(self, log: Log) -> None:
            self._log = log

        def __getattr__(self, name: str) -> object:
            return getattr(self._log, name)

        def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
            return {}

    one = start()
    two = start(log=Emptied(one.log))
    one.post_image(id="a", label="cat", wait=10)
    two.client.get("/v1/streams/pets/predictions/a", params={"wait": 10})
    assert two.post_image(OTHER, id="a", label="cat").status_code == 202


@pytest.mark.anyio
async def test_the_newest_ids_are_remembered(gateway: Served) -> None:
    live = LiveView(gateway.log, from_environment({}), gateway.metrics, Health())
    image_ids = ImageIds(gateway.log, live, ImageCipher(gateway.store), max_recent=2)
    for id in ("a", "b", "c"):
        await image_ids.admit("pets", [ImageWithId("id", id, PNG, None)])
    await image_ids.admit("pets", [ImageWithId("id", "a", OTHER, None)])
    with pytest.raises(Problem, match="another example"):
        await image_ids.admit("pets", [ImageWithId("id", "c", OTHER, None)])
