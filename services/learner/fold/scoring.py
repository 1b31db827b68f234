"""Scoring: an example's first label counts in the metrics, tells the drift detectors, and may make a model react."""

from collections.abc import Sequence
from typing import NamedTuple

from prequel.services.learner.fold.drift.reactions import fade
from prequel.services.learner.fold.evaluation.prediction_sets import ServedSet
from prequel.services.learner.fold.evaluation.prequential import ScoredLabel
from prequel.services.learner.fold.join.new_example import UNSCORED, FirstLabel, NewExample
from prequel.services.learner.fold.join.window_example import WindowExample
from prequel.services.learner.fold.predictions import NOT_SCORED, ModelPrediction
from prequel.services.learner.fold.stream import CurveMark, StreamState
from prequel.shared.events.types import Drift

MAX_MARKS = 100
"""Drifts marked on the curve, the newest: with many more, marks would hide a curve of 500 points."""


Example = NewExample | WindowExample


class Predicted(NamedTuple):
    """What is scored of an example whose class is known: by model the predicted class, as ModelPrediction.scored_class,
    and the log loss in LOSS_UNIT."""

    champion: ModelPrediction
    classes: Sequence[int]
    losses: Sequence[int]


def predicted_for(truth: int, predictions: Sequence[ModelPrediction]) -> Predicted:
    """The same from every model's prediction of an example of class ``truth``."""
    losses = [prediction.log_loss_units(truth) for prediction in predictions]
    return Predicted(predictions[0], scored_classes(predictions), losses)


def score_first_label(
    state: StreamState,
    example: Example,
    label: str,
    predicted: Predicted,
    *,
    time: float,
    by: str,
    why: str,
    mixed: bool,
) -> tuple[FirstLabel, list[Drift]]:
    """Score an example's predictions by its first label: what the window is to note of it, and the drifts revealed.

    ``label`` is a class already, ``time`` when the label came (seconds since the epoch), ``by`` who gave it, ``why``
    how the example was chosen to be labelled, ``mixed`` what the stream's label order said with it. Predictions made
    when no model knew a class are not scored, as in River's ``progressive_val_score``.
    """
    truth, reason, labeller = state.classes[label], state.label_reasons.number(why), state.labellers.number(by)
    scored = max(predicted.classes) >= 0
    total = state.scores.total
    score_index = total if scored else UNSCORED
    noted = FirstLabel(truth, score_index, total, state.learned, reason, mixed, labeller, time)
    state.label_reasons.count(reason, 1)
    state.labellers.count(labeller, 1)
    state.learned += 1
    state.labelled += 1
    state.pending -= 1
    state.delays.append(max(0.0, time - example.time))
    return noted, _score(state, example, noted, predicted, time=time) if scored else []


def _score(
    state: StreamState, example: Example, first: FirstLabel, predicted: Predicted, *, time: float
) -> list[Drift]:
    """Count the predictions in everything that restates them, and tell the drift detectors."""
    truth, mixed, (champion, classes, losses) = first.label, first.mixed, predicted
    state.scores.score(ScoredLabel(truth, losses), classes)
    state.comparisons.score(first.score_index, truth, classes, mixed=mixed)
    state.label_reasons.score(first.why, truth, classes)
    count_abstention(state, example, champion, truth)
    state.sets.score(served_set(example, champion), truth)
    state.sets.adapt(state.images)
    drifts: list[Drift] = []
    for number, label in enumerate(classes):
        if label != NOT_SCORED:
            detector = state.drifts[number].update(label != truth)
            if detector is not None:
                state.comparisons.restart(number, state.scores.total)
                drifts.append(_react(state, number, detector, example, time=time, mixed=mixed))
    return drifts


def count_abstention(
    state: StreamState, example: Example, prediction: ModelPrediction, truth: int, *, sign: int = 1
) -> None:
    """Count whether the champion abstained on an example of class ``truth``; with -1, take it out again.

    An example that an earlier champion answered is left out: its abstention was not this one's.
    """
    if not state.abstentions_from or example.sequence >= state.abstentions_from:
        state.abstentions.count(prediction, truth, unknown=example.unknown, sign=sign)


def served_set(example: Example, champion: ModelPrediction) -> ServedSet:
    """The set that was served beside the champion's prediction of an example."""
    return ServedSet(example.sequence, champion, example.set_threshold)


def count_calibration(
    state: StreamState, example: WindowExample, predictions: Sequence[ModelPrediction], *, sign: int = 1
) -> None:
    """Count an example's present label, if it is scored, in every model's calibration; with -1, take it out again."""
    if example.score_index != UNSCORED:
        for calibrator, prediction in zip(state.calibrators, predictions, strict=True):
            calibrator.count(prediction, example.label, example.score_index, mixed=example.mixed, sign=sign)


def count_evidence(
    state: StreamState, example: WindowExample, predictions: Sequence[ModelPrediction], truth: int, sign: int
) -> None:
    """Count a scored example in the comparisons and the random sample, with 1; with -1, take it out again."""
    predicted = scored_classes(predictions)
    state.comparisons.count(example.score_index, truth, predicted, sign)
    state.label_reasons.score(example.why, truth, predicted, sign)


def scored_classes(predictions: Sequence[ModelPrediction]) -> list[int]:
    """The class that the metrics count, one a model: see ModelPrediction.scored_class."""
    return [prediction.scored_class for prediction in predictions]


def scored_label(truth: int, predictions: Sequence[ModelPrediction]) -> ScoredLabel:
    """The true class, with each model's log loss on it."""
    return ScoredLabel(truth, [prediction.log_loss_units(truth) for prediction in predictions])


def _react(state: StreamState, number: int, detector: str, example: Example, *, time: float, mixed: bool) -> Drift:
    """Mark a drift of a model's error, and let the model reset or forget where its spec says so.

    Not while labels come class after class: what drifts then is the order of the labels, and whoever forgets the
    classes that came before is wrong about them from then on.
    """
    state.drift_counts[number] += 1
    spec, scored = state.config.models[number], state.scores.total
    state.marks = [*state.marks, CurveMark(scored, spec, detector)][-MAX_MARKS:]
    kind = state.reactions[number].kind if mixed else "none"
    if kind == "reset":
        state.models[number] = state.new_model(number)
        state.calibrators[number] = state.new_calibrator(number, first=scored)
    elif kind == "forget":
        fade(state.models[number])
    if kind != "none":
        state.reset_at[number] = scored
    return Drift(state.name, example.position, spec, detector, scored, kind == "reset", time)
