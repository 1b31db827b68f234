"""What is to be erased is erased, wherever a learner was killed."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from prequel.services.learner.erasure.eraser import RecordEraser
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.snapshots.snapshots import Snapshots
from prequel.shared.events.features import encode_features
from prequel.shared.events.types import Image
from prequel.shared.log.base import EXAMPLES, Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.health import Health
from prequel.shared.store.base import Fence
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import BACKBONE, DIM, ExampleLog, new_fold

IDLE = 1e9


class Learner:
    """A fold, and what it erases, on a log and a store of its own; ``restart`` begins with the state of a snapshot."""

    def __init__(self, log: SqliteLog, store: SqliteStore) -> None:
        self.log, self._store, self._written = log, store, ExampleLog()
        self._fold: Fold = new_fold(self._written)
        self.restart()

    def restart(self) -> None:
        snapshots = Snapshots(self._store, 0, Fence(0, 1, "test"), max_bytes=2**30)
        snapshots.acquire()
        self._eraser = RecordEraser(self.log, self._store, 0, time.monotonic, snapshots=snapshots, health=Health())
        self._eraser.resume(self._fold.commands.deletions, self._fold.streams)

    def fold(self, write: Callable[[ExampleLog], object]) -> None:
        begin = len(self._written.records)
        write(self._written)
        new = self._written.records[begin:]
        self.log.append([Message(EXAMPLES, each.key, each.value, each.headers) for each in new])
        self._eraser.take(self._fold.apply(new))

    def commit(self) -> None:
        self._eraser.prepare_checkpoint()
        self._eraser.checkpointed(self._fold.streams)

    def work(self) -> None:
        while self._eraser.poll_timeout(IDLE) < IDLE:
            self._eraser.work()

    def left(self) -> list[int]:
        end = self.log.bounds(EXAMPLES)[0].end
        records = self.log.read(EXAMPLES, 0, range(end))
        return [
            at
            for at, record in records.items()
            if record.value and (b"prequel.features.v1" in dict(record.headers).values())
        ]


@pytest.fixture
def learner(tmp_path: Path) -> Iterator[Learner]:
    with closing(SqliteLog(tmp_path / "log")) as log, closing(SqliteStore(tmp_path / "store")) as store:
        yield Learner(log, store)


@pytest.mark.parametrize("killed", [False, True])
def test_late_features_of_a_stream_that_was_erased_are_erased_too(learner: Learner, *, killed: bool) -> None:
    """Others were deleted after it, and are done: how far all are done is not enough to go by."""
    for write in (
        lambda log: log.features("i0", [1, 0, 0]),
        lambda log: log.delete("c", late=2),
        lambda log: log.features("o0", [1, 0, 0], stream="other"),
        lambda log: log.delete("d", stream="other"),
    ):
        learner.fold(write)
    learner.commit()
    learner.work()
    assert learner.left() == []
    learner.fold(late)
    assert learner.left() == [4]
    learner.commit()
    if killed:
        learner.restart()
    learner.work()
    assert learner.left() == []


def late(log: ExampleLog) -> None:
    """Features of an image that came before the deletion."""
    image = Image("late", "s", None, 0.0, b"", Position(0, 1))
    log.append(encode_features(image, np.ones(DIM, np.float32), BACKBONE, source="test"))
