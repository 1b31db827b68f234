"""A fixed transform of the features before a model sees them: `l2` and `project`."""

from collections.abc import Callable, Sequence

import numpy as np

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.scores import normalise
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector, require_dim
from prequel.services.learner.models.capabilities import (
    Loadable,
    correct,
    full_size_of,
    portable_steps,
    predict_many,
    size_of,
)
from prequel.services.learner.models.discriminant import Transform
from prequel.services.learner.models.leave_one_out import Learned, LeaveOneOut, leave_one_out
from prequel.services.learner.models.projection import Projection
from prequel.services.learner.models.wrapping import nested, unnested
from prequel.services.learner.portable import steps

InnerModel = Callable[[int], Loadable]
"""Makes the model behind a transform, from the number of features that it will get."""


def l2(dim: int, *, seed: int, inner: InnerModel) -> "TransformedModel":
    """Every vector divided by its Euclidean length; a vector of zeros stays.

    >>> import numpy as np
    >>> UnitLength()(np.array([[3, 4], [0, 0]], np.float32)).round(1).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    return TransformedModel(inner(dim), dim, seed=seed, transform=UnitLength())


def project(dim: int, *, seed: int, inner: InnerModel, argument: int) -> "TransformedModel":
    """A random projection to ``argument`` features, drawn from ``seed``: see ``Projection``."""
    return TransformedModel(inner(argument), dim, seed=seed, transform=Projection(dim, argument, seed))


class TransformedModel:
    """A model of ``transform(x)``, which is fixed and treats each row by itself: [n, dim] to [n, width], float32.

    It is exact if the inner model is.
    """

    def __init__(self, inner: Loadable, dim: int, *, seed: int, transform: Transform) -> None:
        self.inner = inner
        self._dim, self._seed, self._transform = dim, seed, transform
        self.labels, self.exact = inner.labels, inner.exact

    @property
    def full_size(self) -> int:
        """See ``capabilities.GrowingModel``."""
        return full_size_of(self.inner)

    def predict(self, x: Vector) -> Probabilities:
        return self.inner.predict(self._transformed(x.reshape(1, -1))[0])

    def predict_many(self, xs: Matrix) -> Probabilities:
        """See ``capabilities.predict_many``."""
        return predict_many(self.inner, self._transformed(xs))

    def portable(self) -> tuple[steps.Step, ...]:
        """See ``capabilities.portable_steps``."""
        return (self._transform.portable(), *portable_steps("the model in it", self.inner))

    def learn(self, x: Vector, label: str) -> None:
        self.inner.learn(self._transformed(x.reshape(1, -1))[0], label)

    def unlearn(self, x: Vector, label: str) -> None:
        self.inner.unlearn(self._transformed(x.reshape(1, -1))[0], label)

    def correct(self, x: Vector, old: str | None, new: str | None, *, age: int) -> bool:
        """See ``capabilities.CorrectableModel``."""
        return correct(self.inner, self._transformed(x.reshape(1, -1))[0], old, new, age=age)

    def leave_one_out(self) -> LeaveOneOut:
        """See ``leave_one_out.leave_one_out``."""
        inner = leave_one_out(self.inner)
        assert inner is not None, "asked only of an exact model"
        return TransformedLeaveOneOut(inner, self._transformed)

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        return self.inner.fold(self._transformed(xs), labels)

    @property
    def size(self) -> int:
        """See ``capabilities.SizedModel``."""
        return size_of(self.inner)

    def state(self) -> ModelState:
        return nested(self.inner.state(), {"dim": self._dim, "seed": self._seed})

    def load(self, state: ModelState) -> None:
        """Become the model of the same spec that returned ``state``."""
        self.inner.load(unnested(state))

    def _transformed(self, xs: Matrix) -> Matrix:
        require_dim(xs.shape[1], self._dim)
        return self._transform(xs)


class TransformedLeaveOneOut:
    """What the inner model would predict without each row."""

    def __init__(self, inner: LeaveOneOut, transform: Callable[[Matrix], Matrix]) -> None:
        self._inner, self._transform = inner, transform

    def predict(self, xs: Matrix, learned: Learned) -> Probabilities:
        return self._inner.predict(self._transform(xs), learned)


class UnitLength:
    """Rows divided by their Euclidean length."""

    def __call__(self, xs: Matrix) -> Matrix:
        out = np.empty(xs.shape, np.float32)
        normalise(frozen(xs), np.zeros(LANES), out)
        return out

    def portable(self) -> steps.UnitLength:
        """The same as a step of a model that leaves."""
        return steps.UnitLength()
