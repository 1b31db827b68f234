"""Measures how often held-out examples contradict verdicts, with labels in random order and class after class."""

import argparse
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from sklearn.datasets import load_digits

from prequel.services.learner.fold.drift.error_drift import ErrorDrift
from prequel.services.learner.fold.evaluation.comparisons import Comparisons
from prequel.services.learner.fold.evaluation.intervals import RISK, difference_evidence
from prequel.services.learner.fold.evaluation.verdicts import BETTER, kind_of
from prequel.services.learner.fold.label_order import LabelOrder
from prequel.services.learner.models import registry
from prequel.shared.vectors import Vector

SPECS = ("slda", "softmax", "logistic", "ncm", "naive-bayes", "ridge", "perceptron", "slda;decay=0.005")
CHECKPOINTS = (500, 1_000, 2_000, 3_000, 4_500, 6_000)
HELD_OUT = 1_250
DIGITS = "scikit-learn's digits"

Rows = npt.NDArray[np.int64]


class Result(NamedTuple):
    """One model on one stream: whether each prediction was right, and its held-out accuracy at each checkpoint."""

    right: list[bool]
    held_out: dict[int, float]


class Count(NamedTuple):
    """Of the verdicts that one model is better than another: how many, and how many held-out examples contradict."""

    verdicts: int = 0
    contradicted: int = 0

    def plus(self, difference: float) -> "Count":
        """With one more, where the held-out accuracies differ by so much."""
        return Count(self.verdicts + 1, self.contradicted + (difference < 0))

    def __str__(self) -> str:
        return f"{self.contradicted} of {self.verdicts} contradicted"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", nargs="*", help=".npz with `features` [n, dim] and `labels` [n]; else the digits")
    console = Console(width=120)
    for file in parser.parse_args().features or [DIGITS]:
        features, labels = _data(file)
        order = np.random.default_rng(3).permutation(len(labels))
        train = len(order) * 3 // 4
        rows, held_out = order[: min(CHECKPOINTS[-1], train)], order[train:][:HELD_OUT]
        by_class = np.array(sorted(rows.tolist(), key=labels.__getitem__))
        for name, stream in {"shuffled": rows, "class after class": by_class}.items():
            results = [_result(spec, features, labels, stream, held_out) for spec in SPECS]
            newest, all_labels = _counts(results, [labels[row] for row in stream])
            console.print(f"{file}, {name}: {newest}; by all labels since the start: {all_labels}")


def _data(file: str) -> tuple[Vector, list[str]]:
    if file == DIGITS:
        images, numbers = load_digits(return_X_y=True)
        return images.astype(np.float32), [str(number) for number in numbers]
    with np.load(file) as data:
        return data["features"].astype(np.float32), [str(label) for label in data["labels"]]


def _result(spec: str, features: Vector, labels: Sequence[str], rows: Rows, held_out: Rows) -> Result:
    """Stream the rows through a model, and test it on others after CHECKPOINTS."""
    model = registry.create(spec, features.shape[1], seed=0)
    right: list[bool] = []
    accuracies: dict[int, float] = {}

    def hits(chosen: Rows, *, learn: bool) -> list[bool]:
        truths = [labels[row] for row in chosen]
        predicted = model.fold(features[chosen], truths if learn else [None] * len(truths))
        return [
            len(shares) > 0 and model.labels[int(np.argmax(shares))] == truth
            for shares, truth in zip(predicted, truths, strict=True)
        ]

    for start, end in _spans(len(rows)):
        right += hits(rows[start:end], learn=True)
        accuracies[end] = float(np.mean(hits(held_out, learn=False)))
    return Result(right, accuracies)


def _spans(length: int) -> Iterator[tuple[int, int]]:
    ends = [end for end in CHECKPOINTS if end <= length]
    yield from zip([0, *ends], ends, strict=False)


def _counts(results: Sequence[Result], truths: Sequence[str]) -> tuple[Count, Count]:
    """Over all pairs and checkpoints: the verdicts as they are, and as they would be by all labels since the start."""
    classes = {label: number for number, label in enumerate(dict.fromkeys(truths))}
    order = LabelOrder()
    mixed = [order.update(classes[truth]) for truth in truths]
    newest = since_start = Count()
    for champion, challenger in permutations(results, 2):
        for end, better, better_since_start in _verdicts(champion, challenger, mixed):
            difference = challenger.held_out[end] - champion.held_out[end]
            newest = newest.plus(difference) if better else newest
            since_start = since_start.plus(difference) if better_since_start else since_start
    return newest, since_start


def _verdicts(champion: Result, challenger: Result, mixed: Sequence[bool]) -> Iterator[tuple[int, bool, bool]]:
    """At each checkpoint, whether the challenger is found better, and whether all labels since the start say so."""
    comparisons = Comparisons(challengers=1)
    drifts = ErrorDrift(), ErrorDrift()
    wins = losses = 0
    for index, (one, other) in enumerate(zip(champion.right, challenger.right, strict=True)):
        comparisons.score(index, 1, [int(one), int(other)], mixed=mixed[index])
        wins, losses = wins + (other > one), losses + (one > other)
        drifted = [drift.update(not hit) for drift, hit in zip(drifts, (one, other), strict=True)]
        if any(drifted):
            comparisons.restart(0, index + 1)
        if index + 1 in champion.held_out:
            comparison = comparisons.comparisons[0]
            better = mixed[index] and kind_of(comparison.counts, comparison.risk) == BETTER
            enough = difference_evidence(wins, losses, index + 1, 0.0) >= 1 / RISK
            yield index + 1, better, wins > losses and bool(enough)


if __name__ == "__main__":
    main()
