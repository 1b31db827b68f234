"""A model with labels of any type: bool, int, text, whatever can be a key."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix, Model, ModelState, Probabilities, Vector
from prequel.services.learner.models.capabilities import correct
from prequel.shared.errors import PrequelError


class InvalidLabel(PrequelError, ValueError):
    """A label that cannot be learned, or taken back."""


class CannotUnlearn(PrequelError, NotImplementedError):
    """A model that keeps no sums, from which an example could be taken."""


class LabelledModel:
    """One model of vectors float32 [dim]; ``labels`` are its classes in the order in which they were first learned.

    Copied and pickled as the model's state, from which it goes on bit for bit.
    """

    def __init__(self, spec: str, model: Model, labels: Sequence[Hashable]) -> None:
        self.spec, self.model = spec, model
        self._texts = {label: str(number) for number, label in enumerate(labels)}

    @classmethod
    def new(cls, spec: str, dim: int, *, seed: int) -> "LabelledModel":
        return cls(spec, registry.create(spec, dim, seed=seed), ())

    @property
    def labels(self) -> list[Any]:
        return list(self._texts)

    def learn(self, x: Vector, label: Hashable) -> None:
        self.model.learn(x, self._text(label))

    def learn_many(self, xs: Matrix, labels: Sequence[Hashable]) -> None:
        """Bit-equal to learning them one by one."""
        self.model.fold(xs, [self._text(label) for label in labels])

    def predict(self, x: Vector) -> list[float]:
        predicted: list[float] = self.model.predict(x).tolist()
        return predicted

    def predict_many(self, xs: Matrix) -> Probabilities:
        """Bit-equal to predicting them one by one: [n, classes]."""
        return np.array(self.model.fold(xs, [None] * len(xs))).reshape(len(xs), len(self._texts))

    def correct(self, x: Vector, old: Hashable, new: Hashable | None, *, age: int) -> bool:
        """See ``capabilities.correct``. Raises InvalidLabel for a label ``old`` that was never learned."""
        if old not in self._texts:
            raise InvalidLabel(f"label {old!r} was never learned: there are {self.labels}")
        if old == new:
            return True
        return correct(self.model, x, self._texts[old], None if new is None else self._text(new), age=age)

    def _text(self, label: Hashable) -> str:
        return self._texts.setdefault(label, str(len(self._texts)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.spec, self.model.state(), self.labels)


def require_label(label: Any) -> None:
    """Raise InvalidLabel for a label that is missing (None, NaN, pandas' NA), or that cannot be a key of a dict."""
    try:
        hash(label)
        missing = label is None or bool(label != label)
    except (TypeError, ValueError):  # As pandas' NA, which is not even unequal to itself.
        missing = True
    if missing:
        raise InvalidLabel(f"the label is {label!r}, which is none: learn only examples whose label is known")


def _restored(spec: str, state: ModelState, labels: Sequence[Hashable]) -> LabelledModel:
    return LabelledModel(spec, registry.restore(spec, state), labels)
