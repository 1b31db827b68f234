"""A dense Keras network that classifies, and grows by one output unit with each new class."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.networks.keras_variables import (
    MAX_GRADIENT,
    Array,
    assign_variables,
    class_capacity,
    glorot,
    optimiser_slots,
    read_variables,
)

_SPARE_BIAS = np.float32(-1e9)
"""Bias of a unit that is no class yet: its softmax is exactly 0, and so is every gradient through it."""


class GrowingClassifier:
    """A dense network with as many outputs as there are classes; a new class adds one output unit.

    ``weights`` and ``velocities`` (of the momentum) are the whole of its state: float32, kernels [inputs, outputs] and
    biases [outputs] in turn. Inside Keras the output layer has room for more classes, so that a new class costs an
    assignment and not another compiled step. Random values follow from ``seed``.
    """

    def __init__(self, dim: int, hidden: Sequence[int], momentum: float, seed: int) -> None:
        self._dim, self._hidden, self._momentum, self._seed = dim, tuple(hidden), momentum, seed
        self.weights: list[Array] = []
        self.velocities: list[Array] = []
        self._net: Any = None
        self._stale = True

    def grow(self) -> None:
        """One more class: old weights and velocities are carried over, the new unit starts small and at rest."""
        if not self.weights:
            self._begin()
        random = np.random.default_rng([self._seed, self.weights[-1].size])
        column = (random.standard_normal((self._hidden[-1], 1)) * 0.25).astype(np.float32)
        self.weights[-2] = np.hstack([self.weights[-2], column])
        self.weights[-1] = np.append(self.weights[-1], np.float32(0))
        self.velocities[-2] = np.hstack([self.velocities[-2], np.zeros_like(column)])
        self.velocities[-1] = np.append(self.velocities[-1], np.float32(0))
        self._stale = True

    def step(self, xs: Array, classes: npt.NDArray[np.int64], rate: float) -> None:
        """One step of gradient descent with momentum on a mini-batch ``xs`` [n, dim]; ``classes`` are numbers [n]."""
        net, size = self._network(), self.weights[-1].size
        net.optimizer.learning_rate = rate
        net.train_on_batch(xs, classes)
        self.weights = _narrow(read_variables(net.trainable_variables), size)
        self.velocities = _narrow(read_variables(optimiser_slots(net.optimizer)), size)

    def load(self, weights: Sequence[Array], velocities: Sequence[Array]) -> None:
        """Become a network with these."""
        self.weights, self.velocities, self._stale = list(weights), list(velocities), True

    def _begin(self) -> None:
        """Kernels by Glorot & Bengio (AISTATS 2010), and no output unit yet."""
        random = np.random.default_rng(self._seed)
        sizes = [self._dim, *self._hidden]
        for inputs, outputs in pairwise(sizes):
            self.weights += [glorot(inputs, outputs, random), np.zeros(outputs, np.float32)]
        self.weights += [np.zeros((sizes[-1], 0), np.float32), np.zeros(0, np.float32)]
        self.velocities = [np.zeros_like(array) for array in self.weights]

    def _network(self) -> Any:
        """The Keras network with room for the present classes, the present weights and velocities in it."""
        units = class_capacity(self.weights[-1].size)
        if self._net is None or self._net.output_shape[-1] < units:
            self._net, self._stale = self._compiled(units), True
        if self._stale:
            assign_variables(self._net.trainable_variables, _widened(self.weights, units, _SPARE_BIAS))
            assign_variables(optimiser_slots(self._net.optimizer), _widened(self.velocities, units, np.float32(0)))
            self._stale = False
        return self._net

    def _compiled(self, units: int) -> Any:
        layers = [keras.layers.Dense(size, activation="relu") for size in self._hidden]
        net = keras.Sequential([keras.Input((self._dim,)), *layers, keras.layers.Dense(units)])
        net.compile(
            optimizer=keras.optimizers.SGD(momentum=self._momentum, global_clipnorm=MAX_GRADIENT),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        net.optimizer.build(net.trainable_variables)
        return net


def _widened(arrays: Sequence[Array], units: int, bias: np.float32) -> list[Array]:
    """The output layer's kernel and bias with columns for classes that have not come yet."""
    more = units - arrays[-1].size
    kernel = np.pad(arrays[-2], ((0, 0), (0, more)))
    return [*arrays[:-2], kernel, np.pad(arrays[-1], (0, more), constant_values=bias)]


def _narrow(arrays: Sequence[Array], classes: int) -> list[Array]:
    """The output layer's kernel and bias without them."""
    return [*arrays[:-2], np.ascontiguousarray(arrays[-2][:, :classes]), arrays[-1][:classes].copy()]
