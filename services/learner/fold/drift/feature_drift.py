"""Whether the features themselves drift: the newest examples against those before, by a few fixed projections."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.drift.feature_reference import FeatureReference
from prequel.services.learner.fold.drift.usual_distance import UsualDistance
from prequel.services.learner.kernels.feature_moments import PROJECTIONS, add_moments
from prequel.services.learner.models.base import Matrix

BLOCK = 50
"""Examples after which the newest are compared. With twice as many, a change is found 50 examples later; with half as
many, the mean of a block says less, and chance alone scores higher."""
WIDE = 0.4
"""Weight of the newest block in the wider view, which is of about 4 blocks (2 / WIDE - 1): it finds what moves too
little to be seen in 50 examples. With half, that takes 400 of them; with 1, there is no wider view."""
MIN_REFERENCE = 300
"""Examples in a reference before anything is compared with it. With half as many, its own error is as large as what is
to be found; with twice as many, a second change soon after the first is missed for longer."""
LIMIT = 4.0
"""Deviations at which one example's part is cut off, so that a black frame or a few broken images are no change."""
WILD = 20.0
"""Deviations at which it is cut off in the reference too: one vector of huge values would spoil it, and all that comes
after would ring. At LIMIT already, features that are mostly 0 would seem to have no spread at all."""
THRESHOLD = 7.0
"""The score beyond which the features have changed. By chance the highest in 48 x 20,000 shuffled examples was 5.9
(CIFAR-10 through MobileNetV2; other sets 5.5). Half of it rings every 500 examples; a third more misses a camera that
changes the features by a third of what another camera does."""

FloatArray = npt.NDArray[np.float64]


@lru_cache(maxsize=16)
def _signs(dim: int, seed: int) -> npt.NDArray[np.float32]:
    """The signs of the projections, one array for all streams of a backbone."""
    signs = (2 * np.random.default_rng(seed).integers(2, size=dim) - 1).astype(np.float32)
    signs.flags.writeable = False
    return signs


class FeatureChange(NamedTuple):
    """A change of the features, found with row ``row`` of those that were taken in."""

    row: int
    score: float


class FeatureDrift:
    """How unusual the newest features are: their distance from those before, against the stream's usual distances.

    ``dim`` is the size of the vectors, ``seed`` chooses the projections. Each vector is reduced to 64 sums of disjoint
    features with random signs, so that it is read once (Charikar, Chen & Farach-Colton, "Finding frequent items in data
    streams", 2002). After every 50 examples, two moments of these sums, where they lie and how far they spread, are
    compared with a reference (FeatureReference): those of the newest 50, and of about the newest 200. The distance is
    Hotelling's T-squared without the correlations; what distance is usual, the stream itself says (UsualDistance), so
    that images that come in runs do not ring. A score beyond THRESHOLD is a change: the reference starts again.

    >>> drift = FeatureDrift(dim=2, seed=0)
    >>> before = np.random.default_rng(0).normal(size=(3_000, 2)).astype(np.float32)
    >>> drift.update(before)
    []
    >>> [change.row for change in drift.update(before + 3)]
    [49]
    """

    def __init__(self, dim: int, seed: int) -> None:
        projections = min(PROJECTIONS, dim)
        self._signs = _signs(dim, seed)
        self._sums: FloatArray = np.zeros(PROJECTIONS)
        self._block: FloatArray = np.zeros((4, projections))
        self._in_block = 0
        self._wide: FloatArray = np.zeros((2, projections))
        self._wide_blocks = 0
        self._reference = FeatureReference(projections)
        self._usual = UsualDistance(2 * projections), UsualDistance(2 * projections)
        self.score = 0.0
        """Of the newest comparison, the larger of both views; 0 before the first."""

    def update(self, xs: Matrix) -> list[FeatureChange]:
        """Take examples in, shape [n, dim], and return the changes found. How they are cut into calls is no matter."""
        changes: list[FeatureChange] = []
        begin = 0 if xs.shape[1] else len(xs)
        while begin < len(xs):
            end = min(begin + BLOCK - self._in_block, len(xs))
            reference = self._reference
            add_moments(
                xs, begin, end, self._signs, reference.centre, reference.scale, LIMIT, WILD, self._sums, self._block
            )
            self._in_block += end - begin
            begin = end
            if self._in_block == BLOCK and self._end_block():
                changes.append(FeatureChange(end - 1, self.score))
        return changes

    def _end_block(self) -> bool:
        """Compare a full block with the reference, and take it in; whether it is a change."""
        means = self._block[2:] / BLOCK
        self._wide_blocks += 1
        self._wide += max(WIDE, 1 / self._wide_blocks) * (means - self._wide)
        changed = self._reference.examples >= MIN_REFERENCE and self._compare(means)
        if changed:
            self._restart()
        else:
            self._reference.add(self._block, BLOCK)
        self._block[:] = 0
        self._in_block = 0
        return changed

    def _compare(self, means: FloatArray) -> bool:
        views = (means, BLOCK), (self._wide, BLOCK * (2 / WIDE - 1))
        distances = [self._reference.distance(view, examples) for view, examples in views]
        scores = [usual.score(distance) for usual, distance in zip(self._usual, distances, strict=True)]
        self.score = max(scores)
        if self.score > THRESHOLD:
            return True
        for usual, distance in zip(self._usual, distances, strict=True):
            usual.learn(distance)
        return False

    def _restart(self) -> None:
        """Begin a new reference. What distance is usual stays: it is of the stream, not of its camera."""
        self._reference = FeatureReference(self._block.shape[1])
        self._wide[:] = 0
        self._wide_blocks = 0

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As a snapshot stores it; ``load`` is the inverse."""
        counts = [self._in_block, self._wide_blocks, self._reference.examples]
        return {
            "moments": np.concatenate([self._reference.rows(), self._wide, self._block]),
            "counts": np.array(counts, "<i8"),
            "usual": np.array([usual.numbers() for usual in self._usual]),
            "score": np.array([self.score]),
        }

    def load(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """The inverse of ``arrays``."""
        moments = arrays["moments"]
        self._in_block, self._wide_blocks, examples = arrays["counts"].tolist()
        self._reference.load(moments[:3], examples)
        self._wide, self._block = moments[3:5].copy(), moments[5:].copy()
        for usual, numbers in zip(self._usual, arrays["usual"].tolist(), strict=True):
            usual.load(numbers)
        self.score = float(arrays["score"][0])


def compile() -> None:
    """Load the kernel from the cache on disk, or compile it into it, so that no event has to wait."""
    FeatureDrift(dim=1, seed=0).update(np.zeros((1, 1), np.float32))
