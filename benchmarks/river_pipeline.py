"""Claim: Prequel's `logistic` has the accuracy of River's own pipeline in a fraction of the time, in River too.

``python -m benchmarks.river_pipeline [--data FILE.npz] [--rounds N]``: River's progressive validation of
``StandardScaler | OneVsRestClassifier(LogisticRegression)`` over dicts; the same of ``prequel.Classifier``, and
of it with the rows of an array instead of dicts; and the evaluation that `prequel evaluate` makes of the same examples
in a feature file, reading included. Processor time of all threads; they take turns, and the medians of the rounds are
shown, of ratios those within each round.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from river import evaluate, metrics, stream
from sklearn.datasets import load_digits

import prequel
from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.models import registry
from prequel.services.offline.evaluation.evaluator import Evaluator, Tools
from prequel.services.offline.evaluation.file_examples import FileExamples
from prequel.services.offline.evaluation.options import AS_IS, Options
from prequel.shared.config import Settings
from prequel.shared.features.base import FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.opening import create_features, open_features
from tests.learner.models.rivers import river_logistic

MODEL = "logistic"
WIDE = 100_352
"""7x7x2048, ResNet50's last maps: what the published recipe for Dogs vs Cats learns."""


class Examples(NamedTuple):
    """``xs`` float32 [n, dim], and a label each."""

    name: str
    xs: npt.NDArray[np.float32]
    labels: list[str]


class Run(NamedTuple):
    seconds: float
    accuracy: float


class Silent:
    """Sees what was predicted, and keeps nothing."""

    def predicted(self, *predicted: object, held_out: bool) -> None:
        """The benchmark asks for the result at the end."""


def digits() -> Examples:
    found: Any = load_digits()
    return Examples("scikit-learn's digits", found.data.astype(np.float32), [str(label) for label in found.target])


def made(dim: int, classes: int, count: int) -> Examples:
    """Overlapping classes of features like those of a ReLU, from a fixed seed."""
    random = np.random.default_rng(0)
    centres = np.abs(random.normal(size=(classes, dim))) / 3
    truths = random.integers(classes, size=count)
    xs = np.maximum(random.standard_normal((count, dim)) + centres[truths] - 0.5, 0).astype(np.float32)
    return Examples("made", xs, [f"class {truth}" for truth in truths])


def stored(path: Path, count: int) -> Examples:
    data = np.load(path)
    return Examples(path.stem, data["features"][:count].astype(np.float32), [str(n) for n in data["labels"][:count]])


def progressive(examples: Examples, model: object) -> Run:
    """River's own evaluation, of dicts as `stream.iter_array` makes them."""
    metric: Any = metrics.Accuracy  # River's metrics have no types.
    rows, began = stream.iter_array(examples.xs, np.array(examples.labels)), time.process_time()
    accuracy = evaluate.progressive_val_score(rows, model, metric()).get()
    return Run(time.process_time() - began, accuracy)


def by_rows(examples: Examples) -> Run:
    """Each row predicted, then learned; as in River, not scored before the first label."""
    model, began = prequel.Classifier(MODEL), time.process_time()
    right = 0
    for x, label in zip(examples.xs, examples.labels, strict=True):
        right += model.predict_one(x) == label
        model.learn_one(x, label)
    return Run(time.process_time() - began, right / (len(examples.labels) - 1))


def evaluated(path: Path) -> Run:
    """The evaluation of a feature file, in its order."""
    settings = Settings.model_validate({"models": MODEL})
    tools = Tools(registry, settings.cache_bytes, time.monotonic, threading.Event())
    reader = open_features(path)
    began = time.process_time()
    evaluator = Evaluator(FileExamples(reader, path.name, ""), Options(order=AS_IS), fold_config(settings), tools)
    evaluator.run(Silent())
    accuracy = evaluator.evaluation().prequential.models[MODEL].accuracy
    seconds = time.process_time() - began
    reader.close()
    assert accuracy is not None
    return Run(seconds, accuracy)


def write(path: Path, examples: Examples) -> None:
    names = tuple(sorted(set(examples.labels)))
    writer = create_features(path, FeatureMeta(backbone="any", dim=examples.xs.shape[1], labels=names))
    infos = [RowInfo(f"e{number}", f"{number}", label, None) for number, label in enumerate(examples.labels)]
    writer.append(FeatureRows(infos, examples.xs))
    writer.finish(names)
    writer.close()


def compare(examples: Examples, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npz"
        write(path, examples)
        ways: list[Callable[[], Run]] = [
            lambda: progressive(examples, river_logistic()),
            lambda: progressive(examples, prequel.Classifier(MODEL)),
            lambda: by_rows(examples),
            lambda: evaluated(path),
        ]
        for way in ways[1:]:  # The kernels are compiled, or loaded.
            way()
        show(examples, [[way() for way in ways] for _ in range(rounds)])


def show(examples: Examples, rounds: list[list[Run]]) -> None:
    count, dim = examples.xs.shape
    micros = [statistics.median(run.seconds for run in way) / count * 1e6 for way in zip(*rounds, strict=True)]
    ratios = [statistics.median(row[0].seconds / row[way].seconds for row in rounds) for way in (1, 2, 3)]
    accuracies = [f"{run.accuracy:.4f}" for run in rounds[0]]
    assert len(set(accuracies)) == 1, accuracies
    columns = [f"{us:,.0f} us" for us in micros[:1]]
    columns += [f"{us:,.0f} us ({ratio:,.1f}x)" for us, ratio in zip(micros[1:], ratios, strict=True)]
    what = f"{examples.name}: {count:,} x {dim:,}, {len(set(examples.labels))} classes"
    print(f"| {what} | {' | '.join(columns)} | {accuracies[0]} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="npz with `features` [n, 1280] and `labels`, of Dogs vs Cats")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(
        "| examples | River | `prequel.Classifier` in River | the same by rows | `prequel evaluate` | accuracy of all |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    compare(digits(), arguments.rounds)
    compare(stored(arguments.data, 1_000) if arguments.data else made(1_280, 2, 1_000), arguments.rounds)
    compare(made(WIDE, 2, 100), arguments.rounds)


if __name__ == "__main__":
    main()
