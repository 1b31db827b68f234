"""Asks a model of many examples in slices, so that the learner never waits for long."""

import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import NamedTuple

import numpy as np

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.vector_blocks import Rows, VectorBlocks
from prequel.services.learner.models.capabilities import predict_many
from prequel.services.learner.opinions.served import Numbers, Served, served
from prequel.services.learner.opinions.window_rows import WindowRows, in_memory, vectors
from prequel.shared.log.base import Position

LOCK_S = 0.004
"""How long a slice may hold the learner's lock, which is what a batch of the fold waits for at most. With a quarter, a
product of matrices is as slow as one of rows; with four times as much, every second label waits for as long as it takes
to learn it."""
FIRST_ROWS, MAX_ROWS = 16, 512
"""Rows of the first slice, from which the speed of the model is known, and of the largest: their features fit into a
processor's cache, so that they are copied and multiplied at its speed."""
MAX_READ = 2_048
"""Examples read back from the log for one answer, the newest: 10 MB at 1,280 features, and some tenths of a second on
Kafka. What is read stays in memory while there is room, so the next answer has as many more."""


class Budget(NamedTuple):
    """Until when to go on, by a clock in seconds."""

    clock: Callable[[], float]
    end: float

    @property
    def is_spent(self) -> bool:
        return self.clock() >= self.end


class Asking:
    """One model of a stream, as it is now. It is asked under ``lock``; its calibration is a copy."""

    def __init__(self, state: StreamState, number: int, blocks: VectorBlocks, lock: threading.Lock) -> None:
        """Call it under the lock."""
        self._state, self._number, self._blocks, self._lock = state, number, blocks, lock
        self._model, self._calibrator = state.models[number], deepcopy(state.calibrators[number])

    def ask(self, rows: WindowRows, budget: Budget) -> list[Served]:
        """What it says of ``rows`` that have slots, the newest first, as far as the budget goes."""
        answers, end, size = list[Served](), len(rows.sequences), FIRST_ROWS
        while end and not (answers and budget.is_spent):
            part = rows.chosen(np.arange(max(0, end - size), end))
            end -= len(part.sequences)
            xs, right = vectors(part, self._blocks)
            answer, seconds = self._timed(part.sequences, xs, budget.clock)
            answers.append(answer if right.all() else answer.chosen(right))
            size = max(1, min(MAX_ROWS, 2 * size, int(len(xs) * LOCK_S / max(seconds, 1e-6))))
        return answers

    def say(self, sequences: Numbers, xs: Rows) -> Served:
        """What it says of these features."""
        return self._timed(sequences, xs, lambda: 0.0)[0]

    def _timed(self, sequences: Numbers, xs: Rows, clock: Callable[[], float]) -> tuple[Served, float]:
        with self._lock:
            begun = clock()
            probabilities = predict_many(self._model, xs)
            seconds = clock() - begun
            numbers = self._state.class_numbers(self._model)
        return served(sequences, probabilities, numbers, self._calibrator), seconds


def read_back(cache: FeatureCache, rows: WindowRows, lock: threading.Lock, budget: Budget) -> bool:
    """Read features that are not in memory from the log, the newest first, as far as there is room; whether any were.

    Blocks; raises LogUnavailable.
    """
    missing = rows.chosen(~in_memory(rows))
    with lock:
        room = min(MAX_READ, cache.room)
    if not (room and len(missing.sequences)):
        return False
    positions = [Position(*at) for at in zip(missing.partitions.tolist(), missing.offsets.tolist(), strict=True)]
    for batch in _batches(positions[-room:][::-1]):
        found = cache.read(batch)
        with lock:
            for position, vector in found.items():
                cache.put_old(position, vector)
        if budget.is_spent:
            break
    return True


def _batches(positions: list[Position]) -> Iterator[list[Position]]:
    return (positions[begin : begin + MAX_ROWS] for begin in range(0, len(positions), MAX_ROWS))
