"""The ids of backbones, and specs: beginnings of ids, by which a backbone can be chosen before its weights are read."""

import re
from typing import NamedTuple

CHOSEN_PREFIX = "backbone/"

MAX_SPEC_LENGTH = 300
"""Longer than the id of any backbone whose pooling names four layers, and short enough for a header."""

RULE = "a name (mobilenetv2), a name and a pooling (mobilenetv2-multi), these and a size (mobilenetv2-avg-96), or an id"

_SPEC = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._]*)"
    r"(-(?P<pooling>(?!\d+(-|$))[A-Za-z0-9_.+]+)(-(?P<size>[1-9]\d{0,3})(-(?P<digest>[0-9a-f]{8}))?)?)?"
)


BACKBONE_PATTERN = rf"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{MAX_SPEC_LENGTH}}}"
BACKBONE_RULE = f"1 to {MAX_SPEC_LENGTH} characters, no control characters"
_BACKBONE = re.compile(BACKBONE_PATTERN)
OWN_BACKBONE = "custom"
"""What features are said to come from whose sender does not say it."""
NOT_EXTRACTABLE = "not-extractable"
"""The ``reason`` of the gateway's refusal of images for a stream that learns from such features: it holds for every
image of the stream."""


class BackboneSpec(NamedTuple):
    """The parts of a spec; those that it leaves out are empty, or 0."""

    name: str
    pooling: str = ""
    size: int = 0
    digest: str = ""


def parse_spec(text: str) -> BackboneSpec | None:
    """The parts of an id or of its beginning, which ends before a dash; None where it is neither.

    >>> parse_spec("mobilenetv2-block_6_expand_relu+last-96")
    BackboneSpec(name='mobilenetv2', pooling='block_6_expand_relu+last', size=96, digest='')
    """
    match = _SPEC.fullmatch(text) if len(text) <= MAX_SPEC_LENGTH else None
    if match is None:
        return None
    name, pooling, size, digest = match["name"], match["pooling"], match["size"], match["digest"]
    return BackboneSpec(name, pooling or "", int(size or 0), digest or "")


def valid_backbone(text: str) -> bool:
    """Whether features may be said to come from it: the id of a backbone, or their sender's own word for theirs."""
    return _BACKBONE.fullmatch(text) is not None


def matches(spec: str, id: str) -> bool:
    """Whether ``id`` is the id of a backbone that the spec asks for; an empty one asks for none in particular."""
    return spec in ("", id) or id.startswith(f"{spec}-")


def chosen_key(stream: str) -> str:
    """The store's key of the spec that was chosen for a stream, which its learner may not have published yet."""
    return CHOSEN_PREFIX + stream
