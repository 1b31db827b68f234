"""`logistic` and `softmax`: River's StandardScaler before its one-vs-rest logistic or its softmax regression."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.linear import fold, rescale
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector
from prequel.services.learner.models.classes import Classes, grown

_NOTHING = np.full(1, -1, np.int64)


class Linear:
    """Stochastic gradient descent on standardised features, one step per example.

    With ``multinomial`` False the same predictions as River's ``StandardScaler() |
    OneVsRestClassifier(LogisticRegression())``, else as ``StandardScaler() | SoftmaxRegression()``, with weights in
    float32, and moments, scores and sums in float64. ``rate`` is the learning rate (River's default is 0.01).
    """

    exact = False

    def __init__(self, dim: int, *, multinomial: bool, rate: float = 0.01) -> None:
        self._dim, self._multinomial, self._rate = dim, multinomial, rate
        self._classes, self._count = Classes(), 0
        self.labels = self._classes.labels
        self._weights, self._intercepts = np.zeros((2, dim), np.float32), np.zeros(2)
        self._mean, self._variance, self._scale = np.zeros(dim), np.zeros(dim), np.zeros(dim, np.float32)
        self._past, self._z, self._raw = np.zeros(dim, np.float32), np.zeros(dim, np.float32), np.zeros(2)
        self._before, self._after = np.zeros((2, LANES)), np.zeros((2, LANES))

    def predict(self, x: Vector) -> Probabilities:
        out: Probabilities = self._run(x.reshape(1, -1), _NOTHING, len(self.labels), predicting=True)[0]
        return out

    def learn(self, x: Vector, label: str) -> None:
        known = len(self.labels)
        self._run(x.reshape(1, -1), np.array([self._classes.number(label)]), known, predicting=False)

    def unlearn(self, x: Vector, label: str) -> None:
        raise NotImplementedError("gradient descent cannot take an example back: learn the right label instead")

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        targets, known = self._classes.numbers(labels)
        if not known:
            return []
        out = self._run(xs, targets, known[0], predicting=True)
        return [out[i, :size] for i, size in enumerate(known)]

    @property
    def size(self) -> int:
        """See models.model.Sized."""
        return len(self.labels) * (4 * self._dim + 8) + self._mean.nbytes + self._variance.nbytes

    def state(self) -> ModelState:
        size = len(self.labels)
        return ModelState(
            {"labels": list(self.labels), "count": self._count, "dim": self._dim},
            {
                "weights": self._weights[:size].copy(),
                "intercepts": self._intercepts[:size].copy(),
                "mean": self._mean.copy(),
                "variance": self._variance.copy(),
            },
        )

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of."""
        self._classes, self._count = Classes(state.meta["labels"]), state.meta["count"]
        self.labels = self._classes.labels
        self._weights, self._intercepts = state.arrays["weights"].copy(), state.arrays["intercepts"].copy()
        self._mean, self._variance = state.arrays["mean"].copy(), state.arrays["variance"].copy()
        rescale(self._variance, self._scale)

    def _run(self, xs: Matrix, targets: npt.NDArray[np.int64], known: int, *, predicting: bool) -> Probabilities:
        if xs.shape[1] != self._dim:
            raise ValueError(f"{xs.shape[1]} features, the model has {self._dim}")
        size = len(self.labels)
        if size > len(self._raw) or size > len(self._weights):
            self._grow(size)
        out = np.empty((len(xs) if predicting else 0, size))
        self._count = fold(
            frozen(xs),
            targets,
            self._multinomial,
            predicting,
            self._rate,
            known,
            self._count,
            self._weights,
            self._intercepts,
            self._mean,
            self._variance,
            self._scale,
            self._past,
            self._z,
            self._raw,
            self._before,
            self._after,
            out,
        )
        return out

    def _grow(self, size: int) -> None:
        self._weights, self._intercepts = grown(self._weights, size), grown(self._intercepts, size)
        self._before, self._after = grown(self._before, size), grown(self._after, size)
        self._raw = grown(self._raw, size)
