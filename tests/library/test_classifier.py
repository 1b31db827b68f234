"""Prequel's models inside River: its checks, pipelines, ensembles and evaluation, with the numbers of a stream."""

import copy
import gc
import operator
import pickle
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from river import (
    bandit,
    checks,
    datasets,
    drift,
    ensemble,
    evaluate,
    imblearn,
    metrics,
    model_selection,
    multiclass,
    preprocessing,
    stream,
)

import prequel
from prequel.services.learner.models.base import Matrix
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.library.classifier import Classifier
from tests.learner.building import ExampleLog, new_fold
from tests.learner.models.rivers import river_logistic, river_naive_bayes, river_softmax
from tests.learner.models.suite import NAMES, contents
from tests.learner.models.suite import stream as examples

QUICK = ("knn", "logistic", "ncm")
"""River's checks learn thousands of examples, seconds of each model. They look at what is the same for all; these are a
model that keeps examples, one that keeps weights, one that keeps sums. The others are checked with the long tests."""
CHECKED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.soak) for name in NAMES]
ROOM = 64
one_vs_one: Any = multiclass.OneVsOneClassifier
accuracy: Any = metrics.Accuracy  # River's metrics have no types.


@pytest.fixture(scope="module")
def few_objects() -> None:
    """River's checks collect garbage time and again: where other tests have loaded Keras, 0.2 s each time."""
    gc.collect()
    gc.freeze()


@pytest.mark.usefixtures("few_objects")
@pytest.mark.parametrize("spec", [*CHECKED, "mix(ncm, naive-bayes)"])
def test_all_of_rivers_checks_pass_with_room_for_new_features(spec: str) -> None:
    classifier = Classifier(spec, features=ROOM)
    assert classifier._unit_test_skips() == set()
    checks.check_estimator(classifier)


@pytest.mark.usefixtures("few_objects")
def test_rivers_checks_pass_but_for_new_features_where_the_first_example_names_them() -> None:
    classifier = Classifier("ncm")
    checks.check_estimator(classifier)
    assert classifier._unit_test_skips() == {"check_emerging_features", "check_learn_many_matches_learn_one"}


@pytest.mark.parametrize("delay", [None, 25])
@pytest.mark.parametrize(
    ("spec", "oracle"), [("logistic", river_logistic), ("softmax", river_softmax), ("naive-bayes", river_naive_bayes)]
)
def test_progressive_validation_scores_as_rivers_own(spec: str, oracle: Any, delay: int | None) -> None:
    xs, labels = examples(500, 10, 3)

    def score(model: object) -> float:
        rows = stream.iter_array(xs.astype(float), np.array(labels))
        return float(evaluate.progressive_val_score(rows, model, accuracy(), delay=delay).get())

    assert score(Classifier(spec)) == score(oracle()) > 0.9


SPECS = [
    "mix",
    "logistic",
    "scale|mlp;hidden=8-4",
    "project:4|slda",
    "softmax;replay=reservoir;memory=20",
    "ridge;width=16",
]


@pytest.mark.parametrize("spec", SPECS)
def test_its_numbers_are_those_of_a_stream_that_does_not_calibrate(spec: str) -> None:
    """In a stream, predictions are kept in float32, and sorted."""
    xs, labels = examples(150, 12, 4)
    classifier, log = Classifier(spec, seed=5), ExampleLog()
    for number, (x, label) in enumerate(zip(xs, labels, strict=True)):
        log.features(f"i{number}", x.tolist(), label)
    fold = new_fold(log, models=f"{spec};calibrate=off,{spec}", seed=5)
    fold.apply(log.records)
    state = fold.streams["s"]
    for number, (x, label) in enumerate(zip(xs, labels, strict=True)):
        found = classifier.predict_proba_one(dict(enumerate(x.tolist())))
        example = state.window.find(f"i{number}")
        assert example is not None
        plain, calibrated = example.predictions
        theirs = dict(zip(state.names_of(plain.classes), plain.probabilities, strict=True))
        assert {name: float(np.float32(p)) for name, p in found.items()} == theirs
        assert calibrated.own.tolist() == plain.probabilities
        assert found == {} or max(found, key=lambda name: np.float32(found[name])) == state.name_of(
            calibrated.top_class
        )
        classifier.learn_one(dict(enumerate(x.tolist())), label)
    assert bits(classifier) == contents(state.models[0].state())[1:]


