"""The features that labels need: read ahead for a whole batch, and their images' attributes for the outcomes."""

from collections.abc import Callable, Iterable, Mapping

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.outputs import Output
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.events.types import ExampleEvent, Label, Outcome
from prequel.shared.log.base import Position
from prequel.shared.vectors import Vector

_FEATURES_READ = ("learned", "corrected", "retracted")
"""Outcomes for which the features were read, whatever else a batch had in it."""


def read_ahead(
    events: Iterable[ExampleEvent], streams: Mapping[str, StreamState], cache: FeatureCache
) -> Callable[[Position], Vector | None]:
    """Features by position; those that the labels among the events will most likely need are read in one go.

    Blocks; raises LogUnavailable. One by one, a thousand labels of old images would be a thousand reads of the log.
    """
    examples = [
        streams[event.stream].window.find(event.id)
        for event in events
        if isinstance(event, Label) and event.stream in streams
    ]
    ahead = cache.fetch(example.position for example in examples if example is not None)

    def features_at(position: Position) -> Vector | None:
        vector = ahead.get(position)
        return cache.fetch([position]).get(position) if vector is None else vector

    return features_at


def with_attributes(outputs: list[Output], stream: StreamState, label: Label, cache: FeatureCache) -> list[Output]:
    """The outputs of a label, its outcome with the attributes of its image where the features were read for it."""
    example = stream.window.find(label.id) if cache.attributes_read else None
    attributes = cache.attributes_read.get(example.position) if example else None
    outcome = outputs[0].event
    if not attributes or not isinstance(outcome, Outcome) or outcome.status not in _FEATURES_READ:
        return outputs
    return [Output(outputs[0].at, outcome._replace(attributes=attributes)), *outputs[1:]]
