"""Matrices that solvers solve: a factorised one, and one that is made of few rows."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import factorise, halve, inner_products, multiply, solve

Array = npt.NDArray[np.float64]


class Factor(Protocol):
    """A symmetric positive definite matrix [dim, dim] that can be solved."""

    def solve(self, sides: Array) -> Array:
        """The solutions x of matrix x = side for every row of ``sides`` [n, dim]."""
        ...

    def quadratic(self, rows: Array) -> Array:
        """row · matrix⁻¹ row for each of ``rows`` [n, dim], [n]."""
        ...


class DenseFactor:
    """The Cholesky factor that ``factorise`` leaves in a matrix."""

    def __init__(self, factor: Array) -> None:
        self._factor = factor

    def solve(self, sides: Array) -> Array:
        return solve(self._factor, sides)

    def quadratic(self, rows: Array) -> Array:
        halved = halve(self._factor, rows)
        length: Array = np.einsum("ij,ij->i", halved, halved)
        return length


class RefinedFactor:
    """A Cholesky factor in single precision, in half the time, and solutions improved once in double precision.

    Their relative error is about the square of 1e-7 times the ratio of the largest eigenvalue to the smallest. The
    lower triangle of ``matrix`` is kept, and not changed.
    """

    def __init__(self, matrix: Array) -> None:
        self._matrix, self._factor = matrix, matrix.astype(np.float32)
        self.is_definite = factorise(self._factor)
        """Whether it can be solved."""

    def solve(self, sides: Array) -> Array:
        solved = self._solve(sides)
        return solved + self._solve(sides - multiply(self._matrix, solved))

    def quadratic(self, rows: Array) -> Array:
        halved = halve(self._factor, rows.astype(np.float32)).astype(np.float64)
        length: Array = np.einsum("ij,ij->i", halved, halved)
        return length

    def _solve(self, sides: Array) -> Array:
        return solve(self._factor, sides.astype(np.float32)).astype(np.float64)


class FewRows:
    """share rowsᵀ rows + ridge I, of fewer ``rows`` [m, dim] than dim.

    By Woodbury's identity only their inner products, m x m, are factorised.
    """

    def __init__(self, rows: Array, *, share: float, ridge: float) -> None:
        self._rows, self._share, self._ridge = rows, share, ridge
        self._gram = inner_products(rows, scale=share, ridge=ridge)
        self.is_definite = factorise(self._gram)
        """Whether it can be solved; not where values differ by so many orders of magnitude that rounding wins."""

    def solve(self, sides: Array) -> Array:
        across: Array = solve(self._gram, sides @ self._rows.T)
        return (sides - self._share * (across @ self._rows)) / self._ridge

    def quadratic(self, rows: Array) -> Array:
        across = rows @ self._rows.T
        halved = halve(self._gram, across)
        own, shared = np.einsum("ij,ij->i", rows, rows), np.einsum("ij,ij->i", halved, halved)
        length: Array = (own - self._share * shared) / self._ridge
        return length
