"""Back-tests over HTTP: started, listed, read, ended, refused."""

from typing import Any

import httpx
import pytest

from prequel.services.gateway.remote.learner import LearnerUnavailable
from prequel.shared import backtests
from prequel.shared.backtests import Backtest, BacktestRequest
from prequel.shared.queries import UnknownStream
from tests.gateway.conftest import Served, Start
from tests.gateway.echo_backtests import ENDLESS, FULL

URL = "/v1/streams/pets/backtests"


@pytest.fixture
def pets(gateway: Served) -> Served:
    """A gateway with one stream of one image."""
    assert gateway.post_image(id="i1", wait=10).status_code == 200
    return gateway


def start(gateway: Served, body: Any, **headers: str) -> httpx.Response:
    return gateway.client.post(URL, json=body, headers=headers)


def test_a_back_test_is_started_read_listed_and_forgotten(pets: Served) -> None:
    started = start(pets, {"models": ["ridge"], "since": "0:3"})
    assert started.status_code == 202
    id = started.json()["id"]
    assert started.json() == {
        "id": id,
        "stream": "pets",
        "status": "done",
        "progress": 1.0,
        "champion": "echo",
        "models": ["ridge"],
        "backbone": "",
        "since": "0:3",
        "last": None,
        "asked_at": "1970-01-01T00:16:40.000Z",
        "ended_at": "1970-01-01T00:16:40.500Z",
        "why": "",
    }
    read = pets.client.get(f"{URL}/{id}")
    assert read.status_code == 200
    result = read.json().pop("result")
    assert {name: value for name, value in read.json().items() if name != "result"} == started.json()
    assert (result["models"]["ridge"]["accuracy"], result["verdicts"]["ridge"]["verdict"]) == (0.9, "better")
    assert pets.client.get(URL).json() == {"stream": "pets", "backtests": [started.json()]}
    ended = pets.client.delete(f"{URL}/{id}")
    assert (ended.status_code, ended.json()["status"]) == (200, "forgotten")
    assert pets.client.get(URL).json()["backtests"] == []
    for again in (pets.client.get(f"{URL}/{id}"), pets.client.delete(f"{URL}/{id}")):
        assert again.status_code == 404
        assert again.json()["detail"] == f"there is no back-test {id} of stream pets; {URL} lists all"


def test_one_that_runs_has_no_result_and_is_cancelled(pets: Served) -> None:
    id = start(pets, {"models": ["ridge"], "last": ENDLESS}).json()["id"]
    running = pets.client.get(f"{URL}/{id}").json()
    assert (running["status"], running["progress"], running["result"], running["ended_at"]) == (
        "running",
        0.25,
        None,
        None,
    )
    assert pets.client.delete(f"{URL}/{id}").json()["status"] == "cancelled"


def test_models_may_be_one_text_and_since_an_offset(pets: Served) -> None:
    started = start(pets, {"models": "ridge, echo", "since": 7}).json()
    assert (started["models"], started["since"]) == (["ridge", "echo"], "7")


def test_with_another_backbone_the_models_may_be_left_out(pets: Served) -> None:
    started = start(pets, {"backbone": "compact"}).json()
    assert (started["models"], started["backbone"]) == (["echo"], "compact")
    result = pets.client.get(f"{URL}/{started['id']}").json()["result"]
    assert (result["backbone"], list(result["models"])) == ("compact", ["echo", "echo on compact"])


def test_the_newest_is_first_in_the_list(pets: Served) -> None:
    ids = [start(pets, {"models": "ridge"}).json()["id"] for _ in range(3)]
    assert [each["id"] for each in pets.client.get(URL).json()["backtests"]] == ids[::-1]


def test_sent_again_with_its_key_it_is_one(pets: Served) -> None:
    answers = [start(pets, {"models": "ridge"}, **{"Idempotency-Key": "b1"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert [each["id"] for each in pets.client.get(URL).json()["backtests"]] == ["b1"]


@pytest.mark.parametrize(
    ("body", "field", "why"),
    [
        ({}, "models", "is missing"),
        ({"models": []}, "models", "must have 1 or more items"),
        ({"models": 7}, "models", "must be a list"),
        ({"models": ""}, "models", "must name models, separated by commas"),
        ({"models": "ridge,,echo"}, "models", "none of them empty"),
        ({"models": "mix(ridge"}, "models", "opens a parenthesis that it never closes"),
        ({"models": "ridgee"}, "models", "did you mean ridge?"),
        ({"models": ["ridge"] * 10}, "models", "must have at most 9 items"),
        ({"models": "ridge", "since": "a:b"}, "since", "must be an offset, or partition:offset"),
        ({"models": "ridge", "since": -1}, "since", "must be an offset, or partition:offset"),
        ({"models": "ridge", "last": 0}, "last", "must be 1 or more"),
        ({"models": "ridge", "last": "many"}, "last", "must be a whole number"),
        ({"backbone": ""}, "models", "is missing"),
        ({"backbone": 7}, "backbone", "must be text"),
        ({"models": "ridge", "lats": 5}, "lats", "is unknown here"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(pets: Served, body: object, field: str, why: str) -> None:
    answer = start(pets, body)
    assert answer.status_code == 422
    problem = answer.json()["errors"][0]
    assert (problem["field"], why in problem["message"]) == (field, True), answer.json()


def test_without_room_it_is_a_conflict(pets: Served) -> None:
    answer = start(pets, {"models": "ridge", "last": FULL})
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "10 jobs wait already: cancel one, or ask again when one is done",
    )


def test_an_unknown_stream_is_not_found_with_the_nearest_name(pets: Served) -> None:
    for answer in (
        pets.client.post("/v1/streams/petz/backtests", json={"models": "ridge"}),
        pets.client.get("/v1/streams/petz/backtests"),
        pets.client.delete("/v1/streams/petz/backtests/b1"),
    ):
        assert (answer.status_code, answer.json()["nearest"]) == (404, "pets")


class Away:
    """A learner that cannot be reached."""

    def start_backtest(self, stream: str, request: BacktestRequest) -> Backtest:
        raise LearnerUnavailable(f"the learner of {stream} at x cannot be reached: so says the test")


def test_while_no_learner_answers_what_is_stored_is_shown(start: Start) -> None:
    gateway = start(queries=Away())
    assert gateway.post_image(id="i1", wait=10).status_code == 200
    assert gateway.client.post(URL, json={"models": "ridge"}).status_code == 503
    stored = Backtest(id="b1", stream="pets", status="running", progress=0.5, champion="a", models=["b"], asked_at=1)
    gateway.store.put(backtests.key("pets", "b1"), stored.model_dump_json().encode())
    gateway.store.put(backtests.key("pets", "odd"), b"{}")
    assert [each["id"] for each in gateway.client.get(URL).json()["backtests"]] == ["b1"]
    assert gateway.client.get(f"{URL}/b1").json()["progress"] == 0.5
    assert gateway.client.get(f"{URL}/odd").status_code == 404


class Starting:
    """A learner that has not restored the stream yet."""

    def start_backtest(self, stream: str, request: BacktestRequest) -> Backtest:
        raise UnknownStream(stream)

    def end_backtest(self, stream: str, id: str) -> Backtest | None:
        raise UnknownStream(stream)


def test_while_its_learner_is_starting_a_stream_is_not_called_unknown(start: Start) -> None:
    gateway = start(queries=Starting())
    assert gateway.post_image(id="i1", wait=10).status_code == 200
    for answer in (gateway.client.post(URL, json={"models": "ridge"}), gateway.client.delete(f"{URL}/b1")):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "one is starting" in answer.json()["detail"]