@pytest.mark.parametrize("spec", ["mix", "slda;decay=0.05"])
def test_a_correction_is_that_of_a_stream(spec: str) -> None:
    """Of `mix`, 80 examples are in one step of fading: their ages are no different to it."""
    xs, labels = examples(80, 6, 3)
    classifier, log = Classifier(spec), ExampleLog()
    for number, (x, label) in enumerate(zip(xs, labels, strict=True)):
        log.features(f"i{number}", x.tolist(), label)
        classifier.learn_one(x, label)
    for number, label in ((10, "class 2"), (70, "new")):
        log.label(f"i{number}", label)
        assert classifier.correct_one(xs[number], labels[number], label, age=79 - number)
    log.label("i20", None)
    classifier.unlearn_one(xs[20], labels[20], age=79 - 20)
    fold = new_fold(log, models=spec)
    fold.apply(log.records)
    assert bits(classifier) == contents(fold.streams["s"].models[0].state())[1:]


def bits(classifier: Classifier) -> tuple[object, ...]:
    """All of a model's numbers; its labels are its own."""
    assert classifier._learned is not None
    return contents(classifier._learned.model.state())[1:]


ENSEMBLES: dict[str, Callable[[], Any]] = {
    "pipeline": lambda: preprocessing.StandardScaler() | Classifier("ncm"),
    "one-hot": lambda: preprocessing.OneHotEncoder() | Classifier("ncm", features=ROOM),
    "bagging": lambda: ensemble.BaggingClassifier(Classifier("ncm"), n_models=3, seed=1),
    "adwin bagging": lambda: ensemble.ADWINBaggingClassifier(Classifier("logistic"), n_models=3, seed=1),
    "leveraging bagging": lambda: ensemble.LeveragingBaggingClassifier(Classifier("logistic"), n_models=3, seed=1),
    "random patches": lambda: ensemble.SRPClassifier(Classifier("naive-bayes"), n_models=3, seed=1),
    "boosting": lambda: ensemble.AdaBoostClassifier(Classifier("logistic"), n_models=3, seed=1),
    "adwin boosting": lambda: ensemble.ADWINBoostingClassifier(Classifier("logistic"), n_models=3, seed=1),
    "bole": lambda: ensemble.BOLEClassifier(Classifier("logistic"), n_models=3, seed=1),
    "voting": lambda: ensemble.VotingClassifier([Classifier("ncm"), Classifier("logistic"), Classifier("slda")]),
    "stacking": lambda: ensemble.StackingClassifier(
        [Classifier("ncm"), Classifier("softmax")], Classifier("logistic", features=ROOM)
    ),
    "drift": lambda: drift.DriftRetrainingClassifier(Classifier("ncm"), drift.binary.DDM()),
    "bandit": lambda: model_selection.BanditClassifier(
        [Classifier("ncm"), Classifier("logistic")], metric=accuracy(), policy=bandit.EpsilonGreedy(0.1, seed=1)
    ),
    "halving": lambda: model_selection.SuccessiveHalvingClassifier(
        [Classifier("ncm"), Classifier("logistic")], metric=accuracy(), budget=200
    ),
    "one against the rest": lambda: multiclass.OneVsRestClassifier(Classifier("logistic")),
    "one against one": lambda: one_vs_one(Classifier("logistic")),
    "sampler": lambda: imblearn.RandomUnderSampler(Classifier("ncm"), {False: 0.5, True: 0.5}, seed=1),
    "grid": lambda: Classifier("ncm").clone({"model": "logistic"}),
}


@pytest.mark.parametrize("name", ENSEMBLES)
def test_it_is_a_part_of_rivers_models(name: str) -> None:
    """Of these examples, 0.51 are of one class."""
    rows, metric = datasets.Phishing().take(150), accuracy()
    *_, last = evaluate.iter_progressive_val_score(rows, ENSEMBLES[name](), metric, step=50)
    assert last["Step"] == 150
    assert last["Accuracy"].get() > 0.75


def test_its_probabilities_are_measured_by_rivers_metrics() -> None:
    kinds: tuple[tuple[Any, Any], ...] = ((metrics.ROCAUC, operator.gt), (metrics.LogLoss, operator.lt))
    for kind, better in kinds:
        metric = evaluate.progressive_val_score(datasets.Phishing().take(150), Classifier("logistic"), kind())
        assert better(metric.get(), 0.8)


