"""What the learner's tests are built of: records as the log holds them, a model small enough to check by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix, Model, ModelState, Probabilities, Vector
from prequel.shared.config import Settings
from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes
from prequel.shared.events.commands import encode_command
from prequel.shared.events.defaults import encode_defaults
from prequel.shared.events.features import encode_features
from prequel.shared.events.labels import encode_label
from prequel.shared.events.types import Image
from prequel.shared.log.base import EXAMPLES, Bounds, Log, Message, Position, Record

BACKBONE = "test-3"
DIM = 3
STARTED = 1.0
"""When the process began whose settings a fold of the tests has, unless the test says otherwise."""


class Nearest:
    """Class means by sums, exact; probabilities fall with the distance from a mean."""

    def __init__(self, dim: int) -> None:
        self.labels: list[str] = []
        self.exact = True
        self._sums = np.zeros((0, dim + 1))

    def predict(self, x: Vector) -> Probabilities:
        counts = np.maximum(self._sums[:, -1:], 1)
        scores = np.exp(-np.abs(self._sums[:, :-1] / counts - x).sum(axis=1))
        return np.asarray(scores / scores.sum() if len(scores) else scores)

    def learn(self, x: Vector, label: str) -> None:
        if label not in self.labels:
            self.labels.append(label)
            self._sums = np.vstack([self._sums, np.zeros((1, self._sums.shape[1]))])
        self._sums[self.labels.index(label)] += [*x, 1.0]

    def unlearn(self, x: Vector, label: str) -> None:
        self._sums[self.labels.index(label)] -= [*x, 1.0]

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        predicted = []
        for x, label in zip(xs, labels, strict=True):
            predicted.append(self.predict(x))
            if label is not None:
                self.learn(x, label)
        return predicted

    def state(self) -> ModelState:
        return ModelState({"labels": list(self.labels)}, {"sums": self._sums.copy()})


class Registry:
    """The real registry, and ``nearest``."""

    def create(self, spec: str, dim: int, *, seed: int) -> Model:
        return Nearest(dim) if spec == "nearest" else registry.create(spec, dim, seed=seed)

    def restore(self, spec: str, state: ModelState) -> Model:
        if spec != "nearest":
            return registry.restore(spec, state)
        model = Nearest(0)
        model.labels, model._sums = list(state.meta["labels"]), state.arrays["sums"]
        return model


class ExampleLog:
    """The records of ``examples`` in one partition, as a log would number them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.begin = 0
        """What retention has left."""

    def append_record(self, record: Record) -> Record:
        """The next one, with the content of another log's."""
        return self.append(Message(EXAMPLES, record.key, record.value, record.headers))

    def append(self, message: Message) -> Record:
        record = Record(EXAMPLES, 0, len(self.records), message.key, message.value, message.headers, 1_000.0)
        self.records.append(record)
        return record

    def features(
        self,
        id: str,
        x: Sequence[float],
        label: str | None = None,
        *,
        stream: str = "s",
        data: bytes = b"",
        attributes: Attributes = NO_ATTRIBUTES,
    ) -> Record:
        offset = len(self.records)
        image = Image(id, stream, label, 1_000.0 + offset, data, Position(0, offset), attributes)
        return self.append(encode_features(image, np.array(x, np.float32), BACKBONE, source="prequel/test"))

    def label(self, id: str, label: str | None, *, stream: str = "s", why: str = "", by: str = "test") -> Record:
        offset = len(self.records)
        time = 1_000.0 + offset
        event_id = f"l{offset}"
        return self.append(encode_label(stream, id, label, by=by, time=time, event_id=event_id, source="test", why=why))

    def defaults(self, *, started: float = STARTED, **settings: Any) -> Record:
        event_id = f"d{len(self.records)}"
        return self.append(
            encode_defaults(settings, 0, started=started, by="test", time=1_000.0, event_id=event_id, source="test")
        )

    def follow(self, topic: str, positions: Mapping[int, int]) -> "ExampleLogReader":
        return ExampleLogReader(self.records, positions[0])

    def command(self, id: str, do: str, *, stream: str = "s", **more: object) -> Record:
        time = 1_000.0 + len(self.records)
        return self.append(encode_command(stream, id, do, arguments=more, by="test", time=time, source="test"))

    def delete(self, id: str, *, stream: str = "s", late: int = 0) -> Record:
        """Delete the stream; the images of the next ``late`` records are from before."""
        return self.command(id, "stream.delete", stream=stream, images={"0": len(self.records) + 1 + late})

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        return {offset: self.records[offset] for offset in offsets if offset >= self.begin}

    def bounds(self, topic: str) -> dict[int, Bounds]:
        return {0: Bounds(self.begin, len(self.records))}


class ExampleLogReader:
    """A Reader of them, in batches of seven: whatever is read so must not depend on where batches end."""

    def __init__(self, records: Sequence[Record], position: int) -> None:
        self._records, self._position = records, position

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        records = list(self._records[self._position : self._position + min(max_records, 7)])
        self._position += len(records)
        return records

    def positions(self) -> dict[int, int]:
        return {0: self._position}

    def close(self) -> None:
        """Nothing is open."""


def new_fold(log: object, *, cached: int = 20_000, **settings: Any) -> Fold:
    parsed = Settings.model_validate({"models": "nearest,logistic", **settings})
    cache = FeatureCache(as_log(log), cached, 2**29)
    return Fold(fold_config(parsed), Registry(), cache, position=0, started=STARTED)


def as_log(log: object) -> Log:
    """The fold asks nothing of the log but single records by position, and a replay for what it holds."""
    return log  # type: ignore[return-value]
