"""Intervals of an accuracy, and of the difference of two, that hold at all times: functions of counts alone."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Interval = tuple[float, float]
Counts = int | npt.NDArray[np.int64]
Means = float | FloatArray

RISK = 0.05
"""Of all streams, the part in which an interval may ever miss: 95 % intervals."""
_PARTS, _ROUNDS = 16, 6
"""An end is found by cutting the place where it may be into so many parts, so many times: to 1e-7, beyond what anybody
reads. All parts of a round are one call of NumPy; halving would be 24 rounds, and twice as slow."""
_TILTS = 4.0 * 2.0 ** -np.arange(11)
"""Of the log-odds of a right prediction: the bets of ``accuracy_interval``. A finer grid does not make intervals
narrower. Without those above 1, a model that is always right is known to be above 0.9 after 91 examples instead of 56;
without those below 0.01, intervals are a quarter wider at ten million."""
_STAKES = 0.9 * 2.0 ** (-np.arange(17) / 2)
"""Of a pair in which one model is right: the bets of ``difference_interval``, down to differences of 1 in 250 pairs."""


@lru_cache(maxsize=4096)
def accuracy_interval(right: int, scored: int, risk: float = RISK) -> Interval | None:
    """Where the mean chance of being right lies, of the examples scored so far; None before the first.

    A confidence sequence: over all the times at which somebody may look, it misses with a chance of at most ``risk``.
    See ``accuracy_evidence``.

    >>> low, high = accuracy_interval(950, 1_000)
    >>> round(low, 3), round(high, 3)
    (0.923, 0.97)
    """
    if scored <= 0:
        return None
    return _interval(lambda mean: accuracy_evidence(right, scored, mean), right / scored, (0.0, 1.0), risk)


@lru_cache(maxsize=4096)
def difference_interval(wins: int, losses: int, scored: int, risk: float = RISK) -> Interval | None:
    """Where the mean difference of two models' chances of being right lies; None before the first example.

    ``wins`` counts the examples where only the first model was right, ``losses`` those where only the second was. It
    leaves 0 out exactly where the ``difference_evidence`` against 0 reaches 1 / ``risk``.
    """
    if scored <= 0:
        return None
    centre = (wins - losses) / scored
    return _interval(lambda mean: difference_evidence(wins, losses, scored, mean), centre, (-1.0, 1.0), risk)


def accuracy_evidence(right: Counts, scored: Counts, mean: Means) -> FloatArray:
    """The evidence that the mean chance of being right is not ``mean``: whichever it is, that of the true one ever
    reaches 1 / r with a chance of at most r (an e-value). The arguments are broadcast.

    Chances may change from example to example, and depend on all that came before: their running mean is meant (as in
    Choe & Ramdas, "Comparing sequential forecasters", 2023). For each tilt t, the product of
    exp(t x) / (1 - p + p exp(t)) over outcomes x with chances p is a martingale; of all p with one mean it is smallest
    where they are equal (the logarithm of 1 - p + p exp(t) is concave in p). So what this computes, the mean over tilts
    with equal p, is never above a martingale (the mixture method of Howard et al., "Time-uniform confidence sequences",
    2021).
    """
    tilts = np.concatenate([_TILTS, -_TILTS])
    return _mean_capital(
        np.multiply.outer(right, tilts), np.expm1(tilts), np.full(tilts.size, 1 / tilts.size), scored, mean
    )


def difference_evidence(wins: Counts, losses: Counts, scored: Counts, mean: Means) -> FloatArray:
    """The same for the mean difference of two models' chances of being right: McNemar's test, by betting.

    Capital grows by 1 + s with a win and by 1 - s with a loss, over stakes s. Against a difference of 0, with b wins
    and c losses, that is B(b + 2, c + 2) / B(2, 2) * 2^(b + c), up to a few percent. Jeffreys' B(b + 1/2, c + 1/2),
    which bets much on one model being always right, takes a fifth more labels to tell 0.95 from 0.97.

    >>> bool(difference_evidence(10, 10, 100, 0.0) < 1 < 20 < difference_evidence(30, 10, 100, 0.0))
    True
    """
    stakes = np.concatenate([_STAKES, -_STAKES])
    fixed = np.multiply.outer(wins, np.log1p(stakes)) + np.multiply.outer(losses, np.log1p(-stakes))
    weights = np.abs(stakes) * (1 - stakes**2)  # Beta(2, 2), where stakes lie a constant factor apart.
    return _mean_capital(fixed, stakes, weights / weights.sum(), scored, mean)


def _mean_capital(
    fixed: FloatArray, factors: FloatArray, weights: FloatArray, scored: Counts, mean: Means
) -> FloatArray:
    """The weighted mean of exp(fixed) / (1 + factor mean)^scored over the bets, the last axis."""
    with np.errstate(divide="ignore", over="ignore"):  # Where a mean is impossible, the evidence is infinite.
        lost = np.expand_dims(scored, -1) * np.log1p(np.multiply.outer(mean, factors))
        return np.asarray(np.exp(fixed - lost) @ weights)


def _interval(evidence: Callable[[FloatArray], FloatArray], centre: float, bounds: Interval, risk: float) -> Interval:
    """The means against which there is less evidence than 1 / risk.

    Evidence is convex in the mean, and at most 1 at the ``centre``: each end is between that and a bound, where it
    passes 1 / risk once. Both are looked for at once.
    """
    outside, inside, ends = np.array(bounds), np.array([centre, centre]), np.arange(2)
    reached = evidence(outside) >= 1 / risk
    shares = np.arange(1, _PARTS)[:, None] / _PARTS
    for _ in range(_ROUNDS):
        points = np.vstack([outside, outside + shares * (inside - outside), inside])
        beyond = (evidence(points[1:-1]) >= 1 / risk).sum(axis=0)
        outside, inside = points[beyond, ends], points[beyond + 1, ends]
    low, high = np.where(reached, outside, bounds).tolist()
    return low, high
