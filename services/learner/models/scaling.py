"""Every feature standardised before a model sees it: `scale`."""

from collections.abc import Sequence

import numpy as np

from prequel.services.learner.kernels.compiled import frozen
from prequel.services.learner.kernels.linear import observe, rescale, standardise
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector, require_dim
from prequel.services.learner.models.capabilities import Loadable, full_size_of, portable_steps, predict_many, size_of
from prequel.services.learner.models.transforms import InnerModel
from prequel.services.learner.models.wrapping import fold_rows, nested, unnested
from prequel.services.learner.portable.steps import Standardise, Step


def scale(dim: int, *, seed: int, inner: InnerModel) -> "ScaledModel":
    """The model of ``dim`` features behind standardisation: see ``ScaledModel``."""
    return ScaledModel(inner(dim), dim, seed=seed)


class ScaledModel:
    """A model of standardised features, as behind River's ``StandardScaler()``; means are learned with each label.

    Means and variances are float64 [dim]; the inner model gets float32. ``unlearn`` is not possible, whatever the inner
    model is: what it learned before was scaled by other means.

    >>> import numpy as np
    >>> from prequel.services.learner.models.registry import create
    >>> model = create("scale|ncm", 2, seed=0)
    >>> predictions = model.fold(np.array([[0, 900], [1, 901]] * 20, np.float32), ["cat", "dog"] * 20)
    >>> model.labels, predictions[-1].argmax().item()
    (['cat', 'dog'], 1)
    """

    exact = False

    def __init__(self, inner: Loadable, dim: int, *, seed: int) -> None:
        self.inner = inner
        self._dim, self._seed, self._count = dim, seed, 0
        self._mean, self._variance, self._scale = np.zeros(dim), np.zeros(dim), np.zeros(dim, np.float32)
        self.labels = inner.labels

    @property
    def full_size(self) -> int:
        """See ``capabilities.GrowingModel``."""
        return full_size_of(self.inner)

    def predict(self, x: Vector) -> Probabilities:
        require_dim(x.size, self._dim)
        z = np.empty(self._dim, np.float32)
        standardise(frozen(x), self._mean, self._scale, z)
        return self.inner.predict(z)

    def predict_many(self, xs: Matrix) -> Probabilities:
        """See ``capabilities.predict_many``."""
        require_dim(xs.shape[1], self._dim)
        zs = np.empty(xs.shape, np.float32)
        for x, z in zip(frozen(xs), zs, strict=True):
            standardise(x, self._mean, self._scale, z)
        return predict_many(self.inner, zs)

    def portable(self) -> tuple[Step, ...]:
        """See ``capabilities.portable_steps``."""
        return (Standardise(self._mean.copy(), self._scale.copy()), *portable_steps("the model in it", self.inner))

    def learn(self, x: Vector, label: str) -> None:
        require_dim(x.size, self._dim)
        self._count += 1
        past, z = np.empty(self._dim, np.float32), np.empty(self._dim, np.float32)
        observe(frozen(x), self._mean, self._variance, self._scale, self._count, past, z)
        self.inner.learn(z, label)

    def unlearn(self, x: Vector, label: str) -> None:
        raise NotImplementedError("a model behind scale cannot unlearn an example: learn the right label instead")

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        return fold_rows(self, xs, labels)

    @property
    def size(self) -> int:
        """See ``capabilities.SizedModel``."""
        return size_of(self.inner) + self._mean.nbytes + self._variance.nbytes

    def state(self) -> ModelState:
        own = {"dim": self._dim, "seed": self._seed, "count": self._count}
        return nested(self.inner.state(), own, mean=self._mean.copy(), variance=self._variance.copy())

    def load(self, state: ModelState) -> None:
        """Become the model of the same spec that returned ``state``."""
        self._count = state.meta["count"]
        self._mean, self._variance = state.arrays["mean"].copy(), state.arrays["variance"].copy()
        rescale(self._variance, self._scale)
        self.inner.load(unnested(state))
