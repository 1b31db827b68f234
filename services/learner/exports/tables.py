"""The exports that are tables: labels and predictions, with their columns."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from prequel.services.learner.exports.current_stream import CurrentStream
from prequel.services.learner.exports.example_row import ExampleRow
from prequel.services.learner.exports.example_rows import example_rows
from prequel.services.learner.exports.opinions import PresentOpinion, present_opinions
from prequel.services.learner.exports.past_predictions import PastPredictions
from prequel.services.learner.exports.vectors import pieces, vectors
from prequel.shared.events.headers import timestamp
from prequel.shared.events.types import Prediction
from prequel.shared.exports import LABEL_COLUMNS
from prequel.shared.tables.base import Column, Row, TableWriter

LABELS = tuple(map(Column, LABEL_COLUMNS))

PREDICTIONS = (
    *map(Column, ("id", "truth", "at", "image", "then_model", "then_label")),
    Column("then_probability", "number"),
    Column("then_models", "object"),
    *map(Column, ("now_model", "now_label")),
    Column("now_probability", "number"),
    Column("now_models", "object"),
)
"""`then` is what was predicted, and scored, when the example came; `now` what the models say of it today."""


def export_table(pieces: Iterator[list[Row]], table: TableWriter) -> None:
    """Blocks; raises what ``pieces`` and the table's sink raise."""
    for rows in pieces:
        table.append(rows)
    table.finish()


def label_rows(current: CurrentStream) -> Iterator[list[Row]]:
    """A row for each example that has a label now, in pieces."""
    for rows in example_rows(current):
        yield [label_row(row) for row in rows if row.label is not None]


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


def prediction_rows(current: CurrentStream) -> Iterator[list[Row]]:
    """A row for each example, in pieces."""
    with closing(PastPredictions(current.log, current.plan.stream)) as past:
        for rows in example_rows(current, past.add_to):
            for piece in pieces(rows, current.state.dim):
                yield _prediction_rows(current, piece)


def _prediction_rows(current: CurrentStream, rows: Sequence[ExampleRow]) -> list[Row]:
    present = present_opinions(current.state, vectors(current.cache, rows))
    champion, names = current.state.config.models[0], current.plan.decisions.names.renamed()
    return [
        {"id": row.id, "truth": row.label, "at": timestamp(row.at), "image": row.image_text}
        | _then(row.then, names)
        | _now(champion, now)
        for row, now in zip(rows, present, strict=True)
    ]


def _then(then: Prediction | None, names: Mapping[str, str]) -> dict[str, Any]:
    """With what the classes are called now, as the truth has them: else a renamed class would look like a mistake."""
    if then is None:
        return {}
    shares: dict[str, float] = {}
    for label, share in then.probabilities.items():
        now = names.get(label, label)
        shares[now] = shares.get(now, 0.0) + share
    champions = None if then.label is None else names.get(then.label, then.label)
    models = {model: None if each is None else names.get(each, each) for model, each in then.models.items()}
    return {
        "then_model": then.model,
        "then_label": champions,
        "then_probability": None if champions is None else shares.get(champions),
        "then_models": models,
    }


def _now(champion: str, opinion: PresentOpinion) -> dict[str, Any]:
    return {
        "now_model": champion,
        "now_label": opinion.label,
        "now_probability": opinion.probability,
        "now_models": opinion.models,
    }
