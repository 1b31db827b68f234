"""Evaluations for the tests of reports: real ones, of random features."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from prequel.services.offline.evaluation.options import Options
from prequel.services.offline.evaluation.result import Evaluation
from prequel.shared.features.base import FeatureRows, RowInfo
from tests.offline.evaluation.building import Noted, evaluator, write_rows

HELD_OUT = 40
"""Examples of those below that are held out: the last ones, as the split test."""


def random_examples(classes: Sequence[str], count: int, *, names: Sequence[str] | None = None) -> FeatureRows:
    """Classes in random order, near enough to each other for mistakes; ``names`` are those of the images."""
    random = np.random.default_rng(0)
    numbers = random.integers(0, len(classes), count)
    vectors = random.normal(size=(len(classes), 8))[numbers] + random.normal(scale=0.7, size=(count, 8))
    infos = [
        RowInfo(
            id=f"id{row}",
            name=names[row] if names else f"class/{row:04}.png",
            label=classes[number],
            split="test" if row >= count - HELD_OUT else "train",
        )
        for row, number in enumerate(numbers)
    ]
    return FeatureRows(infos, vectors.astype(np.float32))


def only_one_label(rows: FeatureRows) -> FeatureRows:
    """The same without labels but for the first: then no prediction is ever scored."""
    infos = [info._replace(label=info.label if row == 0 else None) for row, info in enumerate(rows.infos)]
    return FeatureRows(infos, rows.vectors)


def evaluate(rows: FeatureRows, models: str, *, held_out: bool = False, **more: object) -> Evaluation:
    """``more`` are other values of the result's fields."""
    with TemporaryDirectory() as folder:
        path = write_rows(Path(folder) / "photos.npz", rows)
        options = Options("as-is", holdout="test" if held_out else None)
        evaluation = evaluator(path, options, models)
        evaluation.run(Noted())
        return evaluation.evaluation().model_copy(update=more)
