"""The events that the fold of a stream puts out, each with the position of the input that it answers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from prequel.services.learner.fold.evaluation.label_set import label_set
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.shared.events.types import Applied, Drift, Features, Label, Outcome, Prediction
from prequel.shared.log.base import Position

if TYPE_CHECKING:
    from prequel.services.learner.fold.stream import StreamState

OutputEvent = Prediction | Outcome | Drift | Applied


class Output(NamedTuple):
    """An output event; ``at`` is the position of the input that it answers, and outputs are ordered by it."""

    at: Position
    event: OutputEvent


def prediction_event(
    state: "StreamState",
    event: Features,
    champion: ModelPrediction,
    predicted: Sequence[int],
    *,
    threshold: float,
    truth: str | None,
    unknown: bool,
) -> Prediction:
    """What is published of a new example: the champion's probabilities, every model's label, the label if known.

    ``predicted`` are the classes by model, ``threshold`` is where the set beside the champion's label ends.
    """
    classes, size = label_set(champion, threshold)
    return Prediction(
        id=event.id,
        stream=state.name,
        position=event.position,
        model=state.config.models[0],
        label=None if unknown else state.name_of(predicted[0]),
        probabilities=state.probabilities_by_label(champion),
        models=state.labels_by_model(predicted),
        truth=truth and state.names.name(truth),
        image=event.image,
        time=event.time,
        unknown=unknown,
        attributes=event.attributes,
        labels=tuple(state.names_of(classes)),
        set_level=state.sets.level,
        set_size=size,
    )


def outcome_event(
    state: "StreamState",
    id: str,
    label: str | None,
    status: str,
    *,
    position: Position,
    time: float,
    previous: str | None = None,
    predictions: Sequence[ModelPrediction] = (),
    exact: bool = True,
) -> Outcome:
    """What became of a label of image ``id``; the label event stands at ``position``.

    ``exact`` is False where some model still contains an earlier label of the example.
    """
    predicted = state.name_of(predictions[0].top_class) if predictions else None
    return Outcome(
        id=id,
        stream=state.name,
        position=position,
        status=status,
        label=label and state.names.name(label),
        previous=previous and state.names.name(previous),
        predicted=predicted,
        exact=exact,
        time=time,
    )


def label_outcome(
    state: "StreamState",
    event: Label,
    status: str,
    *,
    previous: str | None = None,
    predictions: Sequence[ModelPrediction] = (),
    exact: bool = True,
) -> Output:
    """Count what became of a label event in the stream's statuses, and return its outcome. See ``outcome_event``."""
    state.count_status(status)
    outcome = outcome_event(
        state,
        event.id,
        event.label,
        status,
        position=event.position,
        time=event.time,
        previous=previous,
        predictions=predictions,
        exact=exact,
    )
    return Output(event.position, outcome)
