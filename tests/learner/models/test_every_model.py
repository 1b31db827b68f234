"""The checks that every row of the catalogue passes."""

import json
import subprocess
import sys

import numpy as np
import pytest

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Model, ModelState
from prequel.services.learner.models.capabilities import correct, predict_many
from tests.learner.models.suite import (
    BUILT_IN,
    NAMES,
    SPECS,
    contents,
    parts,
    proper,
    run,
    same,
    settle,
    shape,
    stream,
    temper_alike,
    with_gaps,
)

WIDTH = 9
"""Features where any number will do: Keras compiles its steps for each number anew, and lends them again."""

every_model = pytest.mark.parametrize("spec", SPECS)
every_own_model = pytest.mark.parametrize("spec", BUILT_IN)


def new(spec: str, dim: int) -> Model:
    return registry.create(spec, dim, seed=7)


@every_model
def test_nothing_is_predicted_before_the_first_label(spec: str) -> None:
    assert new(spec, 3).predict(np.ones(3, np.float32)).shape == (0,)


@every_model
def test_it_learns(spec: str) -> None:
    xs, labels = stream(300, WIDTH, 3)
    model = new(spec, WIDTH)
    predictions = model.fold(xs, labels)
    hits = [model.labels[int(np.argmax(p))] == label for p, label in zip(predictions, labels, strict=True) if len(p)]
    assert spec == "river:dummy.NoChangeClassifier" or np.mean(hits[100:]) > 0.6


@every_model
def test_folding_a_batch_is_folding_its_rows(spec: str) -> None:
    xs, labels = stream(90, 37, 4)
    mixed = with_gaps(labels)
    batch, rows, pieces = new(spec, 37), new(spec, 37), new(spec, 37)
    whole = batch.fold(xs, mixed)
    assert same(whole, run(rows, xs, mixed))
    bounds = ((0, 1), (1, 40), (40, 40), (40, 90))
    cut = [p for start, end in bounds for p in pieces.fold(xs[start:end], mixed[start:end])]
    assert same(whole, cut)
    assert contents(batch.state()) == contents(rows.state()) == contents(pieces.state())


@every_model
def test_a_snapshot_continues_identically(spec: str) -> None:
    xs, labels = stream(120, WIDTH, 5)
    model = new(spec, WIDTH)
    model.fold(xs[:60], labels[:60])
    state = model.state()
    stored = ModelState(json.loads(json.dumps(dict(state.meta))), state.arrays, state.pickled)
    before = contents(state)
    twin = registry.restore(spec, stored)
    assert twin.labels == model.labels
    assert contents(twin.state()) == before
    assert same(model.fold(xs[60:], with_gaps(labels[60:])), twin.fold(xs[60:], with_gaps(labels[60:])))
    assert contents(model.state()) == contents(twin.state())
    assert contents(state) == before, "a state must not change with its model"


@every_model
def test_an_empty_model_can_be_restored(spec: str) -> None:
    xs, labels = stream(20, WIDTH, 2)
    model, twin = new(spec, WIDTH), registry.restore(spec, new(spec, WIDTH).state())
    assert same(model.fold(xs, labels), twin.fold(xs, labels))


@every_model
def test_predicting_changes_nothing(spec: str) -> None:
    xs, labels = stream(60, WIDTH, 3)
    model = new(spec, WIDTH)
    assert proper(model.predict(xs[0]), 0)
    model.fold(xs, labels)
    before = contents(model.state())
    first = [model.predict(x) for x in xs]
    assert same(first, [model.predict(x) for x in xs])
    assert contents(model.state()) == before


@every_model
def test_equal_seeds_and_events_make_equal_states(spec: str) -> None:
    xs, labels = stream(100, WIDTH, 3)
    one, two = new(spec, WIDTH), new(spec, WIDTH)
    one.fold(xs, labels)
    two.fold(xs.copy(), list(labels))
    assert contents(one.state()) == contents(two.state())


@every_model
def test_a_class_can_come_at_any_time(spec: str) -> None:
    xs, labels = stream(80, WIDTH, 2, seed=1)
    model = new(spec, WIDTH)
    for i in range(80):
        assert proper(model.predict(xs[i]), len(model.labels))
        model.learn(xs[i], f"new {i}" if i % 10 == 9 else labels[i])
    assert len(model.labels) == 10
    assert model.labels[2:] == [f"new {i}" for i in range(9, 80, 10)]


@every_model
def test_a_stream_of_one_class(spec: str) -> None:
    xs, _ = stream(30, WIDTH, 1)
    model = new(spec, WIDTH)
    predictions = model.fold(xs, ["only"] * 30)
    assert all(p.tolist() == [1.0] for p in predictions[1:])


