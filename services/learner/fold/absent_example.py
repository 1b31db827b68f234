"""A label for an example that is not in the window: it has left it, or has not come yet."""

from prequel.services.learner.fold.join.waiting_labels import WaitingLabel
from prequel.services.learner.fold.outputs import Output, label_outcome, outcome_event
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.events.types import Label
from prequel.shared.log.base import Position


def label_absent_example(state: StreamState, event: Label) -> list[Output]:
    """Let the label wait for its example, or say why it does not."""
    if event.id in state.expired_ids:
        return [label_outcome(state, event, "expired")]
    waiting = state.waiting.get(event.id)
    previous = waiting.label if waiting else None
    if event.label is None:
        state.waiting.pop(event.id)
    if event.label == previous:
        return [label_outcome(state, event, "unchanged", previous=previous)]
    if event.label is None:
        return [label_outcome(state, event, "retracted", previous=previous)]
    # Old labels give up their room only when it is needed, so that a label waits as long as it can.
    expired = _expire_waiting(state, event.position) if waiting is None and state.waiting.full else []
    if waiting is None and state.waiting.full:
        return [*expired, label_outcome(state, event, "rejected")]
    why = waiting.why if waiting else event.why
    state.waiting.put(event.id, WaitingLabel(event.label, event.position, event.time, state.images, why, event.by))
    return [*expired, label_outcome(state, event, "waiting", previous=previous)]


def _expire_waiting(state: StreamState, at: Position) -> list[Output]:
    """Remove labels that have waited for more examples than the window has: theirs would be out of it by now."""
    outputs = []
    for id, label in state.waiting.expire(state.images - state.config.window):
        state.count_status("expired")
        outcome = outcome_event(state, id, label.label, "expired", position=label.position, time=label.time)
        outputs.append(Output(at, outcome))
    return outputs
