"""Why examples were labelled, counted; and the accuracy over those that were chosen at random."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from prequel.services.learner.fold.predictions import NOT_SCORED

UNKNOWN, PRODUCER, RANDOM, OTHER = "unknown", "producer", "random", "other"
_FIRST = (UNKNOWN, PRODUCER, RANDOM, OTHER)
_RANDOM_NUMBER = _FIRST.index(RANDOM)
"""Reasons with a meaning here: none was given; the label came with its image; the example was chosen at random; one of
the words beyond MAX_WORDS."""
MAX_WORDS = 30
"""Different reasons counted by name. Whoever labels has a handful; a word for each image must not fill the state."""


class RandomSample(NamedTuple):
    """One model on the examples that were chosen at random: how many were scored, and how many of them right."""

    scored: int
    right: int


class LabelReasons:
    """Counts of labelled examples by the reason of their first label, and each model's accuracy on the random ones.

    Labels that were asked for because a model was unsure do not estimate how often it is right: it is wrong more often
    on them. A correction restates the accuracy and keeps the reason; a retraction takes both out.

    >>> reasons = LabelReasons(models=1)
    >>> number = reasons.number("random")
    >>> reasons.count(number, 1); reasons.score(number, truth=0, predicted=[0])
    >>> reasons.counts(), reasons.samples
    ({'random': 1}, [RandomSample(scored=1, right=1)])
    """

    def __init__(self, models: int) -> None:
        self.samples = [RandomSample(0, 0)] * models
        """By model."""
        self._numbers = {word: number for number, word in enumerate(_FIRST)}
        self._counts = [0] * len(_FIRST)

    def number(self, word: str) -> int:
        """The number of a reason, which is 0 for an empty one: a new word gets one while there is room."""
        number = self._numbers.get(word)
        return self._new_number(word or UNKNOWN) if number is None else number

    def _new_number(self, word: str) -> int:
        if word not in self._numbers and len(self._numbers) < MAX_WORDS:
            self._numbers[word] = len(self._counts)
            self._counts.append(0)
        return self._numbers.get(word, _FIRST.index(OTHER))

    def count(self, number: int, sign: int) -> None:
        """Count a labelled example with 1; with -1, take it out again."""
        self._counts[number] += sign

    def score(self, number: int, truth: int, predicted: Sequence[int], sign: int = 1) -> None:
        """Count every model's prediction (class, -1, or NOT_SCORED) where the example was chosen at random."""
        if number == _RANDOM_NUMBER:
            for model, label in enumerate(predicted):
                if label != NOT_SCORED:
                    scored, right = self.samples[model]
                    self.samples[model] = RandomSample(scored + sign, right + sign * (label == truth))

    def counts(self) -> dict[str, int]:
        """Labelled examples by reason, in the order in which reasons came; without those that count none."""
        return {word: count for word, count in zip(self._numbers, self._counts, strict=True) if count}

    def rows(self) -> dict[str, Any]:
        """As a snapshot stores it; ``from_rows`` is the inverse."""
        return {
            "words": list(self._numbers),
            "counts": self._counts,
            "random": [list(sample) for sample in self.samples],
        }

    @classmethod
    def from_rows(cls, rows: dict[str, Any]) -> "LabelReasons":
        """The inverse of ``rows``."""
        self = cls(0)
        self._numbers = {word: number for number, word in enumerate(rows["words"])}
        self._counts = rows["counts"]
        self.samples = [RandomSample(*sample) for sample in rows["random"]]
        return self
