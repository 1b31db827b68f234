"""Several passes of one model over a feature file, what is held out scored after each, the model saved and loaded."""

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix, Model
from prequel.services.learner.models.capabilities import portable_steps
from prequel.services.learner.portable import archive
from prequel.services.offline.evaluation.holdout import divide
from prequel.shared.features.base import FeatureMeta, FeatureReader, FeatureRows
from prequel.shared.features.opening import open_features
from prequel.shared.features.ordering import in_order

ROWS = 64
"""Read and learned at one time: of 100,352 values each 26 MB."""


class Training(NamedTuple):
    """``passes`` over what is not held out, each in an order of its own by ``seed``."""

    spec: str
    holdout: str
    passes: int
    seed: int


def train(file: Path, training: Training, saved: Path) -> list[float]:
    """The share of the held-out examples that is right after each pass; the model is then in ``saved``, and its answers
    were the same when it was loaded again. Raises FeatureFileError, EvaluationError."""
    accuracies = list[float]()
    with closing(open_features(file)) as reader:
        infos = reader.infos()
        division = divide(infos, training.holdout, training.seed)
        learned = [number for number in division.learned if infos[number].label is not None]
        model = registry.create(training.spec, reader.meta.dim, seed=training.seed)
        for number in range(training.passes):
            random.Random(training.seed + number).shuffle(learned)
            for rows in in_order(reader, learned, ROWS):
                model.fold(rows.vectors, [info.label for info in rows.infos])
            accuracies.append(_accuracy(model, in_order(reader, division.held_out, ROWS)))
            print(f"pass {number + 1}: {accuracies[-1]:.4f} held out", flush=True)
        saved.write_bytes(_portable(model, training.spec, reader.meta).dump())
        _check(model, archive.load(saved.read_bytes()), reader, division.held_out)
    print(f"{saved}: saved, and loaded again with the same {len(division.held_out):,} answers")
    return accuracies


def answers(model: Model, xs: Matrix) -> list[str]:
    """The label of each row, nothing learned."""
    return [model.labels[int(each.argmax())] for each in model.fold(xs, [None] * len(xs))]


def _accuracy(model: Model, rows: Iterator[FeatureRows]) -> float:
    right = [
        answer == info.label
        for infos, xs in rows
        for info, answer in zip(infos, answers(model, xs), strict=True)
        if info.label is not None
    ]
    return float(np.mean(right))


def _portable(model: Model, spec: str, meta: FeatureMeta) -> archive.PortableModel:
    described = archive.ModelMeta(
        stream="recipe", position="0:0", model=spec, backbone=meta.backbone, dim=meta.dim, labels=tuple(model.labels)
    )
    return archive.PortableModel(described, portable_steps(spec, model), np.zeros(0), np.zeros(0))


def _check(model: Model, loaded: archive.PortableModel, reader: FeatureReader, numbers: Sequence[int]) -> None:
    for _, xs in in_order(reader, numbers, ROWS):
        again = [loaded.meta.labels[int(each.argmax())] for each in loaded.probabilities(xs)]
        assert again == answers(model, xs), "the loaded model answers differently"
