"""An extractor of several backbones: each image through its stream's own, in order, while others are being loaded."""

import gc
import threading
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from prequel.services.extractor import extractor
from prequel.services.extractor.backbone_pool import BackbonePool
from prequel.services.extractor.backbones.base import Backbone, BackboneConfig, Choice, Images, Vectors
from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.extractor import IDLE_SECONDS, LOADING_SECONDS, ExtractorProcessor
from prequel.shared.config import ConfigError
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Features
from prequel.shared.log.base import EXAMPLES, Message, Record
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed
from prequel.shared.store.base import StoreUnavailable
from tests.extractor.feeding import BATCH, WAIT, Clock, record, settle

SIZES = {"a": 8, "b": 16, "c": 8}


class Sized:
    """A backbone whose features are its images' size, and its own name as a number; a cycle, as models of Keras."""

    dim, precision = 2, "float32"

    def __init__(self, choice: Choice) -> None:
        self.name, self.size, self.itself = choice.config.name, choice.config.size, self
        self.id = f"{self.name}-avg-{self.size}-00000000"
        self.batches: list[int] = []

    def extract(self, images: Images) -> Vectors:
        assert images.shape[1:] == (self.size, self.size, 3)
        self.batches.append(len(images))
        return np.tile(np.array([self.size, ord(self.name)], np.float32), (len(images), 1))


class Several:
    """An extractor whose streams have the backbones in ``specs``; what is not in ``open`` is being loaded."""

    def __init__(self, *names: str, max_loaded: int = 4) -> None:
        self.clock, self.specs = Clock(), dict[str, str]()
        self.gates: dict[str, threading.Event] = defaultdict(threading.Event)
        self.made: dict[str, Sized] = {}
        self.missing = set[str]()
        self.pool = BackbonePool(self.load, max_loaded=max_loaded, batch=BATCH, clock=self.clock)
        for name in names:
            self.open(name)
        self.decoder = Decoder(max_pixels=10_000, max_bytes=100_000, threads=2)
        self.processor = ExtractorProcessor(
            self.pool,
            self,
            self.decoder,
            choose=self.choose,
            batch=BATCH,
            batch_wait=WAIT,
            metrics=Metrics(CollectorRegistry()),
            clock=self.clock,
        )

    def load(self, choice: Choice) -> Backbone:
        self.gates[choice.config.name].wait()
        if choice.config.name in self.missing:
            raise ConfigError("weights missing")
        self.made[choice.config.name] = Sized(choice)
        return self.made[choice.config.name]

    def choose(self, spec: str) -> Choice:
        name = spec.partition("-")[0] or "a"
        if name not in SIZES:
            raise ConfigError(f"unknown backbone {name}")
        return Choice(BackboneConfig(name, "avg", SIZES[name], "imagenet"))

    def of(self, streams: Iterable[str]) -> Mapping[str, str]:
        return {stream: self.specs.get(stream, "") for stream in streams}

    def open(self, name: str) -> None:
        """Let it be loaded, and those that may stand before it, and wait until it is."""
        for gate in (self.gates[each] for each in (SIZES if name != "a" else "a")):
            gate.set()
        if name not in self.missing:
            self.pool.wait(self.choose(name))
        else:
            self.pool.get(self.choose(name))
            self.pool.wait_for_any(60)

    def finish(self) -> Processed:
        self.clock.now += 2 * WAIT
        parts = [Processed((), (), {})]
        while self.processor.poll_timeout() == 0:
            parts.append(self.processor.process(()))
        positions = {partition: offset for part in parts for partition, offset in part.positions.items()}
        rejected = [pair for part in parts for pair in part.rejected]
        return Processed([message for part in parts for message in part.messages], rejected, positions)

    def close(self) -> None:
        for name in SIZES:
            self.gates[name].set()
        self.processor.close()


@pytest.fixture
def several() -> Iterator[Several]:
    several = Several("a")
    several.specs |= {"x": "a", "y": "b", "z": "unheard"}
    yield several
    several.close()


def example(message: Message) -> Features:
    event = decode_example(Record(EXAMPLES, 0, 7, message.key, message.value, message.headers, 0.0))
    assert isinstance(event, Features)
    return event


def ids(done: Processed) -> list[str]:
    return [example(message).id for message in done.messages]


def images(streams: str, begin: int = 0) -> list[Record]:
    return [record(begin + number, stream=stream) for number, stream in enumerate(streams)]


def test_each_image_goes_through_the_backbone_of_its_stream(several: Several) -> None:
    several.open("b")
    several.processor.process(images("xyxy"))
    done = several.finish()
    events = [example(message) for message in done.messages]
    assert {(event.stream, event.backbone, *event.vector.tolist()) for event in events} == {
        ("x", "a-avg-8-00000000", 8.0, float(ord("a"))),
        ("y", "b-avg-16-00000000", 16.0, float(ord("b"))),
    }
    assert (ids(done), done.positions) == (["0:0", "0:2", "0:1", "0:3"], {0: 4})
    assert [several.made[name].batches for name in "ab"] == [[2], [2]]


def test_other_streams_go_on_while_a_backbone_is_loaded(several: Several) -> None:
    several.processor.process(images("xyyx"))
    done = several.finish()
    assert (ids(done), done.positions) == (["0:0", "0:3"], {0: 1})
    assert several.processor.poll_timeout() == LOADING_SECONDS
    several.processor.process(images("xxxxxy", 4))
    done = several.finish()
    assert (ids(done), done.positions) == (["0:4", "0:5", "0:6", "0:7", "0:8"], {0: 1}), "y's are not finished"
    several.open("b")
    done = several.finish()
    assert (ids(done), done.positions) == (["0:1", "0:2", "0:9"], {0: 10})
    assert several.processor.poll_timeout() == IDLE_SECONDS


