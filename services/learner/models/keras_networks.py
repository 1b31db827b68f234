"""The learner's only contact with Keras: networks that are trained one step at a time, their state as arrays."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

_UNITS = 32
"""Output units of the first Keras network; four times as many whenever they do not suffice."""
_OFF = np.float32(-1e9)
"""Bias of a unit that is no class yet: its softmax is exactly 0, and so is every gradient through it."""
_STEEPEST = 10.0
"""Longest gradient, over all weights: features of any size leave finite weights."""


class Classifier:
    """A dense network with as many outputs as there are classes; a new class adds one output unit.

    ``weights`` and ``velocities`` are the whole of its state, kernels and biases in turn, as plain arrays. Inside Keras
    the output layer has room for more classes, so that a new one costs an assignment and not a new compiled step.
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
        """One step of stochastic gradient descent with momentum on a mini-batch, shape [n, dim]."""
        net, size = self._network(), self.weights[-1].size
        net.optimizer.learning_rate = rate
        net.train_on_batch(xs, classes)
        self.weights = _narrow(_values(net.trainable_variables), size)
        self.velocities = _narrow(_values(slots(net.optimizer)), size)

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
        units = room(self.weights[-1].size)
        if self._net is None or self._net.output_shape[-1] < units:
            self._net, self._stale = self._compiled(units), True
        if self._stale:
            _assign(self._net.trainable_variables, _widened(self.weights, units, _OFF))
            _assign(slots(self._net.optimizer), _widened(self.velocities, units, np.float32(0)))
            self._stale = False
        return self._net

    def _compiled(self, units: int) -> Any:
        layers = [keras.layers.Dense(size, activation="relu") for size in self._hidden]
        net = keras.Sequential([keras.Input((self._dim,)), *layers, keras.layers.Dense(units)])
        net.compile(
            optimizer=keras.optimizers.SGD(momentum=self._momentum, global_clipnorm=_STEEPEST),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        net.optimizer.build(net.trainable_variables)
        return net


def room(classes: int) -> int:
    """How many classes the Keras networks have room for while there are ``classes``: few sizes, few compiled steps."""
    units = _UNITS
    while units < classes:
        units *= 4
    return units


def glorot(inputs: int, outputs: int, random: np.random.Generator) -> Array:
    """A kernel, shape [inputs, outputs], by Glorot & Bengio (AISTATS 2010)."""
    limit = np.sqrt(6 / (inputs + outputs))
    return random.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)


def slots(optimizer: Any) -> list[Any]:
    """What the optimiser keeps for each weight, in the order of the weights: not its counter, not its rate."""
    return [variable for variable in optimizer.variables if variable.name not in ("iteration", "learning_rate")]


def _values(variables: Sequence[Any]) -> list[Array]:
    return [_numpy(keras.ops.convert_to_tensor(variable.value)) for variable in variables]


def _numpy(tensor: Any) -> Array:
    """A copy. NumPy warns of TensorFlow's tensors where Keras itself copies them; those of PyTorch need its help."""
    torch = keras.backend.backend() == "torch"
    return np.array(keras.ops.convert_to_numpy(tensor) if torch else np.asarray(tensor))


def _assign(variables: Sequence[Any], arrays: Sequence[Array]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _widened(arrays: Sequence[Array], units: int, bias: np.float32) -> list[Array]:
    """The output layer's kernel and bias with columns for classes that have not come yet."""
    more = units - arrays[-1].size
    kernel = np.pad(arrays[-2], ((0, 0), (0, more)))
    return [*arrays[:-2], kernel, np.pad(arrays[-1], (0, more), constant_values=bias)]


def _narrow(arrays: Sequence[Array], classes: int) -> list[Array]:
    """The output layer's kernel and bias without them."""
    return [*arrays[:-2], np.ascontiguousarray(arrays[-2][:, :classes]), arrays[-1][:classes].copy()]
