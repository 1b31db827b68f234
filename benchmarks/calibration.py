"""How far each model's confidence is from its accuracy, and its log loss: as the model says it, and as it is served."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from threadpoolctl import threadpool_limits

from benchmarks.fold import BATCH, labelled_records, unread_log
from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.evaluation.log_loss import LOSS_UNIT
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.services.learner.models import registry
from prequel.shared.config import Settings
from prequel.shared.model_specs import split_outside

MODELS = "slda,ridge,ncm,naive-bayes,logistic,softmax,scale|perceptron,scale|passive-aggressive,knn"
BINS = 15
LATER, EARLY = 500, 100

Numbers = npt.NDArray[np.float64]


class Scored(NamedTuple):
    """The predictions of one model, one an example: confidence, whether it was right, and log loss in nats."""

    confidence: Numbers
    right: Numbers
    loss: Numbers

    def error(self, begin: int) -> float:
        """The expected calibration error from example ``begin`` on, in 15 bins of equal width."""
        confidence, right = self.confidence[begin:], self.right[begin:]
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        return float(np.abs(np.bincount(bins, confidence - right)).sum() / len(right))

    def row(self) -> str:
        """Calibration error from example 500 on, log loss of all and of the first 100."""
        return f"{self.error(LATER):.3f}, {self.loss.mean():.3f}, {self.loss[:EARLY].mean():.2f}"


def scored(predictions: Sequence[ModelPrediction], truths: Sequence[int]) -> Scored:
    """These predictions on these classes."""
    known = [prediction.classes != [] for prediction in predictions]
    confidence = [p.probabilities[0] if is_known else 0.0 for p, is_known in zip(predictions, known, strict=True)]
    right = [float(p.top_class == truth) for p, truth in zip(predictions, truths, strict=True)]
    losses = [p.log_loss_units(truth) * LOSS_UNIT for p, truth in zip(predictions, truths, strict=True)]
    return Scored(np.array(confidence), np.array(right), np.array(losses))


def rows(spec: str, features: npt.NDArray[np.float32], labels: Sequence[str]) -> tuple[Scored, Scored]:
    """One model folded over a stream: as the model says it, and as it is served."""
    settings = Settings.model_validate({"models": spec, "window": len(labels)})
    fold = Fold(fold_config(settings), registry, FeatureCache(unread_log(), 1, 2**20), position=0)
    records = list(labelled_records(features, list(labels)))
    for at in range(0, len(records), BATCH):
        fold.apply(records[at : at + BATCH])
    state = fold.streams["bench"]
    served = [example.predictions[0] for id, _, _ in state.window.rows() if (example := state.window.find(id))]
    own = [ModelPrediction(p.classes, p.own.tolist(), p.known) for p in served]
    truths = [state.classes[label] for label in labels]
    return scored(own, truths), scored(served, truths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", type=Path, nargs="+", help="npz files with `features` [n, dim] and `labels` [n]")
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--models", default=MODELS, help="specs, separated by commas")
    parser.add_argument("--by-class", action="store_true", help="in the order of the classes, not as they are")
    arguments = parser.parse_args()
    threadpool_limits(1)
    console = Console()
    console.print("Calibration error from 500 on, log loss, log loss of the first 100: as the model says, as served.")
    for path in arguments.features:
        with np.load(path) as data:
            features, labels = data["features"][: arguments.events], data["labels"][: arguments.events]
        order = np.argsort(labels, kind="stable") if arguments.by_class else np.arange(len(labels))
        for spec in split_outside(arguments.models, ","):
            own, served = rows(spec, features[order].astype(np.float32), [str(label) for label in labels[order]])
            console.print(f"{path.stem} | {spec} | accuracy {own.right.mean():.3f} | {own.row()} | {served.row()}")


if __name__ == "__main__":
    main()
