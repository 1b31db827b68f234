"""How much room a text takes in a drawing, which has no layout of its own: cut off, or broken into lines."""

import unicodedata

WIDTH = 0.55
"""Of a letter, in font sizes: a little more than the mean of the usual sans-serif fonts, so that nothing runs over."""
BOLD = 1.06
"""How much wider bold letters are."""


def width(text: str, size: float, *, bold: bool = False) -> float:
    """About, in units of the drawing.

    >>> width("abc", 10), width("\\u732b", 10)
    (16.5, 10.0)
    """
    letters = sum(_width(letter) for letter in text)
    return round(letters * size * (BOLD if bold else 1.0), 1)


def _width(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(letter) in "WF" else WIDTH


def fit(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, its end cut off where it is too long.

    >>> fit("hippopotamus", 40, 10)
    'hippo…'
    """
    if width(text, size, bold=bold) <= room:
        return text
    end = len(text)
    while end and width(text[:end] + "\N{HORIZONTAL ELLIPSIS}", size, bold=bold) > room:
        end -= 1
    return text[:end].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def wrap(text: str, room: float, size: float) -> list[str]:
    """In lines that end between words; a word that is longer than a line is cut off.

    >>> wrap("as sure as it is right", 70, 10)
    ['as sure as', 'it is right']
    """
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return [fit(line, room, size) for line in lines]
