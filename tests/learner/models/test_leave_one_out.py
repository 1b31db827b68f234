"""What a model would say without one of its examples: as if it had been learned from all the others."""

import numpy as np
import pytest

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix, Model, Probabilities
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.leave_one_out import Learned, leave_one_out
from prequel.services.learner.models.mix import Mix
from tests.learner.models.suite import BUILT_IN, stream

EXACT = [spec for spec in BUILT_IN if registry.create(spec, 24, seed=0).exact]
COUNT = 260


def taught(spec: str, xs: Matrix, labels: list[str]) -> Model:
    """The model of these rows, brought up to date with its sums."""
    model = registry.create(spec, xs.shape[1], seed=0)
    model.fold(xs, labels)
    up_to_date(model)
    return model


def up_to_date(model: Model) -> None:
    if isinstance(model, Discriminant):
        model.solve()
    for inner in model.experts if isinstance(model, Mix) else [getattr(model, "inner", None)]:
        if inner is not None:
            up_to_date(inner)


def held_out(model: Model, xs: Matrix, labels: list[str]) -> Probabilities:
    left = leave_one_out(model)
    assert left is not None
    numbers = np.array([model.labels.index(label) for label in labels])
    return left.predict(xs, Learned(numbers, np.arange(len(xs))[::-1].copy()))


def wrong_in_places(count: int, dim: int = 24) -> tuple[Matrix, list[str]]:
    """A stream of which every ninth label is wrong: those are what leaving out is for."""
    xs, labels = stream(count, dim, 4)
    return xs, [f"class {(number * 7) % 4}" if number % 9 == 0 else label for number, label in enumerate(labels)]


@pytest.mark.parametrize("spec", EXACT)
def test_it_is_what_the_others_alone_teach(spec: str) -> None:
    count = 100
    xs, labels = wrong_in_places(count)
    model = taught(spec, xs, labels)
    said = held_out(model, xs, labels)
    same, distance = 0, 0.0
    rows = [*range(0, count, 9), *range(5, count, 40)]  # the first were labelled wrongly
    for at in rows:
        others = np.delete(np.arange(count), at)
        without = taught(spec, xs[others], [labels[other] for other in others])
        order = [without.labels.index(label) for label in model.labels]
        expected = without.predict(xs[at])[order]
        same += int(expected.argmax() == said[at].argmax())
        distance = max(distance, float(np.abs(expected - said[at]).max()))
    assert same == len(rows), f"{same} labels are the same, probabilities differ by {distance}"
    assert distance < 0.06, "what the model says where nothing is left out is 0.08 or more away"


@pytest.mark.parametrize("spec", EXACT)
def test_leaving_out_changes_nothing_and_what_comes_later_does_not_change_it(spec: str) -> None:
    xs, labels = wrong_in_places(COUNT)
    model = taught(spec, xs[:200], labels[:200])
    before = {name: array.tobytes() for name, array in model.state().arrays.items()}
    left = leave_one_out(model)
    assert left is not None
    learned = Learned(np.array([model.labels.index(label) for label in labels[:200]]), np.arange(200)[::-1].copy())
    first = left.predict(xs[:200], learned)
    assert {name: array.tobytes() for name, array in model.state().arrays.items()} == before
    model.fold(xs[200:], labels[200:])
    assert np.allclose(left.predict(xs[:200], learned), first, atol=1e-9)


@pytest.mark.parametrize("spec", EXACT)
def test_a_row_that_was_not_learned_is_predicted_as_it_is(spec: str) -> None:
    xs, labels = wrong_in_places(COUNT)
    model, left = taught(spec, xs[:200], labels[:200]), None
    left = leave_one_out(model)
    assert left is not None
    none = Learned(np.full(60, -1), np.zeros(60, np.int64))
    expected = np.array([model.predict(x) for x in xs[200:]])
    assert np.allclose(left.predict(xs[200:], none), expected, atol=1e-6)


def test_the_only_example_of_a_class_leaves_nothing_of_it() -> None:
    xs, labels = stream(60, 6, 2)
    for spec in ("slda", "ridge;width=48", "ncm"):
        model = taught(spec, xs, [*labels[:-1], "only"])
        assert held_out(model, xs, [*labels[:-1], "only"])[-1, 2] < 0.05


def test_a_model_that_cannot_unlearn_leaves_nothing_out() -> None:
    for spec in ("logistic", "scale|slda", "mix(slda, logistic)"):
        assert leave_one_out(registry.create(spec, 4, seed=0)) is None
