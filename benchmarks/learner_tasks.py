"""The streams that learners are compared on: photographs, drawings, classes one after the other, another camera."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Matrix

Numbers = npt.NDArray[np.int64]

SEED = 0


class Task(NamedTuple):
    """A stream and test examples; if ``late``, these are learned too, at the end, to make the stream whole.

    From event ``changed`` on, if not 0, the inputs are others, and the test examples are like these. Where ``judged``,
    the stream counts for the early log loss and the calibration error.
    """

    name: str
    xs: Matrix
    ys: Numbers
    test_xs: Matrix
    test_ys: Numbers
    late: bool = False
    changed: int = 0
    judged: bool = False

    @property
    def classes(self) -> int:
        return int(self.ys.max()) + 1


def dogs(path: Path) -> Task:
    """The first 20,000 as a stream, the last 5,000 for the test and then learned too."""
    xs, ys = _read(path)
    return Task("Dogs vs Cats", xs[:20_000], ys[:20_000], xs[20_000:], ys[20_000:], late=True)


def cifar(path: Path) -> tuple[Task, Task]:
    """8,000 for the stream and 2,000 for the test, by a permutation from SEED: in that order, and class after class."""
    xs, ys = _read(path)
    order = np.random.default_rng(SEED).permutation(len(ys))
    mixed = _halves("CIFAR-10, mixed", xs[order], ys[order], test=2000)
    by_class = np.argsort(mixed.ys, kind="stable")
    return mixed, mixed._replace(name="CIFAR-10, class after class", xs=mixed.xs[by_class], ys=mixed.ys[by_class])


def camera(path: Path) -> Task:
    """What `benchmarks.make_camera_stream` made: the last 1,000, all by the other camera, are for the test."""
    with np.load(path) as data:
        changed = int(data["changed"])
    return _halves("another camera", *_read(path), test=1000)._replace(changed=changed, judged=True)


def mnist(path: Path) -> Task:
    """Handwritten digits, shuffled; the last fifth is for the test."""
    xs, ys = _read(path)
    return _halves("MNIST", xs, ys, test=len(ys) // 5)._replace(judged=True)


def digits() -> Task:
    """The first 1,497 scanned digits through the compact backbone, the last 300 for the test and then learned too."""
    from benchmarks.compact_quality import digits as images
    from benchmarks.compact_quality import features_of, shipped

    pixels, labels = images(inverted=False)
    xs, ys = np.ascontiguousarray(features_of(shipped(), pixels), np.float32), labels.astype(np.int64)
    return _halves("digits", xs, ys, test=300)._replace(late=True, judged=True)


def _read(path: Path) -> tuple[Matrix, Numbers]:
    with np.load(path) as data:
        return data["features"].astype(np.float32), data["labels"].astype(np.int64)


def _halves(name: str, xs: Matrix, ys: Numbers, *, test: int) -> Task:
    """A stream of all but the last ``test`` examples."""
    return Task(name, xs[:-test], ys[:-test], xs[-test:], ys[-test:])
