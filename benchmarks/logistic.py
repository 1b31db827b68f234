"""How fast `logistic`, `softmax` and `naive-bayes` are beside River's, and whether they predict the same."""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix
from tests.learner.models.rivers import river_logistic, river_naive_bayes, river_softmax

ROUNDS = 7
REACH = {
    ("logistic", 2048, 10): 300,
    ("logistic", 100_352, 2): 1000,
    ("softmax", 1280, 10): 300,
    ("naive-bayes", 1280, 10): 300,
}


RIVER: dict[str, Callable[[], Any]] = {
    "logistic": river_logistic,
    "softmax": river_softmax,
    "naive-bayes": river_naive_bayes,
}


class Speed(NamedTuple):
    """Seconds of processor time for one predict and one learn: River's, ours call by call, ours as one fold."""

    river: float
    calls: float
    fold: float


def examples(dim: int, classes: int, count: int) -> tuple[Matrix, list[str]]:
    """Gaussian classes that overlap, from a fixed seed."""
    rng = np.random.default_rng(0)
    numbers = np.arange(count) % classes
    centres = rng.normal(size=(classes, dim)) / 4
    return (centres[numbers] + rng.normal(size=(count, dim))).astype(np.float32), [f"class {n}" for n in numbers]


def measure(spec: str, dim: int, classes: int) -> Speed:
    """The best of several rounds, in each of which all three take their turn on the same examples.

    All begin with the vector that an event brings; for River that is made a dict, as its own `stream.iter_array` does.
    """
    xs, labels = examples(dim, classes, 4_000_000 // dim)
    few = max(2 * classes, 400_000 // (dim * classes))
    oracle, ours, folded = RIVER[spec](), registry.create(spec, dim, seed=0), registry.create(spec, dim, seed=0)
    _river_turn(oracle, xs[:few], labels)
    ours.fold(xs, labels)
    folded.fold(xs, labels)
    times = []
    for _ in range(ROUNDS):
        river = _timed(lambda: _river_turn(oracle, xs[:few], labels), few)
        calls = _timed(lambda: _our_turn(ours, xs, labels), len(xs))
        times.append(Speed(river, calls, _timed(lambda: folded.fold(xs, labels), len(xs))))
    return Speed(*(min(column) for column in zip(*times, strict=True)))


def _timed(turn: Callable[[], object], events: int) -> float:
    start = time.process_time()
    turn()
    return (time.process_time() - start) / events


def _river_turn(oracle: Any, xs: Matrix, labels: Sequence[str]) -> None:
    for x, label in zip(xs, labels, strict=False):
        features = dict(enumerate(x.tolist()))
        oracle.predict_proba_one(features)
        oracle.learn_one(features, label)


def _our_turn(model: Any, xs: Matrix, labels: Sequence[str]) -> None:
    for x, label in zip(xs, labels, strict=True):
        model.predict(x)
        model.learn(x, label)


def prequential(spec: str, xs: Matrix, labels: Sequence[str]) -> tuple[float, list[str | None]]:
    """Accuracy of predictions made before learning, and the predictions."""
    model = registry.create(spec, xs.shape[1], seed=0)
    predictions = [model.labels[int(p.argmax())] if len(p) else None for p in model.fold(xs, labels)]
    return float(np.mean([p == label for p, label in zip(predictions, labels, strict=True)])), predictions


def agreement(spec: str, xs: Matrix, labels: Sequence[str], predictions: Sequence[str | None]) -> float:
    """Share of these predictions that are River's own."""
    oracle, same = RIVER[spec](), 0
    for x, label, ours in zip(xs, labels, predictions, strict=True):
        features = dict(enumerate(x.tolist()))
        same += oracle.predict_one(features) == ours
        oracle.learn_one(features, label)
    return same / len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="npz with `features` [n, dim] and `labels`, of Dogs vs Cats")
    parser.add_argument("--compared", type=int, default=5000, help="examples on which River predicts too")
    arguments = parser.parse_args()
    print("| model | features x classes | River, ms | ours call by call, us | as a fold, us | ratios || to reach |")
    print("|---|---|---|---|---|---|---|---|")
    for (spec, dim, classes), reach in REACH.items():
        speed = measure(spec, dim, classes)
        river, calls, folded = speed
        what = f"| `{spec}` | {dim:,} x {classes} | {river * 1e3:.2f} | {calls * 1e6:.1f} | {folded * 1e6:.1f} "
        print(f"{what}| {river / calls:,.0f}x | {river / folded:,.0f}x | {reach}x |", flush=True)
    if arguments.data:
        quality(arguments.data, arguments.compared)


def quality(path: Path, compared: int) -> None:
    """Accuracy over the whole file, and agreement with River on its first examples."""
    data = np.load(path)
    xs, labels = data["features"].astype(np.float32), [f"class {n}" for n in data["labels"]]
    for spec in RIVER:
        accuracy, predictions = prequential(spec, xs, labels)
        same = agreement(spec, xs[:compared], labels[:compared], predictions[:compared])
        print(f"`{spec}`: prequential accuracy {accuracy:.4f} of {len(xs):,}, {same:.4%} of {compared:,} as River's")


if __name__ == "__main__":
    main()
