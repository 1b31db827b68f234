"""The worst mistakes of a model: those it was most sure of."""

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prequel.services.offline.evaluation.result import Mistake
from prequel.services.offline.evaluation.schedule import Predicted

MAX_MISTAKES = 24
"""Of each model: four rows of six pictures in a report. With four times as many nobody looks at the last ones, and each
is a picture of some kilobytes."""


class WorstMistakes:
    """The worst MAX_MISTAKES of model number ``number``, called ``model``: those it was most sure of.

    Examples of a class that the model did not know yet are left out: it could not be right about them.
    """

    def __init__(self, number: int, model: str) -> None:
        self._number, self._model = number, model
        self._heap = list[tuple[float, float, int, Mistake]]()
        """The least bad of them first."""

    def look_at(self, predicted: Predicted, truths: npt.NDArray[np.int64], names: Sequence[str]) -> None:
        """``truths`` int64 [n] are the classes of the examples, -1 where none is known; ``names`` those of classes."""
        run = predicted.runs[self._number]
        top, sure = np.array(run.top_classes()), run.served.max(axis=1, initial=0.0)
        floor = self._heap[0][0] if len(self._heap) == MAX_MISTAKES else -1.0
        for at in np.flatnonzero((truths >= 0) & (top >= 0) & (top != truths) & (sure >= floor)).tolist():
            truth = int(truths[at])
            (prediction,) = run.rows(at, at + 1).predictions()
            if prediction.knows(truth):
                self._add(predicted, at, names[truth], names[top[at]], float(sure[at]), prediction.probability(truth))

    def worst(self) -> list[Mistake]:
        """The worst one first."""
        return [mistake for *_, mistake in sorted(self._heap, key=lambda entry: entry[:3], reverse=True)]

    def _add(
        self, predicted: Predicted, at: int, truth: str, label: str, probability: float, truth_probability: float
    ) -> None:
        row, info = predicted.first + at, predicted.infos[at]
        mistake = Mistake(
            model=self._model,
            row=row,
            id=info.id,
            name=info.name,
            truth=truth,
            predicted=label,
            probability=round(probability, 6),
            truth_probability=round(truth_probability, 6),
        )
        entry = (probability, -truth_probability, -row, mistake)
        if len(self._heap) < MAX_MISTAKES:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)


def mistakes_of(models: Sequence[str]) -> list[WorstMistakes]:
    """One a model, in their order."""
    return [WorstMistakes(number, model) for number, model in enumerate(models)]
