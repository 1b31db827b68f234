"""What the learner's tests are built of: records as the log holds them, a model small enough to check by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.learner.feature_cache import FeatureCache
from services.learner.fold import Fold
from services.learner.learner import limits
from services.learner.models import table
from services.learner.models.model import Matrix, Model, ModelState, Probabilities, Vector
from shared.config import Settings
from shared.events import Image, encode_command, encode_features, encode_label
from shared.log import EXAMPLES, Bounds, Log, Message, Position, Record

BACKBONE = "test-3"
DIM = 3


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


class Table:
    """The real table, and ``nearest``."""

    def create(self, spec: str, dim: int, *, seed: int) -> Model:
        return Nearest(dim) if spec == "nearest" else table.create(spec, dim, seed=seed)

    def restore(self, spec: str, state: ModelState) -> Model:
        if spec != "nearest":
            return table.restore(spec, state)
        model = Nearest(0)
        model.labels, model._sums = list(state.meta["labels"]), state.arrays["sums"]
        return model


class Written:
    """The records of ``examples`` in one partition, as a log would number them."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, message: Message) -> Record:
        record = Record(EXAMPLES, 0, len(self.records), message.key, message.value, message.headers, 1_000.0)
        self.records.append(record)
        return record

    def features(self, id: str, x: Sequence[float], label: str | None = None, *, stream: str = "s") -> Record:
        offset = len(self.records)
        image = Image(id, stream, label, 1_000.0 + offset, b"", Position(0, offset))
        return self.append(encode_features(image, np.array(x, np.float32), BACKBONE, source="test"))

    def label(self, id: str, label: str | None, *, stream: str = "s") -> Record:
        offset = len(self.records)
        time = 1_000.0 + offset
        return self.append(encode_label(stream, id, label, by="test", time=time, event_id=f"l{offset}", source="test"))

    def command(self, id: str, do: str, *, stream: str = "s", **more: object) -> Record:
        time = 1_000.0 + len(self.records)
        return self.append(encode_command(stream, id, do, more=more, by="test", time=time, source="test"))

    def delete(self, id: str, *, stream: str = "s", late: int = 0) -> Record:
        """Delete the stream; the images of the next ``late`` records are from before."""
        return self.command(id, "stream.delete", stream=stream, images={"0": len(self.records) + 1 + late})

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        return {offset: self.records[offset] for offset in offsets}

    def bounds(self, topic: str) -> dict[int, Bounds]:
        return {0: Bounds(0, len(self.records))}


def new_fold(log: object, *, cached: int = 20_000, **settings: Any) -> Fold:
    given = Settings.model_validate({"models": "nearest,logistic", **settings})
    cache = FeatureCache(_log(log), cached, 2**29)
    return Fold(limits(given), Table(), cache, position=0)


def _log(log: object) -> Log:
    """The fold asks nothing of the log but single records by position."""
    return log  # type: ignore[return-value]
