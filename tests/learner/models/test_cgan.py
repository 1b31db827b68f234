"""The generator gives examples of every class it was shown, goes on from a snapshot, and says what to install."""

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from prequel.services.learner.models.base import Arrays
from prequel.services.learner.models.networks.conditional_gan import ConditionalGan, GanBatch
from prequel.services.learner.models.rehearsal.cgan import BATCH, EXAMPLES_PER_STEP, GeneratedMemory
from tests.learner.models.test_replay import accuracy_on_the_first_class

DIM = 6


def shown(count: int, classes: npt.NDArray[np.int64], random: np.random.Generator) -> GeneratedMemory:
    """Two features that always agree, the others independent, about 10 times the number of the class."""
    memory = GeneratedMemory(DIM, seed=1)
    for number in classes[:count].tolist():
        x = random.normal(size=DIM)
        x[1] = x[0]
        memory.add((x + 10 * number).astype(np.float32), number, random)
    return memory


def bits(arrays: Arrays) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in arrays.items()}


def test_every_class_is_recalled_near_where_it_was() -> None:
    random = np.random.default_rng(0)
    recalled = shown(1200, np.repeat(np.arange(3), 400), random).recall(900, random)
    assert recalled.xs.dtype == np.float32
    assert np.bincount(recalled.classes).min() > 200
    for number in range(3):
        mine = recalled.xs[recalled.classes == number]
        np.testing.assert_allclose(mine.mean(axis=0), 10 * number, atol=0.8)
        assert 0.3 < mine.std() < 2


def test_the_adversary_teaches_what_mean_and_deviation_leave_out() -> None:
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(2), 2000)
    late = shown(4000, classes, random).recall(2000, random)
    for number in range(2):
        mine = late.xs[late.classes == number]
        assert np.corrcoef(mine[:, 0], mine[:, 1])[0, 1] > 0.8
        assert abs(np.corrcoef(mine[:, 2], mine[:, 3])[0, 1]) < 0.3


def test_steps_depend_on_the_number_of_examples_alone() -> None:
    random = np.random.default_rng(0)
    memory, changes = GeneratedMemory(DIM, seed=1), []
    for number in range(6 * EXAMPLES_PER_STEP):
        before = memory.arrays().get("nets.discriminator.squares.2", np.zeros(0)).tobytes()
        memory.recall(number % 3, random)
        memory.add(random.normal(size=DIM).astype(np.float32), 0, random)
        if number and memory.arrays()["nets.discriminator.squares.2"].tobytes() != before:
            changes.append(number + 1)
    assert changes == [count for count in range(BATCH, 6 * EXAMPLES_PER_STEP + 1) if count % EXAMPLES_PER_STEP == 0]


@pytest.mark.parametrize("at", [3, 61])
def test_a_snapshot_continues_identically(at: int) -> None:
    classes = np.arange(120) // 25
    random = np.random.default_rng(7)
    memory, twin = shown(at, classes, random), GeneratedMemory(DIM, seed=1)
    twin.load(memory.arrays())
    assert bits(twin.arrays()) == bits(memory.arrays())
    here, there = np.random.default_rng(8), np.random.default_rng(8)
    for one, chance in ((memory, here), (twin, there)):
        for number in classes[at:].tolist():
            one.add(chance.normal(number, 1, size=DIM).astype(np.float32), number, chance)
    assert bits(twin.arrays()) == bits(memory.arrays())
    np.testing.assert_array_equal(memory.recall(50, here).xs, twin.recall(50, there).xs)


def test_a_new_class_leaves_what_the_generator_gives_of_the_old_ones() -> None:
    random, nets = np.random.default_rng(0), ConditionalGan(DIM, 4, 16, seed=0)
    nets.grow()
    nets.grow()
    noise, classes = random.standard_normal((16, DIM), np.float32), np.arange(8) % 2
    nets.step(GanBatch(random.standard_normal((8, DIM), np.float32), classes, np.zeros(0, np.int64), noise))
    before, squares = nets.generate(noise[:8], classes), list(nets.parts["generator.squares"])
    nets.grow()
    assert nets.generate(noise[:8], classes).tobytes() == before.tobytes()
    assert nets.parts["generator.squares"][0][:-1].tobytes() == squares[0].tobytes()
    assert not nets.parts["generator.squares"][0][-1].any()


def test_rehearsal_keeps_the_first_class() -> None:
    plain = accuracy_on_the_first_class("softmax;rate=0.03")
    assert accuracy_on_the_first_class("softmax;rate=0.03;replay=cgan") > plain + 0.15


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


@pytest.mark.parametrize("spec", ["mlp;replay=cgan", "scale|logistic;replay=cgan"])
def test_without_keras_the_start_says_what_to_install(spec: str) -> None:
    ended = subprocess.run([sys.executable, "-c", WITHOUT_KERAS, spec], capture_output=True, text=True, timeout=120)
    lines = ended.stdout.splitlines()
    assert len(lines) == 2, ended.stderr
    assert all("No module named 'keras'" in line and "pip install keras tensorflow" in line for line in lines)
