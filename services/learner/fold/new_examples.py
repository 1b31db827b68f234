"""New examples: predicted first, then learned and scored where their label is known (test, then train)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from prequel.services.learner.fold.calibration.ranking import Ranking, ServedRun, ranking
from prequel.services.learner.fold.evaluation.label_reasons import PRODUCER
from prequel.services.learner.fold.join.conflicts import CONTENT, LABEL
from prequel.services.learner.fold.join.new_example import (
    NO_CLASS,
    NO_LABEL,
    NO_SET,
    UNLABELLED,
    UNSCORED,
    FirstLabel,
    FirstSeen,
    NewExample,
)
from prequel.services.learner.fold.join.waiting_labels import WaitingLabel
from prequel.services.learner.fold.outputs import Output, outcome_event, prediction_event
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.services.learner.fold.scoring import MAX_MARKS, Predicted, score_first_label
from prequel.services.learner.fold.stream import FeatureMark, StreamState
from prequel.services.learner.models.base import Matrix
from prequel.shared.events.types import FEATURES_DETECTOR, Drift, Features


class _KnownLabel(NamedTuple):
    """The label that is known with an example, if any: one that waited for it wins over the event's own.

    ``status`` is "learned", "rejected" (there is no room for another class), or "" without a label.
    """

    label: str | None
    status: str
    learned: str | None
    """``label`` where it is learned."""
    first: FirstSeen


def predict_run(state: StreamState, run: Sequence[Features], xs: Matrix) -> list[Output]:
    """Predict each new example of a run; learn the labels that are known, and score the predictions made before.

    ``xs`` are the vectors, float32 [n, dim].

    However a sequence of events is cut into runs, state and outputs are the same: a run exists because one call of a
    model with many vectors is faster than many calls. A model that reacts to drift must do so before the next example,
    so then examples are taken one by one.
    """
    if len(run) > 1 and any(reaction.kind != "none" for reaction in state.reactions):
        alone = [predict_run(state, [event], xs[row : row + 1]) for row, event in enumerate(run)]
        return [output for one in alone for output in one]
    known = [_known_label(state, event) for event in run]
    learned = [label.learned for label in known]
    rankings = [ranking(model.fold(xs, learned), state.class_numbers(model)) for model in state.models]
    truths = [UNLABELLED if label is None else state.classes[label] for label in learned]
    mixed = [truth != UNLABELLED and state.label_order.update(truth) for truth in truths]
    served = _calibrate(state, rankings, truths, mixed)
    changes = dict(state.feature_drift.update(xs))
    outputs, examples = list[Output](), list[tuple[NewExample, FirstLabel]]()
    rows = zip(run, known, _predicted(served, truths), mixed, strict=True)
    for row, (event, label, predicted, is_mixed) in enumerate(rows):
        examples.append(_remember(state, event, label, predicted, mixed=is_mixed, outputs=outputs))
        if row in changes:
            outputs.append(Output(event.position, _mark_feature_drift(state, event, changes[row])))
    state.window.extend(examples, served)
    state.expire()
    return outputs


def _calibrate(
    state: StreamState, rankings: Sequence[Ranking], truths: Sequence[int], mixed: Sequence[bool]
) -> list[ServedRun]:
    """What each model's predictions of a run are served as; the labels of the run are counted on the way."""
    labels = np.array(truths, np.int64)
    scored = (labels != UNLABELLED) & (np.max([ranked.known for ranked in rankings], axis=0) > 0)
    indices = np.where(scored, state.scores.total + np.cumsum(scored) - 1, UNSCORED)
    models = zip(state.calibrators, rankings, strict=True)
    return [
        calibrator.calibrate_run(ranked, labels, indices, np.array(mixed, np.int64)) for calibrator, ranked in models
    ]


def _predicted(served: Sequence[ServedRun], truths: Sequence[int]) -> Iterator[Predicted]:
    """What every model predicted, one an example."""
    classes = zip(*(run.top_classes() for run in served), strict=True)
    losses = zip(*(run.losses(truths) for run in served), strict=True)
    return map(Predicted, served[0].predictions(), classes, losses)


