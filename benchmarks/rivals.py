"""Prequel's models, River's and scikit-learn's under one interface, so that benchmarks can compare them."""

import pickle
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from river import linear_model, multiclass, naive_bayes, preprocessing, tree
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.learner_tasks import SEED, Numbers, Task
from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix


class Learner(Protocol):
    """What is compared: labels are the numbers 0, 1, ...; -1 is no answer."""

    def fold(self, xs: Matrix, ys: Numbers) -> Numbers:
        """For each row: predict, then learn. Returns the predictions."""
        ...

    def predict(self, xs: Matrix) -> Numbers: ...

    def snapshot(self) -> bytes: ...


class PrequelLearner:
    """A model of Prequel."""

    def __init__(self, spec: str, dim: int) -> None:
        registry.compile(spec, dim)
        self._model = registry.create(spec, dim, seed=SEED)

    def fold(self, xs: Matrix, ys: Numbers) -> Numbers:
        return self._numbers(self._model.fold(xs, [str(y) for y in ys]))

    def predict(self, xs: Matrix) -> Numbers:
        return self._numbers(self._model.fold(xs, [None] * len(xs)))

    def snapshot(self) -> bytes:
        state = self._model.state()
        return b"".join(array.tobytes() for array in state.arrays.values()) + state.pickled

    def _numbers(self, predictions: Sequence[npt.NDArray[np.float64]]) -> Numbers:
        return np.array([int(self._model.labels[int(p.argmax())]) if len(p) else -1 for p in predictions])


class RiverLearner:
    """A classifier of River, event by event, on dicts of floats."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def fold(self, xs: Matrix, ys: Numbers) -> Numbers:
        predictions = []
        for x, y in zip(xs, ys.tolist(), strict=True):
            features = dict(enumerate(x.tolist()))
            predictions.append(self._model.predict_one(features))
            self._model.learn_one(features, y)
        return np.array([-1 if p is None else int(p) for p in predictions])

    def predict(self, xs: Matrix) -> Numbers:
        return np.array([int(self._model.predict_one(dict(enumerate(x.tolist()))) or 0) for x in xs])

    def snapshot(self) -> bytes:
        return pickle.dumps(self._model)


class ScikitLearnLearner:
    """A classifier of scikit-learn by ``partial_fit``, event by event; it must know all classes beforehand."""

    def __init__(self, model: Any, classes: int, *, scaled: bool) -> None:
        self._model, self._classes, self._known = model, np.arange(classes), False
        self._scaler = StandardScaler() if scaled else None

    def fold(self, xs: Matrix, ys: Numbers) -> Numbers:
        predictions = np.full(len(xs), -1)
        for i in range(len(xs)):
            x = xs[i : i + 1]
            if self._known:
                predictions[i] = self.predict(x)[0]
            if self._scaler:
                x = self._scaler.partial_fit(x).transform(x)
            self._model.partial_fit(x, ys[i : i + 1], classes=self._classes)
            self._known = True
        return predictions

    def predict(self, xs: Matrix) -> Numbers:
        return np.asarray(self._model.predict(self._scaler.transform(xs) if self._scaler else xs))

    def snapshot(self) -> bytes:
        return pickle.dumps((self._model, self._scaler))


def rivals() -> dict[str, Callable[[int], Learner]]:
    """By name, how to make one for a number of classes."""

    def linear(loss: Any, classes: int) -> Learner:
        return ScikitLearnLearner(loss, classes, scaled=True)

    ovr = multiclass.OneVsRestClassifier
    bayes: Any = naive_bayes.GaussianNB
    hoeffding: Any = tree.HoeffdingTreeClassifier
    return {
        "River one-vs-rest logistic": lambda k: RiverLearner(
            preprocessing.StandardScaler() | ovr(linear_model.LogisticRegression())
        ),
        "River softmax": lambda k: RiverLearner(preprocessing.StandardScaler() | linear_model.SoftmaxRegression()),
        "River naive Bayes": lambda k: RiverLearner(bayes()),
        "River Hoeffding tree": lambda k: RiverLearner(hoeffding()),
        "scikit-learn SGD logistic": lambda k: linear(SGDClassifier(loss="log_loss"), k),
        "scikit-learn perceptron": lambda k: linear(Perceptron(), k),
        "scikit-learn passive-aggressive": lambda k: linear(
            SGDClassifier(loss="hinge", penalty=None, learning_rate="pa1", eta0=1.0), k
        ),
        "scikit-learn naive Bayes": lambda k: ScikitLearnLearner(GaussianNB(), k, scaled=False),
        "scikit-learn MLP 256-16": lambda k: linear(MLPClassifier((256, 16), random_state=SEED), k),
    }


def ceiling(task: Task) -> float:
    """Accuracy on the test examples of logistic regression fitted to the whole stream at once."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))
    return float(model.fit(task.xs, task.ys).score(task.test_xs, task.test_ys))
