"""What the log says now: rebuilt at start, woken at once, the same on every replica, in bounded memory."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from prequel.services.gateway.view.live import LiveView
from prequel.services.gateway.view.pending_results import PendingResults
from prequel.services.gateway.view.subscriptions import LiveEvent
from prequel.shared.config import Settings
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Outcome
from prequel.shared.log.base import Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from tests.gateway.conftest import PNG, Served, Start, flood, until
from tests.gateway.echo_learner import predicted

PREDICTIONS = "/v1/streams/pets/predictions"


def listed(gateway: Served, limit: int = 1_000) -> list[str]:
    answer = gateway.client.get(PREDICTIONS, params={"limit": limit})
    return [prediction["id"] for prediction in answer.json()["predictions"]]


def test_a_gateway_that_starts_later_shows_the_same(start: Start, gateway: Served) -> None:
    for name in "abc":
        gateway.post_image(id=name, wait=10)
    gateway.post_label("b", "dog", wait=10)
    second = start()
    assert second.client.get(PREDICTIONS).json() == gateway.client.get(PREDICTIONS).json()


def test_replicas_follow_each_other(start: Start, gateway: Served) -> None:
    second = start()
    gateway.post_image(id="a", wait=10)
    assert second.client.get(f"{PREDICTIONS}/a", params={"wait": 10}).status_code == 200
    assert second.post_label("a", "dog", wait=10).json()["status"] == "learned"
    until(lambda: gateway.client.get(f"{PREDICTIONS}/a").json()["truth"] == "dog")


def test_the_view_is_bounded_while_it_runs_and_when_it_is_rebuilt(start: Start) -> None:
    gateway = start(view_predictions=100)
    flood(gateway, 1_000)
    newest = [f"flood.{n}" for n in range(999, 899, -1)]
    assert listed(gateway) == newest
    assert listed(start(view_predictions=100)) == newest
    assert gateway.client.get(f"{PREDICTIONS}/flood.899").status_code == 404


def test_many_predictions_are_there_again_after_a_start(start: Start, gateway: Served) -> None:
    flood(gateway, 20_000)
    second = start()
    assert listed(second, limit=2) == ["flood.19999", "flood.19998"]


def test_records_that_a_restarted_learner_repeats_change_nothing(gateway: Served) -> None:
    gateway.post_image(id="a", wait=10)
    first = gateway.post_label("a", "cat", wait=10).json()
    gateway.post_label("a", "dog", wait=10)
    gateway.post_image(id="b", wait=10)
    before = gateway.client.get(PREDICTIONS).json()
    again = predicted("pets", "a", Position(0, 0), PNG)
    learned = Outcome("a", "pets", Position.parse(first["position"]), "learned", "cat", None, "cat", True, 0.0)
    gateway.log.append([encode_prediction(again, source="test"), encode_outcome(learned, source="test")])
    gateway.post_image(id="c", wait=10)
    after = gateway.client.get(PREDICTIONS).json()
    assert after["predictions"][1:] == before["predictions"]


def test_of_two_results_that_arrive_together_a_request_gets_its_own() -> None:
    """An id is sent again, and the gateway reads the dead letters of both images at once."""

    async def first_then_own() -> int | None:
        pending: PendingResults[str, int] = PendingResults(0)
        request = asyncio.create_task(pending.wait("id", 10, accept=lambda result: result == 2))
        await asyncio.sleep(0)
        for result in (1, 2):
            pending.resolve("id", result)
        return await request

    assert asyncio.run(first_then_own()) == 2


def test_a_waiting_request_is_woken_at_once(gateway: Served) -> None:
    """A poll would take the larger part of its interval; waking takes none of it, unless the machine is busy."""
    assert min(median_delay(gateway, turn) for turn in range(3)) < 0.1


def median_delay(gateway: Served, turn: int) -> float:
    """Seconds from ten predictions' being written to the answers that wait for them."""
    delays = []
    for number in range(10 * turn, 10 * turn + 10):
        id = f"late.{number}"
        answered: list[float] = []

        def wait(id: str = id, answered: list[float] = answered) -> None:
            assert gateway.client.get(f"{PREDICTIONS}/{id}", params={"wait": 30}).status_code == 200
            answered.append(time.monotonic())

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)  # lets the request begin to wait; if it has not, the test only becomes easier
        gateway.log.append([encode_prediction(predicted("pets", id, Position(0, number), PNG), source="test")])
        written = time.monotonic()
        thread.join()
        delays.append(answered[0] - written)
    return sorted(delays)[5]


def test_all_requests_that_wait_for_the_same_are_woken(gateway: Served) -> None:
    codes: list[int] = []

    def wait() -> None:
        codes.append(gateway.client.get(f"{PREDICTIONS}/popular", params={"wait": 30}).status_code)

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    gateway.post_image(id="popular")
    for thread in threads:
        thread.join()
    assert codes == [200] * 8


@pytest.mark.anyio
async def test_history_is_not_sent_to_listeners(tmp_path: Path) -> None:
    live = LiveView(SqliteLog(tmp_path), Settings.model_validate({}), Metrics(CollectorRegistry()), Health())
    listener = live.subscriptions.open("pets", None)
    for number, current in enumerate((False, True, True)):
        prediction = predicted("pets", f"n{number}", Position(0, number), PNG)
        value = encode_prediction(prediction, source="test").value
        await live.handle([LiveEvent(Position(0, number), prediction, value)], current)
    events = await listener.next(0)
    assert [f"n{number}" in events.decode() for number in range(3)] == [False, False, True]
    assert len(live.gallery) == 3


@pytest.mark.anyio
async def test_arrivals_keep_the_newest_for_late_comers() -> None:
    results: PendingResults[int, str] = PendingResults(2)
    for key in (1, 2, 3):
        results.resolve(key, f"value {key}")
    assert [await results.wait(key, 0.001) for key in (1, 2, 3)] == [None, "value 2", "value 3"]


@pytest.mark.anyio
async def test_no_request_waits_after_the_end() -> None:
    results: PendingResults[int, str] = PendingResults(2)
    results.close()
    assert await results.wait(1, 60) is None
