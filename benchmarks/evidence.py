"""Measures how often intervals and verdicts are wrong, on drawn streams."""

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console

from prequel.services.learner.fold.evaluation.comparison import Comparison
from prequel.services.learner.fold.evaluation.intervals import RISK, accuracy_evidence, accuracy_interval
from prequel.services.learner.fold.evaluation.verdicts import OPEN, kind_of

Right = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Chances = Callable[[np.random.Generator, int], FloatArray]
Excluded = Callable[[IntArray, IntArray, FloatArray], Right]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=2_000)
    arguments = parser.parse_args()
    console = Console(width=120)
    for line in chain(_interval_rows(arguments.streams), _verdict_rows(arguments.streams)):
        console.print(line)


# Intervals.


def _constant(random: np.random.Generator, length: int) -> FloatArray:
    return np.full(length, 0.95)


def _improving(random: np.random.Generator, length: int) -> FloatArray:
    return np.asarray(0.97 - 0.87 / (1 + np.arange(length) / 50))


def _drifting(random: np.random.Generator, length: int) -> FloatArray:
    """Falls to 0.6 at a random time and recovers, over and over."""
    since = (np.arange(length) + random.integers(1_000)) % 1_000
    return np.asarray(0.96 - 0.36 * np.exp(-since / 200))


CHANCES: Mapping[str, Chances] = {"constant": _constant, "improving": _improving, "drifting": _drifting}
"""The chance of a right prediction, by example."""


def excluded(right: IntArray, scored: IntArray, mean: FloatArray) -> Right:
    """Whether a mean chance is outside of the interval."""
    return np.asarray(accuracy_evidence(right, scored, mean) >= 1 / RISK)


def misses(chances: Chances, *, streams: int, length: int, excluded: Excluded = excluded) -> float:
    """The share of streams in which an interval misses the running mean of the chances at any time."""
    random, scored, missed = np.random.default_rng(0), np.arange(1, length + 1), 0
    for _ in range(streams):
        p = chances(random, length)
        right = np.cumsum(random.random(length) < p, dtype=np.int64)
        missed += bool(excluded(right, scored, np.cumsum(p) / scored).any())
    return missed / streams


def _interval_rows(streams: int) -> Iterator[str]:
    yield f"an interval misses at any time of 10,000 labels, of {streams:,} streams (at most 5 %):"
    for kind, chances in CHANCES.items():
        yield f"  {kind}: {misses(chances, streams=streams, length=10_000):.2%}"
    for scored in (30, 100, 300, 1_000, 10_000, 100_000, 1_000_000):
        low, high = accuracy_interval(round(0.95 * scored), scored) or (0.0, 1.0)
        fixed = 2 * 1.96 * np.sqrt(0.95 * 0.05 / scored)
        wider = (high - low) / fixed
        yield f"  width at 0.95 after {scored:,}: {high - low:.4f}, {wider:.2f} of one that is looked at once"


# Verdicts.


def told_apart_after(champion: Right, challenger: Right) -> int | None:
    """After how many labels a verdict says that one of two models is better, looking after each; None where never.

    Labels where both are right, or both are wrong, are passed over: they change nothing that it is decided by.
    """
    comparison = Comparison(start=0)
    for index in np.flatnonzero(champion != challenger).tolist():
        comparison.score(index, bool(champion[index]), bool(challenger[index]))
        counts, risk = comparison.counts, comparison.risk
        if _may_decide(counts.wins, counts.losses, risk) and kind_of(counts, risk) != OPEN:
            return index + 1
    return None


def _may_decide(wins: int, losses: int, risk: float) -> bool:
    """Whether the evidence could suffice: it is below that of the best single bet, which is found much faster."""
    total = wins + losses
    best = sum(count * math.log(2 * count / total) for count in (wins, losses) if count)
    return best >= -math.log(risk)


class Pair(NamedTuple):
    """Two models: the chances that only the challenger is right, and that only the champion is."""

    wins: float
    losses: float

    def draw(self, random: np.random.Generator, length: int) -> tuple[Right, Right]:
        """Whether the champion, and the challenger, were right on each of so many labels."""
        draws = random.random(length)
        return draws >= self.wins, (draws < self.wins) | (draws >= self.wins + self.losses)


PAIRS: Mapping[str, Pair] = {
    "0.95 and 0.97, errors independent": Pair(0.0485, 0.0285),
    "0.95 and 0.97, half of the errors shared": Pair(0.035, 0.015),
    "0.94 and 0.96, half of the errors shared": Pair(0.04, 0.02),
}
EQUAL = Pair(0.0475, 0.0475)


def _verdict_rows(streams: int) -> Iterator[str]:
    random = np.random.default_rng(0)
    told = [told_apart_after(*EQUAL.draw(random, 20_000)) is not None for _ in range(streams)]
    share = np.mean(told)
    yield f"equal models are told apart ever in 20,000 labels, of {streams:,} streams: {share:.2%} (at most 5 %)"
    for name, pair in PAIRS.items():
        after = [told_apart_after(*pair.draw(random, 30_000)) or np.inf for _ in range(streams // 10)]
        median, most = np.quantile(after, [0.5, 0.9], method="lower")
        yield f"  {name}: found after {median:,.0f} labels (median), {most:,.0f} (nine of ten)"


if __name__ == "__main__":
    main()
