"""Vectors from outside: bytes and numbers become float32, or are refused with the place of the wrong value."""

import numpy as np
import pytest

from prequel.shared.vectors import InvalidVector, check_vector, vector_bytes, vector_from_bytes, vector_from_numbers


def test_bytes_are_little_endian_float32() -> None:
    vector = np.array([1, -2.5, -1e15], np.float32)
    assert vector_bytes(vector) == np.array([1, -2.5, -1e15], "<f4").tobytes()
    assert vector_from_bytes(vector_bytes(vector)).tolist() == vector.tolist()


def test_numbers_are_rounded_to_float32() -> None:
    vector = vector_from_numbers([1, 0.1])
    assert vector.dtype == np.float32
    assert vector.tolist() == [1, np.float32(0.1)]


@pytest.mark.parametrize("data", [b"", b"123", b"12345"])
def test_bytes_of_another_length_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidVector, match=f"{len(data)} bytes are not little-endian float32"):
        vector_from_bytes(data)


@pytest.mark.parametrize("numbers", [None, [], "12", {"0": 1}, ["1"], [[1]], [True], [None, 1]])
def test_what_is_not_a_list_of_numbers_is_refused(numbers: object) -> None:
    with pytest.raises(InvalidVector, match="is not a list of numbers"):
        vector_from_numbers(numbers)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf"), 3.5e38])
def test_a_value_that_is_not_finite_is_refused_with_its_place(wrong: float) -> None:
    with pytest.raises(InvalidVector, match="value 2 is NaN, infinite or too large") as refused:
        vector_from_numbers([0, 1.0, wrong, wrong])
    assert refused.value.place == 2


@pytest.mark.parametrize("wrong", [1.01e15, -1e19, 3e38])
def test_a_value_whose_square_could_overflow_is_refused_with_what_to_do(wrong: float) -> None:
    with pytest.raises(
        InvalidVector, match=r"value 1 is .*e\+.*, too large to compute with: scale the features"
    ) as refused:
        vector_from_numbers([0, wrong, wrong])
    assert refused.value.place == 1


def test_many_values_of_a_size_that_is_allowed_are_taken() -> None:
    vector = np.full(200_000, -1e15, np.float32)
    assert check_vector(vector) is vector


def test_an_integer_beyond_all_floats_is_refused() -> None:
    with pytest.raises(InvalidVector, match="too large"):
        vector_from_numbers([10**400])


def test_another_shape_is_refused() -> None:
    with pytest.raises(InvalidVector, match="expected 3 values, got 2"):
        check_vector(np.zeros(2, np.float32), 3)
    with pytest.raises(InvalidVector, match=r"not an array of shape \(1, 2\)"):
        check_vector(np.zeros((1, 2), np.float32))
