"""The pool of backbones: loaded once, bounded, the least recently used unloaded for real, failures kept apart."""

import gc
import logging
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from prequel.services.extractor.backbone_pool import MAX_FAILURES, BackbonePool, BackboneUnavailable
from prequel.services.extractor.backbones.base import Backbone, BackboneConfig, Choice, Images, OutOfMemory, Vectors
from prequel.services.extractor.engines.conversion import ConversionInterrupted
from prequel.shared.config import ConfigError
from tests.extractor.feeding import Clock, settle
from tests.garbage import another_collection

A, B, C = (Choice(BackboneConfig(name, "avg", 8, "imagenet")) for name in "abc")


class Fixed:
    """A backbone of one value; it is a part of a cycle, as models of Keras are."""

    dim, size, precision = 1, 8, "float32"

    def __init__(self, id: str) -> None:
        self.id, self.itself = id, self

    def extract(self, images: Images) -> Vectors:
        return np.zeros((len(images), 1), np.float32)


class Loader:
    """Loads what is ``open``; counts; remembers what it made, weakly."""

    def __init__(self) -> None:
        self.gates = {choice.config: threading.Event() for choice in (A, B, C)}
        self.errors: dict[BackboneConfig, Exception] = {}
        self.loads: list[str] = []
        self.made: dict[str, weakref.ref[Backbone]] = {}

    def open(self, *choices: Choice) -> None:
        for choice in choices:
            self.gates[choice.config].set()

    def __call__(self, choice: Choice) -> Backbone:
        self.loads.append(choice.config.name)
        if gate := self.gates.get(choice.config):
            gate.wait()
        if error := self.errors.get(choice.config):
            raise error
        backbone = Fixed(f"{choice.config.name}-avg-8-0123abcd")
        self.made[choice.config.name] = weakref.ref(backbone)
        return backbone

    def freed(self) -> list[str]:
        """The names of those that are in memory no more."""
        return [name for name, made in self.made.items() if made() is None]


class Pool:
    def __init__(self, max_loaded: int = 2) -> None:
        self.loader, self.clock = Loader(), Clock()
        self.pool = BackbonePool(self.loader, max_loaded=max_loaded, batch=4, clock=self.clock)


@pytest.fixture
def fixture() -> Iterator[Pool]:
    fixture = Pool()
    yield fixture
    fixture.loader.open(A, B, C)
    fixture.pool.close()


def test_one_is_loaded_once_while_others_are_used(fixture: Pool) -> None:
    pool, loader = fixture.pool, fixture.loader
    loader.open(A)
    first = pool.wait(A)
    assert [pool.get(B), pool.get(B), pool.get(A)] == [None, None, first]
    with pytest.raises(TimeoutError):
        pool.wait(B, 0.01)
    loader.open(B)
    assert pool.wait(B).id == "b-avg-8-0123abcd"
    assert loader.loads == ["a", "b"]


def test_one_that_takes_long_does_not_delay_another(fixture: Pool) -> None:
    fixture.loader.open(A, C)
    fixture.pool.wait(A)
    assert fixture.pool.get(B) is None
    assert fixture.pool.wait(C, 10).id == "c-avg-8-0123abcd"
    assert (fixture.pool.has(B), sorted(fixture.loader.loads)) == (False, ["a", "b", "c"])


def test_an_id_and_its_beginning_are_one_backbone(fixture: Pool) -> None:
    fixture.loader.open(A)
    first = fixture.pool.wait(A)
    assert fixture.pool.get(A._replace(digest="0123abcd")) is first
    assert fixture.pool.get(A._replace(digest="99999999")) is None, "other weights are another backbone"


