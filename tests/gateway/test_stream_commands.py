"""Commands over HTTP: what each may say, what is refused at once, and what became of those that were given."""

import threading
from typing import Any

import pytest

from prequel.services.gateway.http import command_bodies
from prequel.services.gateway.http.command_bodies import COMMANDS, SetStream
from prequel.services.gateway.remote.learner import LearnerUnavailable
from prequel.services.gateway.view.histories import StreamHistories
from prequel.services.gateway.view.read_your_writes import ReadYourWrites
from prequel.shared import status
from prequel.shared.config import Settings
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.names import id_hashes
from prequel.shared.events.types import Command
from prequel.shared.log.base import EXAMPLES, Log, Position
from prequel.shared.queries import UnknownStream
from prequel.shared.status import StreamHistory, StreamStatus
from tests.gateway.conftest import Served, Start, until
from tests.gateway.echo_learner import EchoLearner
from tests.gateway.test_errors import fields, problem

COMMANDS_PATH = "/v1/streams/pets/commands"
HISTORY = "/v1/streams/pets/history"
LONG = "x" * 129


@pytest.fixture(autouse=True, scope="module")
def _a_stream(shared_gateway: Served) -> None:
    shared_gateway.post_image(id="first", wait=10)


def commands_in(log: Log) -> list[Command]:
    bounds = log.bounds(EXAMPLES)[0]
    records = log.read(EXAMPLES, 0, range(bounds.begin, bounds.end))
    return [event for record in records.values() if isinstance(event := decode_example(record), Command)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, "body"),
        ([], "body"),
        ("models.rebuild", "body"),
        ({}, "do"),
        ({"do": 7}, "do"),
        ({"do": "models.ad", "model": "ridge"}, "do"),
        ({"do": "stream.catch-up"}, "do"),
        ({"do": "stream.create", "backbone": "no such thing"}, "backbone"),
        ({"do": "stream.switch"}, "backbone"),
        ({"do": "stream.switch", "backbone": "no such thing"}, "backbone"),
        ({"do": "models.rebuild", "id": "has spaces"}, "id"),
        ({"do": "models.rebuild", "by": LONG}, "by"),
        ({"do": "models.rebuild", "from": "now"}, "from"),
        ({"do": "models.rebuild", "model": "ridge"}, "model"),
        ({"do": "models.add"}, "model"),
        ({"do": "models.add", "model": ""}, "model"),
        ({"do": "models.add", "model": " "}, "model"),
        ({"do": "models.add", "model": ["ridge"]}, "model"),
        ({"do": "models.add", "model": "x" * 2_001}, "model"),
        ({"do": "models.add", "model": "ridge", "from": "yesterday"}, "from"),
        ({"do": "models.promote"}, "model"),
        ({"do": "models.remove", "model": None}, "model"),
        ({"do": "class.rename", "from": "cat"}, "to"),
        ({"do": "class.rename", "to": "cat"}, "from"),
        ({"do": "class.rename", "from": "cat", "to": "cat"}, "to"),
        ({"do": "class.rename", "from": "cafe\u0301", "to": " caf\u00e9"}, "to"),
        ({"do": "class.rename", "from": "cat", "to": ""}, "to"),
        ({"do": "class.rename", "from": "cat", "to": LONG}, "to"),
        ({"do": "class.rename", "from": "c\u0007t", "to": "dog"}, "from"),
        ({"do": "class.rename", "from": 3, "to": "dog"}, "from"),
        ({"do": "class.merge", "from": "cat", "to": "cat"}, "to"),
        ({"do": "class.delete"}, "label"),
        ({"do": "class.delete", "label": "\n"}, "label"),
        ({"do": "class.delete", "lable": "cat", "label": "cat"}, "lable"),
        ({"do": "example.forget", "ids": []}, "ids"),
        ({"do": "example.forget", "ids": "a"}, "ids"),
        ({"do": "example.forget", "ids": ["a", "b c"]}, "ids.1"),
        ({"do": "example.forget", "ids": ["a", "b", "a"]}, "ids"),
        ({"do": "example.forget", "ids": [f"i{number}" for number in range(1_001)]}, "ids"),
        ({"do": "undo"}, "command"),
        ({"do": "undo", "command": "a b"}, "command"),
        ({"do": "stream.set"}, "body"),
        ({"do": "stream.set", "by": "ann"}, "body"),
        ({"do": "stream.set", "window": 0}, "window"),
        ({"do": "stream.set", "window": 1.5}, "window"),
        ({"do": "stream.set", "window": "many"}, "window"),
        ({"do": "stream.set", "accuracy_window": 1_000_001}, "accuracy_window"),
        ({"do": "stream.set", "unknown_probability": 1.01}, "unknown_probability"),
        ({"do": "stream.set", "unknown_distance": -1}, "unknown_distance"),
        ({"do": "stream.set", "set_level": 0.3}, "set_level"),
        ({"do": "stream.set", "goal": 0}, "goal"),
        ({"do": "stream.set", "goal": 95}, "goal"),
        ({"do": "stream.set", "title": "two\nlines"}, "title"),
        ({"do": "stream.set", "title": LONG}, "title"),
        ({"do": "stream.set", "models": "ridge"}, "models"),
    ],
)
def test_a_bad_command_is_named_and_not_appended(shared_gateway: Served, body: object, field: str) -> None:
    before = shared_gateway.log.bounds(EXAMPLES)
    assert fields(shared_gateway.client.post(COMMANDS_PATH, json=body)) == [field]
    assert shared_gateway.log.bounds(EXAMPLES) == before