@every_model
def test_constant_and_zero_features(spec: str) -> None:
    xs, labels = stream(60, WIDTH, 2)
    xs[:, 1], xs[:, 2], xs[:, 4] = 0.0, 3.5, -1e-3
    zeros = np.zeros((60, WIDTH), np.float32)
    for rows in (xs, zeros):
        model = new(spec, WIDTH)
        predictions = model.fold(rows, labels)
        assert all(proper(p, len(p)) for p in predictions)


@every_own_model
def test_float_extremes(spec: str) -> None:
    extremes = np.array([0, -0.0, 1e-45, -1e-40, 1.2e-38, 1e-20, 1, -1, 1e20, 1e30, -1e30, 3.4e38, -3.4e38], np.float32)
    rng = np.random.default_rng(1)
    xs = rng.choice(extremes, size=(120, WIDTH))
    labels = [f"{i % 3}" for i in rng.integers(9, size=120)]
    model = new(spec, WIDTH)
    predictions = model.fold(xs, labels)
    assert all(proper(p, len(p)) for p in predictions)
    assert all(proper(model.predict(np.full(WIDTH, value, np.float32)), 3) for value in extremes)
    assert contents(registry.restore(spec, model.state()).state()) == contents(model.state())
    if model.exact:
        with pytest.raises(KeyError):
            model.unlearn(xs[5], "never learned")
        model.unlearn(xs[5], labels[5])
        assert proper(model.predict(xs[6]), 3)


@every_own_model
def test_a_thousand_classes(spec: str) -> None:
    """Of a model with other parameters, or behind a transform, more than a byte can count are enough."""
    classes = 1000 if spec in NAMES else 300
    xs, _ = stream(classes, WIDTH, 10)
    model = new(spec, WIDTH)
    model.fold(xs, [f"{i}" for i in range(classes)])
    assert len(model.labels) == classes
    assert proper(model.predict(xs[0]), classes)


def dimensions(spec: str) -> list[int]:
    """About the widths of a processor's registers, and of features. Keras, which has its own, compiles each anew."""
    return [1, 65, 100_352] if "cgan" in spec else [1, 2, 63, 64, 65, 1280, 100_352]


@pytest.mark.parametrize(("spec", "dim"), [(spec, dim) for spec in BUILT_IN for dim in dimensions(spec)])
def test_any_dimension(spec: str, dim: int) -> None:
    xs, labels = stream(6, dim, 2)
    batch, rows = new(spec, dim), new(spec, dim)
    assert same(batch.fold(xs, labels), run(rows, xs, labels))
    assert proper(batch.predict(xs[0]), len(batch.labels))


@every_own_model
def test_a_vector_of_another_dimension_is_refused(spec: str) -> None:
    model = new(spec, WIDTH)
    model.learn(np.zeros(WIDTH, np.float32), "a")
    with pytest.raises(ValueError, match="4 features"):
        model.predict(np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="4 features"):
        model.learn(np.zeros(4, np.float32), "a")
    with pytest.raises(ValueError, match="4 features"):
        model.fold(np.zeros((2, 4), np.float32), ["a", None])


@every_own_model
def test_writeable_and_read_only_rows_are_alike(spec: str) -> None:
    xs, labels = stream(30, WIDTH, 2)
    sealed = np.frombuffer(xs.tobytes(), np.float32).reshape(xs.shape)
    assert same(new(spec, WIDTH).fold(xs, labels), run(new(spec, WIDTH), sealed, labels))


@every_model
def test_unlearning_undoes_learning_where_claimed(spec: str) -> None:
    xs, labels = stream(200, 12, 3)
    model, clean = new(spec, 12), new(spec, 12)
    if not model.exact:
        with pytest.raises(NotImplementedError):
            model.unlearn(xs[0], labels[0])
        return
    model.fold(xs, labels)
    for i in range(0, 200, 3):
        assert correct(model, xs[i], labels[i], None, age=199 - i)
    for i in range(200):
        clean.learn(xs[i], labels[i])
        if i % 3 == 0:
            clean.unlearn(xs[i], labels[i])
    for part, clean_part in zip(parts(model), parts(clean), strict=True):
        settle(part)
        settle(clean_part)
        temper_alike(part, clean_part)
        for x in xs[:50]:
            np.testing.assert_allclose(shape(part.predict(x)), shape(clean_part.predict(x)), rtol=1e-6, atol=1e-7)


