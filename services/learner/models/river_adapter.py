"""Any classifier of River as one of our models."""

import importlib
import inspect
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from river import base, multiclass

from services.learner.models.classes import Classes
from services.learner.models.model import Matrix, ModelState, Probabilities, Vector
from services.learner.models.river_pickle import dumps, loads
from services.learner.models.spec import UnknownModel


def river_class(path: str) -> type[base.Classifier]:
    """The classifier at ``river.<path>``. Raises UnknownModel where there is none that works without arguments."""
    module, _, name = path.rpartition(".")
    example = "write for example river:naive_bayes.GaussianNB, as in River's API reference"
    if not module or not path.replace(".", "").replace("_", "").isalnum():
        raise UnknownModel(f"river:{path} is not a dotted name; {example}")
    try:
        found = getattr(importlib.import_module(f"river.{module}"), name, None)
    except ImportError as error:
        raise UnknownModel(f"river:{path}: {error}; {example}") from None
    if not (inspect.isclass(found) and issubclass(found, base.Classifier)) or inspect.isabstract(found):
        raise UnknownModel(f"river:{path} is not a classifier of River; {example}")
    needs = [p.name for p in _parameters(found) if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if needs:
        raise UnknownModel(f"river:{path} cannot be used by name, it needs {', '.join(needs)}; {example}")
    _try(found, path, example)
    return found


def _try(found: type[base.Classifier], path: str, example: str) -> None:
    """Some classifiers want other input than vectors, or another Python: better refused now than in the stream."""
    try:
        model = _make(found, 0)
        for number in range(2):
            model.learn_one({0: 1.0, 1: 0.0}, number)
            model.predict_one({0: 0.0, 1: 1.0})
    except Exception as error:
        raise UnknownModel(f"river:{path} cannot learn from feature vectors ({error}); {example}") from error


def _make(found: type[base.Classifier], seed: int) -> Any:
    """One with its defaults that learns any labels, drawing every random number from ``seed``."""
    seeded = {"seed": seed} if any(p.name == "seed" for p in _parameters(found)) else {}
    model = found(**seeded)
    _reseed(model, seed)
    return model if model._multiclass else multiclass.OneVsRestClassifier(model)


def _reseed(part: Any, seed: int) -> None:
    """Some classifiers keep seeded parts that they give no seed to."""
    for value in vars(part).values():
        if isinstance(value, random.Random):
            value.seed(seed)
        elif isinstance(value, base.Base):
            _reseed(value, seed)


def _parameters(found: type) -> list[inspect.Parameter]:
    return list(inspect.signature(found).parameters.values())


class RiverModel:
    """A River classifier made with its defaults (and our seed, where it takes one).

    Features and labels are named 0, 1, ...: unlike strings, numbers stand in sets in the same order in every process.
    A binary classifier is put into River's OneVsRestClassifier. A classifier that gives no probabilities has
    probability 1 for the label it predicts. The state is a pickle.
    """

    exact = False

    def __init__(self, path: str, *, dim: int, seed: int) -> None:
        self._model = _make(river_class(path), seed)
        self._dim, self._seed = dim, seed
        self._classes = Classes()
        self.labels = self._classes.labels

    def predict(self, x: Vector) -> Probabilities:
        if not self.labels:
            return np.empty(0)
        features = self._features(x)
        try:
            votes = self._model.predict_proba_one(features)
        except NotImplementedError:
            votes = {self._model.predict_one(features): 1.0}
        return _normalised([votes.get(number, 0.0) for number in range(len(self.labels))])

    def learn(self, x: Vector, label: str) -> None:
        self._model.learn_one(self._features(x), self._classes.number(label))

    def unlearn(self, x: Vector, label: str) -> None:
        raise NotImplementedError("River's classifiers cannot take an example back: learn the right label instead")

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        predictions = []
        for x, label in zip(xs, labels, strict=True):
            predictions.append(self.predict(x))
            if label is not None:
                self.learn(x, label)
        return predictions

    def state(self) -> ModelState:
        meta = {"labels": list(self.labels), "dim": self._dim, "seed": self._seed}
        return ModelState(meta, {}, dumps(self._model))

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of. Raises UnpicklingError for anything but River's own names."""
        self._classes, self._model = Classes(state.meta["labels"]), loads(state.pickled)
        self.labels = self._classes.labels

    def _features(self, x: Vector) -> dict[int, float]:
        if x.size != self._dim:
            raise ValueError(f"{x.size} features, the model has {self._dim}")
        return dict(enumerate(x.tolist()))


def _normalised(votes: Sequence[float]) -> Probabilities:
    """Some of River's classifiers give votes that do not sum to 1, and NaN where numbers overflow."""
    kept = np.array([float(vote) if math.isfinite(vote) and vote > 0 else 0.0 for vote in votes])
    total = kept.sum()
    return kept / total if 0 < total < math.inf else np.full(len(kept), 1.0 / len(kept))
