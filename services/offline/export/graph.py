"""A model's steps as a graph of a few operations that every framework has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np

from prequel.services.learner.fold.predictions import TOP
from prequel.services.learner.portable import steps
from prequel.services.learner.portable.calibrated import TINY, Calibrate
from prequel.services.learner.portable.steps import Array, Step
from prequel.shared.model_files import CannotConvert

MAX_MATRIX = 2**27
"""Values of the largest matrix that is written out: a gigabyte. Projections of more features stay as they are only in
.npz, where they are a few numbers for each feature."""
_LEAST_LENGTH = 1e-30
"""Rows that are shorter stay rows of zeros."""

LARGEST = 1e30
"""A probability that is not at most this is no number: NaN and infinities compare as false everywhere. It is a number
of float32: TensorFlow compares with such."""

Tensor = Any
"""Float64 [n, width], as the framework has it."""


class Graph(Protocol):
    """What one framework does with tensors. ``one`` and ``other`` may have one column, which counts for all."""

    def dense(self, x: Tensor, weights: Array, offsets: Array) -> Tensor:
        """x · weights [outputs, width] + offsets [outputs]."""
        ...

    def affine(self, x: Tensor, factors: Array | float, shifts: Array | float) -> Tensor:
        """x times factors plus shifts, [width] or numbers."""
        ...

    def add(self, one: Tensor, other: Tensor) -> Tensor: ...

    def multiply(self, one: Tensor, other: Tensor) -> Tensor: ...

    def divide(self, one: Tensor, other: Tensor) -> Tensor: ...

    def clip(self, x: Tensor, low: float, high: float) -> Tensor: ...

    def exp(self, x: Tensor) -> Tensor: ...

    def log(self, x: Tensor) -> Tensor: ...

    def power(self, x: Tensor, exponent: float) -> Tensor: ...

    def absolute(self, x: Tensor) -> Tensor: ...

    def softmax(self, x: Tensor) -> Tensor: ...

    def positive(self, x: Tensor) -> Tensor:
        """1 where x is above 0, else 0."""
        ...

    def finite(self, x: Tensor) -> Tensor:
        """x, with 0 for what is no number."""
        ...

    def rounded(self, x: Tensor) -> Tensor:
        """x as numbers of float32 are: what the models behind transforms get. `naive-bayes` would notice."""
        ...

    def largest(self, x: Tensor, count: int) -> Tensor:
        """1 for the ``count`` largest of each row, else 0; of equal ones those that stand first."""
        ...

    def total(self, x: Tensor) -> Tensor:
        """The sum of each row, [n, 1]."""
        ...

    def repeat(self, x: Tensor, times: int) -> Tensor:
        """Each row so many times beside itself, [n, times x width]."""
        ...

    def sums(self, x: Tensor, blocks: int) -> Tensor:
        """The sums of ``blocks`` equal parts of each row, [n, blocks]."""
        ...

    def take(self, x: Tensor, places: Array) -> Tensor:
        """The columns at ``places``, [n, places]."""
        ...


def lower(graph: Graph, own: Sequence[Step], x: Tensor, width: int) -> Tensor:
    """All steps on ``x`` [n, width]. Raises CannotConvert."""
    rest = list(own)
    while rest:
        step = rest.pop(0)
        if isinstance(step, steps.Project) and rest and isinstance(rest[0], steps.Linear):
            step = _projected(step, cast(steps.Linear, rest.pop(0)))
        x, width = _LOWERED[type(step)](graph, step, x, width), step.width(width)
    return x


def _projected(projection: steps.Project, linear: steps.Linear) -> steps.Linear:
    """Both as one, without the projection's matrix."""
    places, signs = projection.places, projection.signs
    parts = [linear.weights[:, places[:, copy]] * signs[:, copy] for copy in range(places.shape[1])]
    return steps.Linear(projection.factor * np.sum(parts, axis=0), linear.offsets)


def _standardise(graph: Graph, step: steps.Standardise, x: Tensor, width: int) -> Tensor:
    factors = 0.25 * step.scale.astype(np.float64)
    z = graph.affine(graph.affine(x, 1.0, -step.mean), factors, 0.0)
    return graph.rounded(graph.clip(z, -steps.MAX_DEVIATIONS, steps.MAX_DEVIATIONS))


def _clip(graph: Graph, step: steps.Clip, x: Tensor, width: int) -> Tensor:
    return graph.clip(x, -step.limit, step.limit)


def _unit_length(graph: Graph, step: steps.UnitLength, x: Tensor, width: int) -> Tensor:
    length = graph.power(graph.total(graph.multiply(x, x)), 0.5)
    return graph.rounded(graph.divide(x, graph.clip(length, _LEAST_LENGTH, np.inf)))


def _project(graph: Graph, step: steps.Project, x: Tensor, width: int) -> Tensor:
    if len(step.places) * step.outputs > MAX_MATRIX:
        raise CannotConvert(
            f"a projection of {len(step.places)} features to {step.outputs} would be a matrix of gigabytes: export npz"
        )
    return graph.rounded(graph.dense(x, step.matrix().T, np.zeros(step.outputs)))


def _random_features(graph: Graph, step: steps.RandomFeatures, x: Tensor, width: int) -> Tensor:
    inputs = graph.affine(graph.take(x, step.places.T.ravel()), step.factor * step.signs.T.ravel(), 0.0)
    return graph.rounded(graph.clip(graph.sums(inputs, step.places.shape[1]), 0.0, np.inf))


def _linear(graph: Graph, step: steps.Linear, x: Tensor, width: int) -> Tensor:
    return graph.dense(x, step.weights.astype(np.float64), step.offsets.astype(np.float64))


