"""River is the oracle: our models predict what its own pipelines predict, and its classifiers are models of ours."""

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from river import checks, preprocessing, stream

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix, Model, ModelState
from prequel.services.learner.models.river.pickle import loads
from prequel.services.learner.models.spec import UnknownModel
from tests.learner.models.rivers import river_logistic, river_naive_bayes, river_softmax
from tests.learner.models.suite import stream as examples

Oracle = Callable[[], Any]


ORACLES: dict[str, Oracle] = {
    "logistic": river_logistic,
    "softmax": river_softmax,
    "naive-bayes": river_naive_bayes,
    "scale|naive-bayes": lambda: preprocessing.StandardScaler() | river_naive_bayes(),
}


CLOSE = {"logistic": 2e-4, "softmax": 2e-4, "naive-bayes": 1e-9, "scale|naive-bayes": 2e-4}


@pytest.mark.parametrize("spec", ORACLES)
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_predictions_are_rivers(spec: str, scale: float) -> None:
    xs, labels = examples(600, 20, 4)
    xs = (xs * np.linspace(0.001, scale, 20) + np.linspace(-50, 50, 20)).astype(np.float32)
    xs[:, 3] = 0.25
    model, oracle = registry.create(spec, 20, seed=0), ORACLES[spec]()
    for x, label, predicted in zip(xs, labels, model.fold(xs, labels), strict=True):
        features = dict(enumerate(x.tolist()))
        expected = oracle.predict_proba_one(features)
        oracle.learn_one(features, label)
        assert list(expected) == model.labels[: len(predicted)]
        np.testing.assert_allclose(predicted, list(expected.values()), atol=CLOSE[spec])


CLASSIFIERS = [
    "dummy.NoChangeClassifier",
    "dummy.PriorClassifier",
    "ensemble.SRPClassifier",
    "facto.FMClassifier",
    "facto.HOFMClassifier",
    "forest.ARFClassifier",
    "forest.AMFClassifier",
    "linear_model.AdPredictor",
    "linear_model.ALMAClassifier",
    "linear_model.LogisticRegression",
    "linear_model.PAClassifier",
    "linear_model.Perceptron",
    "linear_model.SoftmaxRegression",
    "naive_bayes.BernoulliNB",
    "naive_bayes.ComplementNB",
    "naive_bayes.GaussianNB",
    "naive_bayes.MultinomialNB",
    "neighbors.KNNClassifier",
    "tree.ExtremelyFastDecisionTreeClassifier",
    "tree.HoeffdingTreeClassifier",
    "tree.HoeffdingAdaptiveTreeClassifier",
    "tree.LASTClassifier",
    "tree.SGTClassifier",
    "drift.DriftRetrainingClassifier;model=naive_bayes.GaussianNB",
    "ensemble.ADWINBaggingClassifier;model=linear_model.LogisticRegression",
    "ensemble.ADWINBoostingClassifier;model=tree.HoeffdingTreeClassifier",
    "ensemble.AdaBoostClassifier;model=tree.HoeffdingTreeClassifier",
    "ensemble.BaggingClassifier;model=tree.HoeffdingTreeClassifier",
    "ensemble.BOLEClassifier;model=naive_bayes.GaussianNB",
    "ensemble.LeveragingBaggingClassifier;model=tree.HoeffdingTreeClassifier",
    "multiclass.OneVsOneClassifier;model=linear_model.LogisticRegression",
    "multiclass.OneVsRestClassifier;model=linear_model.PAClassifier",
]


class Twins(NamedTuple):
    """Two models of one class and seed, as they were after the same examples; the first, and what it was restored to.

    The last two have learned ``xs`` to the end.
    """

    states: tuple[ModelState, ModelState]
    model: Model
    restored: Model
    xs: Matrix