def test_an_unknown_command_is_told_which_there_are(shared_gateway: Served) -> None:
    detail = problem(shared_gateway.client.post(COMMANDS_PATH, json={"do": "models.ad"}), 422)["detail"]
    assert detail == f"do: there is no 'models.ad' (did you mean models.add?); use {', '.join(COMMANDS)}"
    detail = problem(shared_gateway.client.post(COMMANDS_PATH, json={"do": "stream.catch-up"}), 422)["detail"]
    assert "written by learners only" in detail


def test_a_command_for_no_stream_is_told_the_nearest(shared_gateway: Served) -> None:
    answer = shared_gateway.client.post("/v1/streams/pet/commands", json={"do": "models.rebuild"})
    assert problem(answer, 404)["nearest"] == "pets"


@pytest.mark.parametrize("example", command_bodies.EXAMPLES.values(), ids=command_bodies.EXAMPLES)
def test_every_command_reaches_the_log_with_what_it_says(start: Start, example: dict[str, Any]) -> None:
    gateway = start()
    gateway.post_image(id="a", wait=10)
    answer = gateway.client.post(COMMANDS_PATH, json={**example, "id": "c1"}, params={"wait": 10})
    assert (answer.status_code, answer.json()["id"], answer.json()["do"]) == (200, "c1", example["do"])
    (command,) = commands_in(gateway.log)
    said = {name: value for name, value in example.items() if name not in ("do", "by", "ids")}
    said |= {"hashed": list(map(id_hashes, example["ids"]))} if "ids" in example else {}
    added = {"images"} if example["do"] in ("stream.delete", "example.forget") else set()
    assert {name: value for name, value in command.arguments.items() if name not in added} == said
    assert (command.do, command.by) == (example["do"], example.get("by", "anonymous"))


def test_the_examples_are_all_commands_there_are() -> None:
    assert {example["do"] for example in command_bodies.EXAMPLES.values()} == set(COMMANDS)


def test_settings_of_a_stream_have_the_limits_that_the_process_has() -> None:
    for name in ("window", "accuracy_window", "unknown_probability", "unknown_distance"):
        (of_stream, _) = SetStream.model_fields[name].annotation.__args__  # type: ignore[union-attr]
        limits = {type(limit): limit for limit in of_stream.__metadata__[0].metadata}
        expected = {type(limit): limit for limit in Settings.model_fields[name].metadata}
        assert {kind: limits[kind] for kind in expected} == expected, name


def test_an_unknown_model_is_told_the_nearest(shared_gateway: Served) -> None:
    before = shared_gateway.log.bounds(EXAMPLES)
    answer = shared_gateway.client.post(COMMANDS_PATH, json={"do": "models.add", "model": "rigde"})
    assert fields(answer) == ["model"]
    assert "did you mean ridge?" in answer.json()["detail"]
    assert shared_gateway.log.bounds(EXAMPLES) == before


