"""The client of the library against a Prequel that runs: what is sent arrives, what is refused is said of each."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import prequel
from prequel import Client
from prequel.services.gateway.http.example_bodies import MAX_EXAMPLES
from prequel.services.gateway.routes.labels import MAX_LABELS
from prequel.services.library.client import MAX_ROWS
from prequel.services.library.examples import PartlySent
from prequel.services.producer.errors import CommandRefused, GatewayUnavailable, RequestRefused, SourceError
from prequel.services.producer.event_stream import StreamEvent
from prequel.services.producer.label_sending import MAX_BATCH
from tests.producer.conftest import COLOURS, System
from tests.servers.ports import free_port

GREY = np.full((4, 4, 3), 100, np.uint8)


def shades(count: int, colour: str = "red") -> list[Any]:
    """So many images of one colour, each another one."""
    made = []
    for number in range(count):
        pixels = np.full((4, 4, 3), COLOURS[colour], np.uint8)
        pixels[0, 0] = (number % 256, number // 256, 1)
        made.append(pixels)
    return made


def test_many_images_arrive_in_their_order_with_their_labels(client: Client) -> None:
    images = [image for pair in zip(shades(40), shades(40, "blue"), strict=True) for image in pair]
    sent = client.send("many", images, ["red", "blue"] * 40, wait=30)
    assert [each.refused for each in sent] == [""] * 80
    offsets = [int(str(each.position).partition(":")[2]) for each in sent]
    assert offsets == sorted(offsets)
    assert [each.prediction.truth for each in sent if each.prediction] == ["red", "blue"] * 40
    status = client.status("many")
    assert (status.images, status.labelled) == (80, 80)
    again = client.send("many", images, ["red", "blue"] * 40)
    assert [each.id for each in again] == [each.id for each in sent]
    assert client.status("many").images == 80, "sent again it counts once"


def test_of_many_only_what_is_wrong_is_refused_and_nothing_is_lost(client: Client, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    images = [*shades(34), tmp_path / "notes.txt", tmp_path / "none.png", GREY / 3, GREY, GREY, shades(1)[0]]
    labels = [*["red"] * 34, "red", "red", "red", "grey", "gray", "red"]
    sent = client.send("mixed", images, labels, ids=[f"image-{number}" for number in range(39)] + ["not valid"])
    refused = {number: each.refused for number, each in enumerate(sent) if each.refused}
    assert list(refused) == [34, 35, 36, 39]
    assert "notes.txt is text (" in refused[34]
    assert "none.png does not exist" in refused[35]
    assert refused[36].startswith("image 36 is an array of float64")
    assert "'not valid' is not a valid id" in refused[39]
    assert all(each.position for number, each in enumerate(sent) if number not in refused)


def test_the_same_image_twice_counts_once_and_with_another_label_is_refused(client: Client) -> None:
    first, copy, other = client.send("twice", [GREY, GREY, GREY], ["grey", "grey", "gray"], wait=30)
    assert first.id == copy.id
    assert copy.refused == ""
    assert "gray" in other.refused
    assert client.status("twice").images == 1
    with pytest.raises(RequestRefused) as caught:
        client.send("twice", GREY, "gray")
    assert caught.value.status_code == 409


def test_an_image_that_becomes_a_dead_letter_says_so(client: Client) -> None:
    broken = b"\x89PNG\r\n\x1a\n" + bytes(20)
    with pytest.raises(RequestRefused, match=r"^undecodable: ") as caught:
        client.send("broken", broken, wait=30)
    assert caught.value.reason == "undecodable"
    good, bad = client.send("broken", [GREY, broken[:-1]], wait=30)
    assert (good.refused, bad.refused) == ("", "undecodable: so says the test")
    with pytest.raises(prequel.PrequelError, match=r"^image 1: undecodable: "):
        client.predict("broken", [GREY, broken])


def test_labels_of_any_kind_and_only_one_for_each(client: Client) -> None:
    labels = pd.Series([3, np.int64(4), 5.0, float("nan"), None, "6"], dtype=object)
    sent = client.send("kinds", shades(6), labels, wait=30)
    assert [each.prediction.truth for each in sent if each.prediction] == ["3", "4", "5", None, None, "6"]
    assert client.send("kinds", shades(7)[6], 7, wait=30).prediction.truth == "7"
    with pytest.raises(prequel.PrequelError, match="3 labels for 2 examples: give one for each"):
        client.send("kinds", shades(2), ["a", "b", "c"])
    with pytest.raises(prequel.PrequelError, match="image 1 is of type dict: an image is a path"):
        client.send("kinds", [GREY, {}])  # type: ignore[list-item]
    with pytest.raises(prequel.PrequelError, match="the image is of type int: an image is a path"):
        client.send("kinds", 5)  # type: ignore[call-overload]
    assert client.status("kinds").images == 7, "nothing of these two calls was sent"


def test_rows_of_features_are_examples_of_any_size(client: Client) -> None:
    X = np.random.default_rng(0).normal(size=(2_500, 3))
    X[1_700, 2] = np.nan
    y = np.where(X[:, 0] > 0, "more", "less")
    sent = client.send_features("rows", pd.DataFrame(X), y, backbone="mine")
    assert {number: each.refused for number, each in enumerate(sent) if each.refused} == {
        1_700: "row 1700 of X: value 2 is NaN, infinite or too large for float32"
    }
    assert len({each.id for each in sent}) == 2_500
    assert client.prediction("rows", sent[-1].id, wait=30) is not None
    assert (client.status("rows").images, client.status("rows").backbone) == (2_499, "mine")
    assert [answer.label for answer in client.predict_features("rows", [[9, 0, 0], [-9, 0, 0]])] == ["more", "less"]
    for wrong, problem in [([1.0, 2.0], r"shape \[2\]"), ([["a"]], "values of type <U1"), ([[1], [1, 2]], "lengths")]:
        with pytest.raises(prequel.PrequelError, match=problem):
            client.send_features("rows", wrong)


def test_labels_are_corrected_and_taken_back(client: Client) -> None:
    ids = [each.id for each in client.send("later", shades(5), wait=30)]
    learned = client.label("later", ids, ["a", "b", "a", "a", None], by="ann", why="random", wait=30)
    assert [each.outcome.status for each in learned if each.outcome] == ["learned"] * 4 + ["unchanged"]
    assert client.label("later", ids[0], "b", wait=30).outcome.previous == "a"  # type: ignore[union-attr]
    assert client.label("later", ids[:2], None)[1].outcome.status == "retracted"  # type: ignore[union-attr]
    assert client.label("later", ids[0], "a", wait=0).outcome is None
    refused = client.label("later", [*ids[1:3], "not valid"], "c")
    assert [each.refused == "" for each in refused] == [True, True, False]
    assert client.history("later").labels.by.keys() == {"ann", "prequel.Client"}


def test_commands_apply_or_say_why_not(client: Client) -> None:
    sent = client.send("orders", shades(3), "red", wait=30)
    assert client.command("orders", "models.add", model="slda", from_="now").status == "applied"
    assert list(client.status("orders").models) == ["ncm", "slda"]
    with pytest.raises(CommandRefused, match=r"orders is unchanged: .*slda"):
        client.command("orders", "models.add", model="slda")
    with pytest.raises(RequestRefused, match="goal") as caught:
        client.command("orders", "stream.set", goal=7)
    assert caught.value.status_code == 422
    forgotten = client.command("orders", "example.forget", ids=[sent[0].id], id="once")
    assert (forgotten.status, forgotten.by) == ("applied", "prequel.Client")
    assert client.command("orders", "example.forget", ids=[sent[0].id], id="once").status == "unchanged"
    assert client.history("orders").commands[0].do == "example.forget"
    assert client.command("orders", "stream.delete", wait=0).status == "accepted"


def test_errors_are_of_one_base_and_name_what_is_wrong(client: Client) -> None:
    for call in (client.status, client.curve, client.confusion, client.history):
        with pytest.raises(RequestRefused, match="no stream"):
            call("coulors")
    with pytest.raises(prequel.PrequelError, match="'Not a name' is not a valid stream name"):
        client.status("Not a name")
    with pytest.raises(prequel.PrequelError, match="'lables' cannot be exported: labels, "):
        client.export("colours", "lables")  # type: ignore[arg-type]
    with pytest.raises(prequel.PrequelError, match="format zip: labels can be exported as csv or ndjson or parquet"):
        client.export("colours", "labels", "labels.zip")
    with pytest.raises(SourceError, match="cannot be read"):
        client.send("colours", "missing.png")
    with pytest.raises(prequel.PrequelError, match="url localhost:8000 is not a valid address"):
        Client("localhost:8000")


def test_after_its_end_a_client_says_so(url: str) -> None:
    with Client(url) as client:
        assert client.streams()
    with pytest.raises(prequel.PrequelError, match=rf"Client\('{url}'\) is closed: make a new one"):
        client.streams()


# What happens while a gateway goes away, and who may call it.


@pytest.fixture
def own(tmp_path: Path) -> Iterator[System]:
    """A system of the test's own, whose gateway may go."""
    with ExitStack() as stack:
        started = System(tmp_path, models="ncm", api_keys="secret-key-1,secret-key-2")
        stack.callback(started.close)
        yield started