@every_model
def test_a_corrected_label_is_as_if_it_had_never_been_wrong_where_claimed(spec: str) -> None:
    count = 300 if new(spec, WIDTH).exact else 60
    xs, labels = stream(count, WIDTH, 3)
    model, clean = new(spec, WIDTH), new(spec, WIDTH)
    wrong = {i: labels[(i + 1) % count] for i in range(0, count - 20, 7)}
    for i in range(count):
        model.learn(xs[i], wrong.get(i, labels[i]))
        clean.learn(xs[i], labels[i])
        late = i - 20
        if late in wrong:
            assert correct(model, xs[late], wrong[late], labels[late], age=20) == model.exact
    if not model.exact:
        return
    for part, clean_part in zip(parts(model), parts(clean), strict=True):
        settle(part)
        settle(clean_part)
        temper_alike(part, clean_part)
        order = [part.labels.index(label) for label in clean_part.labels]
        for x in xs[:50]:
            expected = shape(clean_part.predict(x))
            np.testing.assert_allclose(shape(part.predict(x)[order]), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("spec", [*BUILT_IN, "slda;decay=0.001"])
def test_a_class_whose_labels_were_all_taken_back_is_predicted_no_more(spec: str) -> None:
    """Neither from scores that were solved before, nor from what rounding leaves of sums: a mean near 0."""
    random, model = np.random.default_rng(0), new(spec, 12)
    if not model.exact:
        return
    centres = np.concatenate([6.0 * random.normal(size=(2, 12)), np.zeros((1, 12))])
    classes = random.integers(3, size=600)
    xs = (centres[classes] + random.normal(size=(600, 12))).astype(np.float32)
    model.fold(xs, [f"class {number}" for number in classes])
    of_it = np.flatnonzero(classes == 2)
    assert np.mean([model.labels[model.predict(xs[i]).argmax()] == "class 2" for i in of_it]) > 0.5, "it was known"
    for i in of_it:
        assert correct(model, xs[i], "class 2", None, age=599 - int(i))
    at = model.labels.index("class 2")
    assert max(model.predict(xs[i])[at] for i in of_it) < 0.02


@every_model
def test_compiling_beforehand(spec: str) -> None:
    registry.compile(spec, 4)


COMPILED_LATER = """
import pkgutil
from importlib import import_module
import numpy as np
from prequel.services.learner import kernels
from prequel.services.learner.models import registry
from prequel.services.learner.models.capabilities import predict_many
from prequel.services.learner.models.leave_one_out import Learned, leave_one_out
from tests.learner.models.suite import stream

def signatures():
    modules = [import_module(f"{kernels.__name__}.{each.name}") for each in pkgutil.iter_modules(kernels.__path__)]
    dispatchers = [value for module in modules for value in vars(module).values() if hasattr(value, "signatures")]
    return {(each.py_func.__name__, signature) for each in dispatchers for signature in each.signatures}

specs = ["mix", "ridge;width=200", "project:40|slda", "ncm", "logistic", "naive-bayes", "perceptron", "knn"]
for spec in specs:
    registry.compile(spec, 8)
before = signatures()
xs, labels = stream(300, 60, 3)
for spec in specs:
    model = registry.create(spec, 60, seed=0)
    model.fold(xs, labels)
    state = model.state()
    for array in state.arrays.values():
        array.flags.writeable = False
    model = registry.restore(spec, state)
    for x, label in zip(xs[:20], labels):
        model.learn(x, "another")
        if model.exact:
            model.unlearn(x, label)
        model.predict(x)
    predict_many(model, xs)
    if model.exact:
        leave_one_out(model).predict(xs, Learned(np.zeros(300, np.int64), np.zeros(300, np.int64)))
print(sorted(name for name, _ in signatures() - before))
"""


def test_nothing_is_left_to_compile_when_events_come() -> None:
    """Nor after as many examples as are made into sums, nor from a snapshot: a kernel takes a second to compile."""
    found = subprocess.run([sys.executable, "-c", COMPILED_LATER], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@every_model
def test_many_rows_are_predicted_as_one_by_one_and_nothing_changes(spec: str) -> None:
    xs, labels = stream(90, WIDTH, 3)
    model = new(spec, WIDTH)
    assert predict_many(model, xs).shape == (90, 0)
    model.fold(xs[:60], labels[:60])
    before = contents(model.state())
    np.testing.assert_allclose(predict_many(model, xs), [model.predict(x) for x in xs], rtol=1e-9, atol=1e-12)
    assert contents(model.state()) == before
    assert predict_many(model, xs[:0]).shape == (0, 3)
