"""Feature vectors: their one type, their bytes in the log, and the one check of vectors that come from outside."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prequel.shared.errors import PrequelError

Vector = npt.NDArray[np.float32]
"""A feature vector: float32, shape [dim]."""

MAX_FEATURES = 1_000_000
"""Values of a vector: far more than any backbone has, and few enough to be parsed within a second as JSON."""

MAX_VALUE = 1e15
"""The largest size of a value. Models and near-duplicates square differences of features in float32: from 1e19 on that
overflows, and sums over 100,000 values of half as many digits would be next."""

_MAX_SQUARES = MAX_VALUE**2

_LITTLE_ENDIAN = np.dtype("<f4")
"""In the log, whatever the machine: a vector written on one kind of processor is read on another."""


class InvalidVector(PrequelError, ValueError):
    """These numbers cannot be a feature vector. ``place`` is the index of the value that is wrong, where one is."""

    def __init__(self, problem: str, place: int | None = None) -> None:
        super().__init__(problem)
        self.place = place


def vector_bytes(vector: Vector) -> bytes:
    """The vector as it stands in the log: ``dim`` little-endian float32 values."""
    return vector.astype(_LITTLE_ENDIAN, copy=False).tobytes()


def vector_from_bytes(data: bytes) -> Vector:
    """A view of the values in ``data``, without a copy. Raises InvalidVector unless they are float32 in bounds."""
    if not data or len(data) % _LITTLE_ENDIAN.itemsize:
        raise InvalidVector(f"{len(data)} bytes are not little-endian float32 values")
    return check_vector(np.frombuffer(data, _LITTLE_ENDIAN))


def vector_from_numbers(numbers: object) -> Vector:
    """A vector of the numbers in a list that JSON gave. Raises InvalidVector for anything else, also true and false."""
    if not isinstance(numbers, Sequence) or not numbers or not all(type(each) in (float, int) for each in numbers):
        raise InvalidVector("is not a list of numbers")
    try:
        with np.errstate(over="ignore"):  # A number beyond float32 becomes infinite; the check names its place.
            vector = np.asarray(numbers, np.float32)
    except OverflowError:  # An integer of hundreds of digits, which not even float64 holds.
        raise InvalidVector("a number is too large") from None
    return check_vector(vector)


def check_vector(vector: Vector, dim: int | None = None) -> Vector:
    """The vector itself. Raises InvalidVector unless it is one row of values in bounds, ``dim`` of them where given.

    A model that learned one NaN would predict NaN ever after, and no label could take it back.
    """
    if vector.ndim != 1:
        raise InvalidVector(f"expected one row of values, not an array of shape {vector.shape}")
    if dim is not None and vector.size != dim:
        raise InvalidVector(f"expected {dim} values, got {vector.size}")
    if not in_bounds(vector):
        place = int(np.argmin(np.abs(vector) <= MAX_VALUE))
        raise InvalidVector(f"value {place} {problem_of(vector[place])}", place)
    return vector


def in_bounds(values: npt.NDArray[np.float32]) -> bool:
    """Whether all values are finite, and at most MAX_VALUE in size."""
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        # At the speed of memory, and in half the time of isfinite() and all(): this runs for every example.
        return bool(np.dot(flat, flat) <= _MAX_SQUARES) or bool((np.abs(flat) <= MAX_VALUE).all())


def problem_of(value: np.float32) -> str:
    """Why a value is out of bounds, as the rest of a sentence on it."""
    if np.isfinite(value):
        return f"is {value:g}, too large to compute with: scale the features, to at most {MAX_VALUE:g}"
    return "is NaN, infinite or too large for float32"