def _rectify(graph: Graph, step: steps.Rectify, x: Tensor, width: int) -> Tensor:
    return graph.clip(x, 0.0, np.inf)


def _softmax(graph: Graph, step: steps.Softmax, x: Tensor, width: int) -> Tensor:
    shares = graph.softmax(x if step.sharpness == 1.0 else graph.affine(x, step.sharpness, 0.0))
    return _dealt(graph, shares, step.share, width) if step.share else shares


def _one_vs_rest(graph: Graph, step: steps.OneVsRest, x: Tensor, width: int) -> Tensor:
    limited = graph.clip(x, -steps.MAX_RAW, steps.MAX_RAW)
    sigmoid = graph.power(graph.affine(graph.exp(graph.affine(limited, -1.0, 0.0)), 1.0, 1.0), -1.0)
    own = graph.multiply(sigmoid, graph.positive(graph.affine(x, 1.0, steps.MAX_RAW)))
    none = graph.affine(graph.positive(graph.total(own)), -1.0, 1.0)
    even = graph.add(own, none)  # Where all are 0, they are 1: then each has an even share.
    return graph.divide(even, graph.total(even))


def _gaussians(graph: Graph, step: steps.Gaussians, x: Tensor, width: int) -> Tensor:
    classes = step.priors.size
    roots = np.sqrt(step.precisions).ravel()
    away = graph.affine(graph.affine(graph.repeat(x, classes), 1.0, -step.means.ravel()), roots, 0.0)
    exponents = graph.clip(graph.multiply(away, away), 0.0, 700.0)
    densities = graph.affine(graph.exp(graph.affine(exponents, -1.0, 0.0)), step.heights.ravel(), steps.DENSITY_FLOOR)
    return graph.affine(graph.sums(graph.log(densities), classes), 1.0, step.priors)


def _neighbours(graph: Graph, step: steps.Neighbours, x: Tensor, width: int) -> Tensor:
    raise CannotConvert(
        "knn is no formula but a search among stored examples: export it as npz, which `prequel predict` reads, or "
        "export another model of the stream"
    )


def _mixture(graph: Graph, step: steps.Mixture, x: Tensor, width: int) -> Tensor:
    parts = [
        graph.affine(graph.finite(lower(graph, expert, x, width)), weight, 0.0)
        for expert, weight in zip(step.experts, step.weights.tolist(), strict=True)
    ]
    mixed = parts[0]
    for part in parts[1:]:
        mixed = graph.add(mixed, part)
    return mixed


def _calibrate(graph: Graph, step: Calibrate, x: Tensor, classes: int) -> Tensor:
    own = graph.rounded(graph.finite(x))
    first = graph.largest(own, 1)
    stored = graph.largest(own, TOP) if classes > TOP else None
    powers = graph.power(graph.affine(_levelled(graph, own, stored, classes), 1.0, TINY), step.sharpness)
    out = _dealt(graph, graph.divide(powers, graph.total(powers)), step.even, classes)
    out = graph.add(graph.affine(out, 1.0 - step.top, 0.0), graph.affine(first, step.top, 0.0))
    share = _share(graph, step.bins, graph.total(graph.multiply(out, first)))
    lifted = graph.clip(share, 0.0, np.inf)
    even = graph.clip(graph.affine(share, -1.0, 0.0), 0.0, np.inf)
    left = graph.affine(graph.add(lifted, even), -1.0, 1.0)
    dealt = graph.add(graph.affine(even, 1.0 / classes, 0.0), graph.multiply(lifted, first))
    out = _dealt(graph, graph.add(graph.multiply(left, out), dealt), step.doubt, classes)
    return _levelled(graph, out, stored, classes)


def _levelled(graph: Graph, shares: Tensor, stored: Tensor | None, classes: int) -> Tensor:
    """The classes that are not stored have an even share of what those leave."""
    if stored is None:
        return shares
    kept = graph.multiply(shares, stored)
    left = graph.clip(graph.affine(graph.total(kept), -1.0, 1.0), 0.0, np.inf)
    others = graph.affine(stored, -1.0 / (classes - TOP), 1.0 / (classes - TOP))
    return graph.add(kept, graph.multiply(left, others))


def _share(graph: Graph, bins: Array, confidence: Tensor) -> Tensor:
    """What lies between the shares of the two bins next to a confidence: each counts as far as it is near."""
    place = graph.clip(graph.affine(confidence, float(bins.size), -0.5), 0.0, bins.size - 1.0)
    away = graph.absolute(graph.affine(graph.repeat(place, bins.size), 1.0, -np.arange(float(bins.size))))
    near = graph.clip(graph.affine(away, -1.0, 1.0), 0.0, 1.0)
    return graph.total(graph.affine(near, bins, 0.0))


def _dealt(graph: Graph, shares: Tensor, even: float, classes: int) -> Tensor:
    """Of probabilities, the share ``even`` dealt out to all classes."""
    return graph.affine(shares, 1.0 - even, even / classes)


_LOWERED: Mapping[type[Any], Callable[[Graph, Any, Tensor, int], Tensor]] = {
    steps.Standardise: _standardise,
    steps.Clip: _clip,
    steps.UnitLength: _unit_length,
    steps.Project: _project,
    steps.RandomFeatures: _random_features,
    steps.Linear: _linear,
    steps.Rectify: _rectify,
    steps.Softmax: _softmax,
    steps.OneVsRest: _one_vs_rest,
    steps.Gaussians: _gaussians,
    steps.Neighbours: _neighbours,
    steps.Mixture: _mixture,
    Calibrate: _calibrate,
}
