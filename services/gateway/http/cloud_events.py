"""Images sent as CloudEvents over HTTP: in structured mode, or in binary mode with headers like ce-id."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from prequel.services.gateway.http.problems import invalid
from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes, canonical, extensions
from prequel.shared.events.names import ID_RULE, LABEL_RULE, normal_label, valid_id, valid_label
from prequel.shared.events.structured import Malformed, parse_structured


class Event(NamedTuple):
    """What attributes say of an image. The path says the stream, so ``subject`` counts for nothing."""

    id: str | None
    label: str | None
    attributes: Attributes = NO_ATTRIBUTES


def in_headers(headers: Iterable[tuple[str, str]]) -> Event:
    """Binary mode: values are percent-encoded UTF-8. Raises Problem 422 that names the header."""
    return _event({canonical(name): unquote(value) for name, value in headers}, "ce-")


def in_body(body: bytes) -> tuple[Event, bytes, str]:
    """Structured mode: the event, the image and its type. Raises Problem 422."""
    try:
        headers, data = parse_structured(body)
    except Malformed as error:
        raise invalid("body", str(error)) from None
    given = {name: value.decode() for name, value in headers}
    return _event(given, ""), data, given["content-type"]


def _event(given: dict[str, str], prefix: str) -> Event:
    id, label = given.get("ce_id"), given.get("ce_label")
    if id is not None and not valid_id(id):
        raise invalid(f"{prefix}id", f"{id[:150]!r} is no id: take {ID_RULE}")
    label = None if label is None else normal_label(label)
    if label is not None and not valid_label(label):
        raise invalid(f"{prefix}label", f"{label[:150]!r} is no label: take {LABEL_RULE}")
    return Event(id, label, extensions({name: value for name, value in given.items() if name.startswith("ce_")}))
