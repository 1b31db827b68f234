"""`replay=reservoir`: a uniform sample of all examples so far."""

import numpy as np

from prequel.services.learner.models.base import Arrays, Vector
from prequel.services.learner.models.rehearsal.memory import Recalled


class ReservoirMemory:
    """A uniform sample of all examples so far (Vitter, "Random sampling with a reservoir", ACM TOMS 11, 1985)."""

    def __init__(self, dim: int, size: int) -> None:
        self._xs = np.zeros((size, dim), np.float32)
        self._classes = np.zeros(size, np.int64)
        self._seen = 0

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None:
        slot = self._seen if self._seen < len(self._xs) else int(random.integers(self._seen + 1))
        self._seen += 1
        if slot < len(self._xs):
            self._xs[slot], self._classes[slot] = x, label

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        stored = min(self._seen, len(self._xs))
        chosen = random.integers(stored, size=count) if stored else np.zeros(0, np.int64)
        return Recalled(self._xs[chosen], self._classes[chosen])

    def arrays(self) -> Arrays:
        stored = min(self._seen, len(self._xs))
        return {
            "xs": self._xs[:stored].copy(),
            "classes": self._classes[:stored].copy(),
            "seen": np.array([self._seen]),
        }

    def load(self, arrays: Arrays) -> None:
        stored = len(arrays["xs"])
        self._xs[:stored], self._classes[:stored] = arrays["xs"], arrays["classes"]
        self._seen = int(arrays["seen"][0])
