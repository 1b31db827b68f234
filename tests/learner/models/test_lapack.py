"""The routines called without the interpreter's lock give the same bits as SciPy's own, and leave it free."""

import sys
import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from scipy.linalg import blas
from scipy.linalg import lapack as scipy_lapack

from prequel.services.learner.kernels import lapack

Array = npt.NDArray[np.float64]


def second_moment(dim: int) -> Array:
    rows = np.random.default_rng(dim).normal(size=(2 * dim + 3, dim))
    moment: Array = blas.dsyrk(1.0, rows.T, lower=1)
    return moment


@pytest.mark.parametrize(("dim", "count"), [(1, 1), (7, 3), (368, 64), (1_280, 10)])
def test_the_same_bits_as_scipys_wrappers(dim: int, count: int) -> None:
    rows = np.random.default_rng(count).normal(size=(count, dim))
    actual = second_moment(dim)
    expected = blas.dsyrk(-0.5, rows.T, beta=0.9, c=actual, lower=1)
    lapack.rank_update(actual, rows, scale=-0.5, keep=0.9)
    assert np.array_equal(actual, expected)
    actual[np.diag_indices(dim)] += 100.0 * count
    factor, failed = scipy_lapack.dpotrf(actual, lower=1, clean=0)
    assert not failed
    assert lapack.factorise(actual)
    assert np.array_equal(actual, factor)
    before = rows.copy()
    assert np.array_equal(lapack.solve(actual, rows), scipy_lapack.dpotrs(factor, rows.T, lower=1)[0].T)
    assert np.array_equal(rows, before)


@pytest.mark.parametrize(("count", "dim"), [(1, 1), (5, 40), (200, 64)])
def test_inner_products_and_the_diagonal_of_their_inverse(count: int, dim: int) -> None:
    rows = np.random.default_rng(dim).normal(size=(count, dim))
    gram = lapack.inner_products(rows, scale=0.5, ridge=3.0)
    expected = 0.5 * rows @ rows.T + 3.0 * np.eye(count)
    assert gram == pytest.approx(np.tril(expected))
    assert lapack.factorise(gram)
    assert lapack.inverse_diagonal(gram) == pytest.approx(np.linalg.inv(expected).diagonal())


def test_a_matrix_that_is_not_positive_definite_has_no_factor() -> None:
    assert not lapack.factorise(np.asfortranarray([[1.0, 0.0], [2.0, 1.0]]))


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 4)), np.zeros((3, 3), np.float32), np.zeros((6, 6), order="F")[::2, ::2]]
)
def test_memory_in_another_order_is_not_read(wrong: Array) -> None:
    with pytest.raises(ValueError, match="Fortran order"):
        lapack.factorise(wrong)


@pytest.fixture
def handed_over_only() -> Iterator[None]:
    """The interpreter's lock changes hands only where its holder lets it go."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1_000.0)
    yield
    sys.setswitchinterval(usual)


def test_others_run_meanwhile(handed_over_only: None) -> None:
    turns, stop = [0], threading.Event()

    def count() -> None:
        while not stop.wait(0.0005):
            turns[0] += 1

    matrix, other = second_moment(3_000), threading.Thread(target=count)
    other.start()
    before = turns[0]
    factorised, after = lapack.factorise(matrix), turns[0]
    stop.set()
    other.join()
    assert factorised
    assert after > before
