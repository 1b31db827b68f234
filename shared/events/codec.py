"""The only codec: typed events on one side, CloudEvents 1.0 records (Kafka binding, binary mode) on the other."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from prequel.shared.events.attributes import NONE, Attributes, Malformed, binary, canonical, foreign, read_event
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS, Headers, Message, Position, Record

IMAGE_TYPE = "prequel.image.v1"
FEATURES_TYPE = "prequel.features.v1"
LABEL_TYPE = "prequel.label.v1"
DEFAULTS_TYPE = "prequel.defaults.v1"
COMMAND_TYPE = "prequel.command.v1"
ERASED_TYPE = "prequel.erased.v1"
PREDICTION_TYPE = "prequel.prediction.v1"
OUTCOME_TYPE = "prequel.outcome.v1"
DRIFT_TYPE = "prequel.drift.v1"
APPLIED_TYPE = "prequel.applied.v1"
REJECTED_TYPE = "prequel.rejected.v1"

STREAM_PATTERN = r"[a-z0-9][a-z0-9._-]{0,62}"
ID_PATTERN = r"[A-Za-z0-9._:-]{1,128}"
DO_PATTERN = r"[a-z]{1,32}(\.[a-z]{1,32}){0,3}"
LABEL_PATTERN = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}"
STREAM_WORDS = "1 to 63 small letters, digits, dots, hyphens and underscores, the first a letter or a digit"
ID_WORDS = "1 to 128 letters (a-z, A-Z), digits, dots, colons, hyphens and underscores"
LABEL_WORDS = "1 to 128 characters, no control characters"
"""The same three for people."""
_STREAM, _ID, _LABEL = re.compile(STREAM_PATTERN), re.compile(ID_PATTERN), re.compile(LABEL_PATTERN)
_DIGEST = re.compile(r"[0-9a-f]{32}")
_DO, _DIM = re.compile(DO_PATTERN), re.compile("[0-9]{1,7}")

_KNOWN_BY = ("ce_id", "ce_subject", "ce_image", "ce_source", "ce_time")
_SHORT_BYTES = 256

_YEAR_1, _YEAR_9999 = -62_135_596_800, 253_402_300_799

Vector = npt.NDArray[np.float32]
_FLOAT32 = np.dtype("<f4")


class Rejected(Exception):
    """A record that cannot be processed, now or ever: it becomes a dead letter with this reason and detail.

    ``counted``: no dead letter, because one of the same kind has told it already.
    """

    def __init__(self, reason: str, detail: str, *, counted: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.counted = reason, detail, counted


class Image(NamedTuple):
    """An encoded image that came in. ``time`` is in seconds since the epoch, as everywhere."""

    id: str
    stream: str
    label: str | None
    time: float
    data: bytes
    position: Position
    attributes: Attributes = NONE
    """Those of others: they travel with the image to its features, prediction and outcome."""


class Features(NamedTuple):
    """The feature vector (float32, shape [dim]) of one image; ``image`` is where that stands in the log."""

    id: str
    stream: str
    label: str | None
    time: float
    backbone: str
    vector: Vector
    image: Position
    position: Position
    attributes: Attributes = NONE
    digest: str = ""
    """Of the image's bytes, as ``content_digest`` has it; empty where whoever extracted them does not say."""


class Label(NamedTuple):
    """What somebody says an image shows; ``label`` None retracts."""

    id: str
    stream: str
    label: str | None
    by: str
    time: float
    position: Position


class Defaults(NamedTuple):
    """The settings that the fold of this partition uses from here on, by name as in ``prequel.shared.config``.

    ``started`` is when the process began whose settings they are, in seconds since the epoch: of two learners with
    different settings that of the later start is right.
    """

    settings: Mapping[str, Any]
    started: float
    position: Position


class Command(NamedTuple):
    """What is to be done with a stream (``do``, like ``stream.delete``); ``more`` are the members that go with it.

    The same ``id`` again counts once.
    """

    id: str
    stream: str
    do: str
    more: Mapping[str, Any]
    by: str
    time: float
    position: Position


