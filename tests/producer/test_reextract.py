"""The work of `reextract` over the whole system: refusals, images that are gone, and those that come in between."""

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.cli.reextract import CannotReextract, ReextractedStream, own_backbone
from prequel.services.cli.switch_over import SwitchOver
from prequel.services.producer.client import Client
from prequel.shared.log.base import IMAGES, Bounds, Message
from tests.extractor.feeding import BATCH, Bench, MeanColour, record
from tests.producer.conftest import Stream, System
from tests.producer.test_stream_changes import Terminal
from tests.producer.test_switch import wait_for


def work(system: System, *, own: str = "mean-colour") -> tuple[ReextractedStream, io.StringIO]:
    output = io.StringIO()
    extractor = Bench(batch=BATCH, batch_wait=0.0).processor
    console, event = Console(file=output, width=500), threading.Event()
    return (
        ReextractedStream(
            system.log, "colours", MeanColour.id, extractor, own=own, batch=BATCH, console=console, stop=event
        ),
        output,
    )


def without_images(system: System, begin: int) -> None:
    """As if retention had removed those before ``begin``."""
    bounds, read = system.log.bounds, system.log.read
    system.log.bounds = lambda topic: (  # type: ignore[method-assign]
        {0: Bounds(begin, bounds(topic)[0].end)} if topic == IMAGES else bounds(topic)
    )
    system.log.read = lambda topic, partition, offsets: read(  # type: ignore[method-assign]
        topic, partition, [offset for offset in offsets if topic != IMAGES or offset >= begin]
    )


@pytest.fixture
def filled(stream: Stream, photos: Callable[[int], Path], system: System) -> System:
    stream(photos(3))
    return system


def test_a_stream_that_does_not_exist_is_told_the_nearest(filled: System) -> None:
    assert own_backbone(filled.store, "colours") == "mean-colour"
    with pytest.raises(CannotReextract, match=r"no stream colour \(did you mean colours\?\)"):
        own_backbone(filled.store, "colour")


def test_its_own_backbone_is_refused_only_while_nothing_is_missing(filled: System) -> None:
    work(filled)[0].extract(time.monotonic)
    with pytest.raises(CannotReextract, match="learns from mean-avg-8-00000000 already"):
        work(filled, own=MeanColour.id)[0].extract(time.monotonic)


def test_without_stored_images_it_is_refused_and_with_some_it_says_how_many_are_gone(filled: System) -> None:
    without_images(filled, 9)
    with pytest.raises(CannotReextract, match="none of the 9 images of colours without these features is stored"):
        work(filled)[0].extract(time.monotonic)


def test_what_is_left_of_the_images_is_extracted(filled: System) -> None:
    without_images(filled, 4)
    job, output = work(filled)
    job.extract(time.monotonic)
    first, made, gone = output.getvalue().splitlines()
    assert first.startswith("colours: 4 images are not stored any more")
    assert made.startswith("colours: features of 5 images through mean-avg-8-00000000")
    assert gone == "4 images have no features: the log has them no more"


def test_images_that_the_extractor_makes_with_the_old_backbone_after_the_switch_are_not_lost(
    filled: System, client: Client
) -> None:
    """This extractor never changes: what comes after the hand-over is a dead letter, and extracted again."""
    job, output = work(filled)
    terminal = Terminal(client, "y")
    over = SwitchOver(terminal.changes, job, stop=threading.Event(), clock=time.monotonic, quiet_s=2.0)
    switching = threading.Thread(target=over.run)
    switching.start()
    wait_for(client, lambda status: status.backbone == MeanColour.id)
    late = record(0, id="late", stream="colours", label="red")
    filled.log.append([Message(IMAGES, late.key, late.value, late.headers)])
    switching.join(60)
    assert not switching.is_alive()
    status = wait_for(client, lambda status: status.images == 10)
    assert (status.labelled, status.other_features) == (10, {"mean-colour": 9})
    assert "images that came in between, and were added: 1\n" in output.getvalue()
