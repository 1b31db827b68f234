"""The champion against one challenger on the newest labels: four counts for each of the two newest epochs."""

from dataclasses import astuple, dataclass
from typing import Any

from prequel.services.learner.fold.evaluation.intervals import RISK

FIRST_EPOCH = 500
"""Scored examples in the first epoch; each later one is as long as all before it, and the very first labels count until
twice as many have come. Of verdicts on eight shuffled streams, held-out examples contradicted 16 of 968 with half as
many, 21 of 1,015, and 24 of 1,039 with twice as many: slow starters are judged by their start for longer. With half as
many, one more beginning takes its part of the risk."""


@dataclass(slots=True)
class Epoch:
    """Counts over the examples from index ``start`` on, up to the next epoch.

    ``both`` were predicted right by both models, ``wins`` by the challenger only, ``losses`` by the champion only.
    """

    start: int
    scored: int = 0
    both: int = 0
    wins: int = 0
    losses: int = 0

    def count(self, champion: bool, challenger: bool, sign: int) -> None:
        """Count an example by which of the two were right; with -1, take it out again."""
        self.scored += sign
        if champion and challenger:
            self.both += sign
        elif challenger:
            self.wins += sign
        elif champion:
            self.losses += sign


class Comparison:
    """Begins again at a drift, and at doublings: it is over the newest half to three quarters of its examples.

    An old advantage so wears off: of a model that learned fast at first, and of one that has since been overtaken. Each
    beginning is a test of its own, and all of them together may be wrong in RISK of all streams: number n gets the part
    1 / n(n + 1) of it.

    >>> comparison = Comparison(start=0)
    >>> for index in range(1_200):
    ...     comparison.score(index, champion=False, challenger=True)
    >>> comparison.since, comparison.counts
    (500, Epoch(start=500, scored=700, both=0, wins=700, losses=0))
    """

    def __init__(self, start: int) -> None:
        self._begun = 0
        """Epochs that have begun so far."""
        self._origin = start
        """The index at which the first of them began, or the first after a drift."""
        self._epochs: list[Epoch] = []
        self.restart(start)

    @property
    def since(self) -> int:
        """The first index that counts."""
        return self._epochs[0].start

    @property
    def counts(self) -> Epoch:
        """The sums over the epochs."""
        columns = zip(*(astuple(epoch)[1:] for epoch in self._epochs), strict=True)
        return Epoch(self.since, *(sum(column) for column in columns))

    @property
    def risk(self) -> float:
        """The chance with which this beginning may ever be wrong."""
        number = self._begun - len(self._epochs) + 1
        return RISK / (number * (number + 1))

    def restart(self, index: int) -> None:
        """Count only from this index on: what came before is of another time."""
        self._origin, self._end = index, index + FIRST_EPOCH
        self._epochs = [Epoch(index)]
        self._begun += 1

    def score(self, index: int, champion: bool, challenger: bool) -> None:
        """Count an example, of a higher index than all before, by which of the two models were right."""
        while index >= self._end:
            self._epochs = [self._epochs[-1], Epoch(self._end)]
            self._begun += 1
            self._end += self._end - self._origin
        newest = self._epochs[-1]
        if champion and challenger:  # Nearly always, and without another call: it is done for each example.
            newest.scored += 1
            newest.both += 1
        else:
            newest.count(champion, challenger, 1)

    def count(self, index: int, *, champion: bool, challenger: bool, sign: int) -> None:
        """Take an example of the past out (-1), or put it in again (1)."""
        for epoch in reversed(self._epochs):
            if index >= epoch.start:
                epoch.count(champion, challenger, sign)
                return

    def swapped(self) -> "Comparison":
        """The same with champion and challenger exchanged."""
        other = Comparison.from_rows(self.rows())
        for epoch in other._epochs:
            epoch.wins, epoch.losses = epoch.losses, epoch.wins
        return other

    def rows(self) -> list[Any]:
        """As a snapshot stores it; ``from_rows`` is the inverse."""
        return [self._begun, self._origin, self._end, [list(astuple(epoch)) for epoch in self._epochs]]

    @classmethod
    def from_rows(cls, rows: list[Any]) -> "Comparison":
        """The inverse of ``rows``."""
        self = cls(0)
        self._begun, self._origin, self._end = rows[:3]
        self._epochs = [Epoch(*epoch) for epoch in rows[3]]
        return self
