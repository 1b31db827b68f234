"""A new stream for which there is no room is refused; existing streams go on."""

from prequel.shared.log.base import IMAGES
from prequel.shared.log.partitioner import partition_for
from prequel.shared.status import PartitionStatus, partition_key
from tests.gateway.conftest import Served, until

FULL = "this partition holds 2 streams (PREQUEL_MAX_STREAMS)"


def publish(gateway: Served, number: int, partitions: int, full: str) -> None:
    status = PartitionStatus(partition=number, partitions=partitions, streams=2, full=full)
    gateway.store.put(partition_key(number), status.model_dump_json().encode())


def ends(gateway: Served) -> int:
    return sum(bounds.end for bounds in gateway.log.bounds(IMAGES).values())


def test_a_stream_that_finds_no_room_is_a_conflict_that_names_the_setting(gateway: Served) -> None:
    assert gateway.post_image(id="a", wait=10).status_code == 200
    publish(gateway, 0, 1, FULL)
    until(lambda: gateway.post_image(b"silent", stream="new").status_code == 409)
    before = ends(gateway)
    answer = gateway.post_image(b"silent", stream="new")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert "PREQUEL_MAX_STREAMS" in answer.json()["detail"]
    assert "new" in answer.json()["detail"]
    assert ends(gateway) == before, "nothing of it is in the log"
    assert gateway.post_image(id="b", wait=10).status_code == 200, "what exists goes on"
    publish(gateway, 0, 1, "")
    until(lambda: gateway.post_image(b"silent", stream="new").status_code == 202)


def test_another_partition_may_have_room(gateway: Served) -> None:
    streams = [f"s{number}" for number in range(40)]
    publish(gateway, 0, 2, FULL)
    publish(gateway, 1, 2, "")
    until(lambda: gateway.post_image(b"silent", stream=next(s for s in streams if not partition(s))).status_code == 409)
    for stream in streams[:8]:
        assert gateway.post_image(stream=stream).status_code == (202 if partition(stream) else 409)


def partition(stream: str) -> int:
    return partition_for(stream.encode(), 2)


def test_without_a_readable_partition_status_nothing_is_refused(gateway: Served) -> None:
    assert gateway.post_image(stream="first").status_code == 202
    gateway.store.put(partition_key(0), b"of another version")
    assert gateway.post_image(stream="second").status_code == 202
