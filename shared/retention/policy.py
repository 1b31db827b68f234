"""How long a topic's records are kept: for a time, up to a size, or for ever; read from what a setting says."""

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
"""More of either is a slip of the keyboard, and beyond what Kafka and a clock can count."""


class Retention(NamedTuple):
    """What may go: records older than ``seconds``, or the oldest beyond ``bytes``; None: never for that reason."""

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
"""Of the embedded log unless it is set: 22 GB in all, so that nobody's laptop is filled unasked. 10 GB are 100,000
photographs of 100 KB, or the features of two million. Half as much would lose the pictures of a middling data set
while it is looked at; twice as much is a fifth of a small laptop's disk. A cluster has no default: what nobody said
may go stays."""


def parse(text: str) -> Retention:
    """Raises ValueError, with what is wanted, for anything but 30d, 12h, 2w, 50GB, 500MB, 1.5TiB and forever."""
    if text.strip().lower() == FOREVER_TEXT:
        return FOREVER
    found = _FORM.fullmatch(text.strip())
    unit = _UNITS.get(found[2].lower(), "") if found else ""
    if not found or not unit:
        raise ValueError("use a time (12h, 30d, 4w), a size (500MB, 50GB, 2TB) or forever")
    if unit in _SECONDS:
        return Retention(seconds=_within(float(found[1]) * _SECONDS[unit], MAX_SECONDS, "1000 years"))
    return Retention(bytes=int(_within(float(found[1]) * _BYTES[unit], MAX_BYTES, "1,000,000 TB")))


def _within(value: float, limit: float, shown: str) -> float:
    if not 1 <= value <= limit:
        raise ValueError(f"use more than 0 and at most {shown}, or forever")
    return value
