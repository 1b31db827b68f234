"""The Keras head grows without forgetting what it was, steps by count alone, and says what to install."""

import subprocess
import sys

import numpy as np
import pytest

from prequel.services.learner.models import registry
from prequel.services.learner.models.mlp import HIDDEN, Mlp
from prequel.services.learner.models.networks.growing_classifier import GrowingClassifier
from prequel.services.learner.models.networks.keras_variables import class_capacity, optimiser_slots
from tests.learner.models.suite import contents, same, stream

DIM = 12


def trained(classes: int, steps: int) -> GrowingClassifier:
    random, net = np.random.default_rng(1), GrowingClassifier(DIM, HIDDEN, 0.9, seed=3)
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
    model = Mlp(DIM, seed=5, rate=None, decay=1e-3, batch=8)
    model.fold(xs, labels)
    before = model.predict(xs[0])
    model.learn(xs[1], "new")
    after = model.predict(xs[0])
    assert after.size == before.size + 1
    np.testing.assert_allclose(after[:-1] / after[:-1].sum(), before, rtol=1e-12)


@pytest.mark.parametrize("classes", [3, 32])
def test_a_step_after_growing_uses_the_velocities_of_before(classes: int) -> None:
    """32 classes fill the first Keras network: with one more, a larger one is compiled."""
    random, net = np.random.default_rng(2), trained(classes, 3)
    net.grow()
    start, velocities = net.weights, net.velocities
    xs, numbers = random.normal(size=(8, DIM)).astype(np.float32), random.integers(classes, size=8)
    net.step(xs, numbers, 0.0)
    for weight, before, velocity, momentum in zip(net.weights, start, net.velocities, velocities, strict=True):
        np.testing.assert_allclose(velocity, 0.9 * momentum, rtol=1e-6)
        np.testing.assert_allclose(weight, before + velocity, rtol=1e-6)


def test_units_without_a_class_take_no_part() -> None:
    """A network with room to spare makes the same step as one that is exactly full."""
    net = trained(3, 4)
    inner = net._network()
    kernel, bias = inner.trainable_variables[-2:]
    assert np.asarray(kernel.value).shape[1] == class_capacity(3) == 32
    assert not np.asarray(kernel.value)[:, 3:].any()
    assert (np.asarray(bias.value)[3:] == -1e9).all()
    assert not np.asarray(optimiser_slots(inner.optimizer)[-1].value)[3:].any()


def test_the_optimiser_keeps_one_array_for_each_weight_in_their_order() -> None:
    inner = trained(2, 1)._network()
    assert [v.shape for v in optimiser_slots(inner.optimizer)] == [v.shape for v in inner.trainable_variables]
    assert [v.name.rsplit("_", 1)[1] for v in optimiser_slots(inner.optimizer)] == ["momentum"] * 6


def test_a_step_comes_after_every_batch_and_never_else() -> None:
    xs, labels = stream(20, DIM, 2)
    model, steps = Mlp(DIM, seed=5, rate=None, decay=1e-3, batch=6), []
    for x, label in zip(xs, labels, strict=True):
        model.predict(x)
        model.learn(x, label)
        steps.append(model.state().meta["steps"])
    assert steps == [(number + 1) // 6 for number in range(20)]


@pytest.mark.parametrize("at", [5, 21])
def test_a_snapshot_between_steps_continues_identically(at: int) -> None:
    xs, labels = stream(60, DIM, 4)
    model = registry.create("mlp", DIM, seed=2)
    model.fold(xs[:at], labels[:at])
    twin = registry.restore("mlp", model.state())
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


WITHOUT_KERAS = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "keras":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
from prequel.services.learner.models import registry
for act in (registry.check, lambda spec: registry.create(spec, 4, seed=0)):
    try:
        act(sys.argv[1])
    except registry.UnknownModel as error:
        print(error)
"""


@pytest.mark.parametrize("spec", ["mlp", "softmax;replay=cgan", "scale|logistic;replay=cgan"])
def test_without_keras_the_start_says_what_to_install(spec: str) -> None:
    ended = subprocess.run([sys.executable, "-c", WITHOUT_KERAS, spec], capture_output=True, text=True, timeout=120)
    lines = ended.stdout.splitlines()
    assert len(lines) == 2, ended.stderr
    assert all("No module named 'keras'" in line and "pip install keras tensorflow" in line for line in lines)
