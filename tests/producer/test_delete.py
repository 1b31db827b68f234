"""`prequel delete`, and what is said and asked before something begins or ends, over the whole system."""

import io
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.learner.replay.rebuild import Rebuild
from prequel.services.producer.client import Client, Refused
from prequel.services.producer.commands.delete import delete_stream
from prequel.services.producer.commands.label import label_image
from prequel.services.producer.commands.stream import stream_images
from prequel.services.producer.confirmation import Ask, Asking
from prequel.services.producer.run import Summary
from prequel.services.producer.sources.base import ProducerError
from prequel.shared import status
from prequel.shared.log.base import EXAMPLES, TOPICS
from tests.gateway.conftest import until
from tests.learner.building import Table
from tests.producer.conftest import System


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def asking(console: Console, answer: str | None = None, *, yes: bool = False) -> Asking:
    ask: Ask | None = None if answer is None else lambda question: answer
    return Asking(console, ask, yes=yes)


def sent(client: Client, folder: Path, stream: str, console: Console, whom: Asking | None = None) -> Summary:
    return stream_images(
        client, stream, str(folder), console=console, stop=threading.Event(), clock=time.monotonic, asking=whom
    )


def delete(client: Client, stream: str, console: Console, whom: Asking) -> int:
    return delete_stream(client, stream, whom, console, lambda: uuid.uuid4().hex)


def test_a_deleted_stream_is_gone_at_once_from_everywhere_and_its_bytes_from_the_files(
    system: System, client: Client, console: Console, photos: Callable[[int], Path], tmp_path: Path
) -> None:
    folder = photos(2)
    sent(client, folder, "private", console)
    sent(client, folder, "kept", console)
    (id,) = [each["id"] for each in client.recent("private", 1)]
    image = next(record.value for record in system.records("images") if b"private" in dict(record.headers).values())
    assert delete(client, "private", console, asking(console, yes=True)) == 0
    assert "6 images, 6 labels, 3 classes" in said(console)
    assert "erased" in said(console)
    assert (client.stream("private"), client.prediction("private", id)) == (None, None)
    assert [each["stream"] for each in client.streams()] == ["kept"]
    with pytest.raises(Refused, match="no stream private"):
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


def test_what_was_learned_beside_a_deleted_stream_is_what_the_log_says(
    system: System, client: Client, console: Console, photos: Callable[[int], Path]
) -> None:
    folder = photos(2)
    for stream in ("one", "two", "three"):
        sent(client, folder, stream, console)
    delete(client, "two", console, asking(console, yes=True))
    sent(client, folder, "two", console)
    until(lambda: system.store.get("erased/0") is not None)
    sent(client, folder, "four", console)
    assert client.stream("two")["images"] == 6  # type: ignore[index]
    system.stop_workers()
    rebuild = Rebuild(system.settings, system.log, system.store, Table(), lambda *_: None, threading.Event())
    (verdict,) = rebuild.verify(1)
    assert (verdict.equal, verdict.remark) == (True, "bit-equal")


def test_whoever_is_asked_may_say_no_and_a_script_must_say_yes(
    client: Client, console: Console, photos: Callable[[int], Path]
) -> None:
    sent(client, photos(1), "pets", console)
    for whom, message in ((asking(console, "n"), "nothing was done"), (asking(console), "--yes")):
        with pytest.raises(ProducerError, match=message):
            delete(client, "pets", console, whom)
    assert client.stream("pets") is not None
    with pytest.raises(ProducerError, match="there is no stream pest that could be deleted; there are: pets"):
        delete(client, "pest", console, asking(console, yes=True))
    assert delete(client, "pets", console, asking(console, "y")) == 0


def test_what_is_gone_when_it_is_to_be_deleted_is_deleted(
    client: Client, console: Console, photos: Callable[[int], Path]
) -> None:
    """As when the answer to a first try is lost, and the client sends it again."""
    sent(client, photos(1), "pets", console)

    def meanwhile(question: str) -> str:
        assert client.delete("pets", "first", 10)["status"] == "applied"
        return "y"

    assert delete(client, "pets", console, Asking(console, meanwhile)) == 0
    assert "pets is deleted." in said(console)


def test_a_new_stream_and_new_classes_are_announced_and_asked_for(
    client: Client, console: Console, photos: Callable[[int], Path], tmp_path: Path
) -> None:
    folder = photos(1)
    with pytest.raises(ProducerError, match="nothing was done"):
        sent(client, folder, "colours", console, asking(console, "no"))
    assert client.streams() == []
    assert sent(client, folder, "colours", console, asking(console)).predicted == 3
    assert "there is no stream colours yet: it will be created" in said(console)
    (folder / "red").rename(folder / "reds")
    with pytest.raises(ProducerError, match="nothing was done"):
        sent(client, folder, "colours", console, asking(console, ""))
    assert "new to the 3 classes of colours: reds (there is red)" in said(console)
    (id,) = [each["id"] for each in client.recent("colours", 1)]
    with pytest.raises(ProducerError, match="nothing was done"):
        label_image(client, "colours", id, "blu", console, asking=asking(console, "n"))
    assert "blu (there is blue)" in said(console)
    assert label_image(client, "colours", id, "blu", console, asking=asking(console, "yes")) == 0
    with pytest.raises(Refused, match="did you mean colours"):
        label_image(client, "colour", id, "blue", console)
