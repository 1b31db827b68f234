"""`mlp`: a small neural head in Keras that grows by one output unit with every new class."""

import math
from collections.abc import Sequence

import numpy as np

from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector
from prequel.services.learner.models.classes import Classes
from prequel.services.learner.models.keras_networks import Classifier

HIDDEN = (256, 16)
MOMENTUM = 0.9
RATE = 0.07
"""By default, divided by the root of the dimension: the more features, the further one step moves the sums."""
_FARTHEST = np.float32(100)
"""In deviations: a feature beyond it counts as one there, so that no sum of the network overflows."""


class Mlp:
    """Two hidden layers of rectified units and a softmax, trained by SGD with momentum and decay.

    Every ``batch`` learned examples make one step, whenever they come: the schedule depends on their number alone.
    Keras computes the steps; predictions are computed here, row by row, so that they do not depend on batches.
    """

    exact = False

    def __init__(self, dim: int, seed: int, *, rate: float | None = None, decay: float = 1e-3, batch: int = 8) -> None:
        self._dim, self._seed, self._decay, self._batch = dim, seed, decay, batch
        self._rate = rate or RATE / math.sqrt(dim)
        self._classes = Classes()
        self.labels = self._classes.labels
        self._net = Classifier(dim, HIDDEN, MOMENTUM, seed)
        self._steps = 0
        self._xs: list[Vector] = []
        self._targets: list[int] = []

    def predict(self, x: Vector) -> Probabilities:
        if not self.labels:
            return np.zeros(0)
        hidden = np.clip(x, -_FARTHEST, _FARTHEST)
        *layers, kernel, bias = self._net.weights
        for inner, shift in zip(layers[::2], layers[1::2], strict=True):
            hidden = np.maximum(hidden @ inner + shift, 0)
        scores = (hidden @ kernel + bias).astype(np.float64)
        shares = np.exp(scores - scores.max())
        return np.asarray(shares / shares.sum())

    def learn(self, x: Vector, label: str) -> None:
        number = self._classes.number(label)
        if number >= (self._net.weights[-1].size if self._net.weights else 0):
            self._net.grow()
        self._xs.append(np.clip(x, -_FARTHEST, _FARTHEST))
        self._targets.append(number)
        if len(self._xs) == self._batch:
            self._step()

    def _step(self) -> None:
        rate = self._rate / (1 + self._decay * self._steps)
        self._net.step(np.stack(self._xs), np.array(self._targets, np.int64), rate)
        self._steps += 1
        self._xs, self._targets = [], []

    def unlearn(self, x: Vector, label: str) -> None:
        raise NotImplementedError("gradient descent cannot take an example back: learn the right label instead")

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        predictions = []
        for x, label in zip(xs, labels, strict=True):
            predictions.append(self.predict(x))
            if label is not None:
                self.learn(x, label)
        return predictions

    def state(self) -> ModelState:
        meta = {"dim": self._dim, "seed": self._seed, "labels": list(self.labels), "steps": self._steps}
        arrays = {f"weights.{number:02d}": array.copy() for number, array in enumerate(self._net.weights)}
        arrays |= {f"velocities.{number:02d}": array.copy() for number, array in enumerate(self._net.velocities)}
        arrays["xs"] = np.array(self._xs, np.float32).reshape(-1, self._dim)
        return ModelState(meta, arrays | {"targets": np.array(self._targets, np.int64)})

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of."""
        self._classes, self._steps = Classes(state.meta["labels"]), state.meta["steps"]
        self.labels = self._classes.labels
        self._xs, self._targets = list(state.arrays["xs"]), state.arrays["targets"].tolist()
        names = sorted(state.arrays)
        self._net.load(
            [state.arrays[name] for name in names if name.startswith("weights.")],
            [state.arrays[name] for name in names if name.startswith("velocities.")],
        )
