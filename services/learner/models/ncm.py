"""`ncm`: the nearest class mean, the least that learns."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.scores import add_to_mean, dot, fold_means
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector
from prequel.services.learner.models.calibration import Calibration
from prequel.services.learner.models.classes import Classes, grown

_NOTHING = np.full(1, -1, np.int64)


class NearestClassMean:
    """Predicts the class with the nearest mean (Euclidean), from counts and totals; the same in any order.

    The probabilities are those of round Gaussian classes of one size, tempered. Unlearning restores the sums.
    """

    exact = True

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._classes, self._calibration = Classes(), Calibration(10.0)
        self.labels = self._classes.labels
        self._energy, self._counts, self._totals = np.zeros(1), np.zeros(2), np.zeros((2, dim))
        self._squares, self._lanes = np.zeros(2), np.zeros(LANES)

    def predict(self, x: Vector) -> Probabilities:
        out: Probabilities = self._run(x.reshape(1, -1), _NOTHING, len(self.labels), predicting=True)[0]
        return out

    def learn(self, x: Vector, label: str) -> None:
        known = len(self.labels)
        self._run(x.reshape(1, -1), np.array([self._classes.number(label)]), known, predicting=False)

    def unlearn(self, x: Vector, label: str) -> None:
        target = self._classes.find(label)
        add_to_mean(frozen(x), target, -1.0, self._energy, self._counts, self._totals, self._squares, self._lanes)

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        targets, known = self._classes.numbers(labels)
        out = self._run(xs, targets, known[0] if known else 0, predicting=True)
        return [out[i, :size] for i, size in enumerate(known)]

    def state(self) -> ModelState:
        size = len(self.labels)
        arrays = {"energy": self._energy.copy(), "counts": self._counts[:size].copy()}
        arrays |= {"totals": self._totals[:size].copy()} | self._calibration.arrays(size)
        return ModelState({"labels": list(self.labels), "dim": self._dim}, arrays)

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of."""
        self._classes = Classes(state.meta["labels"])
        self.labels = self._classes.labels
        self._energy, self._counts = state.arrays["energy"].copy(), state.arrays["counts"].copy()
        self._totals = state.arrays["totals"].copy()
        self._squares = np.array([dot(total, total, self._lanes) for total in self._totals])
        self._calibration.load(state.arrays)

    def _run(self, xs: Matrix, targets: npt.NDArray[np.int64], known: int, *, predicting: bool) -> Probabilities:
        if xs.shape[1] != self._dim:
            raise ValueError(f"{xs.shape[1]} features, the model has {self._dim}")
        size = len(self.labels)
        self._counts, self._totals = grown(self._counts, size), grown(self._totals, size)
        self._squares = grown(self._squares, size)
        self._calibration.grow(size)
        out = np.empty((len(xs) if predicting else 0, size))
        fold_means(
            frozen(xs),
            targets,
            predicting,
            known,
            self._energy,
            self._counts,
            self._totals,
            self._squares,
            self._calibration.heat,
            self._calibration.recent,
            self._calibration.scores,
            self._calibration.probabilities,
            self._lanes,
            out,
        )
        return out
