"""A conditional generator and its adversary in Keras, trained one step at a time: both grow with each new class."""

from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.networks.first_weights import glorot
from prequel.services.learner.models.networks.growing_classifier import MAX_GRADIENT
from prequel.services.learner.models.networks.keras_variables import (
    Array,
    assign_variables,
    class_capacity,
    optimiser_slots,
    read_variables,
)

_RATE = 1e-3
"""Learning rate of both networks: Keras' default for RMSprop."""
_REMEMBERING = 10.0
"""How much more it counts to generate what was generated before than to deceive the discriminator."""


class GanBatch(NamedTuple):
    """What one step learns from: n real examples with their classes, and n classes to be remembered."""

    xs: Array
    classes: npt.NDArray[np.int64]
    remembered: npt.NDArray[np.int64]
    """Classes, shape [n] or [0], for which the generator should go on as when it was last copied."""
    noise: Array
    """Shape [2n, dim]: for n vectors that are to pass for real ones, and for n of the remembered classes."""


class ConditionalGan:
    """A generator of vectors by class, and a discriminator that tells them from real ones; each a small dense network.

    A generated vector is its noise, shape [dim], plus what the generator's network adds: at first nothing, so that it
    begins as independent normal deviates and learns how real vectors differ from those. The network sees the class and
    the first ``noise`` values of the noise.

    ``parts`` is the whole of the state, float32, kernels and biases in turn: the weights of both networks, the running
    squares of their gradients (RMSprop), and the copy of the generator (``kept``). The last rows of each first kernel
    are the classes'. Mirza & Osindero, "Conditional generative adversarial nets", arXiv:1411.1784, 2014.
    """

    def __init__(self, dim: int, noise: int, hidden: int, seed: int) -> None:
        self._dim, self._noise, self._hidden, self._seed = dim, min(noise, dim), hidden, seed
        self.classes = 0
        self.parts: dict[str, list[Array]] = {}
        self._nets: Any = None
        self._capacity = 0
        self._stale = True

    def grow(self) -> None:
        """One more class: a row in each first kernel, all else carried over; the generator is copied."""
        if not self.parts:
            self._begin()
        random = np.random.default_rng([self._seed, self.classes])
        row = (random.standard_normal((1, self._hidden)) * 0.1).astype(np.float32)
        for name, arrays in self.parts.items():
            arrays[0] = np.vstack([arrays[0], np.zeros_like(row) if name.endswith("squares") else row])
        self.classes += 1
        self.copy_generator()
        self._stale = True

    def copy_generator(self) -> None:
        """Copy the generator: later steps hold it to this copy for the classes that they are to remember."""
        self.parts["kept"] = list(self.parts["generator"])

    def generate(self, noise: Array, classes: npt.NDArray[np.int64], part: str = "generator") -> Array:
        """Vectors of ``classes`` [n], shape [n, dim], from noise of that shape, by ``part`` ("generator" or "kept")."""
        first, shift, second, base = self.parts[part]
        hidden = noise[:, : self._noise] @ first[: self._noise] + first[self._noise + classes] + shift
        return np.asarray(noise + np.maximum(hidden, 0) @ second + base)

    def step(self, batch: GanBatch) -> None:
        """One step of the discriminator, then one of the generator."""
        generator, discriminator, both = self._networks()
        n, zeros, ones = len(batch.xs), *(np.full((len(batch.xs), 1), value, np.float32) for value in (0, 1))
        fakes = self.generate(batch.noise[:n], batch.classes)
        labels = np.tile(batch.classes, 2)
        discriminator.trainable = True
        discriminator.train_on_batch([np.vstack([batch.xs, fakes]), self._rows(labels)], np.vstack([ones, zeros]))
        discriminator.trainable = False
        remembered = batch.remembered if batch.remembered.size else batch.classes
        targets = np.vstack([fakes, self.generate(batch.noise[n:], remembered, "kept")])
        # With no classes to remember the second half weighs 0, so that the step keeps its shape: no second compilation.
        weights = np.full(n, bool(batch.remembered.size), np.float32)
        both.train_on_batch(
            [batch.noise, self._rows(np.concatenate([batch.classes, remembered]))],
            [np.vstack([ones, ones]), targets],
            sample_weight=[np.concatenate([ones[:, 0], zeros[:, 0]]), np.concatenate([zeros[:, 0], weights])],
        )
        self._read(generator, discriminator, both)

    def load(self, parts: dict[str, list[Array]]) -> None:
        """Replace the state by these parts."""
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
        return np.eye(self._capacity, dtype=np.float32)[classes]

    def _networks(self) -> Any:
        if self._capacity < class_capacity(self.classes):
            self._capacity, self._stale = class_capacity(self.classes), True
            self._nets = self._compiled()
        if self._stale:
            generator, discriminator, both = self._nets
            for name, net, optimizer in (
                ("generator", generator, both.optimizer),
                ("discriminator", discriminator, discriminator.optimizer),
            ):
                assign_variables(net.weights, self._padded(name))
                assign_variables(optimiser_slots(optimizer), self._padded(f"{name}.squares"))
            self._stale = False
        return self._nets

    def _padded(self, name: str) -> list[Array]:
        first, *others = self.parts[name]
        return [np.pad(first, ((0, self._capacity - self.classes), (0, 0))), *others]

    def _read(self, generator: Any, discriminator: Any, both: Any) -> None:
        for name, variables in (
            ("generator", generator.weights),
            ("generator.squares", optimiser_slots(both.optimizer)),
            ("discriminator", discriminator.weights),
            ("discriminator.squares", optimiser_slots(discriminator.optimizer)),
        ):
            first, *others = read_variables(variables)
            rows = len(first) - self._capacity + self.classes
            self.parts[name] = [first[:rows].copy(), *others]

    def _compiled(self) -> tuple[Any, Any, Any]:
        """The generator, the discriminator, and one upon the other, which trains the generator alone."""
        noise, rows, xs = (keras.Input((size,)) for size in (self._dim, self._capacity, self._dim))
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
            loss_weights=[1, _REMEMBERING],
            jit_compile=False,
        )
        both.optimizer.build(both.trainable_variables)
        return generator, discriminator, both

    def _dense(self, values: Any, rows: Any, outputs: int) -> Any:
        hidden = keras.layers.Dense(self._hidden, activation="relu")(keras.layers.Concatenate()([values, rows]))
        return keras.layers.Dense(outputs)(hidden)


def _rmsprop() -> Any:
    return keras.optimizers.RMSprop(_RATE, global_clipnorm=MAX_GRADIENT)