def _mark_feature_drift(state: StreamState, event: Features, score: float) -> Drift:
    """Mark a drift of the features, found with this example: it is no model's, and only comparisons react to it."""
    state.comparisons.restart(0, state.scores.total)
    state.feature_marks = [*state.feature_marks, FeatureMark(state.scores.total, state.images, score)][-MAX_MARKS:]
    return Drift(state.name, event.position, "", FEATURES_DETECTOR, state.scores.total, False, event.time)


def count_conflict(state: StreamState, event: Features) -> str:
    """Count what is different in an example that came before; it, as far as the window tells, or ""."""
    difference = _difference(state, event)
    if difference:
        state.conflicts.count(difference)
    return difference


def _difference(state: StreamState, event: Features) -> str:
    example = state.window.find(event.id)
    if example is None:
        return ""
    first, digest = example.first, _short_digest(event.digest)
    if digest and first.digest and digest != first.digest:
        return CONTENT
    if event.label is None or first.label == NO_CLASS:
        return ""
    return "" if state.classes.get(event.label, NO_CLASS) in (first.label, example.label) else LABEL


def _known_label(state: StreamState, event: Features) -> _KnownLabel:
    waiting = state.waiting.get(event.id)
    label = waiting.label if waiting else event.label
    learned = label if label is not None and state.admit(label) else None
    status = "" if label is None else "learned" if learned is not None else "rejected"
    # In the classes that there are now: the next example of the run may bring others.
    own = UNLABELLED if event.label is None else state.classes.get(event.label, NO_CLASS)
    return _KnownLabel(label, status, learned, FirstSeen(own, _short_digest(event.digest)))


def _remember(
    state: StreamState,
    event: Features,
    known: _KnownLabel,
    predicted: Predicted,
    *,
    mixed: bool,
    outputs: list[Output],
) -> tuple[NewExample, FirstLabel]:
    """Account for a predicted example and the label that is known with it: what the window is to hold of them."""
    champion = predicted.champion
    unknown = state.novelty.unknown(event.vector, champion)
    threshold = state.sets.threshold() if champion.classes else NO_SET
    example = NewExample(event.id, state.images, event.position, event.time, known.first, unknown, threshold)
    state.images += 1
    state.pending += 1
    prediction = prediction_event(
        state, event, champion, predicted.classes, threshold=threshold, truth=known.learned, unknown=unknown
    )
    outputs.append(Output(event.position, prediction))
    waiting, noted = state.waiting.pop(event.id), NO_LABEL
    if known.learned is not None:
        time, by, why = (waiting.time, waiting.by, waiting.why) if waiting else (event.time, PRODUCER, PRODUCER)
        noted, drifts = score_first_label(
            state, example, known.learned, predicted, time=time, by=by, why=why, mixed=mixed
        )
        outputs += [Output(event.position, drift) for drift in drifts]
        state.novelty.learn(event.vector, state.classes[known.learned])
    if known.label is not None:
        outputs += _known_label_outcome(state, event, known, waiting, champion=champion)
    return example, noted


def _known_label_outcome(
    state: StreamState,
    event: Features,
    known: _KnownLabel,
    waiting: WaitingLabel | None,
    *,
    champion: ModelPrediction,
) -> list[Output]:
    """Count what became of the label that is known with an example; its outcome, where it has one of its own.

    A label event that waited for the example gets its outcome now. A label that came with the image is in the
    prediction, and has an outcome only where it was rejected.
    """
    state.count_status(known.status)
    if waiting is None and known.status != "rejected":
        return []
    outcome = outcome_event(
        state,
        event.id,
        known.label,
        known.status,
        position=waiting.position if waiting else event.position,
        time=event.time,
        predictions=[champion],
    )
    return [Output(event.position, outcome._replace(attributes=event.attributes))]


def _short_digest(digest: str) -> int:
    """64 bits of an image's SHA-256, enough to tell two images of one id apart; 0 for none."""
    return int(digest[:16], 16) if digest else 0
