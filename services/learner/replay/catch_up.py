"""Other models in a stream: those that are kept, those that go, and those that a replay of the log has caught up."""

from collections.abc import Callable, Sequence

from prequel.services.learner.fold.abstentions import Unknowns
from prequel.services.learner.fold.examples import UNLABELLED, UNSCORED, Entry
from prequel.services.learner.fold.predictions import NOTHING, UNKNOWN, Guess
from prequel.services.learner.fold.stream import KEPT_MARKS, StreamState


def remodel(state: StreamState, specs: tuple[str, ...], twin: StreamState | None) -> None:
    """Let the stream have these models, the first as its champion.

    ``twin`` holds those that are new, at the same place of the log; None where nothing is new, or nothing was seen.
    """
    before = state.limits.models
    fresh = StreamState(state.name, state.limits._replace(models=specs), state.table)
    state.limits, state.reactions = fresh.limits, fresh.reactions
    if not state.models:
        state.born, state.drifts, state.drifted = fresh.born, fresh.drifts, fresh.drifted
        state.scores, state.window = fresh.scores, fresh.window
        return
    if specs == before:
        return
    kept = [before.index(spec) if spec in before else None for spec in specs]
    _take(state, kept, twin)
    if specs[0] != before[0]:
        # What was served before stays as it was: it is the old champion's, and corrections do not restate it here.
        state.unknowns, state.unknowns_from = Unknowns(), state.window.bounds[1]


def _take(state: StreamState, kept: Sequence[int | None], twin: StreamState | None) -> None:
    shift = state.scores.total - twin.scores.total if twin else 0
    classes = [state.classes[label] for label in twin.labels] if twin else []
    state.window.remodel(kept, _guesses(state, twin, shift, classes))
    sources = iter(range(len(twin.models)) if twin else ())
    places = [(state, old) if old is not None else (twin or state, next(sources)) for old in kept]
    state.born = [source.born[at] + (shift if source is twin and source.born[at] else 0) for source, at in places]
    state.models, state.drifts, state.drifted = (
        [source.models[at] for source, at in places],
        [source.drifts[at] for source, at in places],
        [source.drifted[at] for source, at in places],
    )
    marks = [mark._replace(scored=mark.scored + shift) for mark in twin.marks] if twin else []
    marks += [mark for mark in state.marks if mark.model in state.limits.models]
    state.marks = sorted(marks, key=lambda mark: (mark.scored, state.limits.models.index(mark.model)))[-KEPT_MARKS:]
    if twin:
        for group in twin.scores.groups:
            group.scores.renumber(classes)
    state.scores.remodel(kept, twin.scores if twin else None)


def _guesses(
    state: StreamState, twin: StreamState | None, shift: int, classes: Sequence[int]
) -> Callable[[str, Entry], Sequence[Guess]]:
    """What the new models said of an example of the window, where the replay knows it as the stream does."""

    def find(id: str, entry: Entry) -> Sequence[Guess]:
        if twin is None:
            return ()
        found = twin.window.find(id)
        if found is None or found.position != entry.position:
            return [NOTHING] * len(twin.models)
        labels = state.name_of(entry.label), twin.name_of(found.label)
        if labels[0] == labels[1] and _score(entry, 0) == _score(found, shift):
            return [guess.renumbered(classes) for guess in found.guesses]
        return [NOTHING if found.label == UNLABELLED else UNKNOWN] * len(twin.models)

    return find


def _score(entry: Entry, shift: int) -> int | None:
    return None if entry.score == UNSCORED else entry.score + shift
