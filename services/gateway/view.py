"""The newest predictions of every stream with their present truth: what the log said, kept small and in memory."""

from collections import OrderedDict
from typing import NamedTuple

from shared.events import Outcome, Prediction
from shared.log import Position

NOWHERE = Position(-1, -1)
DECIDING = {"learned", "corrected", "unchanged", "retracted"}
"""What a label can become that says what the truth is now; all others leave it as it was."""


class Entry(NamedTuple):
    """A prediction with its present truth, which the label event at ``decided`` (in ``examples``) gave it.

    ``margin`` is the distance of the two largest probabilities, 0 where there is none: the smaller, the less certain.
    """

    prediction: Prediction
    decided: Position
    margin: float


class View:
    """At most ``per_stream`` predictions a stream and ``most`` in all, the newest ones. For one thread only.

    Every record may be applied any number of times, and a replayed stretch of the log again after newer records:
    a prediction of the same position is the same one, and an older label event never overrules a newer one.
    """

    def __init__(self, per_stream: int, most: int) -> None:
        self._per_stream, self._most = per_stream, most
        self._streams: dict[str, OrderedDict[str, Entry]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def predicted(self, prediction: Prediction) -> bool:
        """Take a prediction in; False where it was known already."""
        entries = self._streams.setdefault(prediction.stream, OrderedDict())
        known = entries.get(prediction.id)
        if known and known.prediction.position == prediction.position:
            return False
        decided = NOWHERE if prediction.truth is None else prediction.position
        entries[prediction.id] = Entry(prediction, decided, margin(prediction))
        entries.move_to_end(prediction.id)
        self._size += known is None
        self._forget(entries)
        return True

    def decided(self, outcome: Outcome) -> bool:
        """Take the truth from a label's outcome; False where it says nothing (new) about a prediction held here."""
        entries = self._streams.get(outcome.stream, OrderedDict[str, Entry]())
        entry = entries.get(outcome.id)
        if entry is None or outcome.status not in DECIDING or outcome.position < entry.decided:
            return False
        prediction = entry.prediction._replace(truth=outcome.label)
        entries[outcome.id] = entry._replace(prediction=prediction, decided=outcome.position)
        return True

    def get(self, stream: str, id: str) -> Prediction | None:
        entry = self._streams.get(stream, OrderedDict[str, Entry]()).get(id)
        return entry.prediction if entry else None

    def newest(self, stream: str) -> list[Entry]:
        """All of a stream, the newest first: a copy, safe to work through on another thread."""
        return list(reversed(self._streams.get(stream, OrderedDict[str, Entry]()).values()))

    def clear(self) -> None:
        self._streams.clear()
        self._size = 0

    def _forget(self, entries: OrderedDict[str, Entry]) -> None:
        if len(entries) > self._per_stream:
            entries.popitem(last=False)
            self._size -= 1
        if self._size > self._most:
            max(self._streams.values(), key=len).popitem(last=False)
            self._size -= 1


def margin(prediction: Prediction) -> float:
    """Largest probability less the second largest (0 where there is none), as active learning asks labels by."""
    best = sorted(prediction.probabilities.values(), reverse=True)[:2]
    return float(best[0] - sum(best[1:])) if best else 0.0
