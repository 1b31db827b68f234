"""`knn`: the nearest neighbours among the newest examples."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES
from prequel.services.learner.kernels.distances import squared_distances
from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets, Vector
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.portable.steps import VOTES, Neighbours, Step


class NearestNeighbours(IncrementalModel):
    """The ``k`` nearest (Euclidean) of the last ``window`` labelled examples vote, one vote each.

    The votes are those of scikit-learn's ``KNeighborsClassifier(k)`` fitted on the window, by brute force; a
    class's probability goes as the square of its votes and half a vote more, so that none has 0. An example that is in
    the window already is relabelled, so that a correction corrects. ``k`` and ``window`` are at least 1. The window is
    float32 [examples, dim]. ``unlearn`` is not possible: an example that left the window cannot come back.

    >>> import numpy as np
    >>> model = NearestNeighbours(1, k=3, window=100)
    >>> for value in (1, 2, 3, 11, 12, 13):
    ...     model.learn(np.array([value], np.float32), "low" if value < 10 else "high")
    >>> model.labels, model.predict(np.array([8], np.float32)).round(3)
    (['low', 'high'], array([0.265, 0.735]))
    """

    def __init__(self, dim: int, *, k: int, window: int, seed: int = 0) -> None:
        super().__init__(dim, seed=seed)
        self._k, self._window, self._learned = k, window, 0
        self._rows, self._targets = np.zeros((2, dim), np.float32), np.zeros(2, np.int64)
        self._lanes, self._distances = np.zeros(LANES), np.zeros(2)

    @property
    def full_size(self) -> int:
        """See ``capabilities.GrowingModel``."""
        return self._window * (4 * self._dim + 8)

    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        for i, (x, target) in enumerate(zip(xs, targets.tolist(), strict=True)):
            distances = self._measure(x)
            if predicting and known:
                out[i, :known] = self._votes(distances, known)
            if target >= 0:
                known = max(known, target + 1)
                self._keep(x, target, distances)

    def portable(self) -> tuple[Step, ...]:
        """See ``capabilities.portable_steps``: the examples of the window are in it."""
        arrays = self._arrays()
        return (Neighbours(arrays["rows"], arrays["targets"], self._k, len(self.labels)),)

    def _meta(self) -> dict[str, Any]:
        return {"learned": self._learned}

    def _arrays(self) -> Arrays:
        size = min(self._learned, self._window)
        return {"rows": self._rows[:size].copy(), "targets": self._targets[:size].copy()}

    def _load(self, state: ModelState) -> None:
        self._learned = state.meta["learned"]
        self._rows, self._targets = state.arrays["rows"].copy(), state.arrays["targets"].copy()

    def _measure(self, x: Vector) -> npt.NDArray[np.float64]:
        """Squared distances to the examples of the window, shape [examples]; valid until the next call."""
        size = min(self._learned, self._window)
        self._distances = grown(self._distances, size)
        squared_distances(x, self._rows, size, self._lanes, self._distances)
        return self._distances[:size]

    def _votes(self, distances: npt.NDArray[np.float64], classes: int) -> Probabilities:
        nearest = np.argsort(distances, kind="stable")[: self._k]
        squares = np.square(np.bincount(self._targets[nearest], minlength=classes) + VOTES)
        shares: Probabilities = squares / squares.sum()
        return shares

    def _keep(self, x: Vector, target: int, distances: npt.NDArray[np.float64]) -> None:
        """Put the example into the window in place of the oldest, or relabel it if it is there."""
        same = int(distances.argmin()) if len(distances) else -1
        if same >= 0 and distances[same] == 0.0:
            self._targets[same] = target
            return
        at = self._learned % self._window
        self._rows, self._targets = grown(self._rows, at + 1), grown(self._targets, at + 1)
        self._rows[at], self._targets[at] = x, target
        self._learned += 1
