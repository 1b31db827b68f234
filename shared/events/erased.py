"""The event `erased` (any topic): it takes the place of a record whose stream was deleted."""

import re

from prequel.shared.events.fields import record_position
from prequel.shared.events.types import ERASED_TYPE, Erased
from prequel.shared.log.base import Headers, Record

_DIM = re.compile("[0-9]{1,7}")


def is_erased(record: Record) -> bool:
    """Whether this record took the place of one whose stream was deleted. For records of any topic."""
    return ("ce_type", ERASED_TYPE.encode()) in record.headers


def erased_headers(**remains: str) -> Headers:
    """The headers of a record that takes the place of an erased one: ``remains`` is what other streams need."""
    return (("ce_type", ERASED_TYPE.encode()), *((f"ce_{name}", value.encode()) for name, value in remains.items()))


def decode_erased(record: Record, headers: dict[str, str], stream: str) -> Erased:
    """``headers`` are the record's attributes, ``stream`` its key (see decode_example). Missing ones are empty."""
    dim = headers.get("ce_dim", "")
    return Erased(
        stream=stream,
        backbone=headers.get("ce_backbone", ""),
        dim=int(dim) if _DIM.fullmatch(dim) else 0,
        id=headers.get("ce_id", ""),
        retracts=headers.get("ce_retracts") == "true",
        position=record_position(record),
    )
