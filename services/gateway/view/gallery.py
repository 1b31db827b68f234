"""The gallery: the newest predictions of every stream with their present truth, compact and in memory."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import orjson

from prequel.services.gateway.view.deletions import StreamDeletions
from prequel.services.gateway.view.forgotten import ForgottenImages
from prequel.shared.events.types import Outcome, Prediction
from prequel.shared.log.base import Position

NOWHERE = Position(-1, -1)
"""Before every position."""
TRUTH_STATUSES = {"learned", "corrected", "unchanged", "retracted"}
"""Outcomes that say what the truth is now; all others leave it as it was."""
REFUSED_STATUSES = {"rejected", "expired"}
"""Outcomes of a label that did not become the truth."""


class RefusedLabel(NamedTuple):
    """A label that was refused, its position in ``examples`` and its outcome."""

    position: Position
    label: str
    status: str


class GalleryRow(NamedTuple):
    """A prediction in few objects: its JSON as it stands in the log, and what lists are filtered and sorted by.

    ``truth`` is the present one, given by the label event at ``truth_position`` (in ``examples``). ``margin`` is the
    difference of the two largest probabilities, 0 where there is none: the smaller, the less certain.
    """

    value: bytes
    position: Position
    label: str | None
    truth: str | None
    truth_position: Position
    margin: float
    refused: RefusedLabel | None = None
    """The newest label that was refused, if any; the truth may be newer."""
    names: Mapping[str, str] = {}
    """What classes are called now, by their names in ``value``."""

    def renamed(self, names: Mapping[str, str]) -> "GalleryRow":
        """The same, with what the classes are called now by what they were called when it was made."""
        if not names:
            return self
        return self._replace(names=names, label=_now(names, self.label), truth=_now(names, self.truth))

    def json(self) -> dict[str, Any]:
        """The prediction with its present truth, as HTTP answers have it."""
        answer: dict[str, Any] = orjson.loads(self.value)
        if self.names:
            answer |= _with_names(answer, self.names)
        answer["truth"] = self.truth
        return answer

    def image(self) -> Position | None:
        """Where the image stands in the log; None where the example came as features. Parsed at each call."""
        image = orjson.loads(self.value)["image"]
        return None if image is None else Position.parse(image)

    def models(self) -> dict[str, str | None]:
        """The label that each model predicted. Parsed at each call: stored, they would double the gallery's memory for
        the few calls that need them."""
        models: dict[str, str | None] = orjson.loads(self.value).get("models", {})
        return {model: _now(self.names, label) for model, label in models.items()} if self.names else models


class StreamRows:
    """One stream's rows by image id, in order of arrival, and the position of the newest that was evicted."""

    def __init__(self) -> None:
        self.rows: OrderedDict[str, GalleryRow] = OrderedDict()
        self.newest_evicted = NOWHERE

    def evict_oldest(self) -> None:
        self.newest_evicted = max(self.newest_evicted, self.rows.popitem(last=False)[1].position)

    def was_evicted(self, position: Position) -> bool:
        """Whether a prediction at this position was evicted. Offsets have an order only within one partition."""
        return position.partition == self.newest_evicted.partition and position <= self.newest_evicted


