"""Finds an example among others by its values."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Matrix, Vector


def equal_rows(rows: Matrix, candidates: npt.NDArray[np.int64], x: Vector) -> npt.NDArray[np.int64]:
    """Those of the ``candidates``, numbers of ``rows`` [n, dim], whose row equals ``x`` [dim], in their order.

    The largest value of ``x`` is compared first: hardly another row has the same. All values of all candidates would
    be a megabyte to read for each correction.
    """
    largest = int(x.argmax())
    close = candidates[rows[candidates, largest] == x[largest]]
    equal: npt.NDArray[np.int64] = close[(rows[close] == x).all(axis=1)]
    return equal