def test_without_its_learner_a_model_is_for_the_learner_to_decide(start: Start) -> None:
    class Away(EchoLearner):
        def model_problem(self, stream: str, spec: str) -> str:
            raise LearnerUnavailable("it restarts")

    gateway = start()
    gateway.post_image(id="a", wait=10)
    away = start(queries=Away(gateway.log, gateway.store))
    answer = away.client.post(COMMANDS_PATH, json={"do": "models.add", "model": "rigde"}, params={"wait": 10})
    assert (answer.status_code, answer.json()["status"]) == (200, "refused")


def test_history_has_every_command_that_was_answered(start: Start) -> None:
    gateway = start()
    gateway.post_image(id="a", wait=10)
    assert gateway.client.get(HISTORY).json()["commands"] == []
    renamed = {"do": "class.rename", "from": "cat", "to": "moggy", "id": "c1", "by": "ann"}
    gateway.client.post(COMMANDS_PATH, json=renamed, params={"wait": 10})
    gateway.client.post(COMMANDS_PATH, json={"do": "models.rebuild", "id": "c2"}, params={"wait": 10})
    newest, oldest = gateway.client.get(HISTORY).json()["commands"]
    assert (newest["id"], newest["do"]) == ("c2", "models.rebuild")
    assert oldest["arguments"] == {"from": "cat", "to": "moggy"}
    assert (oldest["by"], oldest["status"], oldest["why"]) == ("ann", "refused", "so says the test")
    assert oldest["at"].endswith("Z")


def test_history_of_no_stream_is_told_the_nearest(shared_gateway: Served) -> None:
    assert problem(shared_gateway.client.get("/v1/streams/pet/history"), 404)["nearest"] == "pets"


def test_history_without_its_learner_is_tried_again(start: Start) -> None:
    class Restarting(EchoLearner):
        def history(self, stream: str) -> StreamHistory:
            raise UnknownStream(stream)

    gateway = start()
    gateway.post_image(id="a", wait=10)
    restarting = start(queries=Restarting(gateway.log, gateway.store))
    answer = restarting.client.get(HISTORY)
    assert "pets" in problem(answer, 503)["detail"]
    assert answer.headers["retry-after"] == "1"


class Behind(EchoLearner):
    """A learner that has just taken a stream over: its history reaches further each time it is asked."""

    def __init__(self, positions: list[str]) -> None:
        self.positions = positions

    def history(self, stream: str) -> StreamHistory:
        position = self.positions.pop(0) if len(self.positions) > 1 else self.positions[0]
        return StreamHistory(stream=stream, position=position, commands=[])


@pytest.mark.anyio
@pytest.mark.parametrize(("reaches", "answered"), [(["0:3", "0:5", "0:6", "0:9"], "0:6"), (["1:2"], "1:2")])
async def test_history_waits_for_what_was_answered(reaches: list[str], answered: str) -> None:
    writes = ReadYourWrites()
    writes.require("pets", Position(0, 5))
    histories = StreamHistories(Behind(reaches), writes)
    assert (await histories.get("pets")).position == answered
    histories.close()


class Deleted:
    """A learner that has deleted the stream already."""

    def history(self, stream: str) -> StreamHistory:
        raise UnknownStream(stream)


def test_a_stream_is_unknown_as_soon_as_its_learner_has_deleted_it(start: Start) -> None:
    """The learner removes the status a little later: that it were only starting would be wrong."""
    gateway = start(queries=Deleted())
    gateway.post_image(id="first", wait=10)
    until(lambda: gateway.store.get(status.key("pets")) is not None)
    threading.Timer(0.1, lambda: gateway.store.delete([status.key("pets")])).start()
    assert gateway.client.get(HISTORY).status_code == 404


def test_a_status_from_before_a_deletion_is_of_no_stream(start: Start) -> None:
    gateway = start(queries=Deleted())
    gateway.post_image(id="first", wait=10)
    gateway.post_label("first", "cat", wait=10)
    until(lambda: gateway.store.get(status.key("pets")) is not None)
    old = StreamStatus.model_validate_json(gateway.store.get(status.key("pets")) or b"")
    deleted = gateway.client.delete("/v1/streams/pets", params={"wait": 10}).json()
    stale = old.model_copy(update={"position": deleted["position"]})  # Next to read: it does not include the command.
    gateway.store.put(status.key("pets"), stale.model_dump_json().encode())
    assert gateway.client.get(HISTORY).status_code == 404
