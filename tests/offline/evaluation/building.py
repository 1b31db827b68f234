"""What the tests of evaluations are built of: random examples of a few classes, in a feature file."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prequel.services.learner.fold.config import FoldConfig, fold_config
from prequel.services.offline.evaluation.evaluator import Evaluator, Tools
from prequel.services.offline.evaluation.file_examples import FileExamples
from prequel.services.offline.evaluation.options import Options
from prequel.services.offline.evaluation.schedule import Predicted
from prequel.shared.config import Settings
from prequel.shared.features.base import FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.opening import create_features, open_features
from tests.learner.building import Registry

BACKBONE = "test-avg-8"
DIM = 6


def example_rows(count: int, *, seed: int = 0, classes: int = 3, dim: int = DIM) -> FeatureRows:
    """Examples of classes c0, c1, ..., which overlap; one in ten has no label, the last fifth is the split test."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(classes, dim))
    truths = random.integers(classes, size=count)
    vectors = (centres[truths] + random.normal(size=(count, dim))).astype(np.float32)
    infos = [
        RowInfo(
            id=f"e{number}",
            name=f"c{truth}/{number}.png",
            label=None if number % 10 == 9 else f"c{truth}",
            split="test" if number >= count * 4 // 5 else "train",
        )
        for number, truth in enumerate(truths.tolist())
    ]
    return FeatureRows(infos, vectors)


def write_rows(path: Path, rows: FeatureRows, **meta: Any) -> Path:
    labels = sorted({info.label for info in rows.infos if info.label is not None})
    writer = create_features(
        path, FeatureMeta(backbone=BACKBONE, dim=rows.vectors.shape[1], source="pets", labels=tuple(labels), **meta)
    )
    writer.append(rows)
    writer.finish(labels)
    writer.close()
    return path


def config(models: str, **settings: Any) -> FoldConfig:
    return fold_config(Settings.model_validate({"models": models, **settings}))


class Noted:
    """A watcher that keeps what it sees."""

    def __init__(self) -> None:
        self.labels = list[tuple[str, list[str], bool]]()
        self.firsts = list[int]()

    def predicted(self, predicted: Predicted, names: Sequence[str], *, held_out: bool) -> None:
        self.firsts.append(predicted.first)
        tops = [run.top_classes() for run in predicted.runs]
        for at, info in enumerate(predicted.infos):
            self.labels.append((info.id, [names[top[at]] if top[at] >= 0 else "" for top in tops], held_out))


def evaluator(
    path: Path,
    options: Options = Options(),  # noqa: B008  # frozen
    models: str = "nearest,logistic",
    *,
    late_bytes: int = 2**20,
    stop: threading.Event | None = None,
    **settings: Any,
) -> Evaluator:
    examples = FileExamples(open_features(path), path.name, "")
    tools = Tools(Registry(), late_bytes, iter(range(10**9)).__next__, stop or threading.Event())
    return Evaluator(examples, options, config(models, **settings), tools)
