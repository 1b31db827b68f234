"""The event `features` (topic `examples`): the feature vector that an extractor made of an image, or somebody sent."""

import re

from prequel.shared.events.attributes import Attributes, extensions
from prequel.shared.events.fields import parse_id, parse_label, parse_time, record_position
from prequel.shared.events.headers import BINARY, event_headers
from prequel.shared.events.images import content_digest
from prequel.shared.events.types import FEATURES_TYPE, Features, Image, Rejected
from prequel.shared.log.base import EXAMPLES, Headers, Message, Position, Record
from prequel.shared.vectors import InvalidVector, Vector, vector_bytes, vector_from_bytes

REEXTRACTED = ("ce_reextracted", b"true")
"""The header of features of another backbone, for an image whose features came before."""
_DIGEST = re.compile(r"[0-9a-f]{32}")


def encode_features(image: Image, vector: Vector, backbone: str, *, source: str, extra: Headers = ()) -> Message:
    """``vector`` is float32 [dim]; ``source`` is used where the image has none; ``extra`` are more headers."""
    headers = [
        *event_headers(
            FEATURES_TYPE,
            image.id,
            source=image.attributes.get("source", source),
            time=image.time,
            content_type=BINARY,
        ),
        ("ce_backbone", backbone.encode()),
        ("ce_dim", str(vector.size).encode()),
        ("ce_image", str(image.position).encode()),
        *extra,
        *((f"ce_{name}", value.encode()) for name, value in image.attributes.items() if name != "source"),
        ("ce_digest", content_digest(image.data).encode()),
    ]
    if image.label is not None:
        headers.append(("ce_label", image.label.encode()))
    return Message(EXAMPLES, image.stream.encode(), vector_bytes(vector), tuple(headers))


def encode_example(
    id: str, stream: str, vector: Vector, backbone: str, *, label: str | None, time: float, source: str
) -> Message:
    """Features without an image, as their sender made them: ``vector`` is float32 [dim], ``backbone`` the sender's word
    for what made it. Its digest is that of the vector's bytes, so that another vector under the same id is noticed."""
    value = vector_bytes(vector)
    headers = [
        *event_headers(FEATURES_TYPE, id, source=source, time=time, content_type=BINARY),
        ("ce_backbone", backbone.encode()),
        ("ce_dim", str(vector.size).encode()),
        ("ce_digest", content_digest(value).encode()),
    ]
    if label is not None:
        headers.append(("ce_label", label.encode()))
    return Message(EXAMPLES, stream.encode(), value, tuple(headers))


def decode_features(record: Record, headers: dict[str, str], stream: str) -> Features:
    """``headers`` are the record's attributes, ``stream`` its key (see decode_example). Raises Rejected."""
    try:
        vector = vector_from_bytes(record.value)
    except InvalidVector as error:
        raise Rejected("bad-features", str(error)) from None
    if headers.get("ce_dim") != str(vector.size):
        raise Rejected("bad-features", f"ce_dim is {headers.get('ce_dim')}, but the value has {vector.size} numbers")
    if not headers.get("ce_backbone"):
        raise Rejected("bad-features", "header ce_backbone is missing")
    try:
        image = Position.parse(headers["ce_image"]) if "ce_image" in headers else None
    except ValueError as error:
        raise Rejected("bad-features", f"header ce_image: {error}") from None
    digest = headers.get("ce_digest", "")
    return Features(
        id=parse_id(headers.get("ce_id", "")),
        stream=stream,
        label=parse_label(headers.get("ce_label")),
        time=parse_time(headers.get("ce_time"), record),
        backbone=headers["ce_backbone"],
        vector=vector,
        image=image,
        position=record_position(record),
        attributes=_image_attributes(headers),
        digest=digest if _DIGEST.fullmatch(digest) else "",
        reextracted=headers.get("ce_reextracted") == "true",
    )


def _image_attributes(headers: dict[str, str]) -> Attributes:
    """The image's own attributes, and `damaged` where a part of it was missing, for the page to show."""
    if headers.get("ce_damaged") != "true":
        return extensions(headers)
    return {**extensions(headers), "damaged": "true"}
