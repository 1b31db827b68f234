"""The newest predictions of every stream with their present truth: what the log said, kept small and in memory."""

from collections import OrderedDict
from typing import Any, NamedTuple

import orjson

from shared.events import Outcome, Prediction
from shared.log import Position

NOWHERE = Position(-1, -1)
KEPT_ENDS = 10_000
"""Deleted streams that are remembered, a hundred bytes each: with fewer, a crash soon after many were deleted could
show predictions of an old one again."""
DECIDING = {"learned", "corrected", "unchanged", "retracted"}
"""What a label can become that says what the truth is now; all others leave it as it was."""


class Entry(NamedTuple):
    """A prediction as few objects: its JSON as it stands in the log, and what lists are filtered and sorted by.

    ``truth`` is the present one, which the label event at ``decided`` (in ``examples``) gave it. ``margin`` is the
    distance of the two largest probabilities, 0 where there is none: the smaller, the less certain.
    """

    value: bytes
    position: Position
    label: str | None
    truth: str | None
    decided: Position
    margin: float

    def json(self) -> dict[str, Any]:
        """The prediction with its present truth, as it goes over HTTP."""
        answer: dict[str, Any] = orjson.loads(self.value)
        answer["truth"] = self.truth
        return answer


class Shelf:
    """One stream's entries in order of arrival, and the position of the newest that had to go."""

    def __init__(self) -> None:
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self.gone = NOWHERE

    def forget_oldest(self) -> None:
        self.gone = max(self.gone, self.entries.popitem(last=False)[1].position)

    def forgotten(self, position: Position) -> bool:
        """Whether a prediction was here already and had to go: offsets only tell within one partition."""
        return position.partition == self.gone.partition and position <= self.gone


class View:
    """At most ``per_stream`` predictions a stream and ``most`` in all, the newest ones. For one thread only.

    Every record may be applied any number of times, and a replayed stretch of the log again after newer records:
    a prediction of the same position is the same one (of other models, where the log was folded anew), one that had to
    go stays away, and an older label event never overrules a newer one.
    """

    def __init__(self, per_stream: int, most: int) -> None:
        self._per_stream, self._most = per_stream, most
        self._shelves: dict[str, Shelf] = {}
        self._size = 0
        self._ended: OrderedDict[str, Position] = OrderedDict()

    def __len__(self) -> int:
        return self._size

    def predicted(self, prediction: Prediction, value: bytes) -> Entry:
        """Take a prediction in, ``value`` being its JSON; return what is known of it now."""
        if self.ended(prediction.stream, prediction.position):
            return _entry(prediction, value)
        shelf = self._shelves.setdefault(prediction.stream, Shelf())
        known = shelf.entries.get(prediction.id)
        if known and known.position == prediction.position:
            if known.value != value:
                known = known._replace(value=value, label=prediction.label, margin=margin(prediction))
                shelf.entries[prediction.id] = known
            return known
        entry = _entry(prediction, value)
        if not shelf.forgotten(prediction.position):
            shelf.entries[prediction.id] = entry
            shelf.entries.move_to_end(prediction.id)
            self._size += known is None
            self._make_room(shelf)
        return entry

    def decided(self, outcome: Outcome) -> None:
        """Take the truth from a label's outcome, where it says anything new about a prediction held here."""
        entry = self.get(outcome.stream, outcome.id)
        if entry and outcome.status in DECIDING and outcome.position >= entry.decided:
            decided = entry._replace(truth=outcome.label, decided=outcome.position)
            self._shelves[outcome.stream].entries[outcome.id] = decided

    def end(self, stream: str, position: Position) -> None:
        """Forget a stream that the command at ``position`` deleted, and what comes again of the time before."""
        shelf = self._shelves.pop(stream, Shelf())
        self._size -= len(shelf.entries)
        self._ended[stream] = position
        self._ended.move_to_end(stream)
        if len(self._ended) > KEPT_ENDS:
            self._ended.popitem(last=False)

    def end_of(self, stream: str) -> Position | None:
        """The command in ``examples`` that deleted it last."""
        return self._ended.get(stream)

    def ended(self, stream: str, position: Position) -> bool:
        """Whether what stands at ``position`` in ``examples`` came before the stream was deleted."""
        end = self._ended.get(stream)
        return end is not None and position.partition == end.partition and position < end

    def get(self, stream: str, id: str) -> Entry | None:
        shelf = self._shelves.get(stream)
        return shelf.entries.get(id) if shelf else None

    def holds(self, stream: str) -> bool:
        """Whether there is any prediction of it here."""
        return bool(stream in self._shelves and self._shelves[stream].entries)

    def newest(self, stream: str) -> list[Entry]:
        """All of a stream, the newest first: a copy, safe to work through on another thread."""
        shelf = self._shelves.get(stream)
        return list(reversed(shelf.entries.values())) if shelf else []

    def clear(self) -> None:
        self._shelves.clear()
        self._ended.clear()
        self._size = 0

    def _make_room(self, shelf: Shelf) -> None:
        if len(shelf.entries) > self._per_stream:
            shelf.forget_oldest()
            self._size -= 1
        if self._size > self._most:
            max(self._shelves.values(), key=lambda each: len(each.entries)).forget_oldest()
            self._size -= 1


def _entry(prediction: Prediction, value: bytes) -> Entry:
    decided = NOWHERE if prediction.truth is None else prediction.position
    return Entry(value, prediction.position, prediction.label, prediction.truth, decided, margin(prediction))


def margin(prediction: Prediction) -> float:
    """Largest probability less the second largest (0 where there is none), as active learning asks labels by."""
    best = sorted(prediction.probabilities.values(), reverse=True)[:2]
    return float(best[0] - sum(best[1:])) if best else 0.0
