"""What a stream has learned from as rows with columns: labels, predictions and features, as exports have them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from prequel.services.learner.exports.current_stream import CurrentStream
from prequel.services.learner.exports.features import feature_rows
from prequel.services.learner.exports.tables import LABELS, PREDICTIONS, label_rows, prediction_rows
from prequel.shared.exports import ExportFailed
from prequel.shared.tables.arrow import ArrowKind, Field
from prequel.shared.tables.base import Column, Row


class StreamTable(NamedTuple):
    """Columns, and what reads the rows of a stream."""

    fields: tuple[Field, ...]
    rows: Callable[[CurrentStream], Iterator[Sequence[Row]]]


def _labels(current: CurrentStream) -> StreamTable:
    return StreamTable(_fields(LABELS), lambda current: map(_with_times, label_rows(current)))


def _predictions(current: CurrentStream) -> StreamTable:
    return StreamTable(_fields(PREDICTIONS), lambda current: map(_with_times, prediction_rows(current)))


def _features(current: CurrentStream) -> StreamTable:
    """Raises ExportFailed where there are none."""
    if not current.state.dim:
        raise ExportFailed(f"stream {current.plan.stream} has no features yet: it has had no image", 409)
    features = Field("features", "vector", current.state.dim)
    return StreamTable((Field("id"), Field("label", "category"), Field("backbone", "category"), features), _vectors)


def _vectors(current: CurrentStream) -> Iterator[Sequence[Row]]:
    for infos, xs in feature_rows(current):
        yield [
            {"id": info.id, "label": info.label, "backbone": current.state.backbone, "features": x}
            for info, x in zip(infos, xs, strict=True)
        ]


TABLES: Mapping[str, Callable[[CurrentStream], StreamTable]] = {
    "labels": _labels,
    "predictions": _predictions,
    "features": _features,
}

TIMES = ("at",)
WORDS = {
    "label": "label",
    "truth": "label",
    "then_label": "label",
    "now_label": "label",
    "then_model": "model",
    "now_model": "model",
    "by": "by",
    "why": "why",
}
"""Columns of exports whose texts are times, and those whose few texts come again and again, with what these are."""


def _fields(columns: Sequence[Column]) -> tuple[Field, ...]:
    """As exports have them, with times and words for what they are."""
    return tuple(Field(column.name, _kind(column), words=WORDS.get(column.name, "")) for column in columns)


def _kind(column: Column) -> ArrowKind:
    if column.name in TIMES:
        return "time"
    return "category" if column.name in WORDS else column.kind


def _with_times(rows: Sequence[Row]) -> Sequence[Row]:
    return [{**row, **{name: datetime.fromisoformat(row[name]) for name in TIMES}} for row in rows]
