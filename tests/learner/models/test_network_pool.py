"""Compiled networks are lent again, and leave nothing of their last model to the next."""

import gc
from typing import Any

import numpy as np

from prequel.services.learner.models.networks.conditional_gan import ConditionalGan, GanBatch
from prequel.services.learner.models.networks.growing_classifier import GrowingClassifier
from prequel.services.learner.models.networks.network_pool import MAX_IDLE, NetworkPool

DIM = 13


class Borrower:
    """Whatever can be deleted."""


def classifier(seed: int, rate: float) -> GrowingClassifier:
    random, net = np.random.default_rng(seed), GrowingClassifier(DIM, (5, 3), 0.9, seed=seed)
    for _ in range(4):
        net.grow()
        net.step(random.normal(size=(8, DIM)).astype(np.float32), random.integers(net.weights[-1].size, size=8), rate)
    return net


def generator(seed: int) -> ConditionalGan:
    random, nets = np.random.default_rng(seed), ConditionalGan(DIM, 4, 6, seed=seed)
    for _ in range(3):
        nets.grow()
        classes = random.integers(nets.classes, size=8)
        xs, noise = random.standard_normal((8, DIM), np.float32), random.standard_normal((16, DIM), np.float32)
        nets.step(GanBatch(xs, classes, classes, noise))
    return nets


def bits(arrays: list[Any]) -> list[bytes]:
    return [array.tobytes() for array in arrays]


def test_a_classifier_does_not_learn_from_what_its_network_was_before() -> None:
    one, other = classifier(1, 0.1), classifier(2, 5.0)
    lent = id(other._net)
    assert id(one._net) != lent
    del other
    gc.collect()
    again = classifier(1, 0.1)
    assert id(again._net) == lent
    assert bits(again.weights) == bits(one.weights)
    assert bits(again.velocities) == bits(one.velocities)


def test_a_generator_does_not_learn_from_what_its_networks_were_before() -> None:
    one, other = generator(1), generator(2)
    lent = id(other._nets)
    assert id(one._nets) != lent
    del other
    gc.collect()
    again = generator(1)
    assert id(again._nets) == lent
    assert {name: bits(arrays) for name, arrays in again.parts.items()} == {
        name: bits(arrays) for name, arrays in one.parts.items()
    }


def test_a_network_in_use_is_lent_to_nobody_else_nor_one_of_another_shape() -> None:
    pool, first, second = NetworkPool(), Borrower(), Borrower()
    networks = [pool.lend(borrower, shape, object) for borrower, shape in ((first, 1), (second, 1), (first, 2))]
    assert len({id(network) for network in networks}) == 3
    del first
    gc.collect()
    assert pool.lend(second, 2, object) is networks[2]
    assert pool.lend(second, 1, object) is networks[0]


def test_few_are_kept() -> None:
    pool, made = NetworkPool(), list[object]()

    def compiled() -> object:
        made.append(object())
        return made[-1]

    for _ in range(2):
        borrowers = [Borrower() for _ in range(MAX_IDLE + 3)]
        for borrower in borrowers:
            pool.lend(borrower, 1, compiled)
        del borrower, borrowers
        gc.collect()
    assert len(made) == 2 * (MAX_IDLE + 3) - MAX_IDLE