@pytest.fixture(scope="module", params=CLASSIFIERS)
def twins(request: pytest.FixtureRequest) -> Twins:
    """Trees split after 200 rows; after 230, classes come that were not there."""
    xs, labels = examples(300, 5, 3)
    xs, labels = np.abs(xs), labels[:230] + [f"drifted {label}" for label in labels[230:]]
    one, two = (registry.create(f"river:{request.param}", 5, seed=3) for _ in range(2))
    for model in (one, two):
        model.fold(xs[:260], labels[:260])
    states = one.state(), two.state()
    restored = registry.restore(f"river:{request.param}", states[0])
    for model in (one, restored):
        model.fold(xs[260:], labels[260:])
    return Twins(states, one, restored, xs)


def test_every_classifier_of_river_survives_a_snapshot(twins: Twins) -> None:
    _, model, restored, xs = twins
    assert [model.predict(x).tolist() for x in xs[:20]] == [restored.predict(x).tolist() for x in xs[:20]]
    assert model.state() == restored.state()


def test_equal_seeds_make_every_classifier_equal(twins: Twins) -> None:
    one, two = twins.states
    assert one == two


def test_a_classifier_without_probabilities_is_sure() -> None:
    xs, labels = examples(50, 4, 2)
    model = registry.create("river:linear_model.Perceptron", 4, seed=0)
    model.fold(xs, labels)
    assert model.predict(xs[0]).sum() == pytest.approx(1)


def test_the_adapter_predicts_what_river_predicts() -> None:
    xs, labels = examples(200, 6, 3)
    model = registry.create("river:naive_bayes.GaussianNB", 6, seed=0)
    oracle = river_naive_bayes()
    for x, label, predicted in zip(xs, labels, model.fold(xs, labels), strict=True):
        features = dict(enumerate(x.tolist()))
        np.testing.assert_allclose(predicted, list(oracle.predict_proba_one(features).values()), rtol=1e-12)
        oracle.learn_one(features, label)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("this must not run",)


@pytest.mark.parametrize("thing", [Evil(), print, [].append, pickle.loads, checks.check_estimator, stream.iter_csv])
def test_a_pickle_of_anything_else_is_refused(thing: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pickle.UnpicklingError, match="no model here needs"):
        loads(pickle.dumps(thing))
    assert capsys.readouterr().out == ""


def test_a_pickle_from_before_the_file_was_moved_is_read() -> None:
    xs, labels = examples(60, 4, 3)
    model = registry.create("river:naive_bayes.GaussianNB", 4, seed=0)
    model.fold(xs, labels)
    state, now = model.state(), b"prequel.services.learner.models.river.pickle"
    assert state.pickled.count(now) == 1
    earlier = _renamed(state.pickled, now, b"services.learner.models.river_pickle")
    twin = registry.restore("river:naive_bayes.GaussianNB", state._replace(pickled=earlier))
    assert twin.predict(xs[0]).tobytes() == model.predict(xs[0]).tobytes()


def _renamed(pickled: bytes, name: bytes, earlier: bytes) -> bytes:
    """Another module's name in a pickle of one frame: name and frame begin with their lengths."""
    body = pickled.replace(bytes([len(name)]) + name, bytes([len(earlier)]) + earlier)
    size = int.from_bytes(pickled[3:11], "little") + len(earlier) - len(name)
    return body[:3] + size.to_bytes(8, "little") + body[11:]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("naive_bayes.Gaussian", "not a classifier"),
        ("nowhere.At", "No module named"),
        ("GaussianNB", "not a dotted name"),
        ("naive_bayes.GaussianNB()", "not a dotted name"),
        ("linear_model.LinearRegression", "not a classifier"),
        ("ensemble.BaggingClassifier", "needs model: add for example ;model="),
        ("ensemble.BaggingClassifier;model=tree.Nothing", "river:tree.Nothing is not a classifier"),
        ("naive_bayes.GaussianNB;model=tree.HoeffdingTreeClassifier", "needs none"),
        ("ensemble.StackingClassifier;model=naive_bayes.GaussianNB", "models, meta_classifier"),
        ("misc.ZstdClassifier", "cannot be made here|cannot learn"),
        ("facto.FFMClassifier", "cannot learn"),
        ("", "not a dotted name"),
    ],
)
def test_what_river_does_not_have_is_named(path: str, message: str) -> None:
    with pytest.raises(UnknownModel, match=message):
        registry.check(f"river:{path}")
