"""`prequel delete`, and the confirmation before something is created or deleted, over the whole system."""

import io
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.learner.replay.rebuild import Rebuild
from prequel.services.producer.client import Client
from prequel.services.producer.commands.delete import delete_stream
from prequel.services.producer.commands.label import label_image
from prequel.services.producer.commands.stream import stream_images
from prequel.services.producer.confirmation import Ask, Confirmation
from prequel.services.producer.errors import ProducerError, RequestRefused
from prequel.services.producer.summary import Summary
from prequel.shared import status
from prequel.shared.log.base import EXAMPLES, TOPICS
from tests.gateway.conftest import until
from tests.learner.building import Registry
from tests.producer.conftest import System


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def confirmation(console: Console, answer: str | None = None, *, yes: bool = False) -> Confirmation:
    ask: Ask | None = None if answer is None else lambda question: answer
    return Confirmation(console, ask, yes=yes)


def send(
    client: Client, folder: Path, stream: str, console: Console, *, confirm: Confirmation | None = None
) -> Summary:
    return stream_images(
        client, stream, str(folder), console=console, stop=threading.Event(), clock=time.monotonic, confirmation=confirm
    )


def delete(client: Client, stream: str, console: Console, confirm: Confirmation) -> int:
    return delete_stream(client, stream, console, confirmation=confirm, new_id=lambda: uuid.uuid4().hex)


def test_a_deleted_stream_disappears_from_every_answer_and_its_bytes_from_the_files(
    system: System, client: Client, console: Console, photos: Callable[[int], Path], tmp_path: Path
) -> None:
    folder = photos(2)
    send(client, folder, "private", console)
    send(client, folder, "kept", console)
    (id,) = [prediction["id"] for prediction in client.recent("private", 1)]
    image = next(record.value for record in system.records("images") if b"private" in dict(record.headers).values())
    assert delete(client, "private", console, confirmation(console, yes=True)) == 0
    assert "6 images, 6 labels, 3 classes" in printed(console)
    assert "erased" in printed(console)
    assert (client.stream("private"), client.prediction("private", id)) == (None, None)
    assert [status.stream for status in client.streams()] == ["kept"]
    with pytest.raises(RequestRefused, match="no stream private"):
        client.post_labels("private", [{"id": id, "label": "x"}])
    until(lambda: system.store.get("erased/0") is not None)
    assert system.store.get(status.key("private")) is None
    files = b"".join(path.read_bytes() for path in sorted((tmp_path / "data" / "log").glob("*.sqlite*")))
    assert image in files  # of the stream that stays, which got the same images
    assert id.encode() in files
    assert files.count(image) == 1
    assert not [line for line in exposed(system) if 'stream="private"' in line]
    assert {record.key for record in system.records(EXAMPLES)} >= {b"private", b"kept"}
    assert all(system.log.bounds(topic)[0].begin == 0 for topic in TOPICS)


def exposed(system: System) -> list[str]:
    from prometheus_client import generate_latest

    return generate_latest(system.metrics.registry).decode().splitlines()


def test_other_streams_are_unchanged_by_a_deletion(
    system: System, client: Client, console: Console, photos: Callable[[int], Path]
) -> None:
    folder = photos(2)
    for stream in ("one", "two", "three"):
        send(client, folder, stream, console)
    delete(client, "two", console, confirmation(console, yes=True))
    send(client, folder, "two", console)
    until(lambda: system.store.get("erased/0") is not None)
    send(client, folder, "four", console)
    status_of_two = client.stream("two")
    assert status_of_two is not None
    assert status_of_two.images == 6
    system.stop_workers()
    rebuild = Rebuild(
        system.settings,
        log=system.log,
        store=system.store,
        registry=Registry(),
        advance=lambda *_: None,
        stop=threading.Event(),
    )
    (verdict,) = rebuild.verify(1)
    assert (verdict.equal, verdict.remark) == (True, "bit-equal")


def test_a_user_may_decline_and_a_script_must_confirm(
    client: Client, console: Console, photos: Callable[[int], Path]
) -> None:
    send(client, photos(1), "pets", console)
    for confirm, message in ((confirmation(console, "n"), "nothing was done"), (confirmation(console), "--yes")):
        with pytest.raises(ProducerError, match=message):
            delete(client, "pets", console, confirm)
    assert client.stream("pets") is not None
    with pytest.raises(ProducerError, match="there is no stream pest to delete; there are: pets"):
        delete(client, "pest", console, confirmation(console, yes=True))
    assert delete(client, "pets", console, confirmation(console, "y")) == 0


def test_a_stream_that_was_deleted_meanwhile_is_deleted(
    client: Client, console: Console, photos: Callable[[int], Path]
) -> None:
    """As when the answer to a first try is lost, and the client sends it again."""
    send(client, photos(1), "pets", console)

    def delete_meanwhile(question: str) -> str:
        assert client.delete("pets", "first", 10)["status"] == "applied"
        return "y"

    assert delete(client, "pets", console, Confirmation(console, delete_meanwhile)) == 0
    assert "pets is deleted." in printed(console)


def test_a_new_stream_and_new_classes_need_confirmation(
    client: Client, console: Console, photos: Callable[[int], Path], tmp_path: Path
) -> None:
    folder = photos(1)
    with pytest.raises(ProducerError, match="nothing was done"):
        send(client, folder, "colours", console, confirm=confirmation(console, "no"))
    assert client.streams() == []
    assert send(client, folder, "colours", console, confirm=confirmation(console)).predicted == 3
    assert "there is no stream colours yet: it will be created" in printed(console)
    (folder / "red").rename(folder / "reds")
    with pytest.raises(ProducerError, match="nothing was done"):
        send(client, folder, "colours", console, confirm=confirmation(console, ""))
    assert "new to the 3 classes of colours: reds (there is red)" in printed(console)
    (id,) = [prediction["id"] for prediction in client.recent("colours", 1)]
    with pytest.raises(ProducerError, match="nothing was done"):
        label_image(client, "colours", id, "blu", console=console, confirmation=confirmation(console, "n"))
    assert "blu (there is blue)" in printed(console)
    assert label_image(client, "colours", id, "blu", console=console, confirmation=confirmation(console, "yes")) == 0
    with pytest.raises(RequestRefused, match="did you mean colours"):
        label_image(client, "colour", id, "blue", console=console)
