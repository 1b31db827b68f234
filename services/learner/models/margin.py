"""`perceptron` and `passive-aggressive`: linear models that learn from mistakes, one class against the rest."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.scores import fold_margins
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector
from prequel.services.learner.models.calibration import Calibration
from prequel.services.learner.models.classes import Classes, grown

_NOTHING = np.full(1, -1, np.int64)


class Margin:
    """The same labels as scikit-learn's ``partial_fit``, one example at a time, told all classes beforehand.

    ``aggressive`` False: ``Perceptron()``, with steps of ``limit``. True: passive-aggressive I with C = ``limit``
    (Crammer et al., JMLR 7, 2006), ``SGDClassifier(loss="hinge", penalty=None, learning_rate="pa1", eta0=C)``.
    Neither scales its features (``scale|perceptron`` does). The probabilities are tempered margins.
    """

    exact = False

    def __init__(self, dim: int, *, aggressive: bool, limit: float = 1.0) -> None:
        self._dim, self._aggressive, self._limit = dim, aggressive, limit
        self._classes, self._calibration = Classes(), Calibration(1.0)
        self.labels = self._classes.labels
        self._weights, self._intercepts, self._counts = np.zeros((3, dim)), np.zeros(3), np.zeros(2)
        self._lanes = np.zeros(LANES)

    def predict(self, x: Vector) -> Probabilities:
        out: Probabilities = self._run(x.reshape(1, -1), _NOTHING, len(self.labels), predicting=True)[0]
        return out

    def learn(self, x: Vector, label: str) -> None:
        known = len(self.labels)
        self._run(x.reshape(1, -1), np.array([self._classes.number(label)]), known, predicting=False)

    def unlearn(self, x: Vector, label: str) -> None:
        raise NotImplementedError("what was learned from mistakes cannot be taken back: learn the right label instead")

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        targets, known = self._classes.numbers(labels)
        out = self._run(xs, targets, known[0] if known else 0, predicting=True)
        return [out[i, :size] for i, size in enumerate(known)]

    def state(self) -> ModelState:
        size = len(self.labels)
        arrays = {"weights": self._weights[: size + 1].copy(), "intercepts": self._intercepts[: size + 1].copy()}
        arrays |= {"counts": self._counts[:size].copy()} | self._calibration.arrays(size)
        return ModelState({"labels": list(self.labels), "dim": self._dim}, arrays)

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of."""
        self._classes = Classes(state.meta["labels"])
        self.labels = self._classes.labels
        self._weights, self._intercepts = state.arrays["weights"].copy(), state.arrays["intercepts"].copy()
        self._counts = state.arrays["counts"].copy()
        self._calibration.load(state.arrays)

    def _run(self, xs: Matrix, targets: npt.NDArray[np.int64], known: int, *, predicting: bool) -> Probabilities:
        if xs.shape[1] != self._dim:
            raise ValueError(f"{xs.shape[1]} features, the model has {self._dim}")
        size = len(self.labels)
        self._weights, self._intercepts = grown(self._weights, size + 1), grown(self._intercepts, size + 1)
        self._counts = grown(self._counts, size)
        self._calibration.grow(size)
        out = np.empty((len(xs) if predicting else 0, size))
        fold_margins(
            frozen(xs),
            targets,
            predicting,
            self._aggressive,
            self._limit,
            known,
            self._weights,
            self._intercepts,
            self._calibration.heat,
            self._calibration.recent,
            self._counts,
            self._calibration.scores,
            self._calibration.probabilities,
            self._lanes,
            out,
        )
        return out