class Erased(NamedTuple):
    """What is left of an event of a stream that was deleted: what the fold of all other streams needs of it.

    Of features, ``backbone`` and how many values they had (``dim``); of a label, ``id``, which is a digest of the
    image's, and whether it ``retracts``. All of them empty: nothing.
    """

    stream: str
    backbone: str
    dim: int
    id: str
    retracts: bool
    position: Position


class Prediction(NamedTuple):
    """What the models said of one example before they learned it. ``truth`` is the label, where it came with it."""

    id: str
    stream: str
    position: Position
    model: str
    label: str | None
    probabilities: Mapping[str, float]
    models: Mapping[str, str | None]
    truth: str | None
    image: Position
    time: float
    unknown: bool = False
    """Whether the champion abstained: ``label`` is None then, what it would have said stands in ``models``."""
    attributes: Attributes = NONE


class Outcome(NamedTuple):
    """What became of one label. ``position`` is the label event's; ``exact`` whether every model corrected exactly."""

    id: str
    stream: str
    position: Position
    status: str
    label: str | None
    previous: str | None
    predicted: str | None
    exact: bool
    time: float
    attributes: Attributes = NONE
    """The image's, where its features were read for this: with learned, corrected and retracted."""


class Drift(NamedTuple):
    """A change of one model's error, found after ``scored`` examples; ``reset`` whether the model began anew."""

    stream: str
    position: Position
    model: str
    detector: str
    scored: int
    reset: bool
    time: float


class Applied(NamedTuple):
    """What became of one command: ``status`` is applied, unchanged (applied before) or refused, ``why`` says more.

    ``position`` is the command's.
    """

    id: str
    stream: str
    position: Position
    do: str
    status: str
    why: str
    by: str
    time: float


def valid_do(text: str) -> bool:
    return _DO.fullmatch(text) is not None


def valid_stream(text: str) -> bool:
    return _STREAM.fullmatch(text) is not None


def valid_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def valid_label(text: str) -> bool:
    return _LABEL.fullmatch(text) is not None


def normal_label(text: str) -> str:
    """The one spelling of a label: trimmed, and in Unicode's composed form (NFC).

    Every door brings labels to it, and so does every decoder here: whatever wrote the log, a state never sees two
    spellings of a class. What comes out may still be no valid label.
    """
    trimmed = text.strip()
    return trimmed if trimmed.isascii() else unicodedata.normalize("NFC", trimmed)


def content_digest(data: bytes) -> str:
    """Which bytes an image has: the first 128 bits of their SHA-256, as `sha256sum` prints them."""
    return hashlib.sha256(data).hexdigest()[:32]


