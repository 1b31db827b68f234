"""Rehearsal: a model that forgets learns some of what it learned before again beside each new example."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector
from prequel.services.learner.models.capabilities import Loadable, portable_steps, predict_many
from prequel.services.learner.models.rehearsal.memory import Memory
from prequel.services.learner.models.wrapping import fold_rows, nested, unnested
from prequel.services.learner.portable.steps import Step


class RehearsedModel:
    """After each example, ``replays`` (at least 1) recalled ones are learned.

    Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal", Connection Science 7, 1995. Deterministic: its
    random generator begins with ``seed`` and is part of the state. ``unlearn`` is not possible: an example has been
    learned many times, and others with it.

    >>> import numpy as np
    >>> from prequel.services.learner.models.registry import create
    >>> model = create("softmax;replay=balanced;memory=10", 2, seed=0)
    >>> xs = np.array([[0, 1]] * 50 + [[1, 0]] * 50, np.float32)
    >>> predictions = model.fold(xs, ["cat"] * 50 + ["dog"] * 50)
    >>> model.labels[model.predict(xs[0]).argmax()]
    'cat'
    """

    exact = False

    def __init__(self, inner: Loadable, memory: Memory, dim: int, *, seed: int, replays: int) -> None:
        self._inner, self._memory, self._dim, self._seed, self._replays = inner, memory, dim, seed, replays
        self._random = np.random.Generator(np.random.PCG64(seed))
        self.labels = inner.labels

    def predict(self, x: Vector) -> Probabilities:
        return self._inner.predict(x)

    def predict_many(self, xs: Matrix) -> Probabilities:
        """See ``capabilities.predict_many``."""
        return predict_many(self._inner, xs)

    def portable(self) -> tuple[Step, ...]:
        """See ``capabilities.portable_steps``: nothing of what it remembers is in it."""
        return portable_steps("the model in it", self._inner)

    def learn(self, x: Vector, label: str) -> None:
        self._inner.learn(x, label)
        recalled = self._memory.recall(self._replays, self._random)
        for old, number in zip(recalled.xs, recalled.classes.tolist(), strict=True):
            self._inner.learn(old, self.labels[number])
        self._memory.add(x, self.labels.index(label), self._random)

    def unlearn(self, x: Vector, label: str) -> None:
        raise NotImplementedError("a model that rehearses cannot unlearn an example: learn the right label instead")

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        return fold_rows(self, xs, labels)

    def state(self) -> ModelState:
        position: Any = self._random.bit_generator.state
        numbers = {name: str(value) for name, value in position["state"].items()}
        own = {"dim": self._dim, "seed": self._seed, "random": numbers, "spare": _spare(position)}
        return nested(self._inner.state(), own, **{f"memory.{k}": v for k, v in self._memory.arrays().items()})

    def load(self, state: ModelState) -> None:
        """Become the model of the same spec that returned ``state``."""
        position: Any = self._random.bit_generator.state
        position["state"] = {name: int(value) for name, value in state.meta["random"].items()}
        position["has_uint32"], position["uinteger"] = state.meta["spare"]
        self._random.bit_generator.state = position
        self._memory.load({k.removeprefix("memory."): v for k, v in state.arrays.items() if k.startswith("memory.")})
        self._inner.load(unnested(state))


def _spare(position: Any) -> list[int]:
    """The half of a random number that the generator has left over for its next call."""
    return [int(position["has_uint32"]), int(position["uinteger"])]
