"""Garbage is collected when it is asked for, whatever other threads collect."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from prequel.shared.runtime.garbage_collection import collect_everything
from tests.garbage import another_collection


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def only_when_asked() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_pythons_own_call_does_nothing_while_another_thread_collects() -> None:
    """The reason for ours: where this fails, it has become needless."""
    with another_collection():
        garbage = weakref.ref(Circle())
        assert gc.collect() == 0
        assert garbage()


def test_what_nothing_refers_to_is_gone_though_another_thread_collects() -> None:
    with another_collection() as end:
        garbage = weakref.ref(Circle())
        threading.Timer(0.1, end).start()
        collect_everything()
        assert garbage() is None


def test_several_threads_may_ask() -> None:
    def ask() -> None:
        garbage = weakref.ref(Circle())
        collect_everything()
        left.append(garbage())

    left: list[Circle | None] = []
    threads = [threading.Thread(target=ask) for _ in range(4)]
    callbacks = list(gc.callbacks)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (left, gc.callbacks) == ([None] * 4, callbacks)
