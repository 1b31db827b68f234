"""The neural head grows without forgetting what it was, steps by count alone, and learns what scikit-learn's does."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits

from prequel.services.learner.models import registry
from prequel.services.learner.models.mlp import Mlp, Schedule
from prequel.services.learner.models.networks.growing_classifier import GrowingClassifier
from tests.learner.models.suite import contents, same, stream

DIM = 12


def trained(classes: int, steps: int, hidden: tuple[int, ...] = (256, 16)) -> GrowingClassifier:
    random, net = np.random.default_rng(1), GrowingClassifier(DIM, hidden, 0.9, seed=3)
    for _ in range(classes):
        net.grow()
    for _ in range(steps):
        net.step(random.normal(size=(8, DIM)).astype(np.float32), random.integers(classes, size=8), 0.05)
    return net


def test_growing_carries_weights_and_velocities_over() -> None:
    net = trained(3, 5)
    weights, velocities = list(net.weights), list(net.velocities)
    assert all(array.any() for array in velocities)
    net.grow()
    for old, new in ((weights, net.weights), (velocities, net.velocities)):
        assert [a.tobytes() for a in new[:-2]] == [a.tobytes() for a in old[:-2]]
        np.testing.assert_array_equal(new[-2][:, :3], old[-2])
        np.testing.assert_array_equal(new[-1][:3], old[-1])
        assert new[-2].shape[1] == new[-1].size == 4
    assert not net.velocities[-2][:, 3].any()
    assert not net.velocities[-1][3:].any()


def test_a_new_class_leaves_the_odds_of_the_old_ones() -> None:
    xs, labels = stream(64, DIM, 3)
    model = Mlp(DIM, (100,), Schedule(batch=8), seed=5)
    model.fold(xs, labels)
    before = model.predict(xs[0])
    model.learn(xs[1], "new")
    after = model.predict(xs[0])
    assert after.size == before.size + 1
    np.testing.assert_allclose(after[:-1] / after[:-1].sum(), before, rtol=1e-12)


def test_a_step_after_growing_uses_the_velocities_of_before() -> None:
    random, net = np.random.default_rng(2), trained(3, 3)
    net.grow()
    start, velocities = [each.copy() for each in net.weights], [each.copy() for each in net.velocities]
    xs, numbers = random.normal(size=(8, DIM)).astype(np.float32), random.integers(3, size=8)
    net.step(xs, numbers, 0.0)
    for weight, before, velocity, momentum in zip(net.weights, start, net.velocities, velocities, strict=True):
        np.testing.assert_allclose(velocity, 0.9 * momentum, rtol=1e-6)
        np.testing.assert_allclose(weight, before + velocity, rtol=1e-6)


def loss(
    weights: Sequence[npt.NDArray[np.float64]], xs: npt.NDArray[np.float64], classes: npt.NDArray[np.int64]
) -> float:
    """The mean cross-entropy, in float64 and without a line of what is tested."""
    values: Any = xs
    for at in range(0, len(weights), 2):
        values = values @ weights[at] + weights[at + 1]
        if at < len(weights) - 2:
            values = np.maximum(values, 0)
    logs = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    return -float(logs[np.arange(len(classes)), classes].mean())


@pytest.mark.parametrize(("hidden", "rows"), [((7,), 1), ((7,), 5), ((6, 4), 3)])
def test_a_step_goes_against_the_gradient(hidden: tuple[int, ...], rows: int) -> None:
    """The gradient of every weight, by differences of the loss."""
    random, net = np.random.default_rng(6), trained(3, 4, hidden)
    net.load(net.weights, [np.zeros_like(each) for each in net.velocities])
    xs, classes = random.normal(size=(rows, DIM)).astype(np.float32), random.integers(3, size=rows)
    exact = [each.astype(np.float64) for each in net.weights]
    net.step(xs, classes, 0.5)
    for array, velocity in zip(exact, net.velocities, strict=True):
        for at in np.ndindex(array.shape):
            losses, before = [], array[at]
            for change in (1e-6, -1e-6):
                array[at] = before + change
                losses.append(loss(exact, xs.astype(np.float64), classes))
            array[at] = before
            assert velocity[at] == pytest.approx(-0.5 * (losses[0] - losses[1]) / 2e-6, abs=2e-5)


def test_a_gradient_is_never_longer_than_its_limit() -> None:
    net = trained(2, 1)
    net.load(net.weights, [np.zeros_like(each) for each in net.velocities])
    xs = np.full((1, DIM), 100, np.float32)
    net.step(xs, net.probabilities(xs).argmin(axis=1), 1.0)
    assert np.sqrt(sum((each.astype(np.float64) ** 2).sum() for each in net.velocities)) == pytest.approx(10, rel=1e-4)


def test_it_is_as_accurate_on_the_digits_as_that_of_scikit_learn() -> None:
    """1,797 images of 64 pixels, each predicted before it is learned.

    MLPClassifier(100) behind a StandardScaler has 0.905, by partial_fit of one at a time; it knows all classes before.
    """
    pixels, numbers = load_digits(return_X_y=True)
    model, labels = registry.create("mlp", 64, seed=0), [str(number) for number in numbers]
    predictions = model.fold(pixels.astype(np.float32), labels)
    predicted = [model.labels[int(each.argmax())] if len(each) else None for each in predictions]
    assert np.mean([a == b for a, b in zip(predicted, labels, strict=True)]) > 0.92


def test_a_step_comes_after_every_batch_and_never_else() -> None:
    xs, labels = stream(20, DIM, 2)
    model, steps = Mlp(DIM, (9, 5), Schedule(batch=6), seed=5), []
    for x, label in zip(xs, labels, strict=True):
        model.predict(x)
        model.learn(x, label)
        steps.append(model.state().meta["steps"])
    assert steps == [(number + 1) // 6 for number in range(20)]


@pytest.mark.parametrize("at", [5, 21])
def test_a_snapshot_between_steps_continues_identically(at: int) -> None:
    xs, labels = stream(60, DIM, 4)
    model = registry.create("mlp;batch=8", DIM, seed=2)
    model.fold(xs[:at], labels[:at])
    twin = registry.restore("mlp;batch=8", model.state())
    assert same(model.fold(xs[at:], labels[at:]), twin.fold(xs[at:], labels[at:]))
    assert contents(model.state()) == contents(twin.state())


def test_it_learns_what_no_linear_model_can() -> None:
    random = np.random.default_rng(4)
    xs = random.uniform(-1, 1, size=(3000, 2)).astype(np.float32)
    labels = ["same" if a * b > 0 else "other" for a, b in xs]
    model = registry.create("mlp", 2, seed=1)
    model.fold(xs[:2500], labels[:2500])
    predicted = [model.labels[int(np.argmax(each))] for each in model.fold(xs[2500:], [None] * 500)]
    assert np.mean([a == b for a, b in zip(predicted, labels[2500:], strict=True)]) > 0.85
