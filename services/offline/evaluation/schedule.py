"""When labels come: at once, after a number of further examples, or a mini-batch at a time."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from prequel.services.learner.fold.calibration.ranking import ServedRun
from prequel.services.offline.evaluation.offline_fold import OfflineFold
from prequel.shared.features.base import FeatureRows, RowInfo
from prequel.shared.vectors import Vector


class Predicted(NamedTuple):
    """Some examples, in their order, and what each model predicted of them before it had their labels.

    ``first`` is the number of the first of them in the order of the evaluation.
    """

    first: int
    infos: Sequence[RowInfo]
    runs: list[ServedRun]


class Schedule:
    """Feeds rows into a fold: the label of an example comes after ``delay`` further ones, ``mini_batch`` at a time.

    ``again`` yields the same rows a second time, for labels that come late; None where their vectors are kept.
    """

    def __init__(
        self, fold: OfflineFold, *, delay: int, mini_batch: int, again: Iterator[FeatureRows] | None = None
    ) -> None:
        self._fold, self._delay, self._mini_batch = fold, delay, mini_batch
        self._late = deque[tuple[RowInfo, Vector]]()
        self._again = None if again is None else single_rows(again)
        self._learned = 0
        """Examples whose label has come, or that have none."""

    @property
    def predicted(self) -> int:
        """Examples that were predicted so far."""
        return self._fold.state.images

    def apply(self, rows: FeatureRows) -> Iterator[Predicted]:
        """Predict the rows, and learn the labels that come meanwhile. Raises EvaluationError, FeatureFileError."""
        if not self._delay and self._mini_batch == 1:
            yield from self._predict(rows, learn=True)
            return
        begin = 0
        while begin < len(rows.infos):
            end = min(len(rows.infos), begin + self._until_label())
            part = FeatureRows(rows.infos[begin:end], rows.vectors[begin:end])
            if self._again is None:
                self._late.extend(zip(part.infos, part.vectors, strict=True))
            yield from self._predict(part, learn=False)
            self._learn(self.predicted // self._mini_batch * self._mini_batch - self._delay)
            begin = end

    def finish(self) -> None:
        """Learn the labels that are still to come, once there are no more examples."""
        if self._delay or self._mini_batch > 1:
            self._learn(self.predicted)

    def _until_label(self) -> int:
        """How many examples are predicted before the next label comes."""
        due = max(self.predicted, self._learned + self._delay) + 1
        return -(-due // self._mini_batch) * self._mini_batch - self.predicted

    def _predict(self, rows: FeatureRows, *, learn: bool) -> Iterator[Predicted]:
        first, begin = self.predicted, 0
        for runs in self._fold.predict(rows.infos, rows.vectors, learn=learn):
            end = begin + len(runs[0].served)
            yield Predicted(first + begin, rows.infos[begin:end], runs)
            begin = end

    def _learn(self, due: int) -> None:
        """Learn the labels of the first ``due`` examples, as far as that was not done."""
        while self._learned < due:
            info, x = self._late.popleft() if self._again is None else next(self._again)
            self._learned += 1
            if info.label is not None:
                self._fold.learn(info, x)


def single_rows(rows: Iterator[FeatureRows]) -> Iterator[tuple[RowInfo, Vector]]:
    """One row at a time."""
    return (pair for infos, vectors in rows for pair in zip(infos, vectors, strict=True))
