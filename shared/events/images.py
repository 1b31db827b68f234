"""The event `image` (topic `images`): an encoded image that somebody sent."""

import hashlib

from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes, extensions
from prequel.shared.events.fields import parse_id, parse_label, parse_stream, parse_time, record_key, record_position
from prequel.shared.events.headers import check_type, event_headers, read_headers
from prequel.shared.events.structured import Malformed, to_binary_mode
from prequel.shared.events.types import ERASED_TYPE, IMAGE_TYPE, Image, Rejected
from prequel.shared.log.base import IMAGES, Message, Record


def encode_image(
    id: str,
    stream: str,
    data: bytes,
    *,
    label: str | None,
    time: float,
    source: str,
    content_type: str,
    attributes: Attributes = NO_ATTRIBUTES,
) -> Message:
    """The record has no key, so that the images of one stream spread over all partitions and extractors."""
    headers = [
        *event_headers(IMAGE_TYPE, id, source=source, time=time, content_type=content_type),
        ("ce_subject", stream.encode()),
        *((f"ce_{name}", value.encode()) for name, value in attributes.items() if name != "source"),
    ]
    if label is not None:
        headers.append(("ce_label", label.encode()))
    return Message(IMAGES, None, data, tuple(headers))


def decode_image(record: Record) -> Image:
    """Any image event, and any bare record whose key is a stream name. The image's bytes are not decoded.

    Raises Rejected and nothing else, whatever the bytes.
    """
    record, headers = read_headers(record)
    if headers.get("ce_type") == ERASED_TYPE:
        raise Rejected("stream-deleted", "the stream was deleted before this image was extracted")
    check_type(headers, (IMAGE_TYPE, ""))
    return Image(
        id=parse_id(headers.get("ce_id") or f"{record.topic}:{record.partition}:{record.offset}"),
        stream=parse_stream(headers.get("ce_subject") or record_key(record)),
        label=parse_label(headers.get("ce_label")),
        time=parse_time(headers.get("ce_time"), record),
        data=record.value,
        position=record_position(record),
        attributes=extensions(headers),
    )


def payload(record: Record) -> bytes:
    """The encoded image in a record, in binary or structured mode; the value unchanged where it is not an event."""
    try:
        return to_binary_mode(record).value
    except Malformed:
        return record.value


def content_digest(data: bytes) -> str:
    """What identifies an image's bytes: the first 128 bits of their SHA-256, as `sha256sum` prints them."""
    return hashlib.sha256(data).hexdigest()[:32]
