"""Prequel's models, River's and scikit-learn's under one interface, so that benchmarks can compare them."""

import pickle
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from river import linear_model, multiclass, naive_bayes, preprocessing, tree
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.learner_tasks import SEED, Numbers, Task
from prequel.services.learner.fold.calibration.calibrator import Calibrator
from prequel.services.learner.fold.calibration.ranking import ranking
from prequel.services.learner.fold.label_order import LabelOrder
from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix

Floats = npt.NDArray[np.float64]


class Answers(NamedTuple):
    """What a learner predicted of n examples.

    ``classes`` int64 [n] are -1 where there was no answer. ``confidence`` float64 [n] is the probability of that class,
    ``truth`` that of the true one, as users see them: NaN from a learner without probabilities, ``truth`` also where
    the true class was not known yet.
    """

    classes: Numbers
    confidence: Floats
    truth: Floats


class Learner(Protocol):
    """What is compared: labels are the numbers 0, 1, ...; -1 is no answer."""

    def fold(self, xs: Matrix, ys: Numbers) -> Sequence[Any]:
        """For each row: predict, then learn. This is what is timed; the predictions are in the library's own form."""
        ...

    def answers(self, predictions: Sequence[Any], ys: Numbers) -> Answers:
        """What was predicted of rows of these classes. Called once for each fold, in order."""
        ...

    def predict(self, xs: Matrix) -> Numbers: ...

    def snapshot(self) -> bytes: ...


class PrequelLearner:
    """A model of Prequel; its probabilities are calibrated as the learner's fold does it."""

    def __init__(self, spec: str, dim: int) -> None:
        registry.compile(spec, dim)
        self._model = registry.create(spec, dim, seed=SEED)
        self._calibrator, self._order, self._scored = Calibrator(active=True), LabelOrder(), 0

    def fold(self, xs: Matrix, ys: Numbers) -> Sequence[Floats]:
        return self._model.fold(xs, [str(y) for y in ys])

    def answers(self, predictions: Sequence[Any], ys: Numbers) -> Answers:
        ranked = ranking(predictions, [int(label) for label in self._model.labels])
        indices = np.where(ranked.known > 0, self._scored + np.cumsum(ranked.known > 0) - 1, -1)
        self._scored = max(self._scored, int(indices[-1]) + 1)
        mixed = np.array([self._mixed(int(y)) for y in ys])
        served = self._calibrator.calibrate_run(ranked, ys, indices, mixed).predictions()
        return Answers(
            np.array([each.top_class for each in served]),
            np.array([max(each.probabilities, default=np.nan) for each in served]),
            np.array([each.probability(y) if each.knows(y) else np.nan for each, y in zip(served, ys, strict=True)]),
        )

    def predict(self, xs: Matrix) -> Numbers:
        predicted = self._model.fold(xs, [None] * len(xs))
        return np.array([int(self._model.labels[int(p.argmax())]) if len(p) else -1 for p in predicted])

    def snapshot(self) -> bytes:
        state = self._model.state()
        return b"".join(array.tobytes() for array in state.arrays.values()) + state.pickled

    def _mixed(self, y: int) -> bool:
        self._order.update(y)
        return self._order.mixed


class RiverLearner:
    """A classifier of River, event by event, on dicts of floats."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def fold(self, xs: Matrix, ys: Numbers) -> Sequence[dict[int, float]]:
        predictions = []
        for x, y in zip(xs, ys.tolist(), strict=True):
            features = dict(enumerate(x.tolist()))
            predictions.append(self._model.predict_proba_one(features))
            self._model.learn_one(features, y)
        return predictions

    def answers(self, predictions: Sequence[Any], ys: Numbers) -> Answers:
        # The first of the most probable, as River's own predict_one.
        best = [max(each, key=each.get) if each else -1 for each in predictions]
        return Answers(
            np.array(best, np.int64),
            np.array([each.get(label, np.nan) for each, label in zip(predictions, best, strict=True)]),
            np.array([each.get(y, np.nan) for each, y in zip(predictions, ys.tolist(), strict=True)]),
        )

    def predict(self, xs: Matrix) -> Numbers:
        return np.array([int(self._model.predict_one(dict(enumerate(x.tolist()))) or 0) for x in xs])

    def snapshot(self) -> bytes:
        return pickle.dumps(self._model)


class ScikitLearnLearner:
    """A classifier of scikit-learn by ``partial_fit``, event by event; it must know all classes beforehand."""

    def __init__(self, model: Any, classes: int, *, scaled: bool) -> None:
        self._model, self._classes, self._known = model, np.arange(classes), False
        self._scaler = StandardScaler() if scaled else None

    def fold(self, xs: Matrix, ys: Numbers) -> Sequence[Floats]:
        """The classes' probabilities of each row; from a classifier without them only the class, at first nothing."""
        predictions = []
        for i in range(len(xs)):
            x = xs[i : i + 1]
            predictions.append(self._predicted(x) if self._known else np.zeros(0))
            if self._scaler:
                x = self._scaler.partial_fit(x).transform(x)
            self._model.partial_fit(x, ys[i : i + 1], classes=self._classes)
            self._known = True
        return predictions

    def answers(self, predictions: Sequence[Any], ys: Numbers) -> Answers:
        answers = Answers(np.full(len(ys), -1), np.full(len(ys), np.nan), np.full(len(ys), np.nan))
        for i, (each, y) in enumerate(zip(predictions, ys.tolist(), strict=True)):
            if len(each) == 1:
                answers.classes[i] = int(each[0])
            elif len(each):
                answers.classes[i], answers.confidence[i], answers.truth[i] = each.argmax(), each.max(), each[y]
        return answers

    def predict(self, xs: Matrix) -> Numbers:
        return np.asarray(self._model.predict(self._scaled(xs)))

    def snapshot(self) -> bytes:
        return pickle.dumps((self._model, self._scaler))

    def _predicted(self, x: Matrix) -> Floats:
        scaled = self._scaled(x)
        has_shares = hasattr(self._model, "predict_proba")
        return np.asarray(self._model.predict_proba(scaled)[0] if has_shares else self._model.predict(scaled), float)

    def _scaled(self, xs: Matrix) -> Matrix:
        return np.asarray(self._scaler.transform(xs)) if self._scaler else xs


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
