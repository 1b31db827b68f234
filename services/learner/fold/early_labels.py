"""Labels for streams that do not exist (yet), bounded: they wait in the partition, whatever names they bring."""

from hashlib import blake2b
from typing import Any, NamedTuple

from prequel.services.learner.fold.waiting_labels import Waiting
from prequel.shared.events.types import Erased, Label, Outcome, Rejected
from prequel.shared.log.base import Position


class Early(NamedTuple):
    """One label; ``since`` is the offset at which its image was first named. ``id`` empty: it was erased."""

    id: str
    label: str
    position: Position
    time: float
    since: int


class EarlyLabels:
    """At most ``most`` of a partition, oldest first; one that waits longer than ``window`` records may have to go.

    How much room is taken depends on which ids were labelled or retracted and on nothing else, so that an event of
    which only that is left (see Erased) counts as the whole one did.
    """

    def __init__(self, most: int, window: int) -> None:
        self._most, self._window = most, window
        self._labels: dict[tuple[str, str], Early] = {}

    def __len__(self) -> int:
        return len(self._labels)

    def limit(self, most: int, window: int) -> None:
        """Other limits from here on; those that wait already go on waiting."""
        self._most, self._window = most, window

    def take(self, event: Label) -> list[Outcome]:
        """Keep the label; what became of it, and of those that had to go. Raises Rejected where there is no room."""
        key = (event.stream, id_digest(event.id))
        known = self._labels.get(key)
        previous = known.label if known else None
        if event.label is None:
            self._labels.pop(key, None)
            return [_outcome(event, "retracted" if known else "unchanged", previous)]
        if event.label == previous:
            return [_outcome(event, "unchanged", previous)]
        gone = self._put(key, Early(event.id, event.label, event.position, event.time, event.position.offset))
        return [*gone, _outcome(event, "waiting", previous)]

    def erased(self, event: Erased) -> None:
        """Take as much room as the label did of which this is left, or give back as much."""
        key = (event.stream, event.id)
        if event.retracts:
            self._labels.pop(key, None)
            return
        try:
            self._put(key, Early("", "", event.position, 0.0, event.position.offset))
        except Rejected:
            return  # As the label was, which is a dead letter.

    def adopt(self, stream: str) -> list[tuple[str, Waiting]]:
        """Hand over the labels of a stream that begins, by image id."""
        found = [early for (name, _), early in self._labels.items() if name == stream]
        self.drop(stream)
        return [(each.id, Waiting(each.label, each.position, each.time, 0)) for each in found if each.id]

    def drop(self, stream: str) -> None:
        self._labels = {key: early for key, early in self._labels.items() if key[0] != stream}

    def rows(self) -> list[list[Any]]:
        return [[*key, e.id, e.label, list(e.position), e.time, e.since] for key, e in self._labels.items()]

    def load(self, rows: list[list[Any]]) -> None:
        """The inverse of ``rows``."""
        self._labels = {
            (stream, digest): Early(id, label, Position(*at), time, since)
            for stream, digest, id, label, at, time, since in rows
        }

    def _put(self, key: tuple[str, str], early: Early) -> list[Outcome]:
        if key in self._labels:
            self._labels[key] = early._replace(since=self._labels[key].since)
            return []
        gone = self._expire(early.since - self._window) if len(self._labels) >= self._most else []
        if len(self._labels) >= self._most:
            raise Rejected(
                "unknown-stream",
                f"there is no stream {key[0]}, and {self._most} labels (PREQUEL_MAX_WAITING) wait for streams that do "
                "not exist: send an image to it first, and then the label again",
            )
        self._labels[key] = early
        return gone

    def _expire(self, before: int) -> list[Outcome]:
        gone = []
        while self._labels:
            key, early = next(iter(self._labels.items()))
            if early.since >= before:
                break
            del self._labels[key]
            if early.id:
                gone.append(
                    Outcome(
                        early.id,
                        key[0],
                        early.position,
                        "expired",
                        early.label,
                        None,
                        None,
                        exact=True,
                        time=early.time,
                    )
                )
        return gone


def id_digest(id: str) -> str:
    """What is remembered of an image's id: equal ids stay equal, and nothing else of them is left."""
    return blake2b(id.encode(), digest_size=16).hexdigest()


def _outcome(event: Label, status: str, previous: str | None) -> Outcome:
    return Outcome(
        event.id, event.stream, event.position, status, event.label, previous, None, exact=True, time=event.time
    )
