"""What models have said of a stream's examples, remembered until a label changes them."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from weakref import ref

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.opinions.served import NOTHING, Numbers, Served
from prequel.services.learner.opinions.suspects import LeavingOut

MAX_STREAMS = 4
"""Streams remembered, those asked last: a model's opinions of 50,000 examples are 7 MB. People look at one or two."""


def version(state: StreamState) -> Hashable:
    """Equal as long as the stream's models and what is served of them are: whatever changes them is counted already.

    The models themselves are named, since a replay that has caught up brings others.
    """
    changes = [state.statuses.get(status, 0) for status in ("corrected", "retracted")]
    return (state.learned, *changes, state.config, *map(id, state.models))


class StreamMemory:
    """Of one version of a stream: what each model says, and what one of them says without each example."""

    def __init__(self, state: StreamState) -> None:
        self._state, self._version = ref(state), version(state)
        """Not the state itself: what a deleted stream, or a forgotten image, has left must not stay in memory."""
        self.leaving_out: LeavingOut | None = None
        """That model without one example at a time, once somebody has asked for suspects: some 20 MB for each model
        of sums at 1,280 features, until the next label."""
        self._said: dict[int | str, Served] = {}

    @property
    def is_current(self) -> bool:
        """Whether the stream is as it was then. Call it under the learner's lock."""
        state = self._state()
        return state is not None and version(state) == self._version

    def is_of(self, state: StreamState) -> bool:
        return self._state() is state and self.is_current

    def said(self, of: int | str) -> Served:
        """By a model's number, or another name."""
        return self._said.get(of, NOTHING)

    def add(self, of: int | str, answers: Sequence[Served], oldest: int) -> Served:
        """Remember more, and forget what is before ``oldest``; all of it."""
        self._said[of] = self.said(of).joined(answers, oldest)
        return self._said[of]

    def missing(self, of: int | str, sequences: Numbers) -> Numbers:
        """Places of the examples that it has not said anything of."""
        places: Numbers = (~self.said(of).holds(sequences)).nonzero()[0]
        return places


class OpinionMemory:
    """Of the streams asked last, their newest version."""

    def __init__(self) -> None:
        self._streams: OrderedDict[str, StreamMemory] = OrderedDict()

    def of(self, state: StreamState) -> StreamMemory:
        """What is remembered of the stream as it is now. Call it under the learner's lock."""
        known = self._streams.get(state.name)
        if known is None or not known.is_of(state):
            known = self._streams[state.name] = StreamMemory(state)
        self._streams.move_to_end(state.name)
        while len(self._streams) > MAX_STREAMS:
            self._streams.popitem(last=False)
        return known

    def drop_old(self) -> None:
        """Forget streams that have changed since. Call it under the learner's lock."""
        for name in [name for name, memory in self._streams.items() if not memory.is_current]:
            del self._streams[name]