@lru_cache(16)
def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds; the nearest it can say where that is before year 1 or after year 9999.

    The newest are kept: each event says its time twice, in a header and in its JSON.
    """
    return (
        datetime.fromtimestamp(min(max(seconds, _YEAR_1), _YEAR_9999), UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def is_erased(record: Record) -> bool:
    """Whether this is what is left of a record of a stream that was deleted."""
    return ("ce_type", ERASED_TYPE.encode()) in record.headers


def erased_headers(**left: str) -> Headers:
    """The headers of what is left of an erased record: attributes that the fold of other streams needs."""
    return (("ce_type", ERASED_TYPE.encode()), *((f"ce_{name}", value.encode()) for name, value in left.items()))


# Decoding: each raises Rejected and nothing else, whatever the bytes.


def decode_image(record: Record) -> Image:
    """Any image event, and any bare record whose key is a stream name. The bytes are not looked at."""
    record, headers = _read(record)
    if headers.get("ce_type") == ERASED_TYPE:
        raise Rejected("stream-deleted", "the stream was deleted before this image was extracted")
    _check_type(headers, (IMAGE_TYPE, ""))
    stream = headers.get("ce_subject") or _key(record)
    return Image(
        _id(headers.get("ce_id") or f"{record.topic}:{record.partition}:{record.offset}"),
        _stream(stream),
        _label(headers.get("ce_label")),
        _time(headers.get("ce_time"), record),
        record.value,
        Position(record.partition, record.offset),
        foreign(headers),
    )


def payload(record: Record) -> bytes:
    """The encoded image in a record, whatever its mode; of one that is no event, its value as it is."""
    try:
        return binary(record).value
    except Malformed:
        return record.value


Example = Features | Label | Defaults | Command | Erased


def decode_example(record: Record) -> Example:
    record, headers = _read(record)
    kind = _check_type(headers, (DEFAULTS_TYPE, *_OF_STREAMS))
    if kind == DEFAULTS_TYPE:
        return _decode_defaults(record)
    return _OF_STREAMS[kind](record, headers, _stream(_key(record)))


def _decode_features(record: Record, headers: dict[str, str], stream: str) -> Features:
    vector = np.frombuffer(record.value, _FLOAT32) if len(record.value) % 4 == 0 else None
    if vector is None or vector.size == 0 or headers.get("ce_dim") != str(vector.size):
        raise Rejected(
            "bad-features",
            f"{len(record.value)} bytes are not ce_dim={headers.get('ce_dim')} little-endian float32 values",
        )
    if np.count_nonzero(np.isfinite(vector)) < vector.size:  # half the time of all()
        raise Rejected("bad-features", "a value is NaN or infinite")
    if not headers.get("ce_backbone"):
        raise Rejected("bad-features", "header ce_backbone is missing")
    try:
        image = Position.parse(headers.get("ce_image", ""))
    except ValueError as error:
        raise Rejected("bad-features", f"header ce_image: {error}") from None
    return Features(
        _id(headers.get("ce_id", "")),
        stream,
        _label(headers.get("ce_label")),
        _time(headers.get("ce_time"), record),
        headers["ce_backbone"],
        vector,
        image,
        Position(record.partition, record.offset),
        _carried(headers),
        _digest(headers.get("ce_digest", "")),
    )


def _carried(headers: dict[str, str]) -> Attributes:
    """The image's attributes, and whether a part of it was missing: that is said to whoever looks at it."""
    if headers.get("ce_damaged") != "true":
        return foreign(headers)
    return {**foreign(headers), "damaged": "true"}


def _decode_label(record: Record, headers: dict[str, str], stream: str) -> Label:
    body = _json(record.value)
    if "label" not in body or not (body["label"] is None or isinstance(body["label"], str)):
        raise Rejected("bad-label", "field label must be text, or null to retract")
    at = body.get("at")
    return Label(
        _id(body.get("id")),
        stream,
        _label(body["label"]),
        str(body.get("by") or "")[:128],
        _time(at if isinstance(at, str) else headers.get("ce_time"), record),
        Position(record.partition, record.offset),
    )


def _decode_defaults(record: Record) -> Defaults:
    body = _json(record.value)
    settings, started = body.get("settings"), body.get("started")
    if not isinstance(settings, dict) or isinstance(started, bool) or not isinstance(started, int | float):
        raise Rejected("bad-defaults", "wanted an object in field settings and a time, in seconds, in field started")
    return Defaults(settings, float(started), Position(record.partition, record.offset))


def _decode_command(record: Record, headers: dict[str, str], stream: str) -> Command:
    body = _json(record.value)
    do, at = body.get("do"), body.get("at")
    if not isinstance(do, str) or not valid_do(do):
        raise Rejected("bad-command", f"field do must be a command like stream.delete, not {str(do)[:100]!r}")
    return Command(
        _id(body.get("id")),
        stream,
        do,
        {name: value for name, value in body.items() if name not in ("id", "do", "by", "at")},
        str(body.get("by") or "")[:128],
        _time(at if isinstance(at, str) else headers.get("ce_time"), record),
        Position(record.partition, record.offset),
    )


def _decode_erased(record: Record, headers: dict[str, str], stream: str) -> Erased:
    dim = headers.get("ce_dim", "")
    return Erased(
        stream,
        headers.get("ce_backbone", ""),
        int(dim) if _DIM.fullmatch(dim) else 0,
        headers.get("ce_id", ""),
        headers.get("ce_retracts") == "true",
        Position(record.partition, record.offset),
    )


_OF_STREAMS: Mapping[str, Callable[[Record, dict[str, str], str], Example]] = {
    FEATURES_TYPE: _decode_features,
    LABEL_TYPE: _decode_label,
    COMMAND_TYPE: _decode_command,
    ERASED_TYPE: _decode_erased,
}


