"""The verdict on a challenger: better or worse than the champion on the newest labels, or not told apart."""

from typing import NamedTuple

from prequel.services.learner.fold.evaluation.comparison import Comparison, Epoch
from prequel.services.learner.fold.evaluation.intervals import Interval, difference_evidence, difference_interval

OPEN, BETTER, WORSE, SILENT = "open", "better", "worse", "silent"


class Verdict(NamedTuple):
    """``counts`` are those it rests on; the ``interval`` is of the difference, challenger minus champion.

    ``kind`` is one of OPEN, BETTER, WORSE, SILENT.
    """

    kind: str
    counts: Epoch
    interval: Interval | None
    text: str

    @property
    def difference(self) -> float | None:
        """The challenger's accuracy minus the champion's, on the same examples."""
        wins, losses, scored = self.counts.wins, self.counts.losses, self.counts.scored
        return (wins - losses) / scored if scored else None


def verdict(comparison: Comparison, champion: str, challenger: str, *, mixed: bool) -> Verdict:
    """What the comparison says of two models, by their names.

    Nothing is said while labels come class after class (not ``mixed``), or where there are none.

    >>> comparison = Comparison(start=0)
    >>> for index in range(400):
    ...     comparison.score(index, champion=index % 10 != 0, challenger=True)
    >>> verdict(comparison, "slda", "logistic", mixed=True).text
    'logistic has been better than slda on the newest 400 labels: 100.0 % against 90.0 %.'
    """
    counts = comparison.counts
    kind = kind_of(counts, comparison.risk) if mixed else SILENT
    interval = difference_interval(counts.wins, counts.losses, counts.scored, comparison.risk)
    return Verdict(kind, counts, interval, _text(kind, counts, champion, challenger))


def kind_of(counts: Epoch, risk: float) -> str:
    """Whether the challenger is BETTER or WORSE, or that is OPEN; wrong with a chance of at most ``risk``."""
    if difference_evidence(counts.wins, counts.losses, counts.scored, 0.0) < 1 / risk:
        return OPEN
    return BETTER if counts.wins > counts.losses else WORSE


def _text(kind: str, counts: Epoch, champion: str, challenger: str) -> str:
    if kind == SILENT:
        return f"{challenger} is not compared with {champion} while labels come class after class."
    if not counts.scored:
        return f"There are no scored labels yet to compare {challenger} with {champion} by."
    newest = f"the newest {counts.scored:,} labels"
    accuracies = f"{_accuracy(counts, counts.wins)} against {_accuracy(counts, counts.losses)}"
    if kind == OPEN:
        return f"{challenger} and {champion} cannot be told apart on {newest}: {accuracies}."
    return f"{challenger} has been {kind} than {champion} on {newest}: {accuracies}."


def _accuracy(counts: Epoch, alone: int) -> str:
    return f"{100 * (counts.both + alone) / counts.scored:.1f} %"
