"""How sharp a model's scores are made before the softmax, and what the newest labels say of that."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.scores import measure
from prequel.services.learner.models.base import Arrays
from prequel.services.learner.models.classes import grown

Array = npt.NDArray[np.float64]

_MIN_GROWTH = 4
"""It is measured again when there are a quarter more examples: the right sharpness of young scores grows about as fast
as the examples do. Every eighth costs twice the time and changes nothing, every half makes steps that labels feel."""
_MAX_CORRECTIONS = 128
"""Or after so many corrections, while they go on: a hundred wrong labels among a thousand change the sharpness by a few
percent."""


class Calibration:
    """The state of ``kernels.scores.calibrate`` and its scratch arrays.

    ``sharpness`` is what scores are multiplied with before the softmax until it has been measured on held-out examples
    (``measure``), or labels have taught a better value.
    """

    def __init__(self, sharpness: float) -> None:
        self._prior = float(np.log(sharpness))
        self.temperature, self.recent = np.array([self._prior, 0.0, 0.0]), np.zeros(2)
        self.scores, self.probabilities = np.zeros(2), np.zeros(2)
        self._since = np.zeros(2)
        """Since it was measured: examples learned, and corrections."""

    @property
    def arguments(self) -> tuple[Array, Array, Array, Array]:
        """``temperature, recent, scores, probabilities``, as the kernels take them."""
        return self.temperature, self.recent, self.scores, self.probabilities

    def count(self, examples: int) -> None:
        """So many examples were learned."""
        self._since[0] += examples

    def count_correction(self) -> None:
        """An example was unlearned, or the past made to weigh less."""
        self._since += 1.0

    def is_due(self, count: float) -> bool:
        """Whether to measure at the next opportunity; ``count`` is how many examples there are, or what they weigh."""
        examples, corrections = self._since.tolist()
        wanted = count // _MIN_GROWTH
        return bool(examples >= (min(wanted, _MAX_CORRECTIONS) if corrections else wanted))

    def measure(self, scores: Array, classes: npt.NDArray[np.int64]) -> None:
        """Take the sharpness that fits held-out ``scores`` [n, classes] of rows of these ``classes`` [n] best.

        What labels have taught beyond it stays, unless there were corrections: then it was taught by wrong labels.
        """
        log_sharpness = measure(scores, classes, self._prior, self.temperature[0], self.probabilities)
        learned = 0.0 if self._since[1] else self.temperature[1]
        self.temperature[:] = log_sharpness, learned, 0.0 if self._since[1] else self.temperature[2]
        self._since[:] = 0.0

    def grow(self, classes: int) -> None:
        """Make room for so many classes."""
        self.recent, self.scores = grown(self.recent, classes), grown(self.scores, classes)
        self.probabilities = grown(self.probabilities, classes)

    def arrays(self, classes: int) -> Arrays:
        heat = np.concatenate([self.temperature, self._since])
        return {"heat": heat, "recent": self.recent[:classes].copy()}

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.temperature, self._since = arrays["heat"][:3].copy(), arrays["heat"][3:].copy()
        self.recent = arrays["recent"].copy()
