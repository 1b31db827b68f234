"""The order of names in which people count: `frame 2.jpg` before `frame 10.jpg`."""

import re
from typing import Any

_DIGITS = re.compile(r"([0-9]+)")


def natural_key(name: str) -> tuple[Any, ...]:
    """A key to sort names by: numbers by their value, letters whatever their case, the name itself where all is equal.

    >>> sorted(["b1", "a10", "A2", "a02"], key=natural_key)
    ['A2', 'a02', 'a10', 'b1']
    """
    parts = _DIGITS.split(name.casefold())
    # Text and digits alternate, so that like is compared with like. Not by int(): it refuses thousands of digits.
    return tuple(_number(part) if place % 2 else part for place, part in enumerate(parts)), name


def _number(digits: str) -> tuple[int, str]:
    significant = digits.lstrip("0")
    return len(significant), significant
