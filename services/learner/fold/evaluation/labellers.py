"""Who gave the labels that examples have now, counted."""

from typing import Any

from prequel.services.learner.fold.evaluation.label_reasons import OTHER, PRODUCER, UNKNOWN

_FIRST = (UNKNOWN, PRODUCER, OTHER)
MAX_NAMES = 100
"""Different names counted. They are people and programs, a handful; a name for each label must not fill the state. The
window has a byte for each example's: with three times as many it would take two."""


class Labellers:
    """Counts of labelled examples by who gave their present label: a correction counts for whoever corrected.

    An example is its producer's where its label came with the image. Names beyond MAX_NAMES are one, `other`.

    >>> labellers = Labellers()
    >>> anna, bob = labellers.number("anna"), labellers.number("bob")
    >>> labellers.count(anna, 1); labellers.count(anna, 1); labellers.count(anna, -1); labellers.count(bob, 1)
    >>> labellers.counts(), labellers.name(bob)
    ({'anna': 1, 'bob': 1}, 'bob')
    """

    def __init__(self) -> None:
        self._numbers = {name: number for number, name in enumerate(_FIRST)}
        self._names = list(_FIRST)
        self._counts = [0] * len(_FIRST)

    def number(self, name: str) -> int:
        """The number of a name, of `unknown` for an empty one: a new name gets one while there is room."""
        name = name or UNKNOWN
        if name not in self._numbers and len(self._names) < MAX_NAMES:
            self._numbers[name] = len(self._names)
            self._names.append(name)
            self._counts.append(0)
        return self._numbers.get(name, _FIRST.index(OTHER))

    def name(self, number: int) -> str:
        """The inverse of ``number``."""
        return self._names[number]

    def count(self, number: int, sign: int) -> None:
        """Count a labelled example with 1; with -1, take it out again."""
        self._counts[number] += sign

    def counts(self) -> dict[str, int]:
        """Labelled examples by name, in the order in which names came; without those that have none."""
        return {name: count for name, count in zip(self._names, self._counts, strict=True) if count}

    def rows(self) -> dict[str, Any]:
        """As a snapshot stores it; ``from_rows`` is the inverse."""
        return {"names": self._names, "counts": self._counts}

    @classmethod
    def from_rows(cls, rows: dict[str, Any]) -> "Labellers":
        """The inverse of ``rows``; none where there are no rows, as in a state from before labellers were counted."""
        self = cls()
        if rows:
            self._names, self._counts = rows["names"], rows["counts"]
            self._numbers = {name: number for number, name in enumerate(self._names)}
        return self
