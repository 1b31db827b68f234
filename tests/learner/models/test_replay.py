"""Rehearsal keeps what a model would forget when classes come one after the other; memories keep what they say."""

import numpy as np
import pytest

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix
from prequel.services.learner.models.rehearsal.balanced import BalancedMemory
from prequel.services.learner.models.rehearsal.gaussians import GaussianMemory
from prequel.services.learner.models.rehearsal.reservoir import ReservoirMemory

DIM, EACH, CLASSES = 8, 300, 6


def one_class_after_the_other() -> tuple[Matrix, list[str]]:
    random = np.random.default_rng(3)
    centres = random.normal(size=(CLASSES, DIM))
    numbers = np.repeat(np.arange(CLASSES), EACH)
    return (centres[numbers] + 1.5 * random.normal(size=(len(numbers), DIM))).astype(np.float32), [
        f"class {number}" for number in numbers
    ]


def accuracy_on_the_first_class(spec: str) -> float:
    xs, labels = one_class_after_the_other()
    model = registry.create(spec, DIM, seed=5)
    model.fold(xs, labels)
    predictions = model.fold(xs[:EACH], [None] * EACH)
    return float(np.mean([model.labels[int(np.argmax(each))] == labels[0] for each in predictions]))


@pytest.mark.parametrize("kind", ["reservoir", "balanced", "gaussian"])
def test_rehearsal_keeps_the_first_class(kind: str) -> None:
    plain = accuracy_on_the_first_class("softmax;rate=0.03")
    rehearsed = accuracy_on_the_first_class(f"softmax;rate=0.03;replay={kind};memory=100")
    assert rehearsed > plain + 0.15


def test_a_reservoir_is_a_uniform_sample() -> None:
    counts = np.zeros(20)
    for seed in range(300):
        random, memory = np.random.default_rng(seed), ReservoirMemory(1, 5)
        for number in range(20):
            memory.add(np.array([number], np.float32), 0, random)
        counts[memory.arrays()["xs"][:, 0].astype(int)] += 1
    assert counts.sum() == 300 * 5
    assert counts.min() > 45
    assert counts.max() < 110


def test_a_balanced_memory_gives_every_class_its_share() -> None:
    random, memory = np.random.default_rng(0), BalancedMemory(1, 12)
    for number in range(300):
        memory.add(np.array([number], np.float32), 0 if number < 200 else 1 + number % 2, random)
    assert memory.arrays()["counts"].tolist() == [4, 4, 4]
    recalled = memory.recall(600, random)
    assert np.bincount(recalled.classes).min() > 150
    assert (recalled.xs[recalled.classes == 0] < 200).all()


def test_gaussians_draw_from_the_mean_and_variance_of_each_class() -> None:
    random, memory = np.random.default_rng(0), GaussianMemory(2)
    for _ in range(2_000):
        memory.add(random.normal([3, -1], [2, 0.5]).astype(np.float32), 0, random)
        memory.add(np.array([9, 9], np.float32), 1, random)
    recalled = memory.recall(4_000, random)
    first = recalled.xs[recalled.classes == 0]
    np.testing.assert_allclose(first.mean(axis=0), [3, -1], atol=0.2)
    np.testing.assert_allclose(first.std(axis=0), [2, 0.5], atol=0.15)
    assert (recalled.xs[recalled.classes == 1] == 9).all()
