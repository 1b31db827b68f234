"""`mix`: several models that learn from the same examples, weighted by how well they predict now."""

from collections.abc import Callable, Sequence

import numpy as np

from prequel.services.learner.kernels.scores import mix
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Targets, Vector
from prequel.services.learner.models.capabilities import Loadable, correct, size_of
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.wrapping import joined, parted

_MIN_PROBABILITY = 1e-3
"""The least probability that an expert's weight is updated by: one label that it was sure could not be costs it a
factor of a thousand at most. Ten times less, and one wrong label would silence it for twice as long; ten times more,
and an expert that is surely wrong would lose its weight no faster than one that is unsure."""


_UNLABELLED = np.full(1, -1, np.int64)
_ARRAYS = "weights", "recent", "counts"


class Mix:
    """The mean of the experts' probabilities, weighted by what each has predicted of the labels so far.

    After Herbster and Warmuth, "Tracking the best expert" (Machine Learning 32, 1998): weights follow Bayes' rule, and
    with every label ``share`` of them is dealt out anew, so that an expert that was bad for long can come back. The
    first expert begins with the weight ``prior``, the others share the rest. Weights move only while labels come
    mixed: see ``kernels.scores.mix``.

    ``unlearn`` corrects every expert; the weights, learned from the predictions made, stay. It is exact if all are.

    >>> import numpy as np
    >>> from prequel.services.learner.models.registry import create
    >>> model = create("mix(ncm, naive-bayes)", 2, seed=0)
    >>> xs = np.array([[0, 9], [1, 7]] * 40, np.float32)
    >>> predictions = model.fold(xs, ["cat", "dog"] * 40)
    >>> model.labels, predictions[-1].argmax().item(), model.weights.round(1).tolist()
    (['cat', 'dog'], 1, [0.9, 0.1])
    """

    def __init__(
        self, dim: int, *, seed: int, experts: Sequence[Callable[[int], Loadable]], prior: float, share: float
    ) -> None:
        self.experts = [make(dim) for make in experts]
        self.labels = self.experts[0].labels
        self.exact = all(expert.exact for expert in self.experts)
        self._dim, self._seed, self._share = dim, seed, share
        rest = (1.0 - prior) / (len(experts) - 1)
        self._prior = np.array([prior, *[rest] * (len(experts) - 1)])
        self.weights = self._prior.copy()
        self._recent, self._counts = np.zeros(2), np.zeros(2)
        """Of each class, its share of the newest labels, and how many labels there were."""

    def predict(self, x: Vector) -> Probabilities:
        return self._mixed([[expert.predict(x)] for expert in self.experts], _UNLABELLED, len(self.labels))[0]

    def learn(self, x: Vector, label: str) -> None:
        self.fold(x.reshape(1, -1), [label])

    def unlearn(self, x: Vector, label: str) -> None:
        if not self.exact:
            raise NotImplementedError("not every model of the mixture can unlearn: learn the right label instead")
        for expert in self.experts:
            expert.unlearn(x, label)
        self._counts[self.labels.index(label)] -= 1.0

    def correct(self, x: Vector, old: str | None, new: str | None, *, age: int) -> bool:
        """See ``capabilities.CorrectableModel``: an expert that can unlearn does, the others only learn."""
        are_exact = [correct(expert, x, old, new, age=age) for expert in self.experts]
        self._grow()
        for label, change in ((old, -1.0), (new, 1.0)):
            if label is not None:
                self._counts[self.labels.index(label)] += change
        return all(are_exact)

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        known = len(self.labels)
        predicted = [expert.fold(xs, labels) for expert in self.experts]
        self._grow()
        numbers = {label: number for number, label in enumerate(self.labels)}
        targets = np.array([-1 if label is None else numbers[label] for label in labels], np.int64)
        return self._mixed(predicted, targets, known)

    @property
    def size(self) -> int:
        """See ``capabilities.SizedModel``."""
        return sum(map(size_of, self.experts))

    def state(self) -> ModelState:
        classes = len(self.labels)
        own = {"weights": self.weights.copy(), "recent": self._recent[:classes], "counts": self._counts[:classes]}
        arrays = {name: array.copy() for name, array in own.items()}
        return joined([expert.state() for expert in self.experts], {"dim": self._dim, "seed": self._seed}, **arrays)

    def load(self, state: ModelState) -> None:
        """Become the model of the same spec that returned ``state``."""
        for expert, part in zip(self.experts, parted(state), strict=True):
            expert.load(part)
        self.weights, self._recent, self._counts = (state.arrays[name].copy() for name in _ARRAYS)

    def _grow(self) -> None:
        self._recent, self._counts = (grown(array, len(self.labels)) for array in (self._recent, self._counts))

    def _mixed(self, predicted: Sequence[Sequence[Probabilities]], targets: Targets, known: int) -> list[Probabilities]:
        """The mixture of what each expert predicted, row by row; the weights follow the rows with a target."""
        shape = len(targets), len(self.labels)
        stacked, out = np.zeros((len(self.experts), *shape)), np.empty(shape)
        for rows, by_row in zip(stacked, predicted, strict=True):
            for row, probabilities in zip(rows, by_row, strict=True):
                row[: len(probabilities)] = probabilities
        evidence = self._prior, self.weights, self._recent, self._counts
        mix(stacked, targets, known, _MIN_PROBABILITY, self._share, *evidence, out)
        return [row[: len(probabilities)] for row, probabilities in zip(out, predicted[0], strict=True)]
