"""`replay=balanced`: an equal share of a bounded memory for every class."""

import numpy as np

from prequel.services.learner.models.base import Arrays, Vector
from prequel.services.learner.models.rehearsal.memory import Recalled, nothing_recalled


class BalancedMemory:
    """An equal share for every class: a full memory makes room by forgetting one of the largest class.

    The greedy sampler of Prabhu, Torr & Dokania, "GDumb", ECCV 2020. Recall draws a class first, then an example.
    """

    def __init__(self, dim: int, size: int) -> None:
        self._dim, self._size = dim, size
        self._slots: list[list[int]] = []
        """The places of each class's examples, in the order in which they were taken."""
        self._xs = np.zeros((size, dim), np.float32)

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None:
        while label >= len(self._slots):
            self._slots.append([])
        stored = sum(map(len, self._slots))
        slot = stored if stored < self._size else self._make_room(label, random)
        self._xs[slot] = x
        self._slots[label].append(slot)

    def _make_room(self, new: int, random: np.random.Generator) -> int:
        """Forget one example of the largest class, the new one counted in; of equally large ones, its own."""
        classes = [label for label, slots in enumerate(self._slots) if slots]
        largest = max(classes, key=lambda label: (len(self._slots[label]) + (label == new), label == new))
        return self._slots[largest].pop(int(random.integers(len(self._slots[largest]))))

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        present = [label for label, slots in enumerate(self._slots) if slots]
        if not present:
            return nothing_recalled(self._dim)
        classes = np.array(present, np.int64)[random.integers(len(present), size=count)]
        slots = [self._slots[label][int(random.integers(len(self._slots[label])))] for label in classes.tolist()]
        return Recalled(self._xs[slots], classes)

    def arrays(self) -> Arrays:
        slots = np.array([slot for slots in self._slots for slot in slots], np.int64)
        return {"xs": self._xs[slots], "slots": slots, "counts": np.array([len(slots) for slots in self._slots])}

    def load(self, arrays: Arrays) -> None:
        self._xs[arrays["slots"]] = arrays["xs"]
        ends = np.cumsum(arrays["counts"])
        self._slots = [part.tolist() for part in np.split(arrays["slots"], ends[:-1])] if len(ends) else []