def decode_prediction(record: Record) -> Prediction | Outcome | Drift | Applied:
    kind = _check_type(_written_type(record), tuple(_DECODERS))
    body = _json(record.value)
    try:
        return _DECODERS[kind](body, record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected("malformed", f"{kind}: {error!r}") from None


def _prediction(body: dict[str, Any], record: Record) -> Prediction:
    if not all(type(share) in (float, int) for share in body["probabilities"].values()):
        raise TypeError("a probability is no number")
    return Prediction(
        _id(body["id"]),
        _stream(body["stream"]),
        Position.parse(body["position"]),
        str(body["model"]),
        _label(body["label"]),
        body["probabilities"],
        {model: _label(label) for model, label in body["models"].items()},
        _label(body["truth"]),
        Position.parse(body["image"]),
        _time(body["at"], record),
        body.get("unknown") is True,
        _given(body),
    )


def _given(body: dict[str, Any]) -> Attributes:
    given = body.get("attributes", NONE)
    return {str(name): str(value) for name, value in given.items()} or NONE


def _outcome(body: dict[str, Any], record: Record) -> Outcome:
    return Outcome(
        _id(body["id"]),
        _stream(body["stream"]),
        Position.parse(body["position"]),
        str(body["status"]),
        _label(body["label"]),
        _label(body["previous"]),
        _label(body["predicted"]),
        bool(body["exact"]),
        _time(body.get("at"), record),
        _given(body),
    )


def _drift(body: dict[str, Any], record: Record) -> Drift:
    if type(body["scored"]) is not int:
        raise TypeError("scored is no whole number")
    return Drift(
        _stream(body["stream"]),
        Position.parse(body["position"]),
        str(body["model"]),
        str(body["detector"]),
        body["scored"],
        body["reset"] is True,
        _time(body["at"], record),
    )


def _applied(body: dict[str, Any], record: Record) -> Applied:
    return Applied(
        _id(body["id"]),
        _stream(body["stream"]),
        Position.parse(body["position"]),
        str(body["do"]),
        str(body["status"]),
        str(body["why"]),
        str(body["by"]),
        _time(body["at"], record),
    )


_DECODERS: Mapping[str, Callable[[dict[str, Any], Record], Prediction | Outcome | Drift | Applied]] = {
    PREDICTION_TYPE: _prediction,
    OUTCOME_TYPE: _outcome,
    DRIFT_TYPE: _drift,
    APPLIED_TYPE: _applied,
}


# Encoding.


def encode_image(
    id: str,
    stream: str,
    data: bytes,
    *,
    label: str | None,
    time: float,
    source: str,
    content_type: str,
    attributes: Attributes = NONE,
) -> Message:
    """Without a key, so that a stream's images may spread over all partitions."""
    headers = [*_ce(IMAGE_TYPE, id, source, time, content_type), ("ce_subject", stream.encode())]
    headers += [(f"ce_{name}", value.encode()) for name, value in attributes.items() if name != "source"]
    if label is not None:
        headers.append(("ce_label", label.encode()))
    return Message(IMAGES, None, data, tuple(headers))


def encode_features(image: Image, vector: Vector, backbone: str, *, source: str, extra: Headers = ()) -> Message:
    headers = [
        *_ce(FEATURES_TYPE, image.id, image.attributes.get("source", source), image.time, "application/octet-stream"),
        ("ce_backbone", backbone.encode()),
        ("ce_dim", str(vector.size).encode()),
        ("ce_image", str(image.position).encode()),
        *extra,
        *((f"ce_{name}", value.encode()) for name, value in image.attributes.items() if name != "source"),
        ("ce_digest", content_digest(image.data).encode()),
    ]
    if image.label is not None:
        headers.append(("ce_label", image.label.encode()))
    return Message(EXAMPLES, image.stream.encode(), vector.astype("<f4", copy=False).tobytes(), tuple(headers))


def encode_label(
    stream: str, id: str, label: str | None, *, by: str, time: float, event_id: str, source: str
) -> Message:
    body = {"id": id, "label": label, "by": by, "at": timestamp(time)}
    headers = _ce(LABEL_TYPE, event_id, source, time, "application/json")
    return Message(EXAMPLES, stream.encode(), orjson.dumps(body), headers)


def encode_defaults(
    settings: Mapping[str, Any], partition: int, *, started: float, by: str, time: float, event_id: str, source: str
) -> Message:
    """To one partition, without a key: each has a fold of its own."""
    body = {"settings": settings, "started": started, "by": by, "at": timestamp(time)}
    headers = _ce(DEFAULTS_TYPE, event_id, source, time, "application/json")
    return Message(EXAMPLES, None, orjson.dumps(body), headers, partition)


def encode_command(
    stream: str, id: str, do: str, *, more: Mapping[str, Any], by: str, time: float, source: str
) -> Message:
    body = {"id": id, "do": do, **more, "by": by, "at": timestamp(time)}
    return Message(
        EXAMPLES, stream.encode(), orjson.dumps(body), _ce(COMMAND_TYPE, id, source, time, "application/json")
    )


def prediction_json(prediction: Prediction) -> dict[str, Any]:
    """The JSON form of a prediction, in the log and over HTTP."""
    id, stream, position, model, label, probabilities, models, truth, image, time, unknown, attributes = prediction
    body = {
        "id": id,
        "stream": stream,
        "position": str(position),
        "model": model,
        "label": label,
        "probabilities": probabilities,
        "models": models,
        "truth": truth,
        "image": str(image),
        "at": timestamp(time),
        "unknown": unknown,
    }
    return {**body, "attributes": dict(attributes)} if attributes else body


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The JSON form of an outcome, in the log and over HTTP."""
    body = {
        "id": outcome.id,
        "stream": outcome.stream,
        "position": str(outcome.position),
        "status": outcome.status,
        "label": outcome.label,
        "previous": outcome.previous,
        "predicted": outcome.predicted,
        "exact": outcome.exact,
        "at": timestamp(outcome.time),
    }
    return {**body, "attributes": dict(outcome.attributes)} if outcome.attributes else body


def encode_prediction(prediction: Prediction, *, source: str) -> Message:
    headers = _ce(PREDICTION_TYPE, prediction.id, source, prediction.time, "application/json")
    value = orjson.dumps(prediction_json(prediction))
    return Message(PREDICTIONS, prediction.stream.encode(), value, headers)


def drift_json(drift: Drift) -> dict[str, Any]:
    """The JSON form of a drift, in the log and over HTTP."""
    return {
        "stream": drift.stream,
        "position": str(drift.position),
        "model": drift.model,
        "detector": drift.detector,
        "scored": drift.scored,
        "reset": drift.reset,
        "at": timestamp(drift.time),
    }


def encode_drift(drift: Drift, *, source: str) -> Message:
    headers = _ce(DRIFT_TYPE, f"{drift.model}@{drift.position}", source, drift.time, "application/json")
    return Message(PREDICTIONS, drift.stream.encode(), orjson.dumps(drift_json(drift)), headers)


def applied_json(applied: Applied) -> dict[str, Any]:
    """The JSON form of what became of a command, in the log and over HTTP."""
    return {
        "id": applied.id,
        "stream": applied.stream,
        "position": str(applied.position),
        "do": applied.do,
        "status": applied.status,
        "why": applied.why,
        "by": applied.by,
        "at": timestamp(applied.time),
    }


def encode_applied(applied: Applied, *, source: str) -> Message:
    headers = _ce(APPLIED_TYPE, f"{applied.id}@{applied.position}", source, applied.time, "application/json")
    return Message(PREDICTIONS, applied.stream.encode(), orjson.dumps(applied_json(applied)), headers)


def encode_outcome(outcome: Outcome, *, source: str) -> Message:
    headers = _ce(
        OUTCOME_TYPE, f"{outcome.id}@{outcome.position}:{outcome.status}", source, outcome.time, "application/json"
    )
    return Message(PREDICTIONS, outcome.stream.encode(), orjson.dumps(outcome_json(outcome)), headers)


def encode_rejected(record: Record, rejected: Rejected, *, source: str, time: float) -> Message:
    """The record as it was, with the reason and where it came from; its own attributes stay, but for the type.

    Bare records get the attributes that CloudEvents requires.
    """
    origin = f"{record.topic}:{record.partition}:{record.offset}"
    ours = {"ce_type": REJECTED_TYPE.encode(), "ce_reason": rejected.reason.encode(), "ce_origin": origin.encode()}
    ours["ce_detail"] = rejected.detail[:500].encode("utf-8", "replace")
    have = {canonical(name) for name, _ in record.headers}
    theirs = [pair for pair in record.headers if canonical(pair[0]) not in ours]
    missing = [
        pair for pair in _ce(REJECTED_TYPE, origin, source, time, "application/octet-stream") if pair[0] not in have
    ]
    headers = dict(missing) | ours
    return Message(DEAD_LETTERS, record.key, record.value, (*theirs, *headers.items()))


def abridged(record: Record, rejected: Rejected) -> tuple[Record, Rejected]:
    """What to encode where the log takes no dead letter so large: of any record, one of a few KB.

    The value is left out, as the detail says; key and attributes stay as far as they are short and somebody who waits
    for the record may know it by them.
    """
    spelled = {canonical(name): value for name, value in record.headers}
    short = {name: value for name, value in spelled.items() if name in _KNOWN_BY and len(value) <= _SHORT_BYTES}
    key = record.key if len(record.key or b"") <= _SHORT_BYTES else None
    origin = f"{record.topic}:{record.partition}:{record.offset}"
    note = f"too large for a dead letter, the value ({len(record.value)} bytes) stands at {origin} only: "
    return record._replace(key=key, value=b"", headers=tuple(short.items())), Rejected(
        rejected.reason, note + rejected.detail
    )


# The parts of both.


def _ce(kind: str, id: str, source: str, time: float, content_type: str) -> Headers:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", kind.encode()),
        ("ce_time", timestamp(time).encode()),
        ("content-type", content_type.encode()),
    )


def _read(record: Record) -> tuple[Record, dict[str, str]]:
    """The record in binary mode, and its attributes."""
    try:
        return read_event(record)
    except UnicodeDecodeError:
        raise Rejected("malformed", "a ce_ header is not UTF-8") from None
    except Malformed as error:
        raise Rejected("malformed", str(error)) from None


def _written_type(record: Record) -> dict[str, str]:
    """The type alone, as we write it: all that is read of a prediction's headers."""
    try:
        return {name: value.decode() for name, value in record.headers if name == "ce_type"}
    except UnicodeDecodeError:
        raise Rejected("malformed", "a ce_ header is not UTF-8") from None


def _check_type(headers: dict[str, str], wanted: tuple[str, ...]) -> str:
    kind = headers.get("ce_type", "")
    if kind not in wanted:
        raise Rejected("unknown-type", f"ce_type is {kind[:100]!r}, wanted {' or '.join(filter(None, wanted))}")
    return kind


def _key(record: Record) -> str:
    try:
        return (record.key or b"").decode()
    except UnicodeDecodeError:
        return ""


def _stream(text: str) -> str:
    if not valid_stream(text):
        message = f"{text[:100]!r}, in key or ce_subject, is no name for a stream: take {STREAM_WORDS}"
        raise Rejected("bad-stream", message)
    return text


def _id(text: object) -> str:
    if not isinstance(text, str) or not valid_id(text):
        raise Rejected("bad-id", f"{str(text)[:150]!r} is no id: take {ID_WORDS}")
    return text


def _label(text: str | None) -> str | None:
    """Its one spelling, None where there is none."""
    if text is None:
        return None
    label = normal_label(text)
    if not valid_label(label):
        raise Rejected("bad-label", f"{text[:150]!r} is no label: take {LABEL_WORDS}")
    return label


def _digest(text: str) -> str:
    """What is no digest of ours says nothing of the image's bytes."""
    return text if _DIGEST.fullmatch(text) else ""


def _time(text: str | None, record: Record) -> float:
    """Event time, else (missing or unreadable) when the log took the record in: both stand in the log."""
    if text is None:
        return record.appended_at
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return record.appended_at


def _json(value: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Rejected("malformed", f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Rejected("malformed", "not a JSON object")
    return body
