"""Scoring: an example's first label counts in the metrics, tells the drift detectors, and may make a model react."""

from collections.abc import Sequence

from prequel.services.learner.fold.drift.reactions import fade
from prequel.services.learner.fold.evaluation.prediction_sets import ServedSet
from prequel.services.learner.fold.evaluation.prequential import ScoredLabel
from prequel.services.learner.fold.join.window_chunk import UNSCORED
from prequel.services.learner.fold.join.window_example import WindowExample
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.services.learner.fold.stream import CurveMark, StreamState
from prequel.shared.events.types import Drift

MAX_MARKS = 100
"""Drifts marked on the curve, the newest: with many more, marks would hide a curve of 500 points."""


def score_first_label(
    state: StreamState,
    example: WindowExample,
    label: str,
    predictions: Sequence[ModelPrediction],
    *,
    time: float,
    why: str,
    mixed: bool,
) -> list[Drift]:
    """Give an example its first label and score its predictions; return the drifts that this revealed.

    ``label`` is a class already, ``time`` when the label came (seconds since the epoch), ``why`` how the example was
    chosen to be labelled, ``mixed`` what the stream's label order said with it. Predictions made when no model knew a
    class are not scored, as in River's ``progressive_val_score``.
    """
    truth, predicted = state.classes[label], scored_classes(predictions)
    reason = state.label_reasons.number(why)
    example.note_why(reason)
    state.label_reasons.count(reason, 1)
    scored = predictions[0].known > 0 or any(prediction.known > 0 for prediction in predictions)
    index = UNSCORED
    if scored:
        index = state.scores.score(scored_label(truth, predictions), predicted)
        state.comparisons.score(index, truth, predicted, mixed=mixed)
        state.label_reasons.score(reason, truth, predicted)
    learned_at = index if scored else state.scores.total
    example.relabel(truth, score_index=index, learned_at=learned_at, residue=example.residue)
    example.note_mixed(mixed)
    example.note_learned_after(state.learned)
    state.learned += 1
    state.labelled += 1
    state.pending -= 1
    state.delays.append(max(0.0, time - example.time))
    if not scored:
        return []
    count_abstention(state, example, predictions[0], truth)
    state.sets.score(served_set(example, predictions[0]), truth)
    state.sets.adapt(state.window.bounds[1])
    drifts: list[Drift] = []
    for number, prediction in enumerate(predictions):
        if prediction.known >= 0:
            detector = state.drifts[number].update(prediction.top_class != truth)
            if detector is not None:
                state.comparisons.restart(number, state.scores.total)
                drifts.append(_react(state, number, detector, example, time=time, mixed=mixed))
    return drifts


def count_abstention(
    state: StreamState, example: WindowExample, prediction: ModelPrediction, truth: int, *, sign: int = 1
) -> None:
    """Count whether the champion abstained on an example of class ``truth``; with -1, take it out again.

    An example that an earlier champion answered is left out: its abstention was not this one's.
    """
    if not state.abstentions_from or example.sequence >= state.abstentions_from:
        state.abstentions.count(prediction, truth, unknown=example.unknown, sign=sign)


def served_set(example: WindowExample, champion: ModelPrediction) -> ServedSet:
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


def _react(
    state: StreamState, number: int, detector: str, example: WindowExample, *, time: float, mixed: bool
) -> Drift:
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
