"""`replay=cgan`: dummy examples of all classes so far, from a conditional generator trained against an adversary."""

import numpy as np

from prequel.services.learner.models.base import Vector
from prequel.services.learner.models.keras_networks import Adversaries, Batch
from prequel.services.learner.models.rehearsal.memories import Arrays, Gaussians, Recalled

NOISE, HIDDEN = 64, 128
RECENT, EVERY, BATCH, KEEP = 256, 16, 32, 64


class Generated:
    """A conditional generative adversarial network (Mirza & Osindero, arXiv:1411.1784, 2014) over features.

    It gives residuals in deviations of their class: the running mean and deviation of each class are the generator's
    last, untrained layer, so that the networks learn only what these leave out. Every ``EVERY`` examples make one step
    of both networks. Classes among the ``RECENT`` newest examples are learned from those; for all others the generator
    is held to what it gave when it was last kept, for the same noise (Wu et al., "Memory replay GANs", NeurIPS 2018).
    It is kept at each new class and every ``KEEP`` steps.
    """

    def __init__(self, dim: int, seed: int) -> None:
        self._dim = dim
        self._classes = Gaussians(dim)
        self._nets = Adversaries(dim, NOISE, HIDDEN, seed)
        self._xs = np.zeros((RECENT, dim), np.float32)
        self._numbers = np.zeros(RECENT, np.int64)
        self._seen = 0

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None:
        self._classes.add(x, label, random)
        while label >= self._nets.classes:
            self._nets.grow()
        slot = self._seen % RECENT
        self._xs[slot], self._numbers[slot] = x, label
        self._seen += 1
        if self._seen % EVERY == 0 and self._seen >= BATCH:
            self._step(random)

    def _step(self, random: np.random.Generator) -> None:
        kept = min(self._seen, RECENT)
        chosen = random.integers(kept, size=BATCH)
        numbers = self._numbers[chosen]
        absent = np.setdiff1d(np.arange(self._nets.classes), self._numbers[:kept])
        held = absent[random.integers(absent.size, size=BATCH)] if absent.size else absent
        noise = random.standard_normal((2 * BATCH, self._dim), np.float32)
        self._nets.step(Batch(self._classes.residuals(self._xs[chosen], numbers), numbers, held, noise))
        if self._seen // EVERY % KEEP == 0:
            self._nets.keep()

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        if not self._nets.classes:
            return Recalled(np.zeros((0, self._dim), np.float32), np.zeros(0, np.int64))
        classes = random.integers(self._nets.classes, size=count)
        residuals = self._nets.generate(random.standard_normal((count, self._dim), np.float32), classes)
        return Recalled(self._classes.features(residuals, classes), classes)

    def arrays(self) -> Arrays:
        kept = min(self._seen, RECENT)
        recent: Arrays = {
            "xs": self._xs[:kept].copy(),
            "numbers": self._numbers[:kept].copy(),
            "seen": np.array([self._seen]),
        }
        sums = {f"classes.{name}": array for name, array in self._classes.arrays().items()}
        parts = self._nets.parts.items()
        return (
            recent | sums | {f"nets.{name}.{i}": array.copy() for name, part in parts for i, array in enumerate(part)}
        )

    def load(self, arrays: Arrays) -> None:
        kept, self._seen = len(arrays["xs"]), int(arrays["seen"][0])
        self._xs[:kept], self._numbers[:kept] = arrays["xs"], arrays["numbers"]
        self._classes.load({k.removeprefix("classes."): v for k, v in arrays.items() if k.startswith("classes.")})
        names = sorted({name[5:-2] for name in arrays if name.startswith("nets.")})
        self._nets.load({name: [arrays[f"nets.{name}.{i}"] for i in range(4)] for name in names})
