"""`naive-bayes`: Gaussian naive Bayes, as River's, and able to unlearn."""

import numpy as np

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.naive_bayes import fold_gaussians, remove_example, sharpen
from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets, Vector
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.portable.steps import NO_EXAMPLES, Gaussians, Softmax, Step


class NaiveBayes(IncrementalModel):
    """For each class and feature a mean and a variance; every feature votes by itself, with the density at its value.

    The same predictions as River's ``naive_bayes.GaussianNB()``, its floor of 1e-9 under each density included.
    ``unlearn`` takes an example out of mean and variance, exact up to rounding. The arrays of the state are float64:
    counts [classes], means and scatters (sums of squared deviations) [classes, dim].

    >>> import numpy as np
    >>> model = NaiveBayes(1)
    >>> for value in (1, 2, 3, 11, 12, 13):
    ...     model.learn(np.array([value], np.float32), "low" if value < 10 else "high")
    >>> model.labels, model.predict(np.array([2.5], np.float32)).round(3)
    (['low', 'high'], array([1., 0.]))
    """

    exact = True

    def __init__(self, dim: int, *, seed: int = 0) -> None:
        super().__init__(dim, seed=seed)
        self._counts, self._means, self._scatters = np.zeros(2), np.zeros((2, dim)), np.zeros((2, dim))
        # Half the inverse variance and the height of each density: they follow from the scatters, but cost a root.
        self._precisions, self._heights = np.zeros((2, dim)), np.zeros((2, dim))
        self._logs, self._power, self._density = np.zeros(2), np.zeros(dim, np.int64), np.zeros(dim)
        self._products, self._exponents = np.zeros(LANES), np.zeros(LANES, np.int64)

    def unlearn(self, x: Vector, label: str) -> None:
        k = self._classes.find(label)
        self._counts[k] -= 1.0
        gaussian = self._means[k], self._scatters[k], self._precisions[k], self._heights[k]
        remove_example(frozen(x), self._counts[k], *gaussian)

    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        fold_gaussians(
            xs,
            targets,
            predicting,
            known,
            self._counts,
            self._means,
            self._scatters,
            self._precisions,
            self._heights,
            self._logs,
            self._power,
            self._density,
            self._products,
            self._exponents,
            out,
        )

    def portable(self) -> tuple[Step, ...]:
        """See ``capabilities.portable_steps``."""
        classes = len(self.labels)
        counts = self._counts[:classes]
        known = counts > 0.0
        priors = np.where(known, np.log(np.where(known, counts, 1.0) / counts.sum()), NO_EXAMPLES)
        own = self._means[:classes], self._precisions[:classes], self._heights[:classes]
        return Gaussians(priors, *(array.copy() for array in own)), Softmax()

    def _grow(self, classes: int) -> None:
        self._counts, self._means = grown(self._counts, classes), grown(self._means, classes)
        self._scatters, self._precisions = grown(self._scatters, classes), grown(self._precisions, classes)
        self._heights, self._logs = grown(self._heights, classes), grown(self._logs, classes)

    def _arrays(self) -> Arrays:
        classes = len(self.labels)
        arrays = {"counts": self._counts, "means": self._means, "scatters": self._scatters}
        return {name: array[:classes].copy() for name, array in arrays.items()}

    def _load(self, state: ModelState) -> None:
        arrays = state.arrays
        self._counts, self._means, self._scatters = (arrays[name].copy() for name in ("counts", "means", "scatters"))
        self._precisions, self._heights = np.zeros_like(self._scatters), np.zeros_like(self._scatters)
        for k, count in enumerate(self._counts):
            sharpen(self._scatters[k], max(count, 1.0), self._precisions[k], self._heights[k])
