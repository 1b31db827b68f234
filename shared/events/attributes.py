"""CloudEvents attributes: the spelling of their names, and which of the sender's own travel on with an image."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

Attributes = Mapping[str, str]
NO_ATTRIBUTES: Attributes = MappingProxyType({})

MAX_ATTRIBUTES = 16
"""Extension attributes that travel with one image: tracing takes two, a camera a handful. Each is written again with
the features, the prediction and the outcome."""
MAX_NAME, MAX_BYTES = 64, 512
"""Longest name, in characters, and longest value, in bytes: W3C's `tracestate` may have 512."""
NAMES_CACHED = 1_024
"""Spellings of header names that are remembered: bounded, because a stranger may invent any number of them."""

DEFINED = frozenset(
    "ce_" + name
    for name in (
        *("specversion", "id", "type", "subject", "time", "datacontenttype", "dataschema", "dataref"),
        *("label", "backbone", "dim", "image", "precision", "damaged", "digest", "reextracted"),
        *("moved", "reason", "detail", "origin"),
        *("encryption", "keyid"),
    )
)
"""Attributes that CloudEvents or Prequel defines: they describe one event, so they do not travel to the next."""
OWN_SOURCE = "prequel/"
"""How `ce_source` begins in events of Prequel's services. Any other source is the sender's, and travels."""

_DEFINED_OR_SOURCE = DEFINED | {"ce_source"}


@lru_cache(NAMES_CACHED)
def canonical(name: str) -> str:
    """A header's name in the spelling that is written: `ce_id` for `CE-Id`, `content-type` for `Content-Type`.

    Other names are returned unchanged.
    """
    lower = name.lower()
    if lower.startswith(("ce_", "ce-")):
        return "ce_" + lower[3:]
    return lower if lower == "content-type" else name


def extensions(headers: Mapping[str, str]) -> Attributes:
    """The sender's own attributes (CloudEvents calls them extensions), named without `ce_`, as far as they travel."""
    if headers.keys() <= _DEFINED_OR_SOURCE and headers.get("ce_source", OWN_SOURCE).startswith(OWN_SOURCE):
        return NO_ATTRIBUTES  # Nearly always: this runs for every record.
    return bounded({name[3:]: value for name, value in headers.items() if name not in DEFINED})


def bounded(attributes: Attributes) -> Attributes:
    """The first MAX_ATTRIBUTES of those that may travel; what is too long or not printable is left out."""
    fits = {name: value for name, value in attributes.items() if _may_travel(name, value)}
    return dict(list(fits.items())[:MAX_ATTRIBUTES]) or NO_ATTRIBUTES


def _may_travel(name: str, value: str) -> bool:
    if name == "source" and value.startswith(OWN_SOURCE):
        return False
    plain_name = 0 < len(name) <= MAX_NAME and name.isascii() and name.replace("_", "").isalnum()
    return plain_name and len(value.encode()) <= MAX_BYTES and value.isprintable()
