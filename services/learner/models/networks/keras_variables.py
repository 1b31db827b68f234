"""Weights in and out of Keras, whatever its backend; the sizes of networks that grow by class."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

_FIRST_CAPACITY = 32
"""Classes that the first Keras network has room for; four times as many whenever they do not suffice."""


def class_capacity(classes: int) -> int:
    """How many classes the Keras networks have room for while there are ``classes``.

    Few sizes mean few compiled steps: compiling one takes seconds.
    """
    capacity = _FIRST_CAPACITY
    while capacity < classes:
        capacity *= 4
    return capacity


def optimiser_slots(optimizer: Any) -> list[Any]:
    """What the optimiser keeps for each weight, in the order of the weights: not its counter, not its rate."""
    return [variable for variable in optimizer.variables if variable.name not in ("iteration", "learning_rate")]


def read_variables(variables: Sequence[Any]) -> list[Array]:
    """Copies of the values of Keras variables."""
    return [_to_numpy(keras.ops.convert_to_tensor(variable.value)) for variable in variables]


def assign_variables(variables: Sequence[Any], arrays: Sequence[Array]) -> None:
    """Set Keras variables to these values, in order."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _to_numpy(tensor: Any) -> Array:
    """A copy. NumPy warns where Keras copies TensorFlow's tensors itself; PyTorch's need Keras to copy them."""
    torch = keras.backend.backend() == "torch"
    return np.array(keras.ops.convert_to_numpy(tensor) if torch else np.asarray(tensor))
