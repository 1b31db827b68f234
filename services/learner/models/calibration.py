"""The state of a temperature: how sharp, how certain of that, and the shares of the newest labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Arrays
from prequel.services.learner.models.classes import grown

Array = npt.NDArray[np.float64]


class Calibration:
    """The state of ``kernels.scores.calibrate`` and its scratch arrays.

    ``sharpness`` is what scores are multiplied with before the softmax until labels have taught a better value.
    """

    def __init__(self, sharpness: float) -> None:
        self.temperature, self.recent = np.array([np.log(sharpness), 0.0]), np.zeros(2)
        self.scores, self.probabilities = np.zeros(2), np.zeros(2)

    @property
    def arguments(self) -> tuple[Array, Array, Array, Array]:
        """``temperature, recent, scores, probabilities``, as the kernels take them."""
        return self.temperature, self.recent, self.scores, self.probabilities

    def grow(self, classes: int) -> None:
        """Make room for so many classes."""
        self.recent, self.scores = grown(self.recent, classes), grown(self.scores, classes)
        self.probabilities = grown(self.probabilities, classes)

    def arrays(self, classes: int) -> Arrays:
        return {"heat": self.temperature.copy(), "recent": self.recent[:classes].copy()}

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.temperature, self.recent = arrays["heat"].copy(), arrays["recent"].copy()
