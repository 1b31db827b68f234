"""Read your writes, and one learner whose store is cut off: embedded, and on real Kafka and Redis."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from prequel.shared.runtime.deadlines import STORE_READ_S
from tests.producer.conftest import System
from tests.servers import plain_http
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy
from tests.system.cluster import DEADLINE_S, Cluster, all_ready

EMBEDDED, CLUSTERED = 60, 40
"""Repetitions: without read-your-writes one in two fails."""


def png(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (8, 8), shade).save(out, "PNG")
    return out.getvalue()


def sent(http: httpx.Client, stream: str, id: str, shade: int) -> Any:
    headers = {"Content-Type": "image/png", "Idempotency-Key": id}
    answer = http.post(f"/v1/streams/{stream}/images", content=png(shade), headers=headers, params={"wait": 30})
    assert answer.status_code == 200, answer.text
    return answer.json()["prediction"]


def labelled(http: httpx.Client, stream: str, id: str, label: str) -> Any:
    answer = http.post(f"/v1/streams/{stream}/labels", json={"id": id, "label": label}, params={"wait": 30})
    assert answer.status_code == 200, answer.text
    return answer.json()


def shown(http: httpx.Client, stream: str, **asked: str) -> tuple[int, int]:
    answer = http.get(f"/v1/streams/{stream}", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["images"], answer.json()["labelled"]


def listed(http: httpx.Client, stream: str) -> int | None:
    """How many images of it have a label, as the list of all streams says; None where it is missing there."""
    found = {each["stream"]: each["labelled"] for each in http.get("/v1/streams").json()["streams"]}
    return found.get(stream)


def shows(ask: Callable[[], Any], expected: Any) -> None:
    """The first answer includes it, or has waited for its whole deadline, on a busy machine."""
    began = time.monotonic()
    if (found := ask()) != expected:
        assert time.monotonic() - began >= STORE_READ_S, (found, expected)
        wait_until(lambda: ask() == expected, DEADLINE_S, f"{expected} to be shown")


def writes_are_read(here: httpx.Client, there: httpx.Client, count: int) -> float:
    """The maximum seconds of a status: at the gateway that answered the write, and at another one by position."""
    longest = 0.0
    for n in range(count):
        stream = f"s{n % 5}"
        number = n // 5 + 1
        predicted = sent(here, stream, f"i{n}", n % 200)
        began = time.monotonic()
        shows(partial(shown, here, stream), (number, number - 1))
        longest = max(longest, time.monotonic() - began)
        shows(partial(shown, there, stream, after=predicted["position"]), (number, number - 1))
        shows(partial(listed, here, stream), number - 1)
        outcome = labelled(here, stream, f"i{n}", "ab"[n % 2])
        assert outcome["status"] == "learned"
        shows(partial(listed, here, stream), number)
        shows(partial(shown, there, stream, after=outcome["position"]), (number, number))
    return longest


def test_every_answer_after_a_wait_includes_the_write_embedded(tmp_path: Path) -> None:
    system = System(tmp_path)
    try:
        with plain_http.client(system.url, timeout=60) as http:
            writes_are_read(http, http, EMBEDDED)
    finally:
        system.close()


def test_every_answer_after_a_wait_includes_the_write_on_kafka_and_redis(cluster: Cluster) -> None:
    services = [*cluster.start("gateway", 2), *cluster.start("learner"), *cluster.start("extractor")]
    all_ready(services)
    with (
        plain_http.client(services[0].url, timeout=60) as here,
        plain_http.client(services[1].url, timeout=60) as there,
    ):
        writes_are_read(here, there, CLUSTERED)


@contextmanager
def cut_off(cluster: Cluster) -> Iterator[tuple[Proxy, str]]:
    """A proxy to the cluster's Redis that can be cut."""
    with Proxy(cluster.redis.port) as proxy:
        yield proxy, f"redis://127.0.0.1:{proxy.port}/0"


@pytest.mark.parametrize("how", ["swallowed", "refused"])
def test_a_learner_without_its_store_leaves_the_others_alone(cluster: Cluster, how: str) -> None:
    with cut_off(cluster) as (proxy, address):
        target = proxy.target
        (healthy,) = cluster.start("learner")
        (sick,) = cluster.start("learner", settings={"PREQUEL_STORE": address})
        services = [*cluster.start("gateway"), *cluster.start("extractor")]
        all_ready([healthy, sick, *services])
        with plain_http.client(services[0].url, timeout=60) as http:
            for n in range(12):
                sent(http, f"s{n}", f"first{n}", n)
            if how == "swallowed":
                proxy.swallow()
            else:
                proxy.target = 1
                proxy.reset()
            for n in range(12):  # those of the sick one are answered once the healthy one has its partitions
                headers = {"Content-Type": "image/png", "Idempotency-Key": f"second{n}"}
                http.post(f"/v1/streams/s{n}/images", content=png(n), headers=headers)
            wait_until(lambda: "Redis" in (sick.reasons() or {}).get("learner", ""), DEADLINE_S, "the sick one's word")
            for n in range(12):
                answer = http.get(f"/v1/streams/s{n}/predictions/second{n}", params={"wait": 60})
                assert answer.status_code == 200, answer.text
            slowest = 0.0
            for n in range(48):  # from now on nobody is disturbed
                began = time.monotonic()
                sent(http, f"s{n % 12}", f"third{n}", n)
                slowest = max(slowest, time.monotonic() - began)
            assert slowest < 5, "the healthy learner lost partitions to the sick one"
            assert healthy.ready()
            assert "Redis" in (sick.reasons() or {}).get("learner", "")
            proxy.target = target
            proxy.heal()
            all_ready([healthy, sick])
            for n in range(12):
                sent(http, f"s{n}", f"fourth{n}", n)
