"""`ncm`: the nearest class mean, the simplest model that learns."""

from copy import deepcopy

import numpy as np

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.scores import add_to_mean, dot, fold_means
from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets, Vector
from prequel.services.learner.models.calibration import Calibration
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.models.leave_one_out import LeaveOneOut, OneByOne
from prequel.services.learner.portable.steps import NO_EXAMPLES, Linear, Step


class NearestClassMean(IncrementalModel):
    """Predicts the class with the nearest mean (Euclidean), from counts and totals; the same in any order.

    The probabilities are those of round Gaussian classes of one common spread, tempered: see ``kernels.scores``.
    Labels equal those of scikit-learn's ``NearestCentroid``. ``unlearn`` is exact: it subtracts from the sums.

    >>> import numpy as np
    >>> model = NearestClassMean(2)
    >>> model.learn(np.array([0, 0], np.float32), "cat")
    >>> model.learn(np.array([4, 4], np.float32), "dog")
    >>> model.labels, model.predict(np.array([3, 4], np.float32)).round(2)
    (['cat', 'dog'], array([0.14, 0.86]))
    """

    exact = True

    def __init__(self, dim: int, *, seed: int = 0) -> None:
        super().__init__(dim, seed=seed)
        self._calibration, self._lanes = Calibration(sharpness=10.0), np.zeros(LANES)
        self._energy, self._counts, self._totals = np.zeros(1), np.zeros(2), np.zeros((2, dim))
        self._squares = np.zeros(2)
        """Squared norms of the totals, which follow from them and so are not stored."""

    def unlearn(self, x: Vector, label: str) -> None:
        self._add(x, self._classes.find(label), -1.0)

    def _add(self, x: Vector, target: int, sign: float) -> None:
        sums = self._energy, self._counts, self._totals, self._squares
        add_to_mean(frozen(x), target, sign, *sums, self._lanes)

    def portable(self) -> tuple[Step, ...]:
        """See ``capabilities.portable_steps``, and ``kernels.scores.score_means``."""
        classes = len(self.labels)
        counts, squares, energy = self._counts[:classes], self._squares[:classes], float(self._energy[0])
        known = counts > 0.0
        safe = np.where(known, counts, 1.0)
        total, between = float(counts[known].sum()), float((squares / safe)[known].sum())
        spread = (energy - between) / max(total, 1.0)
        if not spread > 1e-12 * energy / max(total, 1.0):
            spread = max(energy, between, 1e-300)
        weights = np.where(known[:, None], self._totals[:classes] / safe[:, None] / spread, 0.0)
        offsets = np.where(known, -0.5 * squares / safe / safe / spread, NO_EXAMPLES)
        return Linear(weights, offsets), self._calibration.portable(counts)

    def leave_one_out(self) -> LeaveOneOut:
        """See ``leave_one_out.leave_one_out``: rows leave the sums and come back, and the temperature stays."""
        model = deepcopy(self)

        def without(x: Vector, target: int) -> Probabilities:
            model._add(x, target, -1.0)
            predicted = model.predict(x)
            model._add(x, target, 1.0)
            return predicted

        return OneByOne(model.predict, without)

    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        sums = self._energy, self._counts, self._totals, self._squares
        fold_means(xs, targets, predicting, known, *sums, *self._calibration.arguments, self._lanes, out)

    def _grow(self, classes: int) -> None:
        self._counts, self._totals = grown(self._counts, classes), grown(self._totals, classes)
        self._squares = grown(self._squares, classes)
        self._calibration.grow(classes)

    def _arrays(self) -> Arrays:
        classes = len(self.labels)
        arrays = {"energy": self._energy.copy(), "counts": self._counts[:classes].copy()}
        return arrays | {"totals": self._totals[:classes].copy()} | self._calibration.arrays(classes)

    def _load(self, state: ModelState) -> None:
        arrays = state.arrays
        self._energy, self._counts, self._totals = (arrays[name].copy() for name in ("energy", "counts", "totals"))
        self._squares = np.array([dot(total, total, self._lanes) for total in self._totals])
        self._calibration.load(arrays)
