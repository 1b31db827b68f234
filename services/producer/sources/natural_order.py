"""The order of names in which people count: `frame 2.jpg` before `frame 10.jpg`."""

import re

_DIGITS = re.compile(r"0*([0-9]+)")


def natural_key(name: str) -> tuple[str, str]:
    """A key to sort names by: numbers by their value, letters whatever their case, the name itself where all is equal.

    >>> sorted(["b1", "a10", "A2", "a02"], key=natural_key)
    ['A2', 'a02', 'a10', 'b1']
    """
    return _DIGITS.sub(_by_length, name.casefold()), name


def _by_length(number: re.Match[str]) -> str:
    """The number behind the count of its digits: of two such texts, the one of the smaller number comes first.

    Not as an int, which Python refuses to make of more than 4,300 digits.
    """
    return f"{len(number[1]):06}{number[1]}"
