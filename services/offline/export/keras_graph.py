"""The graph of a Keras file: plain layers and operations of Keras, in float64."""

from typing import Any

import keras
import numpy as np

from prequel.services.learner.portable.steps import Array
from prequel.services.offline.export.graph import LARGEST, Tensor


class KerasGraph:
    """A Graph whose tensors are Keras's symbolic ones. Arrays become weights of layers, numbers stand in the config."""

    def __init__(self) -> None:
        self._weights: list[tuple[Any, list[Array]]] = []

    def dense(self, x: Tensor, weights: Array, offsets: Array) -> Tensor:
        layer = keras.layers.Dense(len(offsets), dtype="float64")
        return self._with(layer, x, [weights.T, offsets])

    def affine(self, x: Tensor, factors: Array | float, shifts: Array | float) -> Tensor:
        if not isinstance(factors, float) or not isinstance(shifts, float):
            return self._by_column(x, factors, shifts)
        x = x if factors == 1.0 else x * factors
        return x if shifts == 0.0 else x + shifts

    def add(self, one: Tensor, other: Tensor) -> Tensor:
        return one + other

    def multiply(self, one: Tensor, other: Tensor) -> Tensor:
        return one * other

    def divide(self, one: Tensor, other: Tensor) -> Tensor:
        return one / other

    def clip(self, x: Tensor, low: float, high: float) -> Tensor:
        if high == np.inf:
            return keras.ops.maximum(x, low)
        return keras.ops.clip(x, low, high)

    def exp(self, x: Tensor) -> Tensor:
        return keras.ops.exp(x)

    def log(self, x: Tensor) -> Tensor:
        return keras.ops.log(x)

    def power(self, x: Tensor, exponent: float) -> Tensor:
        return x if exponent == 1.0 else keras.ops.power(x, exponent)

    def absolute(self, x: Tensor) -> Tensor:
        return keras.ops.absolute(x)

    def softmax(self, x: Tensor) -> Tensor:
        if x.shape[-1] == 1:  # Keras warns of it: of one class it is always 1.
            return x * 0.0 + 1.0
        return keras.ops.softmax(x, axis=-1)

    def positive(self, x: Tensor) -> Tensor:
        return keras.ops.cast(x > 0.0, "float64")

    def finite(self, x: Tensor) -> Tensor:
        return keras.ops.where(keras.ops.absolute(x) <= LARGEST, x, 0.0)

    def rounded(self, x: Tensor) -> Tensor:
        return keras.ops.cast(keras.ops.cast(x, "float32"), "float64")

    def largest(self, x: Tensor, count: int) -> Tensor:
        places = keras.ops.top_k(x, count, sorted=True)[1]
        return keras.ops.sum(keras.ops.one_hot(places, x.shape[-1], dtype="float64"), axis=1)

    def total(self, x: Tensor) -> Tensor:
        return keras.ops.sum(x, axis=-1, keepdims=True)

    def repeat(self, x: Tensor, times: int) -> Tensor:
        return keras.ops.tile(x, (1, times))

    def sums(self, x: Tensor, blocks: int) -> Tensor:
        return keras.ops.sum(keras.ops.reshape(x, (-1, blocks, x.shape[-1] // blocks)), axis=-1)

    def take(self, x: Tensor, places: Array) -> Tensor:
        return keras.ops.take(x, places.astype(np.int32), axis=1)

    def set_weights(self) -> None:
        """Give the layers their weights, once the model that they are in is built."""
        for layer, weights in self._weights:
            layer.set_weights(weights)

    def _by_column(self, x: Tensor, factors: Array | float, shifts: Array | float) -> Tensor:
        """A normalisation by fixed numbers is the layer that has weights for each column."""
        width = x.shape[-1]
        ones, zeros = np.ones(width), np.zeros(width)
        layer = keras.layers.BatchNormalization(epsilon=0.0, trainable=False, dtype="float64")
        return self._with(layer, x, [factors * ones, shifts * ones, zeros, ones])

    def _with(self, layer: Any, x: Tensor, weights: list[Array]) -> Tensor:
        self._weights.append((layer, weights))
        return layer(x)
