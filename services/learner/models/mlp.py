"""`mlp`: a small neural head that grows by one output unit with every new class."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets, Vector
from prequel.services.learner.models.capabilities import Loadable
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.models.networks.growing_classifier import GrowingClassifier
from prequel.services.learner.models.rehearsal.rehearse import rehearse
from prequel.services.learner.models.scaling import ScaledModel
from prequel.services.learner.portable import steps

MOMENTUM = 0.9
RATE = 0.07
"""Default learning rate times the root of the dimension: the more features, the further one step moves the sums."""
_MAX_DEVIATION = np.float32(100)
"""Where standardised features are cut off, so that no sum of the network overflows."""


class Schedule(NamedTuple):
    """How a network is trained: step t has the learning rate ``rate`` / (1 + ``decay`` t) and ``batch`` examples."""

    rate: float | None = None
    """None is RATE / sqrt(dim)."""
    decay: float = 1e-3
    batch: int = 1


def mlp(
    dim: int, *, seed: int, hidden: Sequence[int], rate: float | None, decay: float, batch: int, **rehearsal: Any
) -> Loadable:
    """``Mlp`` on standardised features; ``rehearsal`` is what ``rehearse`` takes."""
    head = Mlp(dim, hidden, Schedule(rate, decay, batch), seed=seed)
    return rehearse(ScaledModel(head, dim, seed=seed), dim, seed=seed, **rehearsal)


class Mlp(IncrementalModel):
    """Layers of rectified units and a softmax, trained by SGD with momentum and a decaying rate.

    ``hidden`` are the units of the hidden layers. Every ``schedule.batch`` (at least 1) learned examples make one step,
    whenever they come: the steps depend on their number alone. First weights follow from ``seed``. All weights are
    float32. Predictions are computed row by row, so that they do not depend on how rows are grouped. ``unlearn`` is not
    possible: a step depends on all steps before it.

    >>> import numpy as np
    >>> model = Mlp(2, (100,), Schedule(rate=0.1), seed=0)
    >>> predictions = model.fold(np.array([[-1, 1], [1, -1]] * 40, np.float32), ["cat", "dog"] * 40)
    >>> model.labels, predictions[-1].argmax().item()
    (['cat', 'dog'], 1)
    """

    def __init__(self, dim: int, hidden: Sequence[int], schedule: Schedule, *, seed: int) -> None:
        super().__init__(dim, seed=seed)
        self._rate = schedule.rate or RATE / math.sqrt(dim)
        self._decay, self._batch_size = schedule.decay, schedule.batch
        self._net = GrowingClassifier(dim, hidden, MOMENTUM, seed)
        self._steps = 0
        self._xs: list[Vector] = []
        self._targets: list[int] = []

    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        for i, (x, target) in enumerate(zip(np.clip(xs, -_MAX_DEVIATION, _MAX_DEVIATION), targets, strict=True)):
            if predicting and known:
                out[i, :known] = self._net.probabilities(x[None])[0]
            if target >= 0:
                known = max(known, int(target) + 1)
                self._learn(x, int(target))

    def portable(self) -> tuple[steps.Step, ...]:
        """See ``capabilities.portable_steps``."""
        weights = self._net.weights
        pairs = zip(weights[::2], weights[1::2], strict=True)
        layers = [steps.Linear(kernel.T.copy(), bias.copy()) for kernel, bias in pairs]
        hidden = [step for layer in layers[:-1] for step in (layer, steps.Rectify())]
        return steps.Clip(float(_MAX_DEVIATION)), *hidden, layers[-1], steps.Softmax()

    def _learn(self, x: Vector, target: int) -> None:
        if target >= self._net.classes:
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