@pytest.mark.parametrize(
    "spec", ["mix", "mlp;hidden=8", "softmax;replay=reservoir;memory=20", "river:forest.ARFClassifier"]
)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_goes_on_bit_for_bit(spec: str, copied: Callable[[Classifier], Classifier]) -> None:
    xs, labels = examples(120, 6, 3)
    classifier = Classifier(spec, seed=3)
    classifier.learn_many(xs[:80], labels[:80])
    twin = copied(classifier)
    assert (repr(twin), twin.labels, twin.feature_names) == (repr(classifier), classifier.labels, [*range(6)])
    for model in (classifier, twin):
        model.learn_many(xs[80:], labels[80:])
    assert bits(twin) == bits(classifier)


def test_a_clone_has_learned_nothing_and_is_the_same_model() -> None:
    xs, labels = examples(40, 6, 3)
    classifier = Classifier("mlp;hidden=8", seed=3, features=[*range(6)])
    classifier.learn_many(xs, labels)
    clone = classifier.clone()
    assert clone.labels == []
    assert clone._get_params() == classifier._get_params()
    clone.learn_many(xs, labels)
    assert bits(clone) == bits(classifier)
    other = classifier.clone({"seed": 4})
    other.learn_many(xs, labels)
    assert bits(other) != bits(classifier)


@pytest.mark.parametrize(
    "labels", [(True, False), (7, -1), ("cat", "dog"), (("a", 1), ("a", 2)), (np.int64(3), np.int64(4))]
)
def test_labels_come_back_as_they_were(labels: tuple[Hashable, Hashable]) -> None:
    classifier = Classifier("ncm")
    assert classifier.predict_proba_one({"a": 1.0}) == {}
    assert classifier.predict_one({"a": 1.0}) is None
    for number, label in enumerate(labels):
        assert classifier.learn_one(np.array([number]), label) is None  # type: ignore[func-returns-value]
    predicted = [classifier.predict_one(np.array([number])) for number in range(2)]
    assert predicted == list(labels)
    assert [type(label) for label in predicted] == [type(label) for label in labels]
    assert classifier.predict_many(np.array([[0.0], [1.0]])) == predicted


@pytest.mark.parametrize("label", [None, float("nan"), pd.NA, ["cat"]])
def test_a_missing_label_is_refused(label: Any) -> None:
    classifier = Classifier("ncm")
    with pytest.raises(prequel.PrequelError, match="whose label is known"):
        classifier.learn_one({"a": 1.0}, label)
    with pytest.raises(prequel.PrequelError, match="whose label is known"):
        classifier.learn_many(np.ones((2, 1)), ["cat", label])
    assert classifier.labels == classifier.feature_names == []


def test_names_are_sorted_as_people_do_and_what_is_absent_is_0() -> None:
    classifier, explicit = Classifier("mlp;hidden=8"), Classifier("mlp;hidden=8", features=["f2", "f10", "g"])
    for model in (classifier, explicit):
        model.learn_one({"g": 3, "f10": True, "f2": 0.5}, "cat")
        model.learn_one({"f10": np.float32(0.25)}, "dog")
    assert classifier.feature_names == ["f2", "f10", "g"]
    assert bits(classifier) == bits(explicit)
    assert explicit.predict_proba_one(pd.Series({"g": 3})) == classifier.predict_proba_one({"g": 3})
    by_row = Classifier("mlp;hidden=8")
    by_row.learn_many(np.array([[0.5, 1, 3], [0, 0.25, 0]]), ["cat", "dog"])
    assert bits(by_row) == bits(classifier)
    for x in ({"f01": 1.0, "f1": 2.0}, {"f1": 2.0, "f01": 1.0}):
        padded = Classifier("ncm")
        padded.learn_one(x, "cat")
        assert padded.feature_names == ["f01", "f1"]


REFUSED: list[tuple[Any, str]] = [
    ({"a": 1.0, "b": "red"}, "feature 'b' is 'red', which is not a number.*OneHotEncoder"),
    ({"a": "1.5", "b": 2.0}, "feature 'a' is '1.5', which is not a number"),
    ({"a": 1.0, "b": None}, "feature 'b' is None"),
    ({"a": 1.0, "b": [1.0, 2.0]}, r"feature 'b' is \[1.0, 2.0\]"),
    (
        {"a": float("nan"), "b": 1.0},
        r"feature 'a' is NaN, infinite or too large for float32\. Leave it out.*StatImputer",
    ),
    ({"a": 1.0, "b": 1e300}, r"feature 'b' is NaN, infinite or too large"),
    ({"a": 1.0, "b": 10**400}, "feature 'b' is 10000"),
    ({"a": 1.0, "c": 1.0}, r"feature 'c' has no column: the 2 there are belong to 'a', 'b'.*features=\[...\]"),
    ({"a": 1.0, "b": 1.0, "c": 1.0}, "feature 'c' has no column"),
    (np.array([1.0, 2.0]), r"features have names here \('a', 'b'\): give them by name"),
    ([1.0, 2.0], "an example is a dict of numbers by name, or a NumPy array, not a list"),
]


