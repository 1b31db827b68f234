"""`logistic` and `softmax`: River's StandardScaler before its one-vs-rest logistic or its softmax regression."""

from typing import Any

import numpy as np

from prequel.services.learner.kernels.compiled import LANES
from prequel.services.learner.kernels.linear import fold_linear, rescale
from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets
from prequel.services.learner.models.capabilities import Loadable
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.models.rehearsal.rehearse import rehearse
from prequel.services.learner.portable import steps

RIVER_RATE, REHEARSAL_RATE = 0.01, 0.003
"""Learning rates: without rehearsal River's default; with it about a third, for each example then brings more steps."""


def logistic(dim: int, *, seed: int, rate: float | None, **rehearsal: Any) -> Loadable:
    """One-vs-rest logistic regression: see ``Linear``; ``rehearsal`` is what ``rehearse`` takes."""
    return rehearse(Linear(dim, multinomial=False, rate=_rate(rate, **rehearsal)), dim, seed=seed, **rehearsal)


def softmax(dim: int, *, seed: int, rate: float | None, **rehearsal: Any) -> Loadable:
    """Softmax regression: see ``Linear``; ``rehearsal`` is what ``rehearse`` takes."""
    return rehearse(Linear(dim, multinomial=True, rate=_rate(rate, **rehearsal)), dim, seed=seed, **rehearsal)


def _rate(rate: float | None, *, replay: str, **others: Any) -> float:
    return rate or (RIVER_RATE if replay == "none" else REHEARSAL_RATE)


class Linear(IncrementalModel):
    """Stochastic gradient descent on standardised features, one step for each example.

    With ``multinomial`` False the same predictions as River's ``StandardScaler() |
    OneVsRestClassifier(LogisticRegression())``, else as ``StandardScaler() | SoftmaxRegression()``, with weights in
    float32 [classes, dim], and moments, scores and sums in float64. ``rate`` is the learning rate, above 0.
    ``unlearn`` is not possible: a step depends on all steps before it.

    >>> import numpy as np
    >>> model = Linear(2, multinomial=True, rate=0.1)
    >>> xs = np.array([[0, 1], [1, 0]] * 50, np.float32)
    >>> predictions = model.fold(xs, ["cat", "dog"] * 50)
    >>> model.labels, predictions[-1].round(1)
    (['cat', 'dog'], array([0., 1.]))
    """

    def __init__(self, dim: int, *, multinomial: bool, rate: float) -> None:
        super().__init__(dim)
        self._multinomial, self._rate, self._count = multinomial, rate, 0
        self._weights, self._intercepts = np.zeros((2, dim), np.float32), np.zeros(2)
        self._mean, self._variance, self._scale = np.zeros(dim), np.zeros(dim), np.zeros(dim, np.float32)
        self._past, self._z, self._raw = np.zeros(dim, np.float32), np.zeros(dim, np.float32), np.zeros(2)
        self._before, self._after = np.zeros((2, LANES)), np.zeros((2, LANES))

    @property
    def size(self) -> int:
        """See ``capabilities.SizedModel``."""
        return len(self.labels) * (4 * self._dim + 8) + self._mean.nbytes + self._variance.nbytes

    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        self._count = fold_linear(
            xs,
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

    def portable(self) -> tuple[steps.Step, ...]:
        """See ``capabilities.portable_steps``."""
        classes = len(self.labels)
        scores = steps.Linear(self._weights[:classes].copy(), self._intercepts[:classes].copy())
        last = steps.Softmax() if self._multinomial else steps.OneVsRest()
        return steps.Standardise(self._mean.copy(), self._scale.copy()), scores, last

    def _grow(self, classes: int) -> None:
        self._weights, self._intercepts = grown(self._weights, classes), grown(self._intercepts, classes)
        self._before, self._after = grown(self._before, classes), grown(self._after, classes)
        self._raw = grown(self._raw, classes)

    def _meta(self) -> dict[str, Any]:
        return {"count": self._count}

    def _arrays(self) -> Arrays:
        classes = len(self.labels)
        arrays: Arrays = {"weights": self._weights[:classes].copy(), "intercepts": self._intercepts[:classes].copy()}
        return arrays | {"mean": self._mean.copy(), "variance": self._variance.copy()}

    def _load(self, state: ModelState) -> None:
        arrays, self._count = state.arrays, state.meta["count"]
        self._weights, self._intercepts = arrays["weights"].copy(), arrays["intercepts"].copy()
        self._mean, self._variance = arrays["mean"].copy(), arrays["variance"].copy()
        rescale(self._variance, self._scale)
