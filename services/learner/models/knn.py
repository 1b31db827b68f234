"""`knn`: the nearest neighbours among the newest examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, frozen, kernel
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector
from prequel.services.learner.models.classes import Classes, grown

Array = npt.NDArray[Any]


@kernel
def _distances(x: Array, rows: Array, size: int, lanes: Array, out: Array) -> None:
    """Squared Euclidean distances in float64, each in LANES partial sums."""
    whole = x.shape[0] - x.shape[0] % LANES
    for r in range(size):
        for i in range(LANES):
            lanes[i] = 0.0
        for j in range(0, whole, LANES):
            for i in range(LANES):
                apart = np.float64(x[j + i]) - np.float64(rows[r, j + i])
                lanes[i] += apart * apart
        for j in range(whole, x.shape[0]):
            apart = np.float64(x[j]) - np.float64(rows[r, j])
            lanes[j - whole] += apart * apart
        width = LANES // 2
        while width > 0:
            for i in range(width):
                lanes[i] += lanes[i + width]
            width //= 2
        out[r] = lanes[0]


class Neighbours:
    """The ``k`` nearest (Euclidean) of the last ``window`` labelled examples vote; a vote each.

    As scikit-learn's ``KNeighborsClassifier(k)`` fitted on the window, brute force. An example that is in the window
    already is relabelled, so that a correction corrects.
    """

    exact = False

    def __init__(self, dim: int, *, k: int = 5, window: int = 1000) -> None:
        self._dim, self._k, self._window = dim, k, window
        self._classes, self._learned = Classes(), 0
        self.labels = self._classes.labels
        self._rows, self._targets = np.zeros((2, dim), np.float32), np.zeros(2, np.int64)
        self._lanes, self._apart = np.zeros(LANES), np.zeros(2)

    def predict(self, x: Vector) -> Probabilities:
        return self._votes(self._measure(x))

    def learn(self, x: Vector, label: str) -> None:
        self._keep(x, label, self._measure(x))

    def unlearn(self, x: Vector, label: str) -> None:
        raise NotImplementedError("what the window has dropped cannot come back: learn the right label instead")

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        predictions = []
        for x, label in zip(xs, labels, strict=True):
            distances = self._measure(x)
            predictions.append(self._votes(distances))
            if label is not None:
                self._keep(x, label, distances)
        return predictions

    def state(self) -> ModelState:
        size = min(self._learned, self._window)
        meta = {"labels": list(self.labels), "dim": self._dim, "learned": self._learned}
        return ModelState(meta, {"rows": self._rows[:size].copy(), "targets": self._targets[:size].copy()})

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of."""
        self._classes, self._learned = Classes(state.meta["labels"]), state.meta["learned"]
        self.labels = self._classes.labels
        self._rows, self._targets = state.arrays["rows"].copy(), state.arrays["targets"].copy()

    def _measure(self, x: Vector) -> npt.NDArray[np.float64]:
        if x.size != self._dim:
            raise ValueError(f"{x.size} features, the model has {self._dim}")
        size = min(self._learned, self._window)
        self._apart = grown(self._apart, size)
        _distances(frozen(x), self._rows, size, self._lanes, self._apart)
        return self._apart[:size]

    def _votes(self, distances: npt.NDArray[np.float64]) -> Probabilities:
        if not len(distances):
            return np.empty(0)
        nearest = np.argsort(distances, kind="stable")[: self._k]
        votes = np.bincount(self._targets[nearest], minlength=len(self.labels))
        return votes / len(nearest)

    def _keep(self, x: Vector, label: str, distances: npt.NDArray[np.float64]) -> None:
        target = self._classes.number(label)
        same = int(distances.argmin()) if len(distances) else -1
        if same >= 0 and distances[same] == 0.0:
            self._targets[same] = target
            return
        at = self._learned % self._window
        self._rows, self._targets = grown(self._rows, at + 1), grown(self._targets, at + 1)
        self._rows[at], self._targets[at] = x, target
        self._learned += 1
