"""The work of `reextract` over the whole system: refusals, images that are gone, and those that come in between."""

import io
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.cli.extractor_progress import ExtractorProgress
from prequel.services.cli.reextract import CannotReextract, ReextractedStream, own_backbone
from prequel.services.cli.switch_over import SwitchOver
from prequel.services.producer.client import Client
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Features
from prequel.shared.log.base import EXAMPLES, IMAGES, Bounds, Message
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.deadlines import REEXTRACT_SETTLE_S
from tests.e2e.processes import eventually
from tests.extractor.feeding import BATCH, Bench, Clock, MeanColour, record
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
def filled(stream: Stream, photos: Callable[[int], Path], system: System, client: Client) -> System:
    stream(photos(3))
    wait_for(client, lambda status: status.images == 9)  # The store's status is as old as the last look at it.
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


def ids_of_features(system: System) -> set[str]:
    events = map(decode_example, system.records(EXAMPLES))
    return {event.id for event in events if isinstance(event, Features)}


class Gated(ExtractorProgress):
    """Says where the images end, and how many are left, only once it may."""

    def __init__(self, system: System) -> None:
        super().__init__(system.log, "prequel.extractor")
        self.may_end, self.may_count, self.ended = threading.Event(), threading.Event(), threading.Event()

    def ends(self) -> dict[int, int]:
        assert self.may_end.wait(60)
        found = super().ends()
        self.ended.set()
        return found

    def left(self, ends: Mapping[int, int]) -> int:
        assert self.may_count.wait(60)
        return super().left(ends)


class Switching:
    """A switch that is under way: the hand-over is done, and the extractor goes on with the old backbone."""

    def __init__(self, system: System, client: Client) -> None:
        job, self.output = work(system)
        self.system, self.client, self.gate = system, client, Gated(system)
        terminal = Terminal(client, "y")
        over = SwitchOver(terminal.changes, job, self.gate, stop=threading.Event(), clock=time.monotonic, notice_s=0.0)
        self.codes: list[int] = []
        self.thread = threading.Thread(target=lambda: self.codes.append(over.run()))
        self.thread.start()
        wait_for(client, lambda status: status.backbone == MeanColour.id)

    def send(self, id: str) -> None:
        late = record(0, id=id, stream="colours", label="red")
        self.system.log.append([Message(IMAGES, late.key, late.value, late.headers)])

    def result(self) -> tuple[int, str]:
        """The exit code, and what was printed."""
        self.gate.may_end.set()
        self.gate.may_count.set()
        self.thread.join(60)
        return self.codes[0], self.output.getvalue()


def test_images_that_the_extractor_had_begun_before_it_saw_the_switch_are_not_lost(
    filled: System, client: Client
) -> None:
    """However late it finishes them: they are dead letters first, and are extracted again."""
    switching = Switching(filled, client)
    filled.extractor.open.clear()
    switching.send("late")
    switching.gate.may_end.set()
    assert switching.gate.ended.wait(60)
    filled.extractor.open.set()
    code, output = switching.result()
    assert (code, "images that came in between, and were added: 1\n" in output) == (0, True)
    status = wait_for(client, lambda status: status.images == 10)
    assert (status.labelled, status.other_features) == (10, {"mean-colour": 9})


def test_extractors_that_go_on_with_the_old_backbone_are_told_of(filled: System, client: Client) -> None:
    switching = Switching(filled, client)
    switching.gate.may_end.set()
    assert switching.gate.ended.wait(60)
    switching.send("later")
    eventually(lambda: "later" in ids_of_features(filled), "its features")
    code, output = switching.result()
    assert (code, "the extractors have not changed to the new backbone" in output) == (1, True)
    wait_for(client, lambda status: status.images == 10)


def test_extractors_that_get_no_further_are_not_waited_for_without_end(filled: System, client: Client) -> None:
    now = Clock()

    class Standing(ExtractorProgress):
        def left(self, ends: Mapping[int, int]) -> int:
            now.now += REEXTRACT_SETTLE_S / 2
            return 7

    job, output = work(filled)
    progress = Standing(filled.log, "prequel.extractor")
    changes, stop = Terminal(client, "y").changes, threading.Event()
    assert SwitchOver(changes, job, progress, stop=stop, clock=now, notice_s=0.0).run() == 1
    assert "the extractors have not changed to the new backbone: start them again" in output.getvalue()


def test_an_image_is_left_until_the_group_has_committed_what_comes_after_it(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    message = record(0, id="a", stream="colours", label="red")
    log.append([Message(IMAGES, message.key, message.value, message.headers)] * 3)
    progress = ExtractorProgress(log, "group")
    ends = progress.ends()
    assert progress.left(ends) == 3
    log.append([Message(IMAGES, message.key, message.value, message.headers)])
    member = log.join("group", IMAGES)
    while not member.poll(1, 0.1).assigned:
        pass
    assert member.commit({0: 2})
    assert progress.left(ends) == 1
    assert member.commit({0: 4})
    assert progress.left(ends) == 0
    member.close()
    log.close()
