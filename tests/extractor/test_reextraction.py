"""Re-extraction on a real log: which images it finds, what it appends, and what a stop or a second one does."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from prequel.services.extractor.reextraction.missing_features import MissingFeatures
from prequel.services.extractor.reextraction.position_set import PositionSet
from prequel.services.extractor.reextraction.reextraction import GONE, OTHER_STREAM, Interrupted, Reextraction
from prequel.shared.events.commands import encode_command
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.features import REEXTRACTED, encode_features
from prequel.shared.events.names import id_digest
from prequel.shared.events.types import Features, Image
from prequel.shared.log.base import EXAMPLES, IMAGES, Headers, Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from tests.extractor.feeding import BATCH, Bench, MeanColour, record, records

OWN, OTHER = "own-avg-8-00000000", MeanColour.id


class Stream:
    """The stream `pets` on an embedded log, whose images have features of OWN."""

    def __init__(self, folder: Path) -> None:
        self.log, self.stop = SqliteLog(folder), threading.Event()
        self.progress: list[tuple[int, int]] = []

    def image(self, number: int, value: bytes | None = None, **given: str) -> Position:
        """An image and its own features."""
        sent = record(number, value, 0, (), **given)
        (position,) = self.log.append([Message(IMAGES, sent.key, sent.value, sent.headers)])
        self.features(given.get("id", f"0:{number}"), position, label=given.get("label"))
        return position

    def features(self, id: str, image: Position, backbone: str = OWN, label: str | None = None) -> None:
        extra: Headers = () if backbone == OWN else (REEXTRACTED,)
        event = Image(id, "pets", label, 1.0, b"", image)
        self.log.append([encode_features(event, np.zeros(3, np.float32), backbone, source="t", extra=extra)])

    def command(self, do: str, **arguments: object) -> None:
        self.log.append([encode_command("pets", "c", do, arguments=arguments, by="t", time=1.0, source="t")])

    def missing(self) -> MissingFeatures:
        return MissingFeatures(self.log, "pets", OTHER)

    def job(self, bench: Bench | None = None, advance: Callable[[], object] = lambda: None) -> Reextraction:
        bench = bench or Bench(batch_wait=0.0)

        def note(done: int, total: int) -> None:
            self.progress.append((done, total))
            advance()

        return Reextraction(self.log, self.missing(), bench.processor, batch=BATCH, advance=note, stop=self.stop)

    def run(self) -> Reextraction:
        job = self.job()
        job.run(job.missing.read())
        return job

    def made(self) -> list[Features]:
        found = self.log.read(EXAMPLES, 0, range(self.log.bounds(EXAMPLES)[0].end))
        events = [decode_example(record) for record in found.values()]
        return [event for event in events if isinstance(event, Features) and event.backbone == OTHER]


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    made = Stream(tmp_path)
    yield made
    made.log.close()


@pytest.mark.parametrize("count", [0, 1, BATCH, 2 * BATCH + 1])
def test_it_appends_what_the_extractor_would_have_but_for_the_mark(stream: Stream, count: int) -> None:
    for number in range(count):
        stream.image(number)
    job = stream.run()
    bench, expected = Bench(), list[Message]()
    for begin in range(0, count, BATCH):
        expected += bench.processor.process(records(range(begin, min(count, begin + BATCH)))).messages
    expected += bench.finish().messages
    made = stream.made()
    assert [event.vector.tobytes() for event in made] == [message.value for message in expected]
    assert [(event.id, event.image) for event in made] == [(f"0:{n}", Position(0, n)) for n in range(count)]
    assert all(event.reextracted for event in made)
    assert (job.done, job.total, job.failed) == (count, count, {})
    assert stream.progress[-1] == (count, count)


def test_labels_digests_and_attributes_of_the_images_stay_with_them(stream: Stream) -> None:
    stream.image(0, label="cat")
    stream.run()
    (made,) = stream.made()
    (raw,) = stream.log.read(EXAMPLES, 0, [made.position.offset]).values()
    assert (made.label, made.digest != "", dict(raw.headers)["ce_precision"]) == ("cat", True, b"float32")


def test_again_it_does_only_what_is_new(stream: Stream) -> None:
    for number in range(5):
        stream.image(number)
    stream.run()
    assert stream.run().total == 0
    stream.image(5)
    assert (stream.run().done, len(stream.made())) == (1, 6)


def test_it_goes_on_until_it_has_met_the_end_of_a_log_that_grows(stream: Stream) -> None:
    for number in range(3 * BATCH):
        stream.image(number)
    more = iter(range(100, 100 + 2 * BATCH))

    def another() -> None:
        if (number := next(more, None)) is not None:
            stream.image(number)

    job = stream.job(advance=another)
    job.run(job.missing.read())
    assert {event.id for event in stream.made()} >= {f"0:{number}" for number in range(3 * BATCH)}
    assert len(stream.made()) == job.done > 3 * BATCH
    assert stream.run().done + job.done == 5 * BATCH


def test_stopped_in_the_middle_it_goes_on_from_there(stream: Stream) -> None:
    for number in range(6 * BATCH):
        stream.image(number)

    def stop_in_the_middle() -> None:
        if len(stream.made()) >= 2 * BATCH:
            stream.stop.set()

    job = stream.job(advance=stop_in_the_middle)
    with pytest.raises(Interrupted):
        job.run(job.missing.read())
    stream.stop.clear()
    before = len(stream.made())
    assert 2 * BATCH <= before < 6 * BATCH
    assert stream.run().done == 6 * BATCH - before
    assert [event.id for event in stream.made()] == [f"0:{number}" for number in range(6 * BATCH)]


def test_two_at_once_only_repeat_each_other(stream: Stream) -> None:
    for number in range(2 * BATCH):
        stream.image(number)
    jobs = [stream.job() for _ in range(2)]
    found = [job.missing.read() for job in jobs]
    for job, images in zip(jobs, found, strict=True):
        job.run(images)
    vectors = {(event.id, event.vector.tobytes()) for event in stream.made()}
    assert (len(stream.made()), len(vectors)) == (4 * BATCH, 2 * BATCH)
    assert stream.run().total == 0


def test_images_without_features_are_counted_with_the_reason(stream: Stream) -> None:
    stream.image(0)
    stream.image(1, b"no image")
    stream.features("gone", Position(0, 10**9))
    other = record(2, stream="cats", id="c")
    (position,) = stream.log.append([Message(IMAGES, other.key, other.value, other.headers)])
    stream.features("c", position)
    job = stream.run()
    assert [event.id for event in stream.made()] == ["0:0"]
    # What never was in the log is no image of anybody.
    assert job.failed == {"undecodable": 1, OTHER_STREAM: 1}


def test_images_that_retention_has_removed_are_counted(stream: Stream) -> None:
    for number in range(3):
        stream.image(number)
    job = stream.job()
    images = job.missing.read()
    read, gone = stream.log.read, {0, 1}
    stream.log.read = lambda topic, partition, offsets: read(topic, partition, [o for o in offsets if o not in gone])  # type: ignore[method-assign]
    job.run(images)
    stream.log.read = read  # type: ignore[method-assign]
    assert job.failed == {GONE: 2}
    assert [event.id for event in stream.made()] == ["0:2"]


def test_images_of_a_deleted_stream_and_forgotten_ones_stay_away(stream: Stream) -> None:
    stream.image(0)
    stream.command("stream.delete", images={"0": 2})
    late = record(1)
    (position,) = stream.log.append([Message(IMAGES, late.key, late.value, late.headers)])
    stream.features("0:1", position)
    for number in (2, 3, 4):
        stream.image(number)
    stream.command("example.forget", ids=["0:2"], images={"0": 5})
    stream.command("example.forget", digests=[id_digest("0:3")], images={"0": 5})
    assert stream.missing().read() == [Position(0, 4)]
    # One that is sent afterwards is another one.
    again = stream.image(5, id="0:2")
    assert stream.missing().read() == [Position(0, 4), again]


@pytest.mark.parametrize("images", [None, [], "x", {"a": 1}, {"0": None}])
def test_commands_that_anybody_has_written_do_no_harm(stream: Stream, images: object) -> None:
    stream.image(0)
    stream.command("example.forget", ids=[1, {}], digests=7, images=images)
    stream.command("example.forget", ids="0:0", images=images)
    assert stream.missing().read() == [Position(0, 0)]


def test_a_position_set_is_a_set() -> None:
    random, positions, expected = np.random.default_rng(0), PositionSet(), set[Position]()
    for partition, offset in random.integers(0, [[3, 5_000]] * 500):
        positions.add(Position(int(partition), int(offset)))
        expected.add(Position(int(partition), int(offset)))
    everything = [Position(partition, offset) for partition in range(4) for offset in range(5_100)]
    assert {position for position in everything if position in positions} == expected
