"""An evaluation is the very fold of a stream: bit-equal to a learner that has met the same events in a log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.fold.partition_parts import PartitionParts, unsigned_part
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.learner import Learner
from prequel.services.learner.publishing.stream_status import stream_detail, stream_status
from prequel.services.offline.evaluation.offline_fold import STREAM, OfflineFold
from prequel.services.offline.evaluation.schedule import Schedule
from prequel.shared.config import Settings
from prequel.shared.events.features import encode_features
from prequel.shared.events.labels import encode_label
from prequel.shared.events.types import Image
from prequel.shared.features.base import FeatureRows, RowInfo
from prequel.shared.log.base import EXAMPLES, Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.sqlite import SqliteStore
from prequel.shared.vectors import Vector
from tests.learner.building import Registry
from tests.offline.evaluation.building import BACKBONE, config, example_rows


class Log:
    """The events that `prequel stream` would have written, in a real log from ``offset`` on."""

    def __init__(self, log: SqliteLog, offset: int) -> None:
        self._log, self._offset = log, offset
        self.images = 0

    def features(self, info: RowInfo, x: Vector, label: str | None) -> None:
        image = Image(info.id, STREAM, label, float(self.images), b"", Position(0, self._offset))
        message = encode_features(image, x, BACKBONE, source="test")
        headers = tuple(header for header in message.headers if header[0] != "ce_digest")
        self._append(Message(EXAMPLES, message.key, message.value, headers))
        self.images += 1

    def label(self, info: RowInfo) -> None:
        if info.label is not None:
            more: Any = {"by": "prequel stream", "why": "producer", "event_id": f"l{self._offset}", "source": "test"}
            self._append(encode_label(STREAM, info.id, info.label, time=self.images - 1.0, **more))

    def _append(self, message: Message) -> None:
        (position,) = self._log.append([message])
        assert position.offset == self._offset
        self._offset += 1


def events(log: Log, rows: FeatureRows, delay: int, mini_batch: int) -> None:
    """The definition: labels come with their examples, or ``delay`` examples later, or after each mini-batch."""
    pairs = list(zip(rows.infos, rows.vectors, strict=True))
    at_once = not delay and mini_batch == 1
    due = list[RowInfo]()
    for number, (info, x) in enumerate(pairs, 1):
        log.features(info, x, info.label if at_once else None)
        due.append(info)
        if number % mini_batch == 0 and not at_once:
            while len(due) > delay:
                log.label(due.pop(0))
    for info in () if at_once else due:
        log.label(info)


def learned(folder: Path, models: str, rows: FeatureRows, delay: int, mini_batch: int) -> tuple[StreamState, int]:
    """The stream's state in a learner that has folded them, and the offset at which it began."""
    log, store = SqliteLog(folder / "log"), SqliteStore(folder / "store")
    metrics = Metrics(CollectorRegistry())
    settings = Settings.model_validate({"models": models})
    learner = Learner(
        settings, log=log, store=store, registry=Registry(), metrics=metrics, clock=lambda: 1_000.0, owner="o"
    )
    learner.restore(0, 1)
    learner.process(())
    begin = log.bounds(EXAMPLES)[0].end
    events(Log(log, begin), rows, delay, mini_batch)
    reader = log.follow(EXAMPLES, {0: 0})
    while records := reader.poll(37, 0):
        learner.process(records)
    reader.close()
    state = learner._partitions[0].fold.streams[STREAM]
    log.close()
    store.close()
    return state, begin


def batches(rows: FeatureRows, size: int) -> Iterator[FeatureRows]:
    for begin in range(0, len(rows.infos), size):
        yield FeatureRows(rows.infos[begin : begin + size], rows.vectors[begin : begin + size])


def digest(state: StreamState) -> str:
    return PartitionParts({STREAM: state}, unsigned_part, None)[STREAM]["head"].digest


@pytest.mark.parametrize("models", ["mix,logistic", "slda;drift=reset,nearest,logistic;drift=reset"])
@pytest.mark.parametrize(
    ("delay", "mini_batch", "again"), [(0, 1, False), (17, 1, True), (0, 16, False), (40, 16, True), (9, 4, False)]
)
def test_it_is_bit_equal_to_a_learner_over_a_log(
    tmp_path: Path, models: str, delay: int, mini_batch: int, again: bool
) -> None:
    rows = example_rows(120)
    theirs, begin = learned(tmp_path, models, rows, delay, mini_batch)
    fold = OfflineFold(config(models), Registry(), backbone=BACKBONE, clock=lambda: 0.0, begin=begin)
    schedule = Schedule(fold, delay=delay, mini_batch=mini_batch, again=batches(rows, 11) if again else None)
    predicted = [each for batch in batches(rows, 23) for each in schedule.apply(batch)]
    schedule.finish()
    assert [info.id for each in predicted for info in each.infos] == [info.id for info in rows.infos]
    assert (theirs.images, theirs.labelled) == (120, 108)
    at: Any = {"now": 0.0, "snapshot": None, "address": None}
    assert stream_status(fold.state, Position(0, 0), **at) == stream_status(theirs, Position(0, 0), **at)
    assert stream_detail(fold.state, Position(0, 0)) == stream_detail(theirs, Position(0, 0))
    assert digest(fold.state) == digest(theirs)
