"""`replay=cgan`: dummy examples of all classes so far, from a conditional generator trained against an adversary."""

import numpy as np

from prequel.services.learner.models.base import Arrays, Vector
from prequel.services.learner.models.networks.conditional_gan import ConditionalGan, GanBatch
from prequel.services.learner.models.rehearsal.gaussians import GaussianMemory
from prequel.services.learner.models.rehearsal.memory import Recalled, nothing_recalled

NOISE = 64
"""Values of the noise that the generator sees."""
HIDDEN = 128
"""Units of the hidden layer of both networks."""
RECENT = 256
"""The newest examples, which steps draw from; more would make the state larger."""
EXAMPLES_PER_STEP = 16
"""New examples from one step to the next; fewer would make the learner slower."""
BATCH = 32
"""Examples in the mini-batch of a step."""
STEPS_PER_COPY = 64
"""Steps until the generator is copied, for what it has learned to be remembered."""


class GeneratedMemory:
    """A conditional generative adversarial network (Mirza & Osindero, arXiv:1411.1784, 2014) over features.

    It gives residuals in deviations of their class: the running mean and deviation of each class are the generator's
    last, untrained layer, so that the networks learn only what these leave out. Every ``EXAMPLES_PER_STEP`` examples
    make one step of both networks. Classes among the ``RECENT`` newest examples are learned from those; for all others
    the generator is trained to give what it gave when it was last copied, for the same noise (Wu et al., "Memory replay
    GANs", NeurIPS 2018). It is copied at each new class and every ``STEPS_PER_COPY`` steps.
    """

    def __init__(self, dim: int, seed: int) -> None:
        self._dim = dim
        self._gaussians = GaussianMemory(dim)
        self._nets = ConditionalGan(dim, NOISE, HIDDEN, seed)
        self._xs = np.zeros((RECENT, dim), np.float32)
        self._numbers = np.zeros(RECENT, np.int64)
        self._seen = 0

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None:
        self._gaussians.add(x, label, random)
        while label >= self._nets.classes:
            self._nets.grow()
        slot = self._seen % RECENT
        self._xs[slot], self._numbers[slot] = x, label
        self._seen += 1
        if self._seen % EXAMPLES_PER_STEP == 0 and self._seen >= BATCH:
            self._step(random)

    def _step(self, random: np.random.Generator) -> None:
        stored = min(self._seen, RECENT)
        chosen = random.integers(stored, size=BATCH)
        numbers = self._numbers[chosen]
        absent = np.setdiff1d(np.arange(self._nets.classes), self._numbers[:stored])
        remembered = absent[random.integers(absent.size, size=BATCH)] if absent.size else absent
        noise = random.standard_normal((2 * BATCH, self._dim), np.float32)
        self._nets.step(GanBatch(self._gaussians.residuals(self._xs[chosen], numbers), numbers, remembered, noise))
        if self._seen // EXAMPLES_PER_STEP % STEPS_PER_COPY == 0:
            self._nets.copy_generator()

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        if not self._nets.classes:
            return nothing_recalled(self._dim)
        classes = random.integers(self._nets.classes, size=count)
        residuals = self._nets.generate(random.standard_normal((count, self._dim), np.float32), classes)
        return Recalled(self._gaussians.features(residuals, classes), classes)

    def arrays(self) -> Arrays:
        stored = min(self._seen, RECENT)
        recent: Arrays = {
            "xs": self._xs[:stored].copy(),
            "numbers": self._numbers[:stored].copy(),
            "seen": np.array([self._seen]),
        }
        sums = {f"classes.{name}": array for name, array in self._gaussians.arrays().items()}
        parts = self._nets.parts.items()
        return (
            recent | sums | {f"nets.{name}.{i}": array.copy() for name, part in parts for i, array in enumerate(part)}
        )

    def load(self, arrays: Arrays) -> None:
        stored, self._seen = len(arrays["xs"]), int(arrays["seen"][0])
        self._xs[:stored], self._numbers[:stored] = arrays["xs"], arrays["numbers"]
        self._gaussians.load({k.removeprefix("classes."): v for k, v in arrays.items() if k.startswith("classes.")})
        names = sorted({name[5:-2] for name in arrays if name.startswith("nets.")})
        self._nets.load({name: [arrays[f"nets.{name}.{i}"] for i in range(4)] for name in names})
