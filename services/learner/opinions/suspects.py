"""Labelled examples as a model would see them if it had not learned them."""

from copy import deepcopy

import numpy as np

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.vector_blocks import VectorBlocks
from prequel.services.learner.models.leave_one_out import Learned, LeaveOneOut
from prequel.services.learner.opinions.asking import Budget
from prequel.services.learner.opinions.orders import Mask
from prequel.services.learner.opinions.served import Numbers, Served, served
from prequel.services.learner.opinions.window_rows import WindowRows, vectors

ROWS = 1_024
"""Examples left out in one go, those first whose labels the model believes least. Where it still believes all labels
of so many without them, it believes the others too: it is not asked further."""


class LeavingOut:
    """A model of a stream as it is now, without one example at a time; on a copy, and so without the lock."""

    def __init__(self, state: StreamState, number: int, model: LeaveOneOut) -> None:
        """Call it under the lock; ``model`` is the copy of the stream's model ``number``."""
        self._model, self._calibrator = model, deepcopy(state.calibrators[number])
        self._numbers = state.class_numbers(state.models[number])
        self._learned_after, self._learned_at = (
            state.window.column(name).astype(np.int64) for name in ("learned_after", "learned_at")
        )
        self._known = state.window.known_classes(number)
        self._oldest, self._learned, self._reset_at = state.window.bounds[0], state.learned, state.reset_at[number]

    def ask(self, rows: WindowRows, beliefs: Served, blocks: VectorBlocks, budget: Budget) -> list[Served]:
        """What it says of labelled ``rows`` that have slots; ``beliefs`` are its opinions of them, with them.

        Where it is not asked further because it believes all the labels, the beliefs stand.
        """
        order = np.argsort(beliefs.share_of(rows.labels) - beliefs.shares[:, 0], kind="stable")
        answers = list[Served]()
        for begin in range(0, len(order), ROWS):
            part = rows.chosen(order[begin : begin + ROWS])
            answers.append(self._without(part, blocks))
            if not denies(answers[-1], part).any():
                return [*answers, beliefs.chosen(order[begin + ROWS :])]
            if budget.is_spent:
                break
        return answers

    def _without(self, rows: WindowRows, blocks: VectorBlocks) -> Served:
        xs, right = vectors(rows, blocks)
        probabilities = self._model.predict(xs, self._how_learned(rows))
        answer = served(rows.sequences, probabilities, self._numbers, self._calibrator)
        return answer if right.all() else answer.chosen(right)

    def _how_learned(self, rows: WindowRows) -> Learned:
        """As ``fold.correction`` sees it: what a model was reset from, or has never met, is not in it."""
        at = rows.sequences - self._oldest
        inside = (self._known[at] >= 0) & (self._learned_at[at] >= self._reset_at)
        own = {number: place for place, number in enumerate(self._numbers)}
        classes = np.array([own.get(label, -1) for label in rows.labels.tolist()], np.int64)
        ages: Numbers = self._learned - 1 - self._learned_after[at]
        return Learned(np.where(inside, classes, -1), ages)


def denies(answer: Served, rows: WindowRows) -> Mask:
    """Which of the answers are not the labels of their rows."""
    labels = dict(zip(rows.sequences.tolist(), rows.labels.tolist(), strict=True))
    return np.asarray(answer.top_classes != [labels[sequence] for sequence in answer.sequences.tolist()])


def with_company(rows: WindowRows) -> WindowRows:
    """Without those that are the only ones of their class: without them, the model would not know it."""
    counts = np.bincount(rows.labels) if len(rows.labels) else np.zeros(1, np.int64)
    return rows.chosen(counts[rows.labels] > 1)
