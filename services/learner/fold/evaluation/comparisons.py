"""The champion against every challenger, on the examples whose labels came mixed."""

from collections.abc import Sequence
from typing import Any

from prequel.services.learner.fold.evaluation.comparison import Comparison
from prequel.services.learner.fold.predictions import NOT_SCORED


class Comparisons:
    """One comparison a challenger, in the order of their numbers.

    While labels come class after class nothing is counted, and comparisons begin again once they are mixed: such
    examples say how well a model repeats itself.

    >>> comparisons = Comparisons(challengers=1)
    >>> comparisons.score(0, truth=3, predicted=[0, 3], mixed=True)
    >>> comparisons.comparisons[0].counts.wins
    1
    """

    def __init__(self, challengers: int, start: int = 0) -> None:
        self.comparisons = [Comparison(start) for _ in range(challengers)]
        self._paused_at: int | None = None
        """The first index that is not counted, because labels come class after class; None where they do not."""

    def score(self, index: int, truth: int, predicted: Sequence[int], *, mixed: bool) -> None:
        """Count an example by every model's prediction (class, -1, or NOT_SCORED).

        ``mixed`` is whether labels come mixed, as of this one. It decides of the next: no bet may know its outcome.
        """
        paused, champion = self._paused_at is not None, predicted[0]
        if not paused and champion != NOT_SCORED:
            right = champion == truth
            for comparison, label in zip(self.comparisons, predicted[1:], strict=True):
                if label != NOT_SCORED:
                    comparison.score(index, right, label == truth)
        if mixed == paused:
            self._paused_at = None if mixed else index + 1
            if mixed:
                self.restart(0, index + 1)

    def count(self, index: int, truth: int, predicted: Sequence[int], sign: int) -> None:
        """Take an example of the past out (-1), or put it in again with another truth (1)."""
        if (self._paused_at is not None and index >= self._paused_at) or predicted[0] == NOT_SCORED:
            return
        for comparison, label in zip(self.comparisons, predicted[1:], strict=True):
            if label != NOT_SCORED:
                comparison.count(index, champion=predicted[0] == truth, challenger=label == truth, sign=sign)

    def restart(self, model: int, index: int) -> None:
        """Begin again at ``index``: the error of ``model`` has drifted. The champion, number 0, is in all of them."""
        for number, comparison in enumerate(self.comparisons, 1):
            if model in (0, number):
                comparison.restart(index)

    def change_models(self, old_models: Sequence[int | None], start: int) -> None:
        """Model n is the old model ``old_models[n]``, or a new one; a pair that was none begins at index ``start``."""
        champion = old_models[0]
        self.comparisons = [self._comparison_of(champion, challenger, start) for challenger in old_models[1:]]

    def _comparison_of(self, champion: int | None, challenger: int | None, start: int) -> Comparison:
        if champion == 0 and challenger is not None:
            return self.comparisons[challenger - 1]
        if challenger == 0 and champion is not None:
            return self.comparisons[champion - 1].swapped()
        return Comparison(start)

    def rows(self) -> list[Any]:
        """As a snapshot stores it; ``from_rows`` is the inverse."""
        return [self._paused_at, *(comparison.rows() for comparison in self.comparisons)]

    @classmethod
    def from_rows(cls, rows: list[Any]) -> "Comparisons":
        """The inverse of ``rows``."""
        self = cls(0)
        self._paused_at, self.comparisons = rows[0], [Comparison.from_rows(row) for row in rows[1:]]
        return self
