"""Any classifier of River as a model of Prequel."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.models.river.construction import make_classifier
from prequel.services.learner.models.river.pickle import dumps, loads


class RiverModel(IncrementalModel):
    """The River classifier at ``river.<argument>``, with its defaults, and ``seed`` if it takes one.

    ``model`` names the classifier that another is made of. Features and labels are numbered 0, 1, ...: unlike strings,
    numbers stand in sets in the same order in every process. A binary classifier is put into River's
    OneVsRestClassifier. A classifier that gives no probabilities has probability 1 for the label it predicts. The state
    is a pickle (see ``river.pickle``). ``unlearn`` is not possible. Raises UnknownModel for what River does not have.

    >>> import numpy as np
    >>> model = RiverModel(1, seed=0, argument="naive_bayes.GaussianNB", model="")
    >>> for value in (1, 2, 3, 11, 12, 13):
    ...     model.learn(np.array([value], np.float32), "low" if value < 10 else "high")
    >>> model.labels, model.predict(np.array([2.5], np.float32)).round(3)
    (['low', 'high'], array([1., 0.]))
    """

    def __init__(self, dim: int, *, seed: int, argument: str, model: str) -> None:
        super().__init__(dim, seed=seed)
        self._model = make_classifier(argument, model, seed)

    @property
    def size(self) -> int:
        """See ``capabilities.SizedModel``: 0, for how long a pickle is depends on more than the state."""
        return 0

    def state(self) -> ModelState:
        return super().state()._replace(pickled=dumps(self._model))

    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        for i, (x, target) in enumerate(zip(xs, targets.tolist(), strict=True)):
            features = dict(enumerate(x.tolist()))
            if predicting and known:
                out[i, :known] = self._probabilities(features, known)
            if target >= 0:
                known = max(known, target + 1)
                self._model.learn_one(features, target)

    def _probabilities(self, features: dict[int, float], classes: int) -> Probabilities:
        try:
            votes = self._model.predict_proba_one(features)
        except NotImplementedError:
            votes = {self._model.predict_one(features): 1.0}
        return _normalised([votes.get(number, 0.0) for number in range(classes)])

    def _meta(self) -> dict[str, Any]:
        return {"seed": self._seed}

    def _arrays(self) -> Arrays:
        return {}

    def _load(self, state: ModelState) -> None:
        """Raises UnpicklingError for anything but River's own names."""
        self._model = loads(state.pickled)


def _normalised(votes: Sequence[float]) -> Probabilities:
    """Some of River's classifiers give votes that do not sum to 1, and NaN where numbers overflow."""
    valid = np.array([float(vote) if math.isfinite(vote) and vote > 0 else 0.0 for vote in votes])
    total = valid.sum()
    return valid / total if 0 < total < math.inf else np.full(len(valid), 1.0 / len(valid))
