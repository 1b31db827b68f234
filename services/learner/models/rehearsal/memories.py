"""Memories for rehearsal: bounded, seeded, part of the state; each gives back examples of what was learned before."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Matrix, Vector

Arrays = dict[str, npt.NDArray[Any]]
_LARGEST = float(np.finfo(np.float32).max)


class Recalled(NamedTuple):
    """Examples to rehearse: shape [n, dim], and the number of each one's class."""

    xs: Matrix
    classes: npt.NDArray[np.int64]


class Memory(Protocol):
    """What is remembered of the examples of each class. All chance comes from the generator that is passed."""

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None: ...

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        """``count`` examples, or none while nothing is remembered."""
        ...

    def arrays(self) -> Arrays: ...

    def load(self, arrays: Arrays) -> None: ...


class Reservoir:
    """A uniform sample of all examples so far (Vitter, "Random sampling with a reservoir", ACM TOMS 11, 1985)."""

    def __init__(self, dim: int, size: int) -> None:
        self._xs = np.zeros((size, dim), np.float32)
        self._classes = np.zeros(size, np.int64)
        self._seen = 0

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None:
        slot = self._seen if self._seen < len(self._xs) else int(random.integers(self._seen + 1))
        self._seen += 1
        if slot < len(self._xs):
            self._xs[slot], self._classes[slot] = x, label

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        kept = min(self._seen, len(self._xs))
        chosen = random.integers(kept, size=count) if kept else np.zeros(0, np.int64)
        return Recalled(self._xs[chosen], self._classes[chosen])

    def arrays(self) -> Arrays:
        kept = min(self._seen, len(self._xs))
        return {"xs": self._xs[:kept].copy(), "classes": self._classes[:kept].copy(), "seen": np.array([self._seen])}

    def load(self, arrays: Arrays) -> None:
        kept = len(arrays["xs"])
        self._xs[:kept], self._classes[:kept] = arrays["xs"], arrays["classes"]
        self._seen = int(arrays["seen"][0])


class Balanced:
    """An equal share for every class: a full memory makes room by forgetting one of the class that has most.

    The greedy sampler of Prabhu, Torr & Dokania, "GDumb", ECCV 2020. Recall draws a class first, then an example.
    """

    def __init__(self, dim: int, size: int) -> None:
        self._dim, self._size = dim, size
        self._slots: list[list[int]] = []
        """By class, where its examples stand, in the order in which they came to stand there."""
        self._xs = np.zeros((size, dim), np.float32)

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None:
        while label >= len(self._slots):
            self._slots.append([])
        held = sum(map(len, self._slots))
        slot = held if held < self._size else self._make_room(label, random)
        self._xs[slot] = x
        self._slots[label].append(slot)

    def _make_room(self, coming: int, random: np.random.Generator) -> int:
        """Forget one example of the class that has most, the newcomer counted in; of equal ones, its own class."""
        held = [label for label, slots in enumerate(self._slots) if slots]
        largest = max(held, key=lambda label: (len(self._slots[label]) + (label == coming), label == coming))
        return self._slots[largest].pop(int(random.integers(len(self._slots[largest]))))

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        held = [label for label, slots in enumerate(self._slots) if slots]
        if not held:
            return Recalled(np.zeros((0, self._dim), np.float32), np.zeros(0, np.int64))
        classes = np.array(held, np.int64)[random.integers(len(held), size=count)]
        slots = [self._slots[label][int(random.integers(len(self._slots[label])))] for label in classes.tolist()]
        return Recalled(self._xs[slots], classes)

    def arrays(self) -> Arrays:
        slots = np.array([slot for slots in self._slots for slot in slots], np.int64)
        return {"xs": self._xs[slots], "slots": slots, "counts": np.array([len(slots) for slots in self._slots])}

    def load(self, arrays: Arrays) -> None:
        self._xs[arrays["slots"]] = arrays["xs"]
        ends = np.cumsum(arrays["counts"])
        self._slots = [part.tolist() for part in np.split(arrays["slots"], ends[:-1])] if len(ends) else []


class Gaussians:
    """Mean and variance of every feature by class: dummy examples are drawn from them, no real one is kept."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._counts = np.zeros(0)
        self._means = np.zeros((0, dim))
        self._squares = np.zeros((0, dim))

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None:
        """Welford's update (Technometrics 4, 1962)."""
        more = label + 1 - len(self._counts)
        if more > 0:
            self._counts = np.concatenate([self._counts, np.zeros(more)])
            self._means = np.vstack([self._means, np.zeros((more, self._dim))])
            self._squares = np.vstack([self._squares, np.zeros((more, self._dim))])
        self._counts[label] += 1
        apart = x - self._means[label]
        self._means[label] += apart / self._counts[label]
        self._squares[label] += apart * (x - self._means[label])

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        held = np.flatnonzero(self._counts)
        if not held.size:
            return Recalled(np.zeros((0, self._dim), np.float32), np.zeros(0, np.int64))
        classes = held[random.integers(held.size, size=count)]
        return Recalled(self.features(random.standard_normal((count, self._dim)), classes), classes)

    def residuals(self, xs: Matrix, classes: npt.NDArray[np.int64]) -> Matrix:
        """How far each example is from the mean of its class, in that class's deviations: -10 to 10, shape [n, dim]."""
        spread = self._spread(classes)
        apart = xs - self._means[classes]
        shares = np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0)
        return np.asarray(np.clip(shares, -10, 10), np.float32)

    def features(self, residuals: npt.NDArray[Any], classes: npt.NDArray[np.int64]) -> Matrix:
        """The examples that have these residuals."""
        drawn = self._means[classes] + self._spread(classes) * residuals
        return np.asarray(np.clip(drawn, -_LARGEST, _LARGEST), np.float32)

    def _spread(self, classes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.sqrt(self._squares[classes] / self._counts[classes, None]))

    def arrays(self) -> Arrays:
        return {"counts": self._counts.copy(), "means": self._means.copy(), "squares": self._squares.copy()}

    def load(self, arrays: Arrays) -> None:
        self._counts, self._means = arrays["counts"].copy(), arrays["means"].copy()
        self._squares = arrays["squares"].copy()
