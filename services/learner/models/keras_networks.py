"""The learner's only contact with Keras: networks that are trained one step at a time, their state as arrays."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class Classifier:
    """A dense network with as many outputs as there are classes; a new class adds one output unit.

    ``weights`` and ``velocities`` are the whole of its state, kernels and biases in turn, as plain arrays.
    """

    def __init__(self, dim: int, hidden: Sequence[int], momentum: float, seed: int) -> None:
        self._dim, self._hidden, self._momentum, self._seed = dim, tuple(hidden), momentum, seed
        self.weights: list[Array] = []
        self.velocities: list[Array] = []
        self._net: Any = None

    def grow(self) -> None:
        """One more class: old weights and velocities are carried over, the new unit starts small and at rest."""
        if not self.weights:
            self._begin()
        random = np.random.default_rng([self._seed, self.weights[-1].size])
        column = (random.standard_normal((self._hidden[-1], 1)) * 0.01).astype(np.float32)
        self.weights[-2] = np.hstack([self.weights[-2], column])
        self.weights[-1] = np.append(self.weights[-1], np.float32(0))
        self.velocities[-2] = np.hstack([self.velocities[-2], np.zeros_like(column)])
        self.velocities[-1] = np.append(self.velocities[-1], np.float32(0))
        self._net = None

    def step(self, xs: Array, classes: npt.NDArray[np.int64], rate: float) -> None:
        """One step of stochastic gradient descent with momentum on a mini-batch, shape [n, dim]."""
        net = self._network()
        net.optimizer.learning_rate = rate
        net.train_on_batch(xs, classes)
        self.weights = [np.asarray(keras.ops.convert_to_numpy(v.value)) for v in net.trainable_variables]
        self.velocities = [np.asarray(keras.ops.convert_to_numpy(v.value)) for v in net.optimizer.variables[2:]]

    def _begin(self) -> None:
        """Kernels by Glorot & Bengio (AISTATS 2010), and no output unit yet."""
        random = np.random.default_rng(self._seed)
        sizes = [self._dim, *self._hidden]
        for inputs, outputs in pairwise(sizes):
            limit = np.sqrt(6 / (inputs + outputs))
            self.weights += [random.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)]
            self.weights += [np.zeros(outputs, np.float32)]
        self.weights += [np.zeros((sizes[-1], 0), np.float32), np.zeros(0, np.float32)]
        self.velocities = [np.zeros_like(array) for array in self.weights]

    def _network(self) -> Any:
        """The Keras network of the present size, with the present weights and velocities."""
        if self._net is None:
            layers = [keras.layers.Dense(size, activation="relu") for size in self._hidden]
            output = keras.layers.Dense(self.weights[-1].size)
            self._net = keras.Sequential([keras.Input((self._dim,)), *layers, output])
            self._net.compile(
                optimizer=keras.optimizers.SGD(momentum=self._momentum),
                loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                run_eagerly=True,
                jit_compile=False,
            )
            self._net.set_weights(self.weights)
            self._net.optimizer.build(self._net.trainable_variables)
            for variable, velocity in zip(self._net.optimizer.variables[2:], self.velocities, strict=True):
                variable.assign(velocity)
        return self._net

    def load(self, weights: Sequence[Array], velocities: Sequence[Array]) -> None:
        """Become a network with these."""
        self.weights, self.velocities, self._net = list(weights), list(velocities), None
