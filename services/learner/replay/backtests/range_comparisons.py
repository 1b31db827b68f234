"""The champion against every other model over a whole range of labels, and the verdicts on them."""

from bisect import bisect_right
from collections.abc import Sequence

from prequel.services.learner.fold.evaluation.comparison import Epoch
from prequel.services.learner.fold.evaluation.comparisons import Comparisons
from prequel.services.learner.fold.evaluation.intervals import RISK, difference_interval
from prequel.services.learner.fold.evaluation.verdicts import OPEN, SILENT, kind_of
from prequel.services.learner.fold.predictions import NOT_SCORED
from prequel.shared.status import VerdictStatus


class RangeComparisons(Comparisons):
    """As Comparisons counts, but nothing begins again: not at doublings, not at a drift. ``counts`` has one a model.

    A back-test is one question, about all of its labels. Those that come class after class are left out all the same.

    >>> comparisons = RangeComparisons(challengers=1)
    >>> for index in range(2_000):
    ...     comparisons.score(index, truth=3, predicted=[0, 3], mixed=index != 1_000)
    >>> comparisons.counts[0].wins, comparisons.left_out
    (1999, 1)
    """

    def __init__(self, challengers: int) -> None:
        super().__init__(challengers)
        self.counts = [Epoch(0) for _ in range(challengers)]
        self.left_out = 0
        """Scored examples that are not counted, because labels came class after class."""
        self._turns: list[int] = []
        """Indices from which on labels are not counted, counted, not counted, ... in turn."""

    def score(self, index: int, truth: int, predicted: Sequence[int], *, mixed: bool) -> None:
        self.left_out += not self._counted(index)
        self._count(index, truth, predicted, 1)
        if mixed != self._counted(index + 1):
            self._turns.append(index + 1)

    def count(self, index: int, truth: int, predicted: Sequence[int], sign: int) -> None:
        self._count(index, truth, predicted, sign)

    def _counted(self, index: int) -> bool:
        return bisect_right(self._turns, index) % 2 == 0

    def _count(self, index: int, truth: int, predicted: Sequence[int], sign: int) -> None:
        champion, *others = predicted
        if champion == NOT_SCORED or not self._counted(index):
            return
        for counts, label in zip(self.counts, others, strict=True):
            if label != NOT_SCORED:
                counts.count(champion == truth, label == truth, sign)


def range_verdicts(comparisons: RangeComparisons, champion: str, others: Sequence[str]) -> dict[str, VerdictStatus]:
    """By model, whether it was better or worse than the champion over the range: wrong for one in twenty at most."""
    return {
        model: _verdict(counts, champion, model, comparisons.left_out)
        for model, counts in zip(others, comparisons.counts, strict=True)
    }


def _verdict(counts: Epoch, champion: str, model: str, left_out: int) -> VerdictStatus:
    wins, losses, scored = counts.wins, counts.losses, counts.scored
    kind = SILENT if left_out and not scored else kind_of(counts, RISK)
    return VerdictStatus(
        verdict=kind,
        scored=scored,
        wins=wins,
        losses=losses,
        difference=(wins - losses) / scored if scored else None,
        interval=difference_interval(wins, losses, scored),
        since=0,
        text=_text(kind, counts, champion, model, left_out),
    )


def _text(kind: str, counts: Epoch, champion: str, model: str, left_out: int) -> str:
    if kind == SILENT:
        return f"{model} is not compared with {champion}: the labels came class after class."
    if not counts.scored:
        return f"There are no scored labels to compare {model} with {champion} by."
    right, champions = (_percent(counts, alone) for alone in (counts.wins, counts.losses))
    labels = f"{counts.scored:,} labels" + (f" that came mixed ({left_out:,} did not)" if left_out else "")
    if kind == OPEN:
        return f"{model} and {champion} cannot be told apart on {labels}: {right} against {champions}."
    return f"{model} would have been {kind} than {champion} on {labels}: {right} against {champions}."


def _percent(counts: Epoch, alone: int) -> str:
    return f"{100 * (counts.both + alone) / counts.scored:.1f} %"
