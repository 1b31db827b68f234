"""The reference of feature drift: what the projections of a stream's examples were like until now."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

FIRST = 100
"""Examples before anything is standardised: of fewer, the deviations are not known."""
MAX_EXAMPLES = 4_000
"""Examples that a reference weighs at most: it then forgets, so that a season or an ageing lens is no alarm. With many
more, a slow change rings in the end; with many fewer, the reference follows a change before that has been found."""
LEAST_SPREAD = 1e-6, 1e-12
"""The least deviation of a projection, relative to its mean and absolutely: less is the rounding of a constant."""


class FeatureReference:
    """Of each of ``k`` projections the mean, the variance, and the mean of its absolute standardised deviations.

    These are the moments that a change of camera moves: where the features lie, and how far they spread.

    >>> reference = FeatureReference(1)
    >>> for _ in range(3):
    ...     reference.add(np.array([[0.0], [100.0], [0.0], [80.0]]), 100)  # of 100 examples, with variance 1
    >>> usual, moved = (reference.distance(np.array([[mean], [0.8]]), 100) for mean in (0.1, 0.5))
    >>> usual < 1 < moved
    True
    """

    def __init__(self, k: int) -> None:
        self.examples = 0
        self.centre: FloatArray = np.zeros(k)
        self._variance: FloatArray = np.zeros(k)
        self._absolute: FloatArray = np.zeros(k)
        self.scale: FloatArray = np.zeros(k)
        """The inverse of the deviation; 0 before it is known."""

    def distance(self, means: FloatArray, examples: float) -> float:
        """The mean square of the standardised differences of ``means``, shape [2, k]: about 1 where nothing changed.

        The rows of ``means`` are of so many examples: the mean of the standardised deviations, and of their absolutes.
        """
        known = self.examples - FIRST
        location = np.square(means[0]) / (1 / examples + 1 / self.examples)
        spread = np.square(means[1] - self._absolute) / (1 / examples + 1 / known)
        # The variance of an absolute value is its mean square, 1, less its squared mean.
        spread /= np.maximum(1 - np.square(self._absolute), 0.1)
        return float((location.sum() + spread.sum()) / (2 * len(self.centre)))

    def add(self, sums: FloatArray, examples: int) -> None:
        """Take in a block's sums, shape [4, k]: see ``kernels.feature_moments.add_moments``."""
        before, total = self.examples, self.examples + examples
        mean = sums[0] / examples
        within = sums[1] - sums[0] * mean
        between = np.square(mean) * (before * examples / total)
        self._variance = (self._variance * before + within + between) / total
        self.centre = self.centre + mean * (examples / total)
        if before >= FIRST:
            self._absolute = self._absolute + (sums[3] / examples - self._absolute) * (examples / (total - FIRST))
        self.examples = min(total, MAX_EXAMPLES)
        self._set_scale()

    def _set_scale(self) -> None:
        relative, absolute = LEAST_SPREAD
        least = relative * np.abs(self.centre) + absolute
        known = self.examples >= FIRST
        self.scale = 1 / np.maximum(np.sqrt(np.maximum(self._variance, 0)), least) if known else 0 * self.centre

    def rows(self) -> FloatArray:
        """As a snapshot stores it, shape [3, k]; ``load`` is the inverse."""
        return np.stack([self.centre, self._variance, self._absolute])

    def load(self, rows: npt.NDArray[Any], examples: int) -> None:
        """The inverse of ``rows``."""
        self.centre, self._variance, self._absolute = rows.copy()
        self.examples = examples
        self._set_scale()
