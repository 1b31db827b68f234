"""What can be done to features before a model sees them: `scale`, `l2`, `project`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.linear import observe, rescale, standardise
from prequel.services.learner.kernels.scores import normalise
from prequel.services.learner.models.base import Loadable, Matrix, ModelState, Probabilities, Vector, size_of


class Mapped:
    """A model of ``transform(x)``, which is fixed and works on each row by itself."""

    def __init__(self, inner: Loadable, dim: int, seed: int, transform: Callable[[Matrix], Matrix]) -> None:
        self.inner = inner
        self._dim, self._seed, self._transform = dim, seed, transform
        self.labels, self.exact = inner.labels, inner.exact

    def predict(self, x: Vector) -> Probabilities:
        return self.inner.predict(self._map(x.reshape(1, -1))[0])

    def learn(self, x: Vector, label: str) -> None:
        self.inner.learn(self._map(x.reshape(1, -1))[0], label)

    def unlearn(self, x: Vector, label: str) -> None:
        self.inner.unlearn(self._map(x.reshape(1, -1))[0], label)

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        return self.inner.fold(self._map(xs), labels)

    @property
    def size(self) -> int:
        """See models.model.Sized."""
        return size_of(self.inner)

    def state(self) -> ModelState:
        return nested(self.inner.state(), {"dim": self._dim, "seed": self._seed})

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of."""
        self.inner.load(unnested(state))
        self.labels = self.inner.labels

    def _map(self, xs: Matrix) -> Matrix:
        if xs.shape[1] != self._dim:
            raise ValueError(f"{xs.shape[1]} features, the model has {self._dim}")
        return self._transform(xs)


class Scaled:
    """A model of standardised features, as behind River's ``StandardScaler()``: it learns only when the model does."""

    exact = False

    def __init__(self, inner: Loadable, dim: int, seed: int) -> None:
        self.inner = inner
        self._dim, self._seed, self._count = dim, seed, 0
        self._mean, self._variance, self._scale = np.zeros(dim), np.zeros(dim), np.zeros(dim, np.float32)
        self.labels = inner.labels

    def predict(self, x: Vector) -> Probabilities:
        return self.inner.predict(self._scaled(x))

    def learn(self, x: Vector, label: str) -> None:
        self._check(x)
        self._count += 1
        past, z = np.empty(self._dim, np.float32), np.empty(self._dim, np.float32)
        observe(frozen(x), self._mean, self._variance, self._scale, self._count, past, z)
        self.inner.learn(z, label)

    def unlearn(self, x: Vector, label: str) -> None:
        raise NotImplementedError("scaling cannot be taken back: learn the right label instead")

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        predictions = []
        for x, label in zip(xs, labels, strict=True):
            predictions.append(self.predict(x))
            if label is not None:
                self.learn(x, label)
        return predictions

    @property
    def size(self) -> int:
        """See models.model.Sized."""
        return size_of(self.inner) + self._mean.nbytes + self._variance.nbytes

    def state(self) -> ModelState:
        own = {"dim": self._dim, "seed": self._seed, "count": self._count}
        return nested(self.inner.state(), own, mean=self._mean.copy(), variance=self._variance.copy())

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of."""
        self._count = state.meta["count"]
        self._mean, self._variance = state.arrays["mean"].copy(), state.arrays["variance"].copy()
        rescale(self._variance, self._scale)
        self.inner.load(unnested(state))
        self.labels = self.inner.labels

    def _scaled(self, x: Vector) -> Vector:
        self._check(x)
        z = np.empty(self._dim, np.float32)
        standardise(frozen(x), self._mean, self._scale, z)
        return z

    def _check(self, x: Vector) -> None:
        if x.size != self._dim:
            raise ValueError(f"{x.size} features, the model has {self._dim}")


class UnitLength:
    """Rows divided by their Euclidean length."""

    def __init__(self) -> None:
        self._lanes = np.zeros(LANES)

    def __call__(self, xs: Matrix) -> Matrix:
        out = np.empty(xs.shape, np.float32)
        normalise(frozen(xs), self._lanes, out)
        return out


def nested(inner: ModelState, own: dict[str, Any], **arrays: np.typing.NDArray[Any]) -> ModelState:
    """A recipe's state around its model's."""
    inside = {f"inner.{name}": array for name, array in inner.arrays.items()}
    return ModelState(own | {"inner": dict(inner.meta)}, arrays | inside, inner.pickled)


def unnested(state: ModelState) -> ModelState:
    inside = {name[6:]: array for name, array in state.arrays.items() if name.startswith("inner.")}
    return ModelState(state.meta["inner"], inside, state.pickled)
