"""How large a distance usually is in a stream, and how far beyond that a new one lies."""

import math

MIN_SCORED = 8
"""Distances seen before one is scored: with half as many, the first ones of many a stream score as high as a change;
with twice as many, a change in the first 1,100 examples is missed."""
YOUNG = 8.0
"""What few distances say of the deviation is taken to be too little by (1 + YOUNG / n): with a quarter, the highest
scores by chance were of young streams; with four times as much, a change in a young stream is missed."""
MEMORY = 0.01
"""Weight of the newest distance, once there are enough: about the last 100 count. With ten times as much, the usual
follows a few large distances; with a tenth, it takes a stream of 50,000 examples to settle."""


class UsualDistance:
    """The mean and the deviation of a stream's own distances; a score is how many deviations one lies above the mean.

    Distances are mean squares of about ``parts`` values, and are judged by their fourth root, which is near enough to
    normal whether the values are many or hang together. The deviation is at least that of independent values: by
    chance alone there is more, never less.

    >>> usual = UsualDistance(parts=128)
    >>> for distance in [0.9, 1.1] * 50:
    ...     usual.learn(distance)
    >>> usual.score(1.1) < 1 < 7 < usual.score(3.0)
    True
    """

    def __init__(self, parts: int) -> None:
        self._least = math.sqrt(2 / max(parts, 1)) / 4
        self._scored = 0
        self._mean = self._variance = 0.0

    def score(self, distance: float) -> float:
        """Deviations above the usual; 0 while little is known of it."""
        if self._scored < MIN_SCORED:
            return 0.0
        deviation = math.sqrt(self._variance * (1 + YOUNG / self._scored))
        return (math.sqrt(math.sqrt(distance)) - self._mean) / max(deviation, self._least)

    def learn(self, distance: float) -> None:
        """Take in a distance that was no change."""
        self._scored += 1
        weight = max(MEMORY, 1 / self._scored)
        difference = math.sqrt(math.sqrt(distance)) - self._mean
        self._mean += weight * difference
        self._variance = (1 - weight) * (self._variance + weight * difference**2)

    def numbers(self) -> list[float]:
        """As a snapshot stores it; ``load`` is the inverse."""
        return [float(self._scored), self._mean, self._variance]

    def load(self, numbers: list[float]) -> None:
        """The inverse of ``numbers``."""
        self._scored = int(numbers[0])
        self._mean, self._variance = numbers[1:]