@pytest.mark.parametrize(("x", "message"), REFUSED)
def test_what_cannot_be_learned_is_named_and_changes_nothing(x: Any, message: str) -> None:
    classifier = Classifier("ncm")
    classifier.learn_one({"a": 1.0, "b": 2.0}, "cat")
    before = pickle.dumps(classifier)
    with pytest.raises((prequel.PrequelError, TypeError), match=message):
        classifier.predict_one(x)
    with pytest.raises((ValueError, TypeError), match=message):
        classifier.learn_one(x, "dog")
    assert pickle.dumps(classifier) == before


def test_a_refused_first_example_names_no_features() -> None:
    classifier = Classifier("ncm")
    for x, message in (({"a": "red"}, "'red'"), ({}, "has no features"), (np.ones((2, 2)), "of shape")):
        with pytest.raises(prequel.PrequelError, match=message):
            classifier.learn_one(x, "cat")
    classifier.learn_one(np.array([1.0, 2.0]), "cat")
    assert classifier.feature_names == [0, 1]
    assert classifier.predict_one({1: 2.0}) == "cat"
    for size in (1, 3):
        with pytest.raises(prequel.PrequelError, match=f"expected an array of 2 values, got {size}"):
            classifier.learn_one(np.ones(size), "cat")


def test_room_is_for_so_many_names() -> None:
    classifier = Classifier("ncm", features=2)
    classifier.learn_one({"b": 1.0}, "cat")
    assert classifier.predict_one({"never learned": 5.0}) == "cat"
    classifier.learn_one({"a": 1.0}, "dog")
    assert classifier.feature_names == ["b", "a"]
    with pytest.raises(prequel.PrequelError, match=r"feature 'c' has no column.*features=4"):
        classifier.learn_one({"c": 1.0}, "dog")


@pytest.mark.parametrize("features", [0, -1, True, "abc", [], ["a", "a"], 1.5])
def test_features_are_names_or_a_number(features: Any) -> None:
    with pytest.raises(ValueError, match="neither a list of names"):
        Classifier("ncm", features=features)


def test_room_has_a_bound() -> None:
    with pytest.raises(ValueError, match=r"features=1000000000: 1000000 are the most.*FeatureHasher"):
        Classifier("ncm", features=10**9)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sdla", "did you mean slda"),
        (7, r"model 7 is no text"),
        ("slda;drift=reset", "what a stream does with its models.*DriftRetrainingClassifier"),
        ("slda;calibrate=on", "what a stream does with its models"),
    ],
)
def test_a_wrong_spec_says_what_to_write(spec: Any, message: str) -> None:
    with pytest.raises(UnknownModel, match=message):
        Classifier(spec)


def test_spaces_in_a_spec_mean_nothing() -> None:
    for spec in ("slda;calibrate=off", " slda", "mlp; hidden=8 ", "mix( slda , ncm )"):
        classifier = Classifier(spec)
        classifier.learn_one({"a": 1.0}, "cat")
        assert classifier.predict_one({"a": 1.0}) == "cat"
        assert pickle.loads(pickle.dumps(classifier)).model == spec


@pytest.mark.parametrize("seed", [None, -1, 1.5])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ValueError, match="whole number from 0 on"):
        Classifier("ncm", seed=seed)