class Gallery:
    """At most ``max_per_stream`` predictions a stream and ``max_total`` in all, the newest. Event loop only.

    The log delivers records at least once, and a stretch of it again after newer records. Applied again, they change
    nothing: a prediction at the same position is the same one (perhaps by other models, if a learner rebuilt its
    state), one that was evicted stays away, and an older label event never overrules a newer one.
    """

    def __init__(self, max_per_stream: int, max_total: int) -> None:
        self._max_per_stream, self._max_total = max_per_stream, max_total
        self._streams: dict[str, StreamRows] = {}
        self._size = 0
        self._deletions = StreamDeletions()
        self.forgotten = ForgottenImages()

    def __len__(self) -> int:
        return self._size

    def add(self, prediction: Prediction, value: bytes) -> GalleryRow:
        """Add a prediction, whose JSON is ``value``; return what is known of it now."""
        if self._deletions.is_before(prediction.stream, prediction.position) or self.forgotten.hides(
            prediction.stream, prediction.id, prediction.position
        ):
            return _row(prediction, value)
        stream = self._streams.setdefault(prediction.stream, StreamRows())
        known = stream.rows.get(prediction.id)
        if known and known.position == prediction.position:
            if known.value != value:
                known = known._replace(value=value, label=prediction.label, margin=margin(prediction))
                stream.rows[prediction.id] = known
            return known
        row = _row(prediction, value)
        if not stream.was_evicted(prediction.position):
            stream.rows[prediction.id] = row
            stream.rows.move_to_end(prediction.id)
            self._size += known is None
            self._evict(stream)
        return row

    def apply_outcome(self, outcome: Outcome) -> None:
        """Update the row of the labelled image, if it is here and has not seen a newer label event."""
        row = self.get(outcome.stream, outcome.id)
        if row is None:
            return
        rows = self._streams[outcome.stream].rows
        if outcome.status in TRUTH_STATUSES and outcome.position >= row.truth_position:
            rows[outcome.id] = row._replace(truth=outcome.label, truth_position=outcome.position)
        elif outcome.status in REFUSED_STATUSES and outcome.label is not None:
            refused = RefusedLabel(outcome.position, outcome.label, outcome.status)
            if row.refused is None or refused.position >= row.refused.position:
                rows[outcome.id] = row._replace(refused=refused)

    def delete_stream(self, stream: str, command: Position) -> None:
        """Forget a stream that the command deleted, and ignore its older events if they come again."""
        removed = self._streams.pop(stream, StreamRows())
        self._size -= len(removed.rows)
        self._deletions.add(stream, command)

    def forget_images(self, stream: str, digests: Collection[str], command: Position) -> list[Position]:
        """Forget the images that the command forgot, and return where they stand in the log, as far as they are images.

        Their older events are ignored if they come again.
        """
        self.forgotten.add(stream, digests, command)
        rows = self._streams[stream].rows if stream in self._streams else {}
        gone = [id for id, row in rows.items() if self.forgotten.hides(stream, id, row.position)]
        removed = [rows.pop(id) for id in gone]
        self._size -= len(removed)
        return [image for row in removed if (image := row.image())]

    def is_before_deletion(self, stream: str, position: Position) -> bool:
        """Whether the stream was deleted after the event at ``position`` of ``examples``."""
        return self._deletions.is_before(stream, position)

    def deletion_of(self, stream: str) -> Position | None:
        """The position in ``examples`` of the newest command that deleted the stream."""
        return self._deletions.command(stream)

    def get(self, stream: str, id: str) -> GalleryRow | None:
        known = self._streams.get(stream)
        row = known.rows.get(id) if known else None
        return None if row is None or self.forgotten.hides(stream, id, row.position) else row

    def is_forgotten(self, stream: str, id: str) -> bool:
        """Whether the image with this id was forgotten, and none has come since that has it."""
        return self.forgotten.names(stream, id) and self.get(stream, id) is None

    def has_predictions(self, stream: str) -> bool:
        known = self._streams.get(stream)
        return known is not None and bool(known.rows)

    def newest(self, stream: str) -> list[GalleryRow]:
        """All rows of a stream, the newest first: a copy, so that another thread may work through it."""
        known = self._streams.get(stream)
        if known is None:
            return []
        if not self.forgotten.any(stream):
            return list(reversed(known.rows.values()))
        shown = [row for id, row in known.rows.items() if not self.forgotten.hides(stream, id, row.position)]
        return shown[::-1]

    def active_at(self, stream: str) -> str | None:
        """The time of a stream's newest image, as its prediction has it."""
        known = self._streams.get(stream)
        if not known or not known.rows:
            return None
        at: str | None = orjson.loads(next(reversed(known.rows.values())).value).get("at")
        return at

    def clear(self) -> None:
        self._streams.clear()
        self._deletions.clear()
        self.forgotten.clear()
        self._size = 0

    def _evict(self, stream: StreamRows) -> None:
        """Called after each added row, so at most one row is too many. Where all streams together have too many, the
        largest one loses its oldest, so that a busy stream cannot empty the others' galleries."""
        if len(stream.rows) > self._max_per_stream:
            stream.evict_oldest()
            self._size -= 1
        if self._size > self._max_total:
            max(self._streams.values(), key=lambda stream_rows: len(stream_rows.rows)).evict_oldest()
            self._size -= 1


def _row(prediction: Prediction, value: bytes) -> GalleryRow:
    truth_position = NOWHERE if prediction.truth is None else prediction.position
    return GalleryRow(
        value, prediction.position, prediction.label, prediction.truth, truth_position, margin(prediction)
    )


def margin(prediction: Prediction) -> float:
    """Largest probability less the second largest (0 where there is none): active learning asks for small ones first.

    Margin sampling: Scheffer, Decomain, Wrobel: Active Hidden Markov Models for Information Extraction (IDA 2001).
    """
    best = sorted(prediction.probabilities.values(), reverse=True)[:2]
    return float(best[0] - sum(best[1:])) if best else 0.0


def _now(names: Mapping[str, str], label: str | None) -> str | None:
    """What a class is called now; None stays None."""
    return None if label is None else names.get(label, label)


def _with_names(prediction: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a prediction's JSON that name classes, with what these are called now.

    Of classes that have become one since, the probabilities are added: it is either.
    """
    probabilities: dict[str, float] = {}
    for label, probability in prediction.get("probabilities", {}).items():
        now = names.get(label, label)
        probabilities[now] = probabilities.get(now, 0.0) + probability
    return {
        "label": _now(names, prediction.get("label")),
        "models": {model: _now(names, label) for model, label in prediction.get("models", {}).items()},
        "probabilities": probabilities,
        "set": [*dict.fromkeys(names.get(each, each) for each in prediction.get("set", []))],
    }
