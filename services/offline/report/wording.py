"""Numbers, names and intervals as a reader of the report sees them."""

import unicodedata

from prequel.shared.status import Interval

NO_VALUE = "\N{EN DASH}"
"""In place of a number that is not known."""
NBSP = "\N{NO-BREAK SPACE}"
"""No line begins with a percent sign."""
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of all the text behind them: a file's name may have them to look like another."""

_NO_XML = "\ufffe\uffff"
"""A figure that has one of these is no XML, and a notebook shows nothing at all."""


def count(value: float | None) -> str:
    """1234 -> "1,234"."""
    return NO_VALUE if value is None else f"{value:,.0f}"


def percent(share: float | None, digits: int = 1) -> str:
    """0.9421 -> "94.2 %". Only 1 itself is "100 %": a model that is wrong once in ten thousand is not perfect.

    >>> percent(0.99999).replace(NBSP, " "), percent(1.0).replace(NBSP, " ")
    ('99.9 %', '100 %')
    """
    if share is None:
        return NO_VALUE
    return f"{_number(share, digits)}{NBSP}%"


def _number(share: float, digits: int) -> str:
    if share >= 1.0:
        return "100"
    return f"{min(round(share * 100, digits), 100 - 10**-digits):.{digits}f}"


def decimal(value: float | None, digits: int = 3) -> str:
    """0.12345 -> "0.123"."""
    return NO_VALUE if value is None else f"{value:.{digits}f}"


def interval(ends: Interval | None) -> str:
    """(0.954, 0.981) -> "95.4 to 98.1 %"."""
    if ends is None:
        return NO_VALUE
    low, high = (_number(end, 1) for end in ends)
    return f"{high}{NBSP}%" if low == high else f"{low} to {high}{NBSP}%"


def points(difference: float | None) -> str:
    """A difference of two accuracies, in points of a per cent: 0.0123 -> "+1.2"."""
    if difference is None:
        return NO_VALUE
    value = round(100 * difference, 1)
    return f"{value:+.1f}".replace("-", "\N{MINUS SIGN}") if value else "0.0"


def points_interval(ends: Interval | None) -> str:
    """(0.002, 0.031) -> "+0.2 to +3.1"."""
    return NO_VALUE if ends is None else f"{points(ends[0])} to {points(ends[1])}"


def quantity(number: int, noun: str) -> str:
    """``1 example``, ``1,234 examples``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def unbroken(text: str) -> str:
    """A sentence of which no line begins with a percent sign."""
    return text.replace(" %", f"{NBSP}%")


def listed(parts: list[str]) -> str:
    """["a", "b", "c"] -> "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def readable(text: str) -> str:
    """The text without what no page can show: control characters, halves of characters, and changes of direction.

    >>> readable("a\\x00b\\udc80c")
    'a\ufffdb\ufffdc'
    """
    return "".join("\N{REPLACEMENT CHARACTER}" if _hidden(each) else each for each in text)


def _hidden(character: str) -> bool:
    if character in _BIDI or character in _NO_XML:
        return True
    return unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"
