"""The state of a temperature: how sharp, how sure of that, and what labels came lately."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.classes import grown


class Calibration:
    """What the kernels' ``calibrate`` keeps, and their scratch space. ``sharpness`` is where it starts."""

    def __init__(self, sharpness: float) -> None:
        self.heat, self.recent = np.array([np.log(sharpness), 0.0]), np.zeros(2)
        self.scores, self.probabilities = np.zeros(2), np.zeros(2)

    def grow(self, classes: int) -> None:
        self.recent, self.scores = grown(self.recent, classes), grown(self.scores, classes)
        self.probabilities = grown(self.probabilities, classes)

    def arrays(self, classes: int) -> dict[str, npt.NDArray[Any]]:
        return {"heat": self.heat.copy(), "recent": self.recent[:classes].copy()}

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.heat, self.recent = arrays["heat"].copy(), arrays["recent"].copy()
