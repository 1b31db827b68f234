"""The window: the newest examples of a stream, which a label can still reach."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.calibration.ranking import ServedRun
from prequel.services.learner.fold.join.new_example import UNLABELLED, FirstLabel, NewExample
from prequel.services.learner.fold.join.window_chunk import CHUNK, Chunk
from prequel.services.learner.fold.join.window_example import WindowExample
from prequel.services.learner.fold.predictions import NOT_LEARNED, ModelPrediction
from prequel.services.learner.snapshots.blobs import Part
from prequel.shared.log.base import Position


class Window:
    """The newest ``size`` examples by id, in chunks; ``models`` is how many models predict each of them."""

    def __init__(self, size: int, models: int) -> None:
        self._size, self._models = size, models
        self._chunks: deque[Chunk] = deque()
        self._sequence: dict[str, int] = {}
        self._next = 0
        self._oldest = 0

    def __contains__(self, id: str) -> bool:
        return id in self._sequence

    def __len__(self) -> int:
        return self._next - self._oldest

    def find(self, id: str) -> WindowExample | None:
        """The example with this id; None where it has left the window, or has not come yet."""
        sequence = self._sequence.get(id)
        return None if sequence is None else self._example(sequence)

    def oldest(self) -> WindowExample | None:
        """The example that leaves the window next."""
        return self._example(self._oldest) if len(self) else None

    def newest_from(self, count: int) -> Position | None:
        """Where the newest ``count`` examples begin in the log; None where the window has fewer."""
        return self._example(self._next - count).position if 0 < count <= len(self) else None

    def extend(self, examples: Sequence[tuple[NewExample, FirstLabel]], predicted: Sequence[ServedRun]) -> None:
        """Add the next examples, with every model's predictions; ``expire`` then removes what is beyond the size."""
        begin = 0
        while begin < len(examples):
            if not self._chunks or len(self._chunks[-1].ids) == CHUNK:
                width = max(run.rows(begin, begin + 1).width for run in predicted)
                self._chunks.append(Chunk(self._next, self._models, width))
            chunk = self._chunks[-1]
            end = min(len(examples), begin + CHUNK - len(chunk.ids))
            chunk.extend(examples[begin:end], [run.rows(begin, end) for run in predicted])
            self._sequence.update((example.id, example.sequence) for example, _ in examples[begin:end])
            self._next += end - begin
            begin = end

    def expire(self) -> Iterator[tuple[str, bool]]:
        """Remove what is beyond the size: (id, whether it had a label), oldest first."""
        while len(self) > self._size:
            chunk, row = self._chunks[0], self._oldest - self._chunks[0].start
            id = chunk.ids[row]
            del self._sequence[id]
            self._oldest += 1
            if row + 1 == CHUNK:
                self._chunks.popleft()
            yield id, chunk.columns["label"].item(row) != UNLABELLED

    def resize(self, size: int) -> None:
        """Change the size; the next ``expire`` removes what is beyond it."""
        self._size = size

    def change_models(
        self,
        old_models: Sequence[int | None],
        new_predictions: Callable[[str, WindowExample], Sequence[ModelPrediction]],
    ) -> None:
        """Model n becomes the old model ``old_models[n]``, or, where that is None, a new one.

        ``new_predictions`` gives the new models' predictions of an example.
        """
        self._models = len(old_models)
        for chunk in self._chunks:
            expired = self._expired_rows(chunk)
            live = [new_predictions(id, WindowExample(chunk, row)) for row, id in _live_rows(chunk, expired)]
            rows = [(NOT_LEARNED,) * old_models.count(None)] * expired + live
            chunk.change_models(old_models, list(zip(*rows, strict=True)))

    def at(self, sequence: int) -> tuple[str, WindowExample] | None:
        """The id of an example and itself, by its sequence number; None where it has left the window."""
        if not self._oldest <= sequence < self._next:
            return None
        example = self._example(sequence)
        return self._chunks[(sequence - self._chunks[0].start) // CHUNK].ids[example.row], example

    def column(self, name: str) -> npt.NDArray[Any]:
        """A copy of a column of all examples, the oldest first."""
        return self._joined(lambda chunk: chunk.columns[name])

    def known_classes(self, model: int) -> npt.NDArray[np.int64]:
        """How many classes the model knew when it predicted each, below 0 as in ModelPrediction."""
        return self._joined(lambda chunk: chunk.predicted["known"][model])

    def _joined(self, column: Callable[[Chunk], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        columns = [column(chunk)[self._expired_rows(chunk) : len(chunk.ids)] for chunk in self._chunks]
        return np.concatenate(columns) if columns else np.zeros(0, np.int64)

    def ids(self) -> Iterator[str]:
        """The id of each example."""
        return (id for chunk in self._chunks for _, id in _live_rows(chunk, self._expired_rows(chunk)))

    def rows(self) -> list[tuple[str, Position, int]]:
        """Id, position and label of each example: what no model's rounding can change."""
        return [
            (id, example.position, example.label)
            for chunk in self._chunks
            for row, id in _live_rows(chunk, self._expired_rows(chunk))
            for example in [WindowExample(chunk, row)]
        ]

    def parts(self) -> dict[str, Part]:
        """The chunks as parts of a snapshot, by name."""
        return {f"window.{chunk.start // CHUNK:08d}": chunk.part() for chunk in self._chunks}

    @property
    def bounds(self) -> tuple[int, int]:
        """Sequence numbers of the oldest example and of the next one."""
        return self._oldest, self._next

    @classmethod
    def from_chunks(cls, size: int, models: int, chunks: Sequence[Chunk], bounds: tuple[int, int]) -> "Window":
        """The inverse of ``parts`` and ``bounds``."""
        self = cls(size, models)
        self._chunks = deque(chunks)
        self._oldest, self._next = bounds
        for chunk in chunks:
            # Without the expired rows of the oldest chunk: such an id may have come again since.
            rows = _live_rows(chunk, self._expired_rows(chunk))
            self._sequence.update((id, chunk.start + row) for row, id in rows)
        return self

    def _expired_rows(self, chunk: Chunk) -> int:
        """How many of its first rows have left the window: only the oldest chunk has any."""
        return max(0, self._oldest - chunk.start)

    def _example(self, sequence: int) -> WindowExample:
        chunk = self._chunks[(sequence - self._chunks[0].start) // CHUNK]
        return WindowExample(chunk, sequence - chunk.start)


def _live_rows(chunk: Chunk, expired: int) -> Iterator[tuple[int, str]]:
    return enumerate(chunk.ids[expired:], expired)
