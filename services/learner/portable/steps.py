"""The steps from features to probabilities that a model which leaves is made of, each as arrays and numbers."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.distances import squared_distances
from prequel.services.learner.kernels.projection import project, random_features

Array = npt.NDArray[Any]

NO_EXAMPLES = -1e100
"""The offset of a class without examples: after every softmax its probability is exactly that of chance."""
MAX_DEVIATIONS = 1e9
"""Where ``Standardise`` cuts features off, as ``kernels.linear`` does."""
MAX_RAW = 30.0
"""Beyond it ``OneVsRest`` counts a score as certain, as River and ``kernels.linear`` do."""
DENSITY_FLOOR = 1e-9
"""Added to each density of ``Gaussians``, as River and ``kernels.naive_bayes`` do."""
VOTES = 0.5
"""Votes that every class has besides in ``Neighbours``, as in `slda`: five equal votes are not certainty. Without them,
calibration must bend everything for the sake of true classes without a vote (CIFAR-10 through MobileNetV2: expected
calibration error 0.046 instead of 0.023, log loss 1.83 instead of 1.76); a tenth of them leaves 0.040. The sums are
squared, for of ten classes five equal votes would else have 0.55, and in a mixture, which nothing calibrates, hardly
any weight."""


class Step(Protocol):
    """One step: rows [n, given] in, rows [n, ``width(given)``] out."""

    def width(self, given: int) -> int:
        """How wide the rows behind it are. Raises ValueError where its arrays do not fit rows of ``given`` values."""
        ...

    def __call__(self, xs: Array) -> Array: ...


class Standardise(NamedTuple):
    """(x - ``mean``) x ``scale``, cut off at MAX_DEVIATIONS; float64 [dim] and float32 [dim], 0 for constant features.

    ``scale`` is 4 / deviation: a quarter of a difference of two float32 never overflows.
    """

    mean: Array
    scale: Array

    def width(self, given: int) -> int:
        return _fits(given, self.mean, self.scale)

    def __call__(self, xs: Array) -> Array:
        z = (0.25 * (xs.astype(np.float64) - self.mean)).astype(np.float32) * self.scale
        return np.clip(z, -MAX_DEVIATIONS, MAX_DEVIATIONS)


class Clip(NamedTuple):
    """Every value between -``limit`` and ``limit``."""

    limit: float

    def width(self, given: int) -> int:
        return given

    def __call__(self, xs: Array) -> Array:
        return np.clip(xs, -self.limit, self.limit)


class UnitLength(NamedTuple):
    """Every row divided by its Euclidean length; a row of zeros stays."""

    def width(self, given: int) -> int:
        return given

    def __call__(self, xs: Array) -> Array:
        wide = xs.astype(np.float64)
        lengths = np.sqrt(np.square(wide).sum(axis=1, keepdims=True))
        return (wide / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


class Project(NamedTuple):
    """A sparse projection: value j is added, with ``signs`` int8 [dim, copies], to the outputs ``places`` int32 of it.

    The sums, ``outputs`` of them, are multiplied with ``factor``.
    """

    places: Array
    signs: Array
    factor: float
    outputs: int

    def width(self, given: int) -> int:
        _fits(given, self.places[:, 0])
        _require(self.places.shape == self.signs.shape and _within(self.places, self.outputs))
        return self.outputs

    def __call__(self, xs: Array) -> Array:
        rows, out = frozen(np.ascontiguousarray(xs, np.float32)), np.empty((len(xs), self.outputs), np.float32)
        project(rows, self.places, self.signs, self.factor, np.zeros(self.outputs), out)
        return out

    def matrix(self) -> Array:
        """The same as a matrix, float64 [dim, outputs]."""
        matrix = np.zeros((len(self.places), self.outputs))
        np.add.at(matrix, (np.arange(len(self.places))[:, None], self.places), self.signs * self.factor)
        return matrix


class RandomFeatures(NamedTuple):
    """max(0, ``factor`` x sums of values): output k adds the values ``places`` int32 [inputs, outputs], with
    ``signs`` float64 [inputs, outputs]."""

    places: Array
    signs: Array
    factor: float

    def width(self, given: int) -> int:
        _require(self.places.shape == self.signs.shape and _within(self.places, given))
        return int(self.places.shape[1])

    def __call__(self, xs: Array) -> Array:
        width = self.places.shape[1]
        rows, out = frozen(np.ascontiguousarray(xs, np.float32)), np.empty((len(xs), width), np.float32)
        random_features(rows, self.places, self.signs, self.factor, np.zeros(width), out)
        return out


class Linear(NamedTuple):
    """x · ``weights`` [outputs, dim] + ``offsets`` [outputs]."""

    weights: Array
    offsets: Array

    def width(self, given: int) -> int:
        _require(self.weights.shape == (self.offsets.size, given))
        return int(self.offsets.size)

    def __call__(self, xs: Array) -> Array:
        scores: Array = xs.astype(np.float64) @ self.weights.astype(np.float64).T + self.offsets
        return scores


class Rectify(NamedTuple):
    """Values below 0 become 0."""

    def width(self, given: int) -> int:
        return given

    def __call__(self, xs: Array) -> Array:
        return np.maximum(xs, 0.0)


class Softmax(NamedTuple):
    """The softmax of ``sharpness`` x scores, of which ``share`` is dealt out evenly to all classes."""

    sharpness: float = 1.0
    share: float = 0.0

    def width(self, given: int) -> int:
        return given

    def __call__(self, xs: Array) -> Array:
        powers = np.exp(self.sharpness * (xs - xs.max(axis=1, keepdims=True)))
        shares: Array = (1.0 - self.share) * powers / powers.sum(axis=1, keepdims=True) + self.share / xs.shape[1]
        return shares


class OneVsRest(NamedTuple):
    """Each score's own sigmoid, exactly 0 or 1 beyond MAX_RAW, divided by their sum; even where all are 0."""

    def width(self, given: int) -> int:
        return given

    def __call__(self, xs: Array) -> Array:
        own = 1.0 / (1.0 + np.exp(-np.clip(xs, -MAX_RAW, MAX_RAW)))
        own = np.where(xs < -MAX_RAW, 0.0, np.where(xs > MAX_RAW, 1.0, own))
        total = own.sum(axis=1, keepdims=True)
        return np.where(total > 0.0, own / np.where(total > 0.0, total, 1.0), 1.0 / xs.shape[1])