@pytest.fixture
def keyed(own: System) -> Iterator[Client]:
    with Client(own.url, api_key="secret-key-2") as connected:
        yield connected


def followed(events: Iterator[StreamEvent]) -> tuple[list[StreamEvent], threading.Thread]:
    """A thread that reads events until they end, and those that it has read."""
    seen: list[StreamEvent] = []
    thread = threading.Thread(target=lambda: seen.extend(events))
    thread.start()
    return seen, thread


def test_each_event_is_seen_once_over_a_restart_of_the_gateway(own: System, keyed: Client) -> None:
    before = keyed.send("colours", shades(1)[0], "red", wait=30)
    events = keyed.events("colours")
    assert next(events).kind == "status"
    seen, thread = followed(events)
    images = shades(7)[1:]
    sent = [keyed.send("colours", image, wait=30).id for image in images[:3]]
    own.close_gateway()
    own.open_gateway()
    sent += [keyed.send("colours", image, wait=30).id for image in images[3:]]
    last = keyed.label("colours", sent[-1], "red", wait=30)
    assert last.outcome is not None
    # A later connection reads what came after the event that it names, as after a restart of the reader.
    with keyed.events("colours", after=after_of(seen, sent[-1])) as later:
        assert next(event.data["id"] for event in later if event.kind == "outcome") == sent[-1]
    events.close()
    thread.join(10)
    assert not thread.is_alive()
    assert [event.data["id"] for event in seen if event.kind == "prediction"] == sent
    assert "reset" not in {event.kind for event in seen}
    assert before.id not in sent
    assert not list(events), "it has ended"