FRAMES: dict[str, Callable[[Matrix], Any]] = {
    "pandas": lambda xs: pd.DataFrame(xs, columns=["f0", "f1", "f2", "f3"], index=range(5, 5 + len(xs))),
    "polars": lambda xs: pl.DataFrame(xs, schema=["f0", "f1", "f2", "f3"]),
    "pyarrow": lambda xs: pa.table({f"f{n}": xs[:, n] for n in range(4)}),
    "array": lambda xs: xs,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_many_at_once_are_as_one_by_one(kind: str) -> None:
    xs, labels = examples(60, 4, 3)
    many, one, frame = Classifier("slda"), Classifier("slda"), FRAMES[kind](xs[40:])
    assert [str(label) for label in many.predict_many(frame)] == ["None"] * 20
    if kind == "pandas":
        assert list(many.predict_proba_many(frame).index) == list(frame.index)
    series = {"pandas": pd.Series, "polars": pl.Series, "pyarrow": lambda y: pa.chunked_array([y]), "array": np.array}
    many.learn_many(FRAMES[kind](xs[:40]), series[kind](labels[:40]))
    for x, label in zip(xs[:40], labels[:40], strict=True):
        one.learn_one(x, label)
    assert bits(many) == bits(one)
    found = many.predict_proba_many(frame)
    assert type(found) is type(frame)
    predicted = [one.predict_proba_one(x) for x in xs[40:]]
    assert np.array_equal(np.asarray(found), [list(each.values()) for each in predicted])
    named = many.predict_many(frame)
    assert [str(label) for label in named] == [max(each, key=each.__getitem__) for each in predicted]
    if kind == "pandas":
        assert list(found.columns) == many.labels
        assert list(found.index) == list(named.index) == list(frame.index)


def test_many_at_once_name_the_row_that_is_wrong() -> None:
    classifier = Classifier("ncm")
    with pytest.raises(prequel.PrequelError, match="feature 'b' of row 1 is NaN"):
        classifier.learn_many(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, None]}), ["cat", "dog"])
    with pytest.raises(prequel.PrequelError, match="feature 'b' is 'red', which is not a number"):
        classifier.learn_many(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, "red"]}), ["cat", "dog"])
    with pytest.raises(TypeError, match="labels are a series, an array or a list, not a DataFrame"):
        classifier.learn_many(np.ones((1, 1)), pd.DataFrame({"label": ["cat"]}))
    with pytest.raises(ValueError, match="there are 2 examples, but 1 labels"):
        classifier.learn_many(np.ones((2, 2)), ["cat"])
    assert classifier.labels == classifier.feature_names == []


@pytest.mark.parametrize("spec", ["knn", "mix", "softmax;replay=reservoir;memory=20", "mlp;hidden=8;batch=4"])
def test_the_memory_of_an_array_may_be_used_again(spec: str) -> None:
    xs, labels = examples(40, 6, 3)
    one, other, row = Classifier(spec), Classifier(spec), np.empty(6, np.float32)
    for x, label in zip(xs, labels, strict=True):
        one.learn_one(x.copy(), label)
        row[:] = x
        other.learn_one(row, label)
    assert bits(other) == bits(one)


def test_what_cannot_be_unlearned_says_so() -> None:
    classifier = Classifier("logistic")
    with pytest.raises(prequel.PrequelError, match="'cat' was never learned"):
        classifier.unlearn_one({"a": 1.0}, "cat")
    classifier.learn_one({"a": 1.0}, "cat")
    with pytest.raises(NotImplementedError, match="logistic cannot unlearn an example; correct_one"):
        classifier.unlearn_one({"a": 1.0}, "cat")
    assert classifier.correct_one({"a": 1.0}, "cat", "dog") is False
    assert classifier.correct_one({"a": 1.0}, "dog", "dog") is True
    with pytest.raises(prequel.PrequelError, match="'bird' was never learned: there are"):
        classifier.correct_one({"a": 1.0}, "bird", "dog")
    assert classifier.labels == ["cat", "dog"]


def test_a_correction_that_is_none_changes_nothing() -> None:
    classifier = Classifier("ncm")
    classifier.learn_one({"a": 1.0}, "cat")
    before = pickle.dumps(classifier)
    labels: list[Any] = [float("nan"), pd.NA, ["dog"]]
    for label in labels:
        with pytest.raises(prequel.PrequelError, match="whose label is known"):
            classifier.correct_one({"a": 1.0}, "cat", label)
    with pytest.raises(ValueError, match="age=-1: no fewer than 0"):
        classifier.correct_one({"a": 1.0}, "cat", "dog", age=-1)
    assert pickle.dumps(classifier) == before


def test_what_was_unlearned_leaves_nothing() -> None:
    xs, labels = examples(50, 4, 3)
    classifier, without = Classifier("naive-bayes"), Classifier("naive-bayes")
    classifier.learn_many(xs, labels)
    without.learn_many(xs[:49], labels[:49])
    classifier.unlearn_one(xs[49], labels[49])
    for x in xs:
        assert classifier.predict_proba_one(x) == pytest.approx(without.predict_proba_one(x), abs=1e-6)
