"""The command `switch`, over the whole system: what it lists, asks, refuses, and what a stream is afterwards."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from prequel.services.producer.client import Client
from prequel.services.producer.commands.history import undo
from prequel.services.producer.commands.status import show_status
from prequel.services.producer.commands.switch import switch_backbone
from prequel.services.producer.errors import ProducerError
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.features import REEXTRACTED, encode_features
from prequel.shared.events.types import Features, Image
from prequel.shared.log.base import EXAMPLES
from prequel.shared.status import StreamStatus
from tests.producer.conftest import Stream, System
from tests.producer.test_stream_changes import Terminal

OTHER = "dark-avg-8-00000000"


def extract_again(system: System, count: int) -> None:
    """Features of two values for the first images of the stream, as another backbone would make them."""
    known = [event for event in map(decode_example, system.records(EXAMPLES)) if isinstance(event, Features)]
    for event in known[:count]:
        assert event.image is not None
        image = Image(event.id, event.stream, event.label, event.time, b"", event.image)
        system.log.append(
            [encode_features(image, np.array([1, 0], np.float32), OTHER, source="test", extra=(REEXTRACTED,))]
        )


def wait_for(client: Client, condition: Callable[[StreamStatus], bool]) -> StreamStatus:
    deadline = time.monotonic() + 30
    while (status := client.stream("colours")) is None or not condition(status):
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    return status


@pytest.fixture
def terminal(client: Client, stream: Stream, photos: Callable[[int], Path], system: System) -> Terminal:
    stream(photos(3))
    extract_again(system, 8)
    wait_for(client, lambda status: status.other_features == {OTHER: 8})
    return Terminal(client, "y")


def test_without_a_backbone_all_are_listed(terminal: Terminal, client: Client) -> None:
    assert switch_backbone(terminal.changes, None) == 0
    rows = [line.split(maxsplit=2) for line in terminal.printed().splitlines()]
    assert rows[1:] == [["mean-colour", "9", "learns from it"], [OTHER, "8"]]
    show_status(client, "colours", as_json=False, console=terminal.changes.console)
    assert f"features of {OTHER}: 8 (prequel switch colours {OTHER})" in terminal.printed()


def test_a_switch_asks_where_images_would_be_left_out_and_then_does_it(terminal: Terminal, client: Client) -> None:
    with pytest.raises(ProducerError, match="nothing was done"):
        switch_backbone(Terminal(client, "n").changes, "dark")
    assert switch_backbone(terminal.changes, "dark") == 0
    asked, done, *_ = terminal.printed().splitlines()
    assert asked.startswith(f"colours: at least 1 of 9 images have no features of {OTHER} and will be left out;")
    assert (done, terminal.questions) == (f"colours: it learns from {OTHER}", ["Switch without them? [y/N] "])
    status = wait_for(client, lambda status: status.backbone == OTHER)
    assert (status.images, status.dim, status.other_features) == (8, 2, {"mean-colour": 9})


def test_undo_says_how_later_images_get_features_of_the_backbone_before(terminal: Terminal, client: Client) -> None:
    switch_backbone(terminal.changes, "dark")
    wait_for(client, lambda status: status.backbone == OTHER)
    history = client.history("colours")
    assert history is not None
    (switch,) = [each for each in history["commands"] if each["do"] == "stream.switch"]
    assert undo(terminal.changes, switch["id"]) == 0
    done, _, advice = terminal.printed().splitlines()[-3:]
    assert done.startswith(f"colours: stream.switch mean-colour -> {OTHER} of ")
    assert advice.startswith("images, if any, that came while it learned from dark-avg-8-00000000 have no features of")
    assert advice.endswith("prequel reextract colours --backbone mean-colour makes them")


def test_nobody_is_asked_where_every_image_has_them(terminal: Terminal, client: Client, system: System) -> None:
    extract_again(system, 9)
    wait_for(client, lambda status: status.other_features == {OTHER: 17})
    assert switch_backbone(terminal.changes, OTHER) == 0
    assert terminal.questions == []
    assert wait_for(client, lambda status: status.backbone == OTHER).images == 9


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("mean", "colours learns from mean-colour already"),
        ("resnet50", "no features of resnet50 for colours; prequel reextract colours --backbone resnet50 makes them"),
        ("dark-avg-8-00000001", r"\(did you mean dark-avg-8-00000000\?\)"),
    ],
)
def test_what_cannot_be_switched_to_is_told_why(terminal: Terminal, backbone: str, message: str) -> None:
    with pytest.raises(ProducerError, match=message):
        switch_backbone(terminal.changes, backbone)
