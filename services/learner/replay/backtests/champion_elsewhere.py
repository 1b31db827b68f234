"""Models against a champion that another replay of the same examples and labels has scored."""

from collections.abc import Callable, Mapping, Sequence

from prequel.services.learner.fold.evaluation.comparison import Epoch
from prequel.services.learner.fold.evaluation.comparisons import Comparisons
from prequel.services.learner.fold.predictions import NOT_SCORED
from prequel.services.learner.replay.backtests.range_comparisons import RangeComparisons

LabelNumber = Callable[[], int]
"""The number of the label that is just scored, among all first labels: in both replays the same. The index of a score
is not: a model that has just forgotten everything, for a drift, is not scored, and the other replay's model is."""


class NotedPredictions(Comparisons):
    """The champion's replay: notes the class that it predicted, by the number of the label that this is scored by."""

    def __init__(self, number: LabelNumber) -> None:
        super().__init__(0)
        self._number = number
        self.predicted: dict[int, int] = {}

    def score(self, index: int, truth: int, predicted: Sequence[int], *, mixed: bool) -> None:
        self.predicted[self._number()] = predicted[0]


class ComparisonsElsewhere(RangeComparisons):
    """The other replay, of ``models`` models: each is compared with ``champion``, a class by number of the label.

    >>> labels = iter([7, 8])
    >>> comparisons = ComparisonsElsewhere(1, {7: 2}, lambda: next(labels))
    >>> comparisons.score(0, truth=3, predicted=[3], mixed=True)
    >>> comparisons.score(1, truth=3, predicted=[3], mixed=True)
    >>> comparisons.counts[0].wins, comparisons.counts[0].scored
    (1, 1)
    """

    def __init__(self, models: int, champion: Mapping[int, int], number: LabelNumber) -> None:
        super().__init__(models - 1)
        self.counts = [Epoch(0) for _ in range(models)]
        self._champion, self._number = champion, number
        self._numbers: list[int] = []
        """By index of a score, the number of its label."""

    def score(self, index: int, truth: int, predicted: Sequence[int], *, mixed: bool) -> None:
        self._numbers.append(self._number())
        super().score(index, truth, self._with_champion(index, predicted), mixed=mixed)

    def count(self, index: int, truth: int, predicted: Sequence[int], sign: int) -> None:
        super().count(index, truth, self._with_champion(index, predicted), sign)

    def _with_champion(self, index: int, predicted: Sequence[int]) -> list[int]:
        return [self._champion.get(self._numbers[index], NOT_SCORED), *predicted]
