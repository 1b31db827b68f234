"""A label's path, in order: which example it is for, what becomes of it, and what a correction restates."""

from collections.abc import Callable

from prequel.services.learner.fold.absent_example import label_absent_example
from prequel.services.learner.fold.join.new_example import UNLABELLED, UNSCORED
from prequel.services.learner.fold.join.window_example import WindowExample
from prequel.services.learner.fold.outputs import Output, label_outcome
from prequel.services.learner.fold.predictions import NOT_LEARNED
from prequel.services.learner.fold.scoring import (
    count_abstention,
    count_calibration,
    count_evidence,
    predicted_for,
    score_first_label,
    scored_classes,
    scored_label,
    served_set,
)
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.capabilities import correct
from prequel.shared.events.types import Label
from prequel.shared.log.base import Position
from prequel.shared.vectors import Vector

FeaturesAt = Callable[[Position], Vector | None]
"""Where the fold gets features that are not in the event: None where retention has removed them."""


def apply_label(state: StreamState, event: Label, features: FeaturesAt) -> list[Output]:
    """Learn the label, correct or retract the one before, or say why not.

    May block while ``features`` reads the log; raises LogUnavailable then, before it has changed anything.
    """
    # 1. Which row: the example with the label's image id, as long as it is in the window.
    example = state.window.find(event.id)
    if example is None:
        return label_absent_example(state, event)
    predictions = example.predictions
    # 2. What it changes. The same label again changes nothing, so that whoever repeats an event does no harm.
    previous = None if example.label == UNLABELLED else state.labels[example.label]
    if event.label == previous:
        exact = not example.residue
        return [label_outcome(state, event, "unchanged", previous=previous, predictions=predictions, exact=exact)]
    # 3. Whether it can: the models need the features, and a new label needs room. Asked before anything is changed.
    x = features(example.position)
    if x is None:
        return [label_outcome(state, event, "expired", previous=previous, predictions=predictions)]
    if event.label is not None and not state.admit(event.label):
        return [label_outcome(state, event, "rejected", previous=previous, predictions=predictions)]
    # 4. The models, before the metrics (5), as for a label that comes with its image: where the scored error is a drift
    #    that resets a model, it forgets this label too. In the other order, the new model would have learned it.
    exact = _relearn(state, example, x, previous=previous, label=event.label) and not example.residue
    # 5. A first label is scored; another one, or none any more, restates what was scored.
    if previous is None:
        assert event.label is not None, "a retraction of no label is unchanged"
        truth = state.classes[event.label]
        mixed, predicted = state.label_order.update(truth), predicted_for(truth, predictions)
        noted, drifts = score_first_label(
            state, example, event.label, predicted, time=event.time, by=event.by, why=event.why, mixed=mixed
        )
        example.note(noted)
        count_calibration(state, example, predictions)
        learned = label_outcome(state, event, "learned", predictions=predictions, exact=exact)
        return [learned, *(Output(event.position, drift) for drift in drifts)]
    _restate_metrics(state, example, event, exact=exact)
    status = "retracted" if event.label is None else "corrected"
    return [label_outcome(state, event, status, previous=previous, predictions=predictions, exact=exact)]


def _relearn(state: StreamState, example: WindowExample, x: Vector, *, previous: str | None, label: str | None) -> bool:
    """Take the previous label out of every model that can unlearn, and teach all the new one; whether all could."""
    exact = True
    for number, model in enumerate(state.models):
        if previous is not None:
            exact &= _correct(state, number, example, x, previous=previous, label=label)
        elif label is not None:
            model.learn(x, label)
    # The sums that abstentions are decided by; a label from before they began is not in them.
    if previous is not None and (state.novelty.since == 0 or example.learned_at > state.novelty.since):
        state.novelty.learn(x, state.classes[previous], -1)
    if label is not None:
        state.novelty.learn(x, state.classes[label])
    return exact


def _correct(
    state: StreamState, number: int, example: WindowExample, x: Vector, *, previous: str, label: str | None
) -> bool:
    """Put the new label in the place of the previous one in one model; whether nothing is left of that."""
    model, age = state.models[number], state.learned - 1 - example.learned_after
    known = example.predictions[number].known
    learned_before_reset = example.learned_at < state.reset_at[number]
    if known >= 0 and not learned_before_reset:
        return correct(model, x, previous, label, age=age)
    # The model was added later, and its replay did not meet the example like this, or it has reacted to a drift since.
    correct(model, x, None, label, age=age)
    if known < 0:
        return known == NOT_LEARNED.known
    return state.reactions[number].kind == "reset"  # What a model was reset from is not in it.


def _restate_metrics(state: StreamState, example: WindowExample, event: Label, *, exact: bool) -> None:
    """Take the old outcome out of the metrics and put the new one in; a label None retracts: only the first half.

    1. Every model's accuracy, confusion, log loss, curve and windowed accuracy (see Prequential.restate).
    2. The comparisons of models, the accuracy over the random sample, the champion's abstentions and sets, and the
       counts that every model's calibration follows from.
    3. The example in the window: its label and its index in the metrics, so that the next correction finds them.
    4. Who gave the label, counted; and where it is retracted, the counts of labelled examples and of those without a
       label. A correction keeps the reason for which the example was labelled first.

    The window comes after the counts, which need the old index; the models come before all of this, since ``exact``
    (whether they could unlearn) is noted in the window. Three things are not restated: the predictions, which were
    made once, the drift detectors, to which models have reacted already, and the order in which labels came.
    """
    old, predictions, label = example.label, example.predictions, event.label
    truth = UNLABELLED if label is None else state.classes[label]
    if example.score_index != UNSCORED:
        after = None if label is None else scored_label(truth, predictions)
        before = scored_label(old, predictions)
        state.scores.restate(example.score_index, scored_classes(predictions), before, after)
        count_evidence(state, example, predictions, old, -1)
        count_abstention(state, example, predictions[0], old, sign=-1)
        state.sets.count(example.score_index, served_set(example, predictions[0]), old, sign=-1)
        if label is not None:
            count_evidence(state, example, predictions, truth, 1)
            count_abstention(state, example, predictions[0], truth)
            state.sets.count(example.score_index, served_set(example, predictions[0]), truth)
    count_calibration(state, example, predictions, sign=-1)
    score_index = UNSCORED if label is None else example.score_index
    labeller = state.labellers.number(event.by)
    state.labellers.count(example.label_by, -1)
    example.relabel(
        truth,
        score_index=score_index,
        learned_at=state.scores.total,
        residue=not exact,
        label_by=labeller,
        label_time=event.time,
    )
    count_calibration(state, example, predictions)
    if label is not None:
        state.labellers.count(labeller, 1)
    else:
        state.label_reasons.count(example.why, -1)
        state.labelled -= 1
        state.pending += 1
