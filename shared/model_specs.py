"""Texts that name models are cut here: at separators that stand outside all parentheses."""

MAX_DEPTH = 20
"""Of parentheses: mixtures of mixtures. Whoever reads a spec calls himself for each, and Python allows about 1,000."""


def split_outside(text: str, separator: str) -> list[str]:
    """The parts of ``text`` between separators (one character) outside parentheses, without spaces around them.

    A mixture has models of its own in parentheses. Raises ValueError for parentheses that do not match, or are nested
    deeper than MAX_DEPTH.

    >>> split_outside("mix(slda, ncm), logistic", ",")
    ['mix(slda, ncm)', 'logistic']
    """
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            raise ValueError(f"{text!r} closes a parenthesis that it never opens")
        if depth > MAX_DEPTH:
            raise ValueError(f"{text[:40]!r}... nests more than {MAX_DEPTH} parentheses")
        if character == separator and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
    if depth:
        raise ValueError(f"{text!r} opens a parenthesis that it never closes")
    return [*parts, text[start:].strip()]
