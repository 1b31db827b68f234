"""The event `image` (topic `images`): an encoded image that somebody sent."""

import hashlib
from collections.abc import Mapping

from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes, extensions
from prequel.shared.events.fields import parse_id, parse_label, parse_stream, parse_time, record_key, record_position
from prequel.shared.events.headers import check_type, event_headers, read_headers
from prequel.shared.events.structured import Malformed, to_binary_mode
from prequel.shared.events.types import ERASED_TYPE, IMAGE_TYPE, Image, Rejected
from prequel.shared.log.base import IMAGES, Message, Record

ENCRYPTION = "A256GCM"
"""JOSE's name (RFC 7518) of the one encryption that is known: AES-256-GCM; the nonce is the value's beginning."""


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
    key_id: str = "",
) -> Message:
    """The record has no key, so that the images of one stream spread over all partitions and extractors.

    ``key_id``: where ``data`` is encrypted, which key it needs.
    """
    headers = [
        *event_headers(IMAGE_TYPE, id, source=source, time=time, content_type=content_type),
        ("ce_subject", stream.encode()),
        *((f"ce_{name}", value.encode()) for name, value in attributes.items() if name != "source"),
    ]
    if label is not None:
        headers.append(("ce_label", label.encode()))
    if key_id:
        headers += [("ce_encryption", ENCRYPTION.encode()), ("ce_keyid", key_id.encode())]
    return Message(IMAGES, None, data, tuple(headers))


def decode_image(record: Record) -> Image:
    """Any image event, and any bare record whose key is a stream name. The image's bytes are not decoded or decrypted.

    Raises Rejected and nothing else, whatever the bytes.
    """
    record, headers = read_headers(record)
    if headers.get("ce_type") == ERASED_TYPE and headers.get("ce_forgotten") == "true":
        raise Rejected("forgotten", "the image was forgotten before it was extracted")
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
        key_id=_key_id(headers),
    )


def _key_id(headers: Mapping[str, str]) -> str:
    """Which key the image is encrypted with; empty where it is not. Raises Rejected."""
    encryption = headers.get("ce_encryption", "")
    if not encryption:
        return ""
    if encryption != ENCRYPTION or not headers.get("ce_keyid"):
        raise Rejected("malformed", f"ce_encryption is {encryption[:100]!r}, expected {ENCRYPTION} with a ce_keyid")
    return headers["ce_keyid"]


def payload(record: Record) -> bytes:
    """The encoded image in a record, in binary or structured mode; the value unchanged where it is not an event."""
    try:
        return to_binary_mode(record).value
    except Malformed:
        return record.value


def content_digest(data: bytes) -> str:
    """What identifies an image's bytes: the first 128 bits of their SHA-256, as `sha256sum` prints them."""
    return hashlib.sha256(data).hexdigest()[:32]