class Gaussians(NamedTuple):
    """Log likelihoods of classes: ``priors`` [classes] + the sum over features of log(DENSITY_FLOOR + ``heights`` x
    exp(-(x - ``means``)² x ``precisions``)), these float64 [classes, dim]."""

    priors: Array
    means: Array
    precisions: Array
    heights: Array

    def width(self, given: int) -> int:
        shapes = {each.shape for each in (self.means, self.precisions, self.heights)}
        _require(shapes == {(self.priors.size, given)})
        return int(self.priors.size)

    def __call__(self, xs: Array) -> Array:
        return np.array([self._row(x) for x in xs.astype(np.float64)]).reshape(len(xs), self.priors.size)

    def _row(self, x: Array) -> Array:
        densities = self.heights * np.exp(-np.minimum(np.square(x - self.means) * self.precisions, 700.0))
        logs: Array = self.priors + np.log(DENSITY_FLOOR + densities).sum(axis=1)
        return logs


class Neighbours(NamedTuple):
    """The ``k`` nearest of ``rows`` float32 [size, dim] vote for their ``classes`` int64 [size], ``outputs`` in all.

    A class's probability goes as the square of its votes and VOTES more.
    """

    rows: Array
    classes: Array
    k: int
    outputs: int

    def width(self, given: int) -> int:
        _require(self.rows.shape == (self.classes.size, given) and _within(self.classes, self.outputs))
        return self.outputs

    def __call__(self, xs: Array) -> Array:
        rows = np.ascontiguousarray(xs, np.float32)
        return np.array([self._row(x) for x in rows]).reshape(len(xs), self.outputs)

    def _row(self, x: Array) -> Array:
        distances = np.zeros(len(self.rows))
        squared_distances(x, self.rows, len(self.rows), np.zeros(LANES), distances)
        nearest = np.argsort(distances, kind="stable")[: self.k]
        squares = np.square(np.bincount(self.classes[nearest], minlength=self.outputs) + VOTES)
        return np.asarray(squares / squares.sum())


class Mixture(NamedTuple):
    """The mean of what ``experts``, each its own steps, make of the same rows, by ``weights`` [experts]."""

    weights: Array
    experts: "tuple[tuple[Step, ...], ...]"

    def width(self, given: int) -> int:
        widths = {width_behind(steps, given) for steps in self.experts}
        _require(len(widths) == 1 and self.weights.shape == (len(self.experts),))
        return widths.pop()

    def __call__(self, xs: Array) -> Array:
        parts = [weight * _numbers(apply(steps, xs)) for weight, steps in zip(self.weights, self.experts, strict=True)]
        return np.asarray(sum(parts))


def apply(steps: "tuple[Step, ...]", xs: Array) -> Array:
    """All steps in turn: rows float32 [n, dim] in, probabilities float64 [n, classes] out."""
    for step in steps:
        xs = step(xs)
    return xs


def width_behind(steps: "tuple[Step, ...]", given: int) -> int:
    """How wide rows of ``given`` values are behind all steps. Raises ValueError where one does not fit the next."""
    for step in steps:
        given = step.width(given)
    return given


def _numbers(shares: Array) -> Array:
    return np.where(np.isfinite(shares), shares, 0.0)


def _fits(given: int, *arrays: Array) -> int:
    _require(all(array.shape == (given,) for array in arrays))
    return given


def _within(places: Array, size: int) -> bool:
    """Kernels do not look: a place outside would be another object's memory."""
    if places.dtype.kind not in "iu":
        return False
    return not places.size or (int(places.min()) >= 0 and int(places.max()) < size)


def _require(fits: bool) -> None:
    if not fits:
        raise ValueError("the arrays do not fit each other")
