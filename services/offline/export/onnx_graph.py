"""The graph of an ONNX file: nodes and constants, in float64."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from prequel.services.learner.portable.steps import Array
from prequel.services.offline.export.graph import LARGEST, Tensor


class OnnxGraph:
    """A Graph whose tensors are names of nodes' outputs."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def dense(self, x: Tensor, weights: Array, offsets: Array) -> Tensor:
        return self._node("Add", self._node("MatMul", x, self._constant(weights.T)), self._constant(offsets))

    def affine(self, x: Tensor, factors: Array | float, shifts: Array | float) -> Tensor:
        x = x if _all(factors, 1.0) else self._node("Mul", x, self._constant(factors))
        return x if _all(shifts, 0.0) else self._node("Add", x, self._constant(shifts))

    def add(self, one: Tensor, other: Tensor) -> Tensor:
        return self._node("Add", one, other)

    def multiply(self, one: Tensor, other: Tensor) -> Tensor:
        return self._node("Mul", one, other)

    def divide(self, one: Tensor, other: Tensor) -> Tensor:
        return self._node("Div", one, other)

    def clip(self, x: Tensor, low: float, high: float) -> Tensor:
        return self._node("Clip", x, self._constant(low), self._constant(high))

    def exp(self, x: Tensor) -> Tensor:
        return self._node("Exp", x)

    def log(self, x: Tensor) -> Tensor:
        return self._node("Log", x)

    def power(self, x: Tensor, exponent: float) -> Tensor:
        return x if exponent == 1.0 else self._node("Pow", x, self._constant(exponent))

    def absolute(self, x: Tensor) -> Tensor:
        return self._node("Abs", x)

    def softmax(self, x: Tensor) -> Tensor:
        return self._node("Softmax", x, axis=1)

    def positive(self, x: Tensor) -> Tensor:
        return self._double(self._node("Greater", x, self._constant(0.0)))

    def finite(self, x: Tensor) -> Tensor:
        known = self._node("LessOrEqual", self._node("Abs", x), self._constant(LARGEST))
        return self._node("Where", known, x, self._constant(0.0))

    def rounded(self, x: Tensor) -> Tensor:
        return self._double(self.cast(x, TensorProto.FLOAT))

    def largest(self, x: Tensor, count: int) -> Tensor:
        """By where they stand: [n, count, 1] equal to [width], and that summed."""
        _, places = self._nodes("TopK", 2, x, self._whole([count]), axis=1, largest=1, sorted=1)
        columns = self._node("Unsqueeze", places, self._whole([2]))
        numbers = self._node("Range", self._whole(0), self._width(x), self._whole(1))
        equal = self._double(self._node("Equal", columns, numbers))
        return self._node("ReduceSum", equal, self._whole([1]), keepdims=0)

    def total(self, x: Tensor) -> Tensor:
        return self._node("ReduceSum", x, self._whole([1]), keepdims=1)

    def repeat(self, x: Tensor, times: int) -> Tensor:
        return self._node("Tile", x, self._whole([1, times]))

    def sums(self, x: Tensor, blocks: int) -> Tensor:
        parts = self._node("Reshape", x, self._whole([0, blocks, -1]))
        return self._node("ReduceSum", parts, self._whole([2]), keepdims=0)

    def take(self, x: Tensor, places: Array) -> Tensor:
        return self._node("Gather", x, self._named(places.astype(np.int64)), axis=1)

    def cast(self, x: Tensor, kind: int, name: str = "") -> Tensor:
        """As another type of numbers, under a name of its own where one is given."""
        return self._nodes("Cast", 1, x, to=kind, name=name)[0]

    def _double(self, x: Tensor) -> Tensor:
        return self.cast(x, TensorProto.DOUBLE)

    def _width(self, x: Tensor) -> Tensor:
        return self._node("Squeeze", self._node("Shape", x, start=1, end=2))

    def _node(self, kind: str, *inputs: Tensor, **attributes: Any) -> Tensor:
        return self._nodes(kind, 1, *inputs, **attributes)[0]

    def _nodes(self, kind: str, outputs: int, *inputs: Tensor, name: str = "", **attributes: Any) -> list[Tensor]:
        number = len(self.nodes)
        names = [name] if name else [f"{kind.lower()}_{number}_{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def _constant(self, values: Array | float) -> Tensor:
        return self._named(np.asarray(values, np.float64))

    def _whole(self, values: object) -> Tensor:
        return self._named(np.array(values, np.int64))

    def _named(self, values: Array) -> Tensor:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), name))
        return name


def _all(values: Array | float, number: float) -> bool:
    return isinstance(values, float) and values == number
