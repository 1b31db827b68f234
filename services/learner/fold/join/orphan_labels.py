"""Labels for streams that do not exist (yet), bounded: they wait in the partition, not in a stream."""

from typing import Any, NamedTuple

from prequel.services.learner.fold.join.waiting_labels import WaitingLabel
from prequel.shared.events.names import id_digest
from prequel.shared.events.types import Erased, Label, Outcome, Rejected
from prequel.shared.log.base import Position


class OrphanLabel(NamedTuple):
    """One label; ``since`` is the offset at which its image was first labelled, ``why`` how it was chosen then, ``by``
    who gave this label.

    ``id`` is empty where it was erased.
    """

    id: str
    label: str
    position: Position
    time: float
    since: int
    why: str
    by: str


class OrphanLabels:
    """At most ``max_labels`` of a partition, oldest first; when they are full, those that have waited for more than
    ``window`` records expire.

    The room taken depends only on which ids were labelled or retracted. Exactly that remains of an event that is
    erased (see Erased), so that the fold of an erased log is the same.
    """

    def __init__(self, max_labels: int, window: int) -> None:
        self._max_labels, self._window = max_labels, window
        self._labels: dict[tuple[str, str], OrphanLabel] = {}
        """By stream and ``id_digest``."""

    def __len__(self) -> int:
        return len(self._labels)

    def resize(self, max_labels: int, window: int) -> None:
        """Change the limits; labels that wait already go on waiting."""
        self._max_labels, self._window = max_labels, window

    def apply(self, event: Label) -> list[Outcome]:
        """Let the label wait; what became of it, and of those that expired. Raises Rejected where there is no room."""
        key = (event.stream, id_digest(event.id))
        known = self._labels.get(key)
        previous = known.label if known else None
        if event.label is None:
            self._labels.pop(key, None)
            return [_outcome(event, "retracted" if known else "unchanged", previous)]
        if event.label == previous:
            return [_outcome(event, "unchanged", previous)]
        at, offset = event.position, event.position.offset
        expired = self._put(key, OrphanLabel(event.id, event.label, at, event.time, offset, event.why, event.by))
        return [*expired, _outcome(event, "waiting", previous)]

    def apply_erased(self, event: Erased) -> None:
        """Take the room that the erased label took, or free what the erased retraction freed."""
        key = (event.stream, event.id)
        if event.retracts:
            self._labels.pop(key, None)
            return
        try:
            self._put(key, OrphanLabel("", "", event.position, 0.0, event.position.offset, "", ""))
        except Rejected:
            return  # As the label was, which is a dead letter.

    def remove_stream(self, stream: str) -> list[tuple[str, WaitingLabel]]:
        """Remove the labels of a stream that begins, or was deleted, and return them by image id."""
        labels = [label for (name, _), label in self._labels.items() if name == stream]
        self._labels = {key: label for key, label in self._labels.items() if key[0] != stream}
        return [
            (label.id, WaitingLabel(label.label, label.position, label.time, 0, label.why, label.by))
            for label in labels
            if label.id
        ]

    def rows(self) -> list[list[Any]]:
        """As a snapshot stores them; ``load`` is the inverse."""
        return [
            [*key, label.id, label.label, list(label.position), label.time, label.since, label.why, label.by]
            for key, label in self._labels.items()
        ]

    def load(self, rows: list[list[Any]]) -> None:
        """The inverse of ``rows``."""
        self._labels = {
            (stream, digest): OrphanLabel(id, label, Position(*at), *rest)
            for stream, digest, id, label, at, *rest in rows
        }

    def _put(self, key: tuple[str, str], label: OrphanLabel) -> list[Outcome]:
        if key in self._labels:
            self._labels[key] = label._replace(since=self._labels[key].since, why=self._labels[key].why)
            return []
        expired = self._expire(label.since - self._window) if len(self._labels) >= self._max_labels else []
        if len(self._labels) >= self._max_labels:
            raise Rejected(
                "unknown-stream",
                f"there is no stream {key[0]}, and {self._max_labels} labels (PREQUEL_MAX_WAITING) wait for streams "
                "that do not exist: send an image to it first, and then the label again",
            )
        self._labels[key] = label
        return expired

    def _expire(self, before: int) -> list[Outcome]:
        """Remove the labels of images that were first labelled before this offset."""
        expired = []
        while self._labels:
            key, label = next(iter(self._labels.items()))
            if label.since >= before:
                break
            del self._labels[key]
            if label.id:
                expired.append(_expired(key[0], label))
        return expired


def _outcome(event: Label, status: str, previous: str | None) -> Outcome:
    return Outcome(
        id=event.id,
        stream=event.stream,
        position=event.position,
        status=status,
        label=event.label,
        previous=previous,
        predicted=None,
        exact=True,
        time=event.time,
    )


def _expired(stream: str, label: OrphanLabel) -> Outcome:
    return Outcome(
        id=label.id,
        stream=stream,
        position=label.position,
        status="expired",
        label=label.label,
        previous=None,
        predicted=None,
        exact=True,
        time=label.time,
    )