def test_images_of_a_stream_do_not_pass_each_other_when_its_backbone_changes(several: Several) -> None:
    several.specs["x"] = "b"
    several.processor.process(images("x"))
    several.specs["x"] = "a"
    several.processor.process(images("xy", 1))
    assert ids(several.finish()) == []
    several.open("b")
    done = several.finish()
    assert (ids(done), done.positions) == (["0:0", "0:2", "0:1"], {0: 3})


def test_what_cannot_be_loaded_is_rejected_and_the_others_are_not(several: Several) -> None:
    several.missing.add("b")
    several.processor.process(images("xyzxz"))
    assert [(source.offset, reason.reason) for source, reason in several.finish().rejected] == [
        (2, "backbone-unavailable"),
        (4, "backbone-unavailable"),
    ]
    several.open("b")
    done = several.finish()
    assert [(source.offset, str(reason)) for source, reason in done.rejected] == [
        (1, "backbone-unavailable: stream y learns from b-avg-16, which cannot be loaded here: weights missing")
    ]
    assert done.positions == {0: 5}
    several.missing.clear()
    several.clock.now += 60
    several.processor.process(images("y", 5))
    several.open("b")
    assert ids(several.finish()) == ["0:5"], "it is tried again"


def test_what_is_held_is_bounded(several: Several, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractor, "MAX_HELD_BYTES", 3 * len(images("y")[0].value))
    monkeypatch.setattr(extractor, "BACKBONE_HELD_S", 0.001)
    several.processor.process(images("yyx"))
    assert several.processor.max_records == BATCH
    several.processor.process(images("yy", 3))
    several.finish()
    assert several.processor.max_records == 1
    several.open("b")
    assert ids(several.finish()) == ["0:0", "0:1", "0:3", "0:4"]
    assert several.processor.max_records == BATCH


def test_no_backbone_is_unloaded_before_it_has_served_what_waits_for_it() -> None:
    several = Several("a", max_loaded=1)
    several.specs |= {"y": "b", "z": "c"}
    several.processor.process(images("yzy"))
    assert several.processor.poll_timeout() == LOADING_SECONDS
    for name in "bc":  # While the extractor is busy with a batch, say; c, too, is asked for by an image on demand.
        several.open(name)
    done = several.finish()
    assert (ids(done), done.positions) == (["0:0", "0:2"], {0: 1})
    several.open("c")
    done = several.finish()
    assert (ids(done), done.positions) == (["0:1"], {0: 3})
    several.close()


def test_an_extractor_without_images_keeps_no_backbone_that_was_unloaded_while_it_was_used() -> None:
    several = Several("a", max_loaded=1)
    gc.disable()
    try:
        used, memory = several.pool.wait(several.choose("a")), weakref.ref(several.made.pop("a"))
        several.open("b")
        assert not several.pool.has(several.choose("a"))
        several.processor.process(())
        assert memory()
        settle(several.pool)  # The thread that has loaded it holds it until then.
        del used
        several.processor.process(())
        assert memory() is None
    finally:
        gc.enable()
        several.close()


def test_a_revoked_partition_takes_its_held_images_along(several: Several) -> None:
    several.processor.process([record(0, stream="y"), record(5, stream="y", partition=1)])
    several.processor.discard(0)
    several.open("b")
    done = several.finish()
    assert (ids(done), done.positions) == (["1:5"], {1: 6})


def test_an_unknown_backbone_because_the_store_is_away_ends_the_session(several: Several) -> None:
    def away(streams: object) -> Mapping[str, str]:
        raise StoreUnavailable("Redis hangs")

    several.processor.process(images("x"))
    known, several.of = several.of, away  # type: ignore[method-assign]  # the store of the test
    with pytest.raises(StoreUnavailable, match="Redis hangs"):
        several.processor.process(images("y", 1))
    several.processor.discard(0)
    several.of = known  # type: ignore[method-assign]
    several.processor.process(images("xx"))
    assert ids(several.finish()) == ["0:0", "0:1"]


_steps = st.lists(
    st.one_of(
        st.lists(st.sampled_from("xyz"), min_size=1, max_size=BATCH),
        st.tuples(st.sampled_from("xyz"), st.sampled_from(["a", "b", "c", "unheard"])),
        st.sampled_from(["open", "wait"]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(_steps, st.integers(1, 3))
def test_whatever_happens_each_image_is_finished_once_in_its_streams_order(steps: list[object], loaded: int) -> None:
    several = Several("a", max_loaded=loaded)
    finished, rejected, position, sent = list[Features](), list[int](), 0, list[Record]()

    def check(done: Processed) -> None:
        nonlocal position
        finished.extend(example(message) for message in done.messages)
        rejected.extend(source.offset for source, _ in done.rejected)
        position = done.positions.get(0, position)
        over = {_offset(event) for event in finished} | set(rejected)
        assert over >= set(range(position)), "a position passed an image that is not finished"

    for step in steps:
        if isinstance(step, tuple):
            several.specs[step[0]] = step[1]
        elif isinstance(step, list):
            new = images("".join(step), len(sent))
            sent += new
            check(several.processor.process(new))
        elif step == "wait":
            check(several.finish())
        else:
            several.open("b")
            several.open("c")
    for _ in range(len(sent) + 1):  # Each turn finishes at least the oldest image: its backbone is not unloaded before.
        for name in SIZES:
            several.open(name)
            check(several.finish())
    several.close()
    assert position == len(sent)
    assert sorted([_offset(event) for event in finished] + rejected) == list(range(len(sent)))
    for stream in "xyz":
        of_stream = [_offset(event) for event in finished if event.stream == stream]
        assert of_stream == sorted(of_stream)


def _offset(event: Features) -> int:
    assert event.image is not None
    return event.image.offset
