"""Prequential metrics as JSON and arrays, and back."""

from typing import Any

import numpy as np

from prequel.services.learner.fold.evaluation.class_slices import ClassSlices
from prequel.services.learner.fold.evaluation.prequential import Prequential
from prequel.services.learner.fold.evaluation.tally import Arrays, Tally


def prequential_parts(metrics: Prequential) -> tuple[dict[str, Any], Arrays]:
    """Everything that does not follow from the confusion matrices. The keys are the snapshots' format."""
    tallies = [tally.parts() for tally in metrics.tallies]
    meta = {
        "window": metrics.window,
        "tracked_from": metrics.tracked_from,
        "total": metrics.total,
        "scored": metrics.scored,
        "recent_scored": metrics.recent_scored,
        "stride": metrics.stride,
        "faded_weight": metrics.faded_weight,
        "tallies": [tally for tally, _ in tallies],
    }
    arrays: Arrays = {
        "curve_scored": np.array(metrics.curve_scored, "<i8"),
        "slices_scored": metrics.scored_slices.cells(),
    }
    for model, (_, columns) in enumerate(tallies):
        arrays |= {f"{name}.{model}": column for name, column in columns.items()}
    return meta, arrays


def prequential_from_parts(meta: dict[str, Any], arrays: Arrays) -> Prequential:
    """The inverse of ``prequential_parts``."""
    metrics = Prequential(0, meta["window"])
    metrics.tracked_from, metrics.total, metrics.scored = meta["tracked_from"], meta["total"], meta["scored"]
    metrics.recent_scored, metrics.stride = meta["recent_scored"], meta["stride"]
    metrics.faded_weight = meta["faded_weight"]
    metrics.curve_scored = arrays["curve_scored"].tolist()
    metrics.scored_slices = ClassSlices.from_cells(arrays["slices_scored"])
    for model, tally in enumerate(meta["tallies"]):
        columns = {name: arrays[f"{name}.{model}"] for name in ("confusion", "slices", "recent", "curve")}
        metrics.tallies.append(Tally.from_parts(tally, columns))
    metrics.sum_confusion()
    return metrics
