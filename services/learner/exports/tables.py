"""The exports that are tables: labels and predictions, with their columns."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from prequel.services.learner.exports.current_stream import CurrentStream
from prequel.services.learner.exports.example_row import ExampleRow
from prequel.services.learner.exports.example_rows import example_rows
from prequel.services.learner.exports.opinions import PresentOpinion, present_opinions
from prequel.services.learner.exports.past_predictions import PastPredictions
from prequel.services.learner.exports.vectors import pieces, vectors
from prequel.shared.events.headers import timestamp
from prequel.shared.tables.base import Column, Row, TableWriter

LABELS = tuple(map(Column, ("id", "label", "by", "why", "at", "image")))
"""`prequel label --csv` reads the first four again."""

PREDICTIONS = (
    *map(Column, ("id", "truth", "at", "image", "then_model", "then_label")),
    Column("then_probability", "number"),
    Column("then_models", "object"),
    *map(Column, ("now_model", "now_label")),
    Column("now_probability", "number"),
    Column("now_models", "object"),
)
"""`then` is what was predicted, and scored, when the example came; `now` what the models say of it today."""


def export_labels(current: CurrentStream, table: TableWriter) -> None:
    """A row for each example that has a label now."""
    for rows in example_rows(current):
        table.append([label_row(row) for row in rows if row.label is not None])
    table.finish()


def label_row(row: ExampleRow) -> Row:
    """The row of an example that has a label, by column of LABELS."""
    return {
        "id": row.id,
        "label": row.label,
        "by": row.by,
        "why": row.why or None,
        "at": timestamp(row.labelled_at),
        "image": row.image_text,
    }


def export_predictions(current: CurrentStream, table: TableWriter) -> None:
    """A row for each example."""
    with closing(PastPredictions(current.log, current.plan.stream)) as past:
        for rows in example_rows(current, past.add_to):
            for piece in pieces(rows, current.state.dim):
                table.append(_prediction_rows(current, piece))
    table.finish()


def _prediction_rows(current: CurrentStream, rows: Sequence[ExampleRow]) -> list[Row]:
    present = present_opinions(current.state, vectors(current.cache, rows))
    champion = current.state.config.models[0]
    return [
        {"id": row.id, "truth": row.label, "at": timestamp(row.at), "image": row.image_text}
        | _then(row)
        | _now(champion, now)
        for row, now in zip(rows, present, strict=True)
    ]


def _then(row: ExampleRow) -> dict[str, Any]:
    if row.then is None:
        return {}
    likely: Iterable[float] = row.then.probabilities.values()
    return {
        "then_model": row.then.model,
        "then_label": row.then.label,
        "then_probability": max(likely, default=None) if row.then.label is not None else None,
        "then_models": row.then.models,
    }


def _now(champion: str, opinion: PresentOpinion) -> dict[str, Any]:
    return {
        "now_model": champion,
        "now_label": opinion.label,
        "now_probability": opinion.probability,
        "now_models": opinion.models,
    }
