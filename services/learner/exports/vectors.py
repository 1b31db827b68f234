"""The features of exported examples, read back from the log by position."""

from collections.abc import Sequence

import numpy as np

from prequel.services.learner.exports.example_row import ExampleRow
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.models.base import Matrix
from prequel.shared.exports import ExportFailed

PIECE_BYTES = 8 * 2**20
"""Features that are read together. With a tenth, Kafka is asked ten times as often; with ten times as many, memory has
them some three times over."""


def pieces(rows: Sequence[ExampleRow], dim: int) -> list[Sequence[ExampleRow]]:
    """The rows in pieces whose features are some megabytes."""
    size = max(1, PIECE_BYTES // (4 * max(1, dim)))
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


def vectors(cache: FeatureCache, rows: Sequence[ExampleRow]) -> Matrix:
    """float32 [n, dim], in the order of the rows. Blocks; raises LogUnavailable, and ExportFailed where retention has
    removed some of them since the export began."""
    found = cache.read([row.position for row in rows])
    missing = next((row for row in rows if row.position not in found), None)
    if missing:
        raise ExportFailed(
            f"the features of {missing.id} at examples:{missing.position} were removed while the export ran, by "
            "retention or because the stream was deleted: export again what is left"
        )
    return np.stack([found[row.position] for row in rows])
