"""The newest predictions of every stream with their present truth: what the log said, kept small and in memory."""

from collections import OrderedDict
from typing import Any, NamedTuple

import orjson

from prequel.services.gateway.view.ends import Ends
from prequel.shared.events.types import Outcome, Prediction
from prequel.shared.log.base import Position

NOWHERE = Position(-1, -1)
DECIDING = {"learned", "corrected", "unchanged", "retracted"}
"""What a label can become that says what the truth is now; all others leave it as it was."""
REFUSING = {"rejected", "expired"}
"""What a label can become that leaves the truth as it was, though somebody wanted another."""


class RefusedLabel(NamedTuple):
    """A label that was not taken, where it stands in ``examples`` and what became of it."""

    position: Position
    label: str
    status: str


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
    refused: RefusedLabel | None = None
    """The newest label that was refused, if any; the truth may be newer."""

    def json(self) -> dict[str, Any]:
        """The prediction with its present truth, as it goes over HTTP."""
        answer: dict[str, Any] = orjson.loads(self.value)
        answer["truth"] = self.truth
        return answer

    def models(self) -> dict[str, str | None]:
        """What every model predicted; parsed anew at each call, for few calls ask."""
        models: dict[str, str | None] = orjson.loads(self.value).get("models", {})
        return models


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
        self._ends = Ends()

    def __len__(self) -> int:
        return self._size

    def predicted(self, prediction: Prediction, value: bytes) -> Entry:
        """Take a prediction in, ``value`` being its JSON; return what is known of it now."""
        if self._ends.cover(prediction.stream, prediction.position):
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
        elif entry and outcome.status in REFUSING and outcome.label is not None:
            refused = RefusedLabel(outcome.position, outcome.label, outcome.status)
            if entry.refused is None or refused.position >= entry.refused.position:
                self._shelves[outcome.stream].entries[outcome.id] = entry._replace(refused=refused)

    def end(self, stream: str, position: Position) -> None:
        """Forget a stream that the command at ``position`` deleted, and what comes again of the time before."""
        shelf = self._shelves.pop(stream, Shelf())
        self._size -= len(shelf.entries)
        self._ends.add(stream, position)

    def ended(self, stream: str, position: Position) -> bool:
        """Whether an event at ``position`` of ``examples`` is of the time before the stream was deleted."""
        return self._ends.cover(stream, position)

    def end_of(self, stream: str) -> Position | None:
        """The command in ``examples`` that deleted it last."""
        return self._ends.of(stream)

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

    def knows(self, stream: str) -> bool:
        """Whether a prediction of it is kept."""
        shelf = self._shelves.get(stream)
        return shelf is not None and bool(shelf.entries)

    def active_at(self, stream: str) -> str | None:
        """The time of a stream's newest image, as its prediction has it."""
        shelf = self._shelves.get(stream)
        if not shelf or not shelf.entries:
            return None
        at: str | None = orjson.loads(next(reversed(shelf.entries.values())).value).get("at")
        return at

    def clear(self) -> None:
        self._shelves.clear()
        self._ends.clear()
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
