"""Which column of a model each named feature has: dicts, arrays and data frames into float32 vectors."""

import re
from collections.abc import Hashable, Iterable, KeysView, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Matrix, Vector
from prequel.shared.vectors import InvalidVector, check_vector, problem_of

Features = Mapping[Any, Any] | npt.NDArray[Any]
"""One example: numbers by name, or a row of numbers, whose names are 0, 1, 2 and so on."""

_SHOWN = 5
"""Names that a message lists: with more, a message about one of 100,352 features would hide what is wrong."""

_NUMBERS = "biuf"
"""What kinds of NumPy's types are numbers: bool, int, unsigned int, float."""

_LEAVE_IT_OUT = "Leave it out, and it counts as 0"


class Columns:
    """The names of features in the order of their columns, and room for ``dim`` of them. It does not change.

    >>> from prequel.services.library.columns import Columns
    >>> columns = Columns(["b", "a"], 3).extended(["c"])
    >>> columns.names, columns.vector({"a": 1, "c": 2.5})
    (('b', 'a', 'c'), array([0. , 1. , 2.5], dtype=float32))
    """

    def __init__(self, names: Sequence[Hashable], dim: int) -> None:
        self.names, self.dim = tuple(names), dim
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self._are_numbered = self.names == tuple(range(dim))
        self._values = itemgetter(*self.names) if len(self.names) > 1 else None  # Of one name it gives no tuple.

    @classmethod
    def of(cls, names: Iterable[Hashable]) -> "Columns":
        """Exactly these names, sorted as people do, `feat_2` before `feat_10`: whatever order a dict has them in."""
        ordered = names if isinstance(names, range) else sorted(names, key=_natural_order)
        if not ordered:
            raise InvalidVector("the first example has no features: a model needs at least one")
        return cls(ordered, len(ordered))

    def extended(self, names: Iterable[Hashable]) -> "Columns":
        """With a column for each name that has none yet. Raises InvalidVector where there is no room.

        A range names the values of an array: all columns, and those of no other example.
        """
        if isinstance(names, range):
            numbered = Columns(names, self.dim) if not self.names and len(names) == self.dim else self
            numbered._require_array(len(names))
            return numbered
        if isinstance(names, KeysView) and names <= self._numbers.keys():  # Nearly always, and the fastest way to know.
            return self
        new = sorted((name for name in names if name not in self._numbers), key=_natural_order)
        if not new:
            return self
        self._require_room(new)
        return Columns([*self.names, *new], self.dim)

    def vector(self, x: Features) -> Vector:
        """One example as float32 [dim]. A feature that is absent counts as 0; one that may still get a column, too.

        Raises InvalidVector for a name that cannot get one, and for what is no number in bounds.
        """
        names, values = names_of(x), cast(Mapping[Any, Any], x)
        if isinstance(names, range):
            return self._first(names, x)
        if self._values and len(values) == len(self.names):
            try:
                return self._first(self.names, self._values(values))
            except KeyError:
                pass  # As many other names.
        return self._first(tuple(names), [values[name] for name in names])

    def matrix(self, names: Sequence[Hashable], values: npt.NDArray[Any]) -> Matrix:
        """Examples as float32 [n, dim], from ``values`` [n, len(names)]. As ``vector``."""
        rows = self._checked(values, names)
        if isinstance(names, range):
            self._require_array(len(names))
            return rows
        if tuple(names) == self.names and len(self.names) == self.dim:
            return rows
        unknown = [name for name in names if name not in self._numbers]
        if unknown:
            self._require_room(unknown)
        found = [number for number, name in enumerate(names) if name in self._numbers]
        out = np.zeros((len(rows), self.dim), np.float32)
        out[:, [self._numbers[names[number]] for number in found]] = rows[:, found]
        return out

    def _first(self, names: Sequence[Hashable], values: Any) -> Vector:
        """The vector of one example: the only row of ``matrix``."""
        vector: Vector = self.matrix(names, _as_array(values).reshape(1, -1))[0]
        return vector

    def _require_array(self, size: int) -> None:
        if not self._are_numbered:
            raise InvalidVector(f"features have names here ({_listed(self.names)}): give them by name, not as an array")
        if size != self.dim:
            raise InvalidVector(f"expected an array of {self.dim} values, got {size}")

    def _require_room(self, unknown: Sequence[Hashable]) -> None:
        room = self.dim - len(self.names)
        if len(unknown) > room:
            raise InvalidVector(
                f"feature {unknown[room]!r} has no column: the {self.dim} there are belong to {_listed(self.names)}; "
                f"name all features beforehand, features=[...], or leave room for more, as in features={2 * self.dim}"
            )

    def _checked(self, values: npt.NDArray[Any], names: Sequence[Hashable]) -> Matrix:
        """The values as float32. Raises InvalidVector that names the feature, and of several rows the row."""
        if values.dtype.kind not in _NUMBERS:
            values = np.array([[_number(v, n) for v, n in zip(row, names, strict=True)] for row in values], np.float64)
        with np.errstate(over="ignore"):  # What is beyond float32 becomes infinite, and is named below.
            rows = np.ascontiguousarray(values, np.float32)
        try:
            check_vector(rows.reshape(-1))
        except InvalidVector as error:
            if error.place is None:
                raise
            row, column = divmod(error.place, len(names))
            where = f" of row {row}" if len(rows) > 1 else ""
            raise InvalidVector(
                f"feature {names[column]!r}{where} {problem_of(rows[row, column])}. "
                f"{_LEAVE_IT_OUT}, or fill it in, as with River's preprocessing.StatImputer()"
            ) from None
        return rows


def names_of(x: Features) -> Iterable[Hashable]:
    """The names of one example's features: of an array a range.

    Raises InvalidVector for an array that is no row, TypeError for what is neither an array nor has names.
    """
    if hasattr(x, "keys"):  # A dict, or a row of pandas' data frames.
        return x.keys()
    if not isinstance(x, np.ndarray):
        raise TypeError(f"an example is a dict of numbers by name, or a NumPy array, not a {type(x).__name__}")
    if x.ndim != 1:
        raise InvalidVector(f"expected one row of values, not an array of shape {x.shape}")
    return range(len(x))


def _as_array(values: Any) -> npt.NDArray[Any]:
    """Values [n] of one numeric type, or as the objects that they are: NumPy makes texts of all if one is a text."""
    try:
        numbers = np.asarray(values)
    except ValueError:  # Lists of several lengths among them.
        numbers = np.empty(0)
    if numbers.dtype.kind in _NUMBERS and numbers.shape == (len(values),):
        return numbers
    objects = np.empty(len(values), object)
    objects[:] = values
    return objects


def _number(value: Any, name: Hashable) -> float:
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidVector(
        f"feature {name!r} is {value!r}, which is not a number. {_LEAVE_IT_OUT}, or encode it, as with River's "
        "preprocessing.OneHotEncoder(), or select the numbers, as with compose.SelectType(float)"
    )


def _natural_order(name: Hashable) -> tuple[Any, ...]:
    """Texts by their letters, the numbers in them by size. `f1` and `f01` differ too: no order of a dict decides."""
    parts = re.split(r"(\d+)", str(name))
    return tuple(int(part) if number % 2 else part for number, part in enumerate(parts)), type(name).__name__, str(name)


def _listed(names: Sequence[Hashable]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return f"{shown} and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else shown or "none yet"
