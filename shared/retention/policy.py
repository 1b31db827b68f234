"""How long a topic's records are kept: for a time, up to a size, or forever; parsed from a setting."""

import re
from typing import NamedTuple

from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS
from prequel.shared.units import format_bytes, format_seconds

FOREVER_TEXT = "forever"

_SECONDS = {"h": 3_600, "d": 86_400, "w": 7 * 86_400}
_BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_UNITS = {unit.lower(): unit for unit in (*_SECONDS, *_BYTES)}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)

MAX_SECONDS = 1_000 * 365 * 86_400.0
MAX_BYTES = 10**18
"""More of either is a typing error, and beyond what Kafka and a clock can count."""


class Retention(NamedTuple):
    """What may be removed: records older than ``seconds``, or the oldest beyond ``bytes``; None: no such limit."""

    seconds: float | None = None
    bytes: int | None = None

    @property
    def forever(self) -> bool:
        return self.seconds is None and self.bytes is None

    def __str__(self) -> str:
        if self.seconds is not None:
            return format_seconds(self.seconds)
        return FOREVER_TEXT if self.bytes is None else format_bytes(self.bytes)


FOREVER = Retention()

EMBEDDED_DEFAULTS = {
    IMAGES: Retention(bytes=10 * 10**9),
    EXAMPLES: Retention(bytes=10 * 10**9),
    PREDICTIONS: Retention(bytes=10**9),
    DEAD_LETTERS: Retention(bytes=10**9),
}
"""Of the embedded log: 22 GB in all, so that no laptop's disk fills up unexpectedly. 10 GB are 100,000 photographs of
100 KB, or the features of two million. With half, the pictures of a data set of middle size would disappear while it is
looked at; double is a fifth of a small laptop's disk. On Kafka there is no default: nothing is removed unasked."""


def parse(text: str) -> Retention:
    """Parse 30d, 12h, 2w, 50GB, 500MB, 1.5TiB or forever. Raises ValueError, with what to write, for anything else."""
    if text.strip().lower() == FOREVER_TEXT:
        return FOREVER
    match = _FORM.fullmatch(text.strip())
    unit = _UNITS.get(match[2].lower(), "") if match else ""
    if not match or not unit:
        raise ValueError("use a time (12h, 30d, 4w), a size (500MB, 50GB, 2TB) or forever")
    if unit in _SECONDS:
        return Retention(seconds=_within(float(match[1]) * _SECONDS[unit], MAX_SECONDS, "1000 years"))
    return Retention(bytes=int(_within(float(match[1]) * _BYTES[unit], MAX_BYTES, "1,000,000 TB")))


def _within(value: float, limit: float, shown: str) -> float:
    if not 1 <= value <= limit:
        raise ValueError(f"use more than 0 and at most {shown}, or forever")
    return value