@pytest.fixture
def no_collections() -> Iterator[None]:
    """So that it is the pool that collects."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collections")
def test_the_least_recently_used_is_unloaded_and_its_memory_is_free(fixture: Pool) -> None:
    pool, loader = fixture.pool, fixture.loader
    loader.open(A, B, C)
    pool.wait(A)
    pool.wait(B)
    settle(pool)  # The thread that has loaded it holds it until then.
    pool.get(A)
    pool.wait(C)
    settle(pool)
    assert loader.freed() == ["b"]
    assert (pool.has(A), pool.has(B), pool.has(C)) == (True, False, True)
    assert pool.get(B) is None, "it is loaded again"


@pytest.mark.usefixtures("no_collections")
def test_the_memory_of_one_that_is_unloaded_while_it_is_used_is_free_after_that() -> None:
    fixture = Pool(max_loaded=1)
    pool, loader = fixture.pool, fixture.loader
    loader.open(A, B)
    used = pool.wait(A)
    pool.wait(B)
    settle(pool)
    pool.free_unused()
    assert (pool.has(A), loader.freed()) == (False, [])
    del used
    pool.free_unused()
    assert loader.freed() == ["a"]
    pool.close()


@pytest.mark.usefixtures("no_collections")
def test_the_thread_that_has_loaded_one_may_hold_it_a_little_longer() -> None:
    """It does so every time here; by itself, it does when another thread is faster: it had then kept its memory."""
    fixture = Pool(max_loaded=1)
    pool, loader, resume = fixture.pool, fixture.loader, threading.Event()
    pool.get(A)
    pool._loading[A].add_done_callback(lambda _: resume.wait(60))  # Called by that thread, which holds the result.
    loader.open(A, B)
    pool.wait(A)
    pool.wait(B)
    assert loader.freed() == []
    resume.set()
    settle(pool)
    pool.free_unused()
    assert loader.freed() == ["a"]
    pool.close()


@pytest.mark.usefixtures("no_collections")
def test_memory_is_free_though_another_thread_collects_garbage_meanwhile(fixture: Pool) -> None:
    """Python's own call does nothing then: the memory had stayed until all objects were looked through again."""
    pool, loader = fixture.pool, fixture.loader
    loader.open(A, B, C)
    for choice in (A, B):
        pool.wait(choice)
    settle(pool)
    with another_collection() as end:
        threading.Timer(0.1, end).start()
        pool.wait(C)
    assert loader.freed() == ["a"]


def test_the_one_that_is_replaced_is_used_until_the_other_is_there() -> None:
    fixture = Pool(max_loaded=1)
    fixture.loader.open(A)
    first = fixture.pool.wait(A)
    assert [fixture.pool.get(B), fixture.pool.get(A)] == [None, first]
    fixture.loader.open(B)
    fixture.pool.wait(B)
    settle(fixture.pool)
    assert (fixture.pool.has(A), fixture.pool.has(B)) == (False, True)


def test_those_needed_first_stay_while_others_are_loaded_and_used(fixture: Pool) -> None:
    pool, loader = fixture.pool, fixture.loader
    loader.open(A, B, C)
    pool.need([A, B, C])
    pool.wait(A)
    pool.wait(B)
    assert pool.get(C) is None
    settle(pool)
    assert loader.loads == ["a", "b"], "both places are needed"
    assert pool.wait(C).id == "c-avg-8-0123abcd", "who waits for it has it nevertheless"
    settle(pool)
    assert (pool.has(A), pool.has(B), pool.has(C)) == (True, True, False)
    pool.need([B, C])
    assert pool.get(C) is None
    settle(pool)
    assert (pool.has(A), pool.has(B), pool.has(C)) == (False, True, True)


@pytest.mark.parametrize("error", [ConfigError("no weights"), OutOfMemory("1 image"), ValueError("a bug")])
def test_a_failure_is_kept_for_a_while_and_others_go_on(
    error: Exception, fixture: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    pool, loader = fixture.pool, fixture.loader
    loader.open(A, B)
    loader.errors[B.config] = error
    pool.wait(A)
    for _ in range(2):
        with pytest.raises(type(error)):
            pool.wait(B)
        for _ in range(3):
            with pytest.raises(BackboneUnavailable, match=str(error)):
                pool.get(B)
        assert pool.get(A)
        fixture.clock.now += 60
    assert loader.loads == ["a", "b", "b"]
    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "backbone b-avg-8 cannot be loaded" in line.getMessage()
    assert bool(line.exc_info) == isinstance(error, ValueError), "a bug has its traceback"
    del loader.errors[B.config]
    fixture.clock.now += 60
    assert pool.wait(B)


def test_an_interrupted_load_says_nothing_about_the_backbone(fixture: Pool) -> None:
    fixture.loader.open(A)
    fixture.loader.errors[A.config] = ConversionInterrupted("Ctrl-C")
    with pytest.raises(ConversionInterrupted):
        fixture.pool.wait(A)
    del fixture.loader.errors[A.config]
    assert fixture.pool.wait(A)


def test_failures_are_bounded(fixture: Pool) -> None:
    names = [f"n{number}" for number in range(MAX_FAILURES + 5)]
    for name in names:
        config = BackboneConfig(name, "avg", 8, "imagenet")
        fixture.loader.errors[config] = ConfigError("unknown")
        with pytest.raises(ConfigError):
            fixture.pool.wait(Choice(config))
    assert len(fixture.pool._failures) == MAX_FAILURES
