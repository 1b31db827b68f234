"""Any classifier of River as one of our models."""

import importlib
import inspect
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from river import base, multiclass

from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector
from prequel.services.learner.models.classes import Classes
from prequel.services.learner.models.river.pickle import dumps, loads
from prequel.services.learner.models.spec import UnknownModel

_EXAMPLE = "write for example river:naive_bayes.GaussianNB, as in River's API reference"


def make(path: str, inner: str, seed: int) -> Any:
    """The classifier at ``river.<path>``, with its defaults, around that at ``inner`` where it needs another.

    It learns any labels and draws every random number from ``seed``. Raises UnknownModel where that cannot be.
    """
    model = _instance(path, inner, seed)
    return model if model._multiclass else multiclass.OneVsRestClassifier(model)


def try_out(path: str, inner: str) -> None:
    """Some classifiers want other input than vectors, or another Python: better refused now than in the stream."""
    model = make(path, inner, 0)
    try:
        for number in range(2):
            model.learn_one({0: 1.0, 1: 0.0}, number)
            model.predict_one({0: 0.0, 1: 1.0})
    except Exception as error:
        raise UnknownModel(f"river:{path} cannot learn from feature vectors ({error}); {_EXAMPLE}") from error


def _instance(path: str, inner: str, seed: int) -> Any:
    found = _class(path)
    parameters = inspect.signature(found).parameters.values()
    needs = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    given: dict[str, Any] = {"seed": seed} if any(p.name == "seed" for p in parameters) else {}
    if needs and not inner:
        raise UnknownModel(
            f"river:{path} needs {', '.join(needs)}: add for example ;model=tree.HoeffdingTreeClassifier"
        )
    if len(needs) > 1 or (inner and not needs):
        raise UnknownModel(f"river:{path} cannot be made of ;model={inner}: it needs {', '.join(needs) or 'none'}")
    given |= {name: _instance(inner, "", seed) for name in needs}
    try:
        model = found(**given)
    except Exception as error:
        raise UnknownModel(f"river:{path} cannot be made here ({error}); {_EXAMPLE}") from error
    _reseed(model, seed)
    return model


def _class(path: str) -> type[base.Classifier]:
    module, _, name = path.rpartition(".")
    if not module or not path.replace(".", "").replace("_", "").isalnum():
        raise UnknownModel(f"river:{path} is not a dotted name; {_EXAMPLE}")
    try:
        found = getattr(importlib.import_module(f"river.{module}"), name, None)
    except ImportError as error:
        raise UnknownModel(f"river:{path}: {error}; {_EXAMPLE}") from None
    if not (inspect.isclass(found) and issubclass(found, base.Classifier)) or inspect.isabstract(found):
        raise UnknownModel(f"river:{path} is not a classifier of River; {_EXAMPLE}")
    return found


def _reseed(part: Any, seed: int) -> None:
    """Some classifiers keep seeded parts that they give no seed to."""
    for value in vars(part).values():
        if isinstance(value, random.Random):
            value.seed(seed)
        elif isinstance(value, base.Base):
            _reseed(value, seed)


class RiverModel:
    """A River classifier made with its defaults (and our seed, where it takes one).

    Features and labels are named 0, 1, ...: unlike strings, numbers stand in sets in the same order in every process.
    A binary classifier is put into River's OneVsRestClassifier. A classifier that gives no probabilities has
    probability 1 for the label it predicts. The state is a pickle.
    """

    exact = False

    def __init__(self, path: str, inner: str, *, dim: int, seed: int) -> None:
        self._model = make(path, inner, seed)
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

    @property
    def size(self) -> int:
        """See models.model.Sized: 0, for how long a pickle is depends on more than the state."""
        return 0

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
