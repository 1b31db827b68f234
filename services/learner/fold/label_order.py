"""Whether the newest labels come mixed, as a sample would, or in runs of one class after the other."""

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

WINDOW = 200
"""Newest labels that are looked at. With half as many, a class of 1 in 100 would often be absent, and there would be
nothing to compare with; with twice as many, a stream that turns from runs to mixed labels is believed twice as late."""
MIN_CHANGES = 0.2
"""Labels come in runs where fewer of the changes are there that a random order would have: of many classes, runs longer
than 5. Measured on CIFAR-10 with runs of 1 to 50: prequential comparisons of models agree with held-out images up to
runs of 5, and contradict them from 10 on (`logistic` 0.878 against `slda` 0.871; held out 0.862 against 0.881)."""
MIN_RUN = 20
"""Equal labels in a row, the newest, that may be the first of one class after the other. With half as many, a few
images of a video would do; with twice as many, 40 labels of a run would enter a comparison of models."""
MAX_CHANCE = 1e-6
"""Such a run counts where labels drawn at random would have it so rarely. At 1e-3 a shuffled stream with 95 % of one
class would be found in runs once in some thousand labels."""
RESUME_AFTER = 50
"""Labels in a row for which a stream must look mixed to be so again. Between two long runs of sorted labels there are
2 where it does; with twice as many, an honest stream that began with 20 of one class would be silent for longer."""


class LabelOrder:
    """Takes in each example's first label, in the order learned; ``mixed`` is whether the newest are like a sample.

    Two things are watched, each in constant time. The *changes* among the newest labels (a label that is not the one
    before it), against those that the same labels would have in random order: the runs test of Wald & Wolfowitz (1940),
    for any number of classes and however unequal they are. And the newest *run*: whether it would come by chance, from
    the classes' shares before it, in the window or since the start. Corrections do not change it: it is about the order
    in which models learned.

    Models have a milder rule for what they learn of themselves (``kernels.scores``): of runs of 10 of ten classes it
    calls 0.72 mixed, where prequential comparisons contradict held-out images. There is no rule for both: `mix` by this
    one would miss a change of camera that comes in such runs.

    >>> order = LabelOrder()
    >>> all([order.update(label) for label in [0, 1, 2, 1, 0, 2] * 20])
    True
    >>> [order.update(label) for label in [3] * 20][-1], order.run
    (False, 20)
    """

    def __init__(self) -> None:
        self.mixed = True
        """True before the first label: nothing speaks against it."""
        self.run = 0
        """How many of the newest labels are equal."""
        self._held = 0
        """For how many labels a stream that is not mixed has looked so again."""
        self._window: deque[int] = deque()
        self._changes = 0
        """Labels of the window that are not the one before them."""
        self._windowed: list[int] = []
        """By class, how many of the window's labels are of it."""
        self._squares = 0
        """The sum of the squares of ``_windowed``."""
        self._counts: list[int] = []
        """By class, how many of all labels are of it."""
        self._total = 0

    def update(self, label: int) -> bool:
        """Take in the class of the next example that is learned; return ``mixed``."""
        while label >= len(self._counts):
            self._counts.append(0)
            self._windowed.append(0)
        if len(self._window) == WINDOW:
            self._leave()
        self._enter(label)
        self._counts[label] += 1
        self._total += 1
        # In random order, n labels change n - (sum of squared counts) / n times on average.
        newest = len(self._window)
        enough = self._changes * newest >= MIN_CHANGES * (newest * newest - self._squares)
        if enough and (self.run < MIN_RUN or self._by_chance()):
            self._held += 1
            self.mixed = self.mixed or self._held >= RESUME_AFTER
        else:
            self._held, self.mixed = 0, False
        return self.mixed

    def _enter(self, label: int) -> None:
        window, before = self._window, self._windowed[label]
        if window and window[-1] == label:
            self.run += 1
        else:
            self._changes += 1 if window else 0
            self.run = 1
        window.append(label)
        self._squares += 2 * before + 1
        self._windowed[label] = before + 1

    def _leave(self) -> None:
        oldest = self._window.popleft()
        if oldest != self._window[0]:
            self._changes -= 1
        after = self._windowed[oldest] - 1
        self._squares -= 2 * after + 1
        self._windowed[oldest] = after

    def _by_chance(self) -> bool:
        """Whether labels drawn from the shares before the newest run would have it more often than MAX_CHANCE."""
        label, run, newest = self._window[-1], self.run, len(self._window)
        share = _share(self._counts[label] - run, self._total - run)
        if run <= newest // 2:  # Shares that have changed for good are not a run: those of the newest labels will do.
            share = max(share, _share(self._windowed[label] - run, newest - run))
        return bool(share**run >= MAX_CHANCE)

    @property
    def text(self) -> str:
        """What ``mixed`` says, as a sentence."""
        newest = len(self._window)
        if self.mixed:
            return f"The newest {newest} labels come mixed." if newest >= MIN_RUN else "There are few labels so far."
        if self.run >= MIN_RUN:
            return f"Labels come class after class: the newest {self.run} are all of one class."
        length = newest / (self._changes + 1)
        return f"Labels come class after class, about {length:.0f} of one class at a time."

    def parts(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Everything, as JSON and arrays; ``from_parts`` is its inverse."""
        meta = {"mixed": self.mixed, "run": self.run, "held": self._held}
        return meta, {"window": np.array(self._window, "<i4"), "counts": np.array(self._counts, "<i8")}

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> "LabelOrder":
        """The inverse of ``parts``."""
        self = cls()
        self._counts = arrays["counts"].tolist()
        self._total, self._windowed = sum(self._counts), [0] * len(self._counts)
        for label in arrays["window"].tolist():
            self._enter(label)
        self.mixed, self.run, self._held = meta["mixed"], meta["run"], meta["held"]
        return self


def _share(count: int, total: int) -> float:
    """A class's share by Laplace's rule: one that never came may come, and one that always came may stop."""
    return (count + 1) / (total + 2)
