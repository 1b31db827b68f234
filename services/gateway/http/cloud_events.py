"""Images sent as CloudEvents over HTTP: in structured mode, or in binary mode with headers like ce-id."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from prequel.services.gateway.http.problems import invalid
from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes, canonical, extensions
from prequel.shared.events.names import ID_RULE, LABEL_RULE, normal_label, valid_id, valid_label
from prequel.shared.events.structured import Malformed, parse_structured


class CloudEventImage(NamedTuple):
    """An event's id, label and other attributes. ``subject`` does not count: the path has the stream."""

    id: str | None
    label: str | None
    attributes: Attributes = NO_ATTRIBUTES


def from_headers(headers: Iterable[tuple[str, str]]) -> CloudEventImage:
    """Binary mode: values are percent-encoded UTF-8. Raises Problem 422 that names the header."""
    return _image({canonical(name): unquote(value) for name, value in headers}, "ce-")


def from_body(body: bytes) -> tuple[CloudEventImage, bytes, str]:
    """Structured mode: the event, the image and its media type. Raises Problem 422."""
    try:
        headers, data = parse_structured(body)
    except Malformed as error:
        raise invalid("body", str(error)) from None
    attributes = {name: value.decode() for name, value in headers}
    return _image(attributes, ""), data, attributes["content-type"]


def _image(attributes: dict[str, str], prefix: str) -> CloudEventImage:
    """``prefix``: what an attribute's name begins with in the request, for messages."""
    id, label = attributes.get("ce_id"), attributes.get("ce_label")
    if id is not None and not valid_id(id):
        raise invalid(f"{prefix}id", f"{id[:150]!r} is not a valid id: use {ID_RULE}")
    label = None if label is None else normal_label(label)
    if label is not None and not valid_label(label):
        raise invalid(f"{prefix}label", f"{label[:150]!r} is not a valid label: use {LABEL_RULE}")
    others = {name: value for name, value in attributes.items() if name.startswith("ce_")}
    return CloudEventImage(id, label, extensions(others))
