"""`perceptron` and `passive-aggressive`: linear models that learn from mistakes, one class against the rest."""

import numpy as np

from prequel.services.learner.kernels.compiled import LANES
from prequel.services.learner.kernels.scores import fold_margins
from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets
from prequel.services.learner.models.calibration import Calibration
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.portable.steps import Linear, Step


def perceptron(dim: int, *, seed: int, rate: float) -> "Margin":
    """The perceptron with steps of ``rate``: see ``Margin``."""
    return Margin(dim, aggressive=False, limit=rate)


def passive_aggressive(dim: int, *, seed: int, limit: float) -> "Margin":
    """Passive-aggressive I with C = ``limit``: see ``Margin``."""
    return Margin(dim, aggressive=True, limit=limit)


class Margin(IncrementalModel):
    """The same labels as scikit-learn's ``partial_fit``, one example at a time, if that knew all classes beforehand.

    ``aggressive`` False: ``Perceptron()``, with steps of ``limit``. True: passive-aggressive I with C = ``limit``
    (Crammer et al., "Online passive-aggressive algorithms", JMLR 7, 2006), which in scikit-learn is
    ``SGDClassifier(loss="hinge", penalty=None, learning_rate="pa1", eta0=C)``. ``limit`` is above 0. Neither scales its
    features (``scale|perceptron`` does). The probabilities are tempered margins. Weights and intercepts are float64;
    their row 0 is that of the classes still to come, row k + 1 that of class k. ``unlearn`` is not possible: each
    correction depends on those before it.

    >>> import numpy as np
    >>> model = Margin(2, aggressive=True, limit=1.0)
    >>> predictions = model.fold(np.array([[0, 1], [1, 0]] * 20, np.float32), ["cat", "dog"] * 20)
    >>> model.labels, predictions[-1].argmax().item()
    (['cat', 'dog'], 1)
    """

    def __init__(self, dim: int, *, aggressive: bool, limit: float) -> None:
        super().__init__(dim)
        self._aggressive, self._limit = aggressive, limit
        self._calibration, self._lanes = Calibration(sharpness=1.0), np.zeros(LANES)
        self._weights, self._intercepts, self._counts = np.zeros((3, dim)), np.zeros(3), np.zeros(2)

    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        fold_margins(
            xs,
            targets,
            predicting,
            self._aggressive,
            self._limit,
            known,
            self._weights,
            self._intercepts,
            self._counts,
            *self._calibration.arguments,
            self._lanes,
            out,
        )

    def portable(self) -> tuple[Step, ...]:
        """See ``capabilities.portable_steps``."""
        end = len(self.labels) + 1
        scores = Linear(self._weights[1:end].copy(), self._intercepts[1:end].copy())
        return scores, self._calibration.portable(self._counts[: len(self.labels)])

    def _grow(self, classes: int) -> None:
        self._weights, self._intercepts = grown(self._weights, classes + 1), grown(self._intercepts, classes + 1)
        self._counts = grown(self._counts, classes)
        self._calibration.grow(classes)

    def _arrays(self) -> Arrays:
        classes = len(self.labels)
        weights, intercepts = self._weights[: classes + 1].copy(), self._intercepts[: classes + 1].copy()
        arrays = {"weights": weights, "intercepts": intercepts, "counts": self._counts[:classes].copy()}
        return arrays | self._calibration.arrays(classes)

    def _load(self, state: ModelState) -> None:
        self._weights, self._intercepts = state.arrays["weights"].copy(), state.arrays["intercepts"].copy()
        self._counts = state.arrays["counts"].copy()
        self._calibration.load(state.arrays)
