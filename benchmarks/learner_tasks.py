"""The streams that learners are compared on: Dogs vs Cats, CIFAR-10 in two orders, scanned digits."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Matrix

Numbers = npt.NDArray[np.int64]

SEED = 0


class Task(NamedTuple):
    """A stream and test examples; if ``late``, these are learned too, at the end, to make the stream whole."""

    name: str
    xs: Matrix
    ys: Numbers
    test_xs: Matrix
    test_ys: Numbers
    late: bool

    @property
    def classes(self) -> int:
        return int(self.ys.max()) + 1


def dogs(path: Path) -> Task:
    """The first 20,000 as a stream, the last 5,000 for the test and then learned too."""
    data = np.load(path)
    xs, ys = data["features"].astype(np.float32), data["labels"].astype(np.int64)
    return Task("Dogs vs Cats", xs[:20_000], ys[:20_000], xs[20_000:], ys[20_000:], True)


def cifar(path: Path) -> tuple[Task, Task]:
    """8,000 for the stream and 2,000 for the test, by a permutation from SEED: in that order, and class after class."""
    data = np.load(path)
    order = np.random.default_rng(SEED).permutation(len(data["labels"]))
    xs, ys = data["features"].astype(np.float32)[order], data["labels"].astype(np.int64)[order]
    mixed = Task("CIFAR-10, mixed", xs[:8000], ys[:8000], xs[8000:], ys[8000:], False)
    by_class = np.argsort(mixed.ys, kind="stable")
    return mixed, mixed._replace(name="CIFAR-10, class after class", xs=mixed.xs[by_class], ys=mixed.ys[by_class])


def digits() -> Task:
    """The first 1,497 scanned digits through the compact backbone, the last 300 for the test and then learned too."""
    from benchmarks.compact_quality import digits as images
    from benchmarks.compact_quality import features_of, shipped

    pixels, labels = images(inverted=False)
    xs, ys = np.ascontiguousarray(features_of(shipped(), pixels), np.float32), labels.astype(np.int64)
    return Task("digits", xs[:1497], ys[:1497], xs[1497:], ys[1497:], True)
