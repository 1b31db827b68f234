"""Changes the models of a stream: some old ones stay, and a replay of the log has caught the new ones up."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from prequel.services.learner.fold.evaluation.abstentions import AbstentionCounts
from prequel.services.learner.fold.join.new_example import UNLABELLED, UNSCORED
from prequel.services.learner.fold.join.window_example import WindowExample
from prequel.services.learner.fold.predictions import NOT_LEARNED, PERHAPS_LEARNED, ModelPrediction
from prequel.services.learner.fold.scoring import MAX_MARKS
from prequel.services.learner.fold.stream import StreamState


def change_models(state: StreamState, specs: tuple[str, ...], replayed: StreamState | None) -> None:
    """Let the stream have these models, the first as its champion.

    ``replayed`` is the stream with only those that are new, at the same place of the log; None where no model is new,
    or the stream has no example.
    """
    before = state.config.models
    empty = StreamState(state.name, replace(state.config, models=specs), state.registry)
    state.config, state.reactions = empty.config, empty.reactions
    if not state.models:
        state.reset_at, state.drifts, state.drift_counts = empty.reset_at, empty.drifts, empty.drift_counts
        state.scores, state.window, state.calibrators = empty.scores, empty.window, empty.calibrators
        state.comparisons, state.label_reasons = empty.comparisons, empty.label_reasons
        return
    if specs == before:
        return
    old_models = [before.index(spec) if spec in before else None for spec in specs]
    _take_models(state, old_models, replayed)
    if specs[0] != before[0]:
        # What was served before stays as it was: it is the old champion's, and corrections do not restate it here.
        state.abstentions, state.abstentions_from = AbstentionCounts(), state.window.bounds[1]
        state.sets.change_champion(state.window.bounds[1], state.scores.total)


def _take_models(state: StreamState, old_models: Sequence[int | None], replayed: StreamState | None) -> None:
    """Model n becomes the old model ``old_models[n]``, or, where that is None, the next of ``replayed``."""
    shift = state.scores.total - replayed.scores.total if replayed else 0
    classes = [state.classes[label] for label in replayed.labels] if replayed else []
    state.window.change_models(old_models, _replayed_predictions(state, replayed, shift, classes))
    new_models = iter(range(len(replayed.models)) if replayed else ())
    sources = [(state, old) if old is not None else (replayed or state, next(new_models)) for old in old_models]
    state.reset_at = [
        source.reset_at[at] + (shift if source is replayed and source.reset_at[at] else 0) for source, at in sources
    ]
    for calibrator in replayed.calibrators if replayed else ():
        calibrator.shift(shift)
    state.models, state.calibrators, state.drifts, state.drift_counts = (
        [source.models[at] for source, at in sources],
        [source.calibrators[at] for source, at in sources],
        [source.drifts[at] for source, at in sources],
        [source.drift_counts[at] for source, at in sources],
    )
    marks = [mark._replace(scored=mark.scored + shift) for mark in replayed.marks] if replayed else []
    marks += [mark for mark in state.marks if mark.model in state.config.models]
    state.marks = sorted(marks, key=lambda mark: (mark.scored, state.config.models.index(mark.model)))[-MAX_MARKS:]
    if replayed:
        for group in replayed.scores.groups:
            group.metrics.renumber(classes)
    state.scores.change_models(old_models, replayed.scores if replayed else None)
    state.comparisons.change_models(old_models, state.scores.total)
    state.label_reasons.samples = [source.label_reasons.samples[at] for source, at in sources]


def _replayed_predictions(
    state: StreamState, replayed: StreamState | None, shift: int, classes: Sequence[int]
) -> Callable[[str, WindowExample], Sequence[ModelPrediction]]:
    """What the new models predicted of an example of the window, where the replay knows it as the stream does.

    Index i of the replay's metrics is index ``i + shift`` of the stream's, class n is ``classes[n]``.
    """

    def predictions_of(id: str, example: WindowExample) -> Sequence[ModelPrediction]:
        if replayed is None:
            return ()
        replica = replayed.window.find(id)
        if replica is None or replica.position != example.position:
            return [NOT_LEARNED] * len(replayed.models)
        labels = state.name_of(example.label), replayed.name_of(replica.label)
        ages = state.learned - example.learned_after, replayed.learned - replica.learned_after
        same_age = labels[0] is None or ages[0] == ages[1]
        if labels[0] == labels[1] and same_age and _score_index(example, 0) == _score_index(replica, shift):
            return [prediction.renumbered(classes) for prediction in replica.predictions]
        return [NOT_LEARNED if replica.label == UNLABELLED else PERHAPS_LEARNED] * len(replayed.models)

    return predictions_of


def _score_index(example: WindowExample, shift: int) -> int | None:
    return None if example.score_index == UNSCORED else example.score_index + shift
