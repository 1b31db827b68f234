"""When the scores of `slda` and `ridge` are solved again from their sums: a schedule that counts examples only."""

from collections.abc import Mapping
from typing import Any, NamedTuple

_MIN_WORK, _MAX_WORK = 1e6, 4e6
"""Floating-point operations of solving that one example may cost on average, in a long stream and at most. A solve is
10 ms of work for each 3e8. With twice as many, solving would take twice the time; with half as many, scores would lag
twice as long: short memories then lose 1 point while the world changes, and 0.2 with these."""


class Pace(NamedTuple):
    """How often sums are solved whose past fades: with a ``growth``-th more examples, in the long run for ``max_work``.

    ``max_work`` is the floating-point operations of solving that one example may cost. A solve out of turn for a
    correction or a doubled class costs ``patience`` times as much as else.
    """

    growth: int
    max_work: float
    patience: int = 1


ALONE = Pace(8, _MAX_WORK)
_NEW_CLASS_PRICE, _CORRECTION_PRICE, _DOUBLED_PRICE, _MAX_SAVINGS = 8, 32, 24, 128
"""What a solve out of turn costs, in examples: for a new class, at least for a correction, and for a doubled class.
Each learned example earns 1, and at most the last is saved up, so that a burst of 16 new classes is solved at once, and
a storm of them costs one solve in 8 examples. A doubled class is less urgent: its scores are old but not absent. Up to
four corrections are seen at once."""
_MAX_CORRECTIONS, _LABELS_PER_CORRECTION = 8, 1024
"""Of corrections only every eighth earns 1, and of fewer than 8,192 labels seen one for each 1,024. Thousands in a row
are then solved 256 together, at 0.1 ms each with 1,280 features, and the last of them wait for as many as 3 % of all
labels. If each earned 1, it would be 32 together at 0.7 ms, three times that in a mixture of three; if all earned as
little, calibration after the correction of a short stream would be 13 % worse than a clean run's."""

_WORK_PER_CORRECTION = 2.4e7
"""Floating-point operations of solving that one correction may cost, where that makes it dearer: as many as at 1,280
features. At 2,048 a thousand corrections after 6,000 examples take 0.3 s; at the price of 1,280 features, a quarter of
theirs, 1.1 s. With half as many, 1,280 features would be solved for the first two corrections instead of four."""


def max_lag(count: float, seen: int, dim: int, classes: int, pace: Pace = ALONE) -> int:
    """How many examples scores may lag behind sums that weigh ``count`` examples, after ``seen`` have been learned.

    An eighth of all, so that early examples count at once, within what solving may cost. At 1,280 features and 10
    classes that is at most 748, at 368 20. Where the past fades, ``count`` stays small for ever: then after the first
    examples at least 187, or 5.
    """
    work = _work(dim, classes)
    return int(max(1.0, min(count // 8, work // _MIN_WORK), min(seen // pace.growth, work // pace.max_work)))


def correction_price(dim: int, classes: int) -> int:
    """How many examples must be saved up for a solve out of turn because of a correction."""
    return int(min(max(_CORRECTION_PRICE, _work(dim, classes) // _WORK_PER_CORRECTION), _MAX_SAVINGS))


def _work(dim: int, classes: int) -> float:
    """Floating-point operations of a solve: a Cholesky factor and two triangular solves for each class."""
    return dim**3 / 3 + 3.0 * dim**2 * classes


class SolveSchedule:
    """Counts learned examples, and tells when a solve is due: the same in every run, since it looks at nothing else."""

    def __init__(self) -> None:
        self._since, self._due, self._savings = 0, 1, _MAX_SAVINGS
        self._urgent = self._corrected = self._doubled = False
        self._corrections = 0
        """Since the last one that earned."""
        self._correction_price, self._patience = _CORRECTION_PRICE, 1
        self.seen = 0
        """Examples learned so far, whatever they weigh by now."""

    @property
    def is_due(self) -> bool:
        return self._since >= self._due

    @property
    def since(self) -> int:
        """Examples learned since the scores were solved."""
        return self._since

    @property
    def examples_left(self) -> int:
        """How many examples may be learned before ``after_learning`` must be called."""
        return min(self._due - self._since, self._price() - self._savings)

    def after_learning(self, examples: int, *, new_class: bool, doubled: bool) -> None:
        """Count examples; the last of them was of a new class, or made a class twice as large as when solved."""
        self._count(examples, earned=examples)
        self.seen += examples
        if new_class:
            self._urgent = True
        elif doubled:
            self._doubled = True
        self._buy()

    def after_correction(self, *, new_class: bool) -> None:
        """A label was corrected, perhaps to one of a new class, or the past made to weigh less."""
        self._corrected = True
        self._corrections += 1
        earns = self._corrections >= min(_MAX_CORRECTIONS, self.seen // _LABELS_PER_CORRECTION)
        self._corrections = 0 if earns else self._corrections
        self._count(1, earned=int(earns))
        self._urgent |= new_class
        self._buy()

    def after_solving(self, max_lag: int, correction_price: int, patience: int) -> None:
        """The scores are up to date. The next solve in turn comes after ``max_lag`` examples."""
        self._since, self._due, self._correction_price, self._patience = 0, max_lag, correction_price, patience
        self._urgent = self._corrected = self._doubled = False

    def meta(self) -> dict[str, Any]:
        schedule = {"since": self._since, "due": self._due, "savings": self._savings, "seen": self.seen}
        schedule |= {"corrections": self._corrections, "price": self._correction_price, "patience": self._patience}
        return schedule | {"urgent": self._urgent, "corrected": self._corrected, "doubled": self._doubled}

    def load(self, meta: Mapping[str, Any]) -> None:
        self._since, self._due, self._savings, self.seen = (meta[name] for name in ("since", "due", "savings", "seen"))
        self._corrections, self._correction_price, self._patience = (
            meta[name] for name in ("corrections", "price", "patience")
        )
        self._urgent, self._corrected, self._doubled = (meta[name] for name in ("urgent", "corrected", "doubled"))

    def _count(self, examples: int, *, earned: int) -> None:
        self._since, self._savings = self._since + examples, min(_MAX_SAVINGS, self._savings + earned)

    def _buy(self) -> None:
        """A solve out of turn, if something calls for one and the savings are enough."""
        if self._since < self._due and self._savings >= self._price():
            self._savings -= self._price()
            self._due = self._since

    def _price(self) -> int:
        """What a solve out of turn would cost now; more than can be saved up if nothing calls for one."""
        if self._urgent:
            return _NEW_CLASS_PRICE
        if not (self._corrected or self._doubled):
            return 2 * _MAX_SAVINGS
        price = self._correction_price if self._corrected else _DOUBLED_PRICE
        return min(self._patience * price, _MAX_SAVINGS)