def after_of(seen: list[StreamEvent], id: str) -> str:
    """The id of the event of this image's prediction, once it is there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for event in seen:
            if event.kind == "prediction" and event.data["id"] == id:
                return event.id
        time.sleep(0.01)
    raise AssertionError(f"no prediction of {id} among {seen}")


def test_labels_for_a_stream_that_does_not_exist_are_refused_at_once(keyed: Client) -> None:
    sent = keyed.send("colours", shades(2), wait=30)
    with pytest.raises(RequestRefused, match=r"no stream coulors.*did you mean colours") as caught:
        keyed.label("coulors", [each.id for each in sent], "red")
    assert caught.value.status_code == 404


def test_the_end_of_a_client_ends_what_waits_for_events(own: System) -> None:
    client = Client(own.url, api_key="secret-key-1")
    events = client.events()
    seen, thread = followed(events)
    began = time.monotonic()
    while events.connected is False and time.monotonic() - began < 10:
        time.sleep(0.01)
    client.close()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - began < 10, "it did not wait for the next ping"
    assert seen == []


class ClosesTheGateway(os.PathLike[str]):
    """A path that is read when nobody answers any more."""

    def __init__(self, system: System, path: Path) -> None:
        self._system, self._path = system, path

    def __fspath__(self) -> str:
        self._system.close_gateway()
        return str(self._path)


def test_a_gateway_that_goes_away_leaves_what_was_answered_before(own: System, tmp_path: Path) -> None:
    image = tmp_path / "grey.png"
    Image.fromarray(GREY).save(image)
    with Client(own.url, api_key="secret-key-1", timeout_s=0.3) as client:
        images = [*shades(40), ClosesTheGateway(own, image)]
        with pytest.raises(
            PartlySent, match=r"no gateway answers .*; 32 of 41 examples were answered before"
        ) as caught:
            client.send("partly", images, "red")
        own.open_gateway()
        assert [each.position is not None for each in caught.value.sent] == [True] * 32
        assert all(each.position for each in client.send("partly", images[:40], "red", wait=30))
        assert client.status("partly").images == 40


def test_a_gateway_that_is_not_there_is_named(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url, timeout_s=0) as client:
        with pytest.raises(GatewayUnavailable, match=f"no gateway answers at {url} .*prequel up"):
            client.streams()
        with pytest.raises(GatewayUnavailable, match="no gateway answers"):
            next(client.events())


def test_a_key_is_needed_where_the_gateway_has_keys(own: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREQUEL_API_KEYS", raising=False)
    with Client(own.url) as client:
        for call in (client.streams, lambda: next(client.events()), lambda: client.export("colours", "labels")):
            with pytest.raises(prequel.PrequelError, match=r"give one of the gateway's PREQUEL_API_KEYS"):
                call()
    monkeypatch.setenv("PREQUEL_API_KEYS", "secret-key-1,other")
    with Client(own.url) as client:
        assert client.streams() == []


def test_one_request_is_never_larger_than_a_gateway_takes() -> None:
    assert MAX_ROWS == MAX_EXAMPLES
    assert MAX_BATCH <= MAX_LABELS


def test_a_model_that_joins_has_learned_the_past(client: Client) -> None:
    client.send("joined", [*shades(10), *shades(10, "blue")], ["red"] * 10 + ["blue"] * 10, wait=30)
    client.command("joined", "models.add", model="slda")
    status = client.caught_up("joined")
    assert status.models["slda"].scored == status.models["ncm"].scored
    with pytest.raises(RequestRefused, match="there is no stream"):
        client.caught_up("jonied")
