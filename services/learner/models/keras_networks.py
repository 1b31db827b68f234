"""The learner's only contact with Keras: networks that are trained one step at a time, their state as arrays."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

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
_RATE = 1e-3
"""Learning rate of the adversaries."""
_HOLD = 10.0
"""How much more it counts to give what was given before than to deceive."""


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


class Batch(NamedTuple):
    """What one step of the adversaries learns from: n real examples and their classes, and n to be held in mind."""

    xs: Array
    classes: npt.NDArray[np.int64]
    held: npt.NDArray[np.int64]
    """Classes for which the generator should go on giving what it gave when it was last kept; or none."""
    noise: Array
    """Shape [2n, dim]: for the n to be told from the real ones, and for the n held in mind."""


class Adversaries:
    """A generator of vectors by class, and a discriminator that tells them from real ones; each a small dense network.

    What the generator gives is its noise, of shape [n, dim], and what its network adds: at first nothing, so that it
    begins as independent normal deviates and learns how real vectors differ from those. The network sees the class and
    the first ``noise`` values.
    ``parts`` is the whole of the state, kernels and biases in turn: the weights of both, the running squares of their
    gradients (RMSprop), and the generator as it was last kept. The last rows of each first kernel are the classes'.
    """

    def __init__(self, dim: int, noise: int, hidden: int, seed: int) -> None:
        self._dim, self._noise, self._hidden, self._seed = dim, min(noise, dim), hidden, seed
        self.classes = 0
        self.parts: dict[str, list[Array]] = {}
        self._nets: Any = None
        self._room = 0
        self._stale = True

    def grow(self) -> None:
        """One more class: a row in each first kernel, all else carried over; the generator is kept."""
        if not self.parts:
            self._begin()
        random = np.random.default_rng([self._seed, self.classes])
        row = (random.standard_normal((1, self._hidden)) * 0.1).astype(np.float32)
        for name, arrays in self.parts.items():
            arrays[0] = np.vstack([arrays[0], np.zeros_like(row) if name.endswith("squares") else row])
        self.classes += 1
        self.keep()
        self._stale = True

    def keep(self) -> None:
        """Remember the generator as it is: later steps hold it to this for the classes they are told to hold."""
        self.parts["kept"] = list(self.parts["generator"])

    def generate(self, noise: Array, classes: npt.NDArray[np.int64], part: str = "generator") -> Array:
        """Vectors of these classes, shape [n, dim], from noise of that shape."""
        first, shift, second, base = self.parts[part]
        hidden = noise[:, : self._noise] @ first[: self._noise] + first[self._noise + classes] + shift
        return np.asarray(noise + np.maximum(hidden, 0) @ second + base)

    def step(self, batch: Batch) -> None:
        """One step of the discriminator, then one of the generator."""
        generator, discriminator, both = self._networks()
        n, zeros, ones = len(batch.xs), *(np.full((len(batch.xs), 1), value, np.float32) for value in (0, 1))
        fakes = self.generate(batch.noise[:n], batch.classes)
        labels = np.tile(batch.classes, 2)
        discriminator.trainable = True
        discriminator.train_on_batch([np.vstack([batch.xs, fakes]), self._rows(labels)], np.vstack([ones, zeros]))
        discriminator.trainable = False
        held = batch.held if batch.held.size else batch.classes
        wanted = np.vstack([fakes, self.generate(batch.noise[n:], held, "kept")])
        mind = np.full(n, bool(batch.held.size), np.float32)
        both.train_on_batch(
            [batch.noise, self._rows(np.concatenate([batch.classes, held]))],
            [np.vstack([ones, ones]), wanted],
            sample_weight=[np.concatenate([ones[:, 0], zeros[:, 0]]), np.concatenate([zeros[:, 0], mind])],
        )
        self._read(generator, discriminator, both)

    def load(self, parts: dict[str, list[Array]]) -> None:
        """Become what these are the parts of."""
        self.parts, self._stale = {name: list(arrays) for name, arrays in parts.items()}, True
        self.classes = len(parts["generator"][0]) - self._noise if parts else 0

    def _begin(self) -> None:
        random = np.random.default_rng(self._seed)
        hidden = np.zeros(self._hidden, np.float32)
        for name, inputs, outputs in (("generator", self._noise, self._dim), ("discriminator", self._dim, 1)):
            first, second = glorot(inputs, self._hidden, random), glorot(self._hidden, outputs, random)
            self.parts[name] = [first, hidden, second, np.zeros(outputs, np.float32)]
            self.parts[f"{name}.squares"] = [np.zeros_like(array) for array in self.parts[name]]
        self.parts["generator"][2][:] = 0

    def _rows(self, classes: npt.NDArray[np.int64]) -> Array:
        """One-hot, with room for classes that have not come yet."""
        return np.eye(self._room, dtype=np.float32)[classes]

    def _networks(self) -> Any:
        if self._room < room(self.classes):
            self._room, self._stale = room(self.classes), True
            self._nets = self._compiled()
        if self._stale:
            generator, discriminator, both = self._nets
            for name, net, optimizer in (
                ("generator", generator, both.optimizer),
                ("discriminator", discriminator, discriminator.optimizer),
            ):
                _assign(net.weights, self._padded(name))
                _assign(slots(optimizer), self._padded(f"{name}.squares"))
            self._stale = False
        return self._nets

    def _padded(self, name: str) -> list[Array]:
        first, *others = self.parts[name]
        return [np.pad(first, ((0, self._room - self.classes), (0, 0))), *others]

    def _read(self, generator: Any, discriminator: Any, both: Any) -> None:
        for name, variables in (
            ("generator", generator.weights),
            ("generator.squares", slots(both.optimizer)),
            ("discriminator", discriminator.weights),
            ("discriminator.squares", slots(discriminator.optimizer)),
        ):
            first, *others = _values(variables)
            rows = len(first) - self._room + self.classes
            self.parts[name] = [first[:rows].copy(), *others]

    def _compiled(self) -> tuple[Any, Any, Any]:
        """The generator, the discriminator, and one upon the other, which trains the generator alone."""
        noise, rows, xs = (keras.Input((size,)) for size in (self._dim, self._room, self._dim))
        added = self._dense(noise[:, : self._noise], rows, self._dim)
        generator = keras.Model([noise, rows], keras.layers.Add()([noise, added]))
        discriminator = keras.Model([xs, rows], self._dense(xs, rows, 1))
        truth = keras.losses.BinaryCrossentropy(from_logits=True)
        discriminator.compile(optimizer=_rmsprop(), loss=truth, jit_compile=False)
        discriminator.optimizer.build(discriminator.trainable_variables)
        discriminator.trainable = False
        fakes = generator([noise, rows])
        both = keras.Model([noise, rows], [discriminator([fakes, rows]), fakes])
        both.compile(
            optimizer=_rmsprop(),
            loss=[truth, keras.losses.MeanSquaredError()],
            loss_weights=[1, _HOLD],
            jit_compile=False,
        )
        both.optimizer.build(both.trainable_variables)
        return generator, discriminator, both

    def _dense(self, values: Any, rows: Any, outputs: int) -> Any:
        hidden = keras.layers.Dense(self._hidden, activation="relu")(keras.layers.Concatenate()([values, rows]))
        return keras.layers.Dense(outputs)(hidden)


def _rmsprop() -> Any:
    return keras.optimizers.RMSprop(_RATE, global_clipnorm=_STEEPEST)


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
