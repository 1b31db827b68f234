"""Any model of Prequel as a River classifier, for use in River's own pipelines and evaluation."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from river import base

from prequel.services.learner.models.base import Model, Vector
from prequel.services.learner.models.registry import create


class RiverClassifier(base.Classifier):
    """One of Prequel's models over dicts of numeric features.

    Each feature name gets a column when it is first learned; a feature that is absent counts as 0, one never learned
    is ignored.

    Parameters
    ----------
    spec
        The model, as in PREQUEL_MODELS: ``logistic``, ``scale|softmax``, ...
    dim
        The maximum number of feature names; ``learn_one`` raises ValueError when there are more.
    seed
        Seed of a model that draws random numbers.

    """

    def __init__(self, spec: str = "logistic", dim: int = 64, seed: int = 0) -> None:
        self.spec, self.dim, self.seed = spec, dim, seed
        self._model: Model = create(spec, dim, seed=seed)
        self._columns: dict[Hashable, int] = {}
        self._targets: dict[Hashable, str] = {}

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: Mapping[Hashable, float], y: Hashable) -> None:
        for name in sorted(x.keys() - self._columns.keys(), key=str):
            if len(self._columns) == self.dim:
                raise ValueError(f"more than dim={self.dim} features: make the classifier with a larger dim")
            self._columns[name] = len(self._columns)
        self._model.learn(self._vector(x), self._targets.setdefault(y, str(len(self._targets))))

    def predict_proba_one(self, x: Mapping[Hashable, float], **kwargs: Any) -> dict[Any, float]:
        return dict(zip(self._targets, self._model.predict(self._vector(x)).tolist(), strict=True))

    def _vector(self, x: Mapping[Hashable, float]) -> Vector:
        vector = np.zeros(self.dim, np.float32)
        for name, value in x.items():
            column = self._columns.get(name)
            if column is not None:
                vector[column] = value
        return vector
