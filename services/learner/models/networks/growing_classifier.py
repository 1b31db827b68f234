"""A dense network that classifies, and grows by one output unit with each new class."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.dense import backward, descend, forward, gradient_square
from prequel.services.learner.models.networks.first_weights import glorot

Array = npt.NDArray[np.float32]

MAX_GRADIENT = 10.0
"""Largest norm of a gradient, over all weights: features of any size leave finite weights."""
_OUTPUT_DEVIATION = 0.1
"""Of the first weights of an output unit. With 0.25 a young network is too sure: half a point less on the digits and 1
on CIFAR-10; with 0 the layers below get no error at first: 1 to 2 points less on the digits."""


class GrowingClassifier:
    """A dense network with as many outputs as there are classes; a new class adds one output unit.

    ``weights`` and ``velocities`` (of the momentum) are the whole of its state: float32, kernels [inputs, outputs] and
    biases [outputs] in turn, which ``step`` changes in place. Hidden units are rectified; the loss is the cross-entropy
    of the softmax of the outputs. Random values follow from ``seed``.
    """

    def __init__(self, dim: int, hidden: Sequence[int], momentum: float, seed: int) -> None:
        self._sizes, self._momentum, self._seed = (dim, *hidden), np.float32(momentum), seed
        self.weights: list[Array] = []
        self.velocities: list[Array] = []

    @property
    def classes(self) -> int:
        """How many output units there are."""
        return self.weights[-1].size if self.weights else 0

    def grow(self) -> None:
        """One more class: old weights and velocities are carried over, the new unit starts small and at rest."""
        if not self.weights:
            self._begin()
        random = np.random.default_rng([self._seed, self.classes])
        column = (random.standard_normal((self._sizes[-1], 1)) * _OUTPUT_DEVIATION).astype(np.float32)
        for arrays, new in ((self.weights, column), (self.velocities, np.zeros_like(column))):
            arrays[-2] = np.hstack([arrays[-2], new])
            arrays[-1] = np.append(arrays[-1], np.float32(0))

    def probabilities(self, xs: Array) -> npt.NDArray[np.float64]:
        """Of every class for each row of ``xs`` [n, dim], whatever the other rows are: shape [n, classes]."""
        return _softmax(self._activations(xs)[-1])

    def step(self, xs: Array, classes: npt.NDArray[np.int64], rate: float) -> None:
        """One step of gradient descent with momentum on a mini-batch ``xs`` [n, dim]; ``classes`` are numbers [n]."""
        values = self._activations(xs)
        errors = self._errors(values, classes)
        rows = [np.empty(each.shape[1], np.float32) for each in errors]
        biases = [each.sum(axis=0) for each in errors]
        square = sum(float((each.astype(np.float64) ** 2).sum()) for each in biases)
        for below, each, row in zip(values, errors, rows, strict=False):  # The last values are the outputs' own.
            square += gradient_square(below, each, row, np.empty(row.size))
        step = np.float32(rate * min(1.0, MAX_GRADIENT / max(np.sqrt(square), 1e-30)))
        for at, (below, each, row) in enumerate(zip(values, errors, rows, strict=False)):
            descend(self.weights[2 * at], self.velocities[2 * at], below, each, row, step, self._momentum)
            self.velocities[2 * at + 1] *= self._momentum
            self.velocities[2 * at + 1] -= step * biases[at]
            self.weights[2 * at + 1] += self.velocities[2 * at + 1]

    def load(self, weights: Sequence[Array], velocities: Sequence[Array]) -> None:
        """Become a network with copies of these."""
        self.weights, self.velocities = [each.copy() for each in weights], [each.copy() for each in velocities]

    def _begin(self) -> None:
        """Kernels of the hidden layers, and no output unit yet."""
        random = np.random.default_rng(self._seed)
        for inputs, outputs in pairwise(self._sizes):
            self.weights += [glorot(inputs, outputs, random), np.zeros(outputs, np.float32)]
        self.weights += [np.zeros((self._sizes[-1], 0), np.float32), np.zeros(0, np.float32)]
        self.velocities = [np.zeros_like(array) for array in self.weights]

    def _activations(self, xs: Array) -> list[Array]:
        """The features, the values of each hidden layer, and the outputs before the softmax: [n, units] each."""
        values, last = [xs], len(self.weights) - 2
        for at in range(0, last + 1, 2):
            out = np.empty((len(xs), self.weights[at + 1].size), np.float32)
            forward(values[-1], self.weights[at], self.weights[at + 1], at < last, out)
            values.append(out)
        return values

    def _errors(self, values: Sequence[Array], classes: npt.NDArray[np.int64]) -> list[Array]:
        """The derivatives of the mean loss by what each layer gives, the first hidden layer first."""
        shares = _softmax(values[-1])
        shares[np.arange(len(classes)), classes] -= 1
        errors = [(shares / len(classes)).astype(np.float32)]
        for at in range(len(values) - 2, 0, -1):
            errors.insert(0, np.empty_like(values[at]))
            backward(errors[1], self.weights[2 * at], values[at], errors[0])
        return errors


def _softmax(scores: Array) -> npt.NDArray[np.float64]:
    """Of each row; the largest is subtracted first, so that no exponential overflows."""
    shares = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
