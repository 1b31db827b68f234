"""`mlp`: a small neural head in Keras that grows by one output unit with every new class."""

import math
from typing import Any

import numpy as np

from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets, Vector
from prequel.services.learner.models.capabilities import Loadable
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.models.networks.growing_classifier import GrowingClassifier
from prequel.services.learner.models.rehearsal.rehearse import rehearse
from prequel.services.learner.models.scaling import ScaledModel
from prequel.services.learner.portable import steps

HIDDEN = (256, 16)
"""Units of the two hidden layers."""
MOMENTUM = 0.9
RATE = 0.07
"""Default learning rate times the root of the dimension: the more features, the further one step moves the sums."""
_MAX_DEVIATION = np.float32(100)
"""Where standardised features are cut off, so that no sum of the network overflows."""


def mlp(dim: int, *, seed: int, rate: float | None, decay: float, batch: int, **rehearsal: Any) -> Loadable:
    """``Mlp`` on standardised features; ``rehearsal`` is what ``rehearse`` takes."""
    head = Mlp(dim, seed=seed, rate=rate, decay=decay, batch=batch)
    return rehearse(ScaledModel(head, dim, seed=seed), dim, seed=seed, **rehearsal)


class Mlp(IncrementalModel):
    """Two hidden layers of rectified units and a softmax, trained by SGD with momentum and a decaying rate.

    Every ``batch`` (at least 1) learned examples make one step, whenever they come: the schedule depends on their
    number alone. Step t has the learning rate ``rate`` / (1 + ``decay`` t); ``rate`` None is RATE / sqrt(dim). First
    weights follow from ``seed``. All weights are float32. Keras computes the steps; predictions are computed here, row
    by row, so that they do not depend on how rows are grouped. ``unlearn`` is not possible: a step depends on all steps
    before it.

    >>> import numpy as np
    >>> model = Mlp(2, seed=0, rate=0.1, decay=0.0, batch=4)
    >>> predictions = model.fold(np.array([[-1, 1], [1, -1]] * 40, np.float32), ["cat", "dog"] * 40)
    >>> model.labels, predictions[-1].argmax().item()
    (['cat', 'dog'], 1)
    """

    def __init__(self, dim: int, *, seed: int, rate: float | None, decay: float, batch: int) -> None:
        super().__init__(dim, seed=seed)
        self._rate, self._decay, self._batch_size = rate or RATE / math.sqrt(dim), decay, batch
        self._net = GrowingClassifier(dim, HIDDEN, MOMENTUM, seed)
        self._steps = 0
        self._xs: list[Vector] = []
        self._targets: list[int] = []

    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        for i, (x, target) in enumerate(zip(np.clip(xs, -_MAX_DEVIATION, _MAX_DEVIATION), targets, strict=True)):
            if predicting and known:
                out[i, :known] = self._probabilities(x)
            if target >= 0:
                known = max(known, int(target) + 1)
                self._learn(x, int(target))

    def _probabilities(self, x: Vector) -> Probabilities:
        *layers, kernel, bias = self._net.weights
        hidden = x
        for inner, shift in zip(layers[::2], layers[1::2], strict=True):
            hidden = np.maximum(hidden @ inner + shift, 0)
        scores = (hidden @ kernel + bias).astype(np.float64)
        shares = np.exp(scores - scores.max())
        return np.asarray(shares / shares.sum())

    def portable(self) -> tuple[steps.Step, ...]:
        """See ``capabilities.portable_steps``."""
        weights = self._net.weights
        pairs = zip(weights[::2], weights[1::2], strict=True)
        layers = [steps.Linear(kernel.T.copy(), bias.copy()) for kernel, bias in pairs]
        hidden = [step for layer in layers[:-1] for step in (layer, steps.Rectify())]
        return steps.Clip(float(_MAX_DEVIATION)), *hidden, layers[-1], steps.Softmax()

    def _learn(self, x: Vector, target: int) -> None:
        if target >= (self._net.weights[-1].size if self._net.weights else 0):
            self._net.grow()
        self._xs.append(x.copy())
        self._targets.append(target)
        if len(self._xs) == self._batch_size:
            rate = self._rate / (1 + self._decay * self._steps)
            self._net.step(np.stack(self._xs), np.array(self._targets, np.int64), rate)
            self._steps += 1
            self._xs, self._targets = [], []

    def _meta(self) -> dict[str, Any]:
        return {"seed": self._seed, "steps": self._steps}

    def _arrays(self) -> Arrays:
        arrays: Arrays = {f"weights.{number:02d}": array.copy() for number, array in enumerate(self._net.weights)}
        arrays |= {f"velocities.{number:02d}": array.copy() for number, array in enumerate(self._net.velocities)}
        arrays["xs"] = np.array(self._xs, np.float32).reshape(-1, self._dim)
        return arrays | {"targets": np.array(self._targets, np.int64)}

    def _load(self, state: ModelState) -> None:
        self._steps = state.meta["steps"]
        self._xs, self._targets = list(state.arrays["xs"]), state.arrays["targets"].tolist()
        names = sorted(state.arrays)
        self._net.load(
            [state.arrays[name] for name in names if name.startswith("weights.")],
            [state.arrays[name] for name in names if name.startswith("velocities.")],
        )
