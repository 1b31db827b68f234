"""Feature vectors of one size in contiguous blocks: thousands are read at the speed of memory, without a copy."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from prequel.shared.vectors import Vector

Rows = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

BLOCK_BYTES = 4 * 2**20
"""Bytes of a block: as much is taken at once for the first vector of a size. With a quarter, a product with a vector
takes as long to call as to compute; with four times as much, a partition of two small streams would take 32 MB."""
_MAX_ROWS = 1024
"""Rows of a block, however short: a partition of small vectors must not list thousands of free slots for the first."""
FREE = -1
"""In ``offsets``: the slot holds no vector."""


class VectorBlocks:
    """Vectors float32 [dim] in numbered slots, each with the offset of its example in the log; no slots where dim is 0.

    A slot that is freed is taken again by the next vector: what reads slots without the learner's lock must ask
    afterwards whether they still hold what it wanted (``offsets``).
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._rows_per_block = min(_MAX_ROWS, max(1, BLOCK_BYTES // max(1, 4 * dim)))
        self._blocks: list[Rows] = []
        self._free: list[int] = []
        self.offsets: Numbers = np.empty(0, np.int64)
        """By slot; FREE where there is none. Replaced when it grows, as the next."""
        self.squares: Rows = np.empty(0, np.float32)
        """Squared lengths by slot."""

    def __len__(self) -> int:
        """How many vectors there are."""
        return len(self.offsets) - len(self._free)

    def add(self, vector: Vector, offset: int) -> int:
        """Copy the vector into a slot; its number."""
        return self.add_run(vector.reshape(1, -1), [offset])[0]

    def add_run(self, xs: Rows, offsets: Sequence[int]) -> list[int]:
        """Copy the rows of ``xs`` into slots; their numbers."""
        while len(self._free) < len(xs):
            self._grow()
        slots = self._free[-1 : -len(xs) - 1 : -1]
        del self._free[-len(xs) :]
        for rows, chosen in self._stretches(slots):
            rows[:] = xs[chosen]
        self.offsets[slots], self.squares[slots] = offsets, np.vecdot(xs, xs)
        return slots

    def remove(self, slot: int) -> None:
        """Free the slot. The vector is overwritten: one that is forgotten must not stay in memory."""
        self.remove_run([slot])

    def remove_run(self, slots: Sequence[int]) -> None:
        """As ``remove`` for each of some slots: they are the first to be taken again, in their order."""
        self.offsets[slots] = FREE
        for rows, _ in self._stretches(slots):
            rows[:] = 0.0
        self._free += slots[::-1]

    def _stretches(self, slots: Sequence[int]) -> Iterator[tuple[Rows, slice]]:
        """The rows of these slots, and which of ``slots`` they are; together those that follow one another in a block.

        Nearly always they do, as slots are taken and freed in their order: a copy of a stretch is one copy of memory.
        """
        numbers, rows = np.divmod(slots, self._rows_per_block)
        ends = np.flatnonzero((np.diff(slots) != 1) | (rows[1:] == 0)) + 1
        for begin, end in pairwise([0, *ends.tolist(), len(slots)]):
            row = rows[begin]
            yield self._blocks[numbers[begin]][row : row + end - begin], slice(begin, end)

    def row(self, slot: int) -> Rows:
        """The vector in a slot, to be copied: it is another one once the slot is taken again."""
        block, row = divmod(slot, self._rows_per_block)
        vector: Rows = self._blocks[block][row]
        return vector

    def blocks(self) -> Iterator[tuple[int, Rows]]:
        """The number of each block's first slot, and its rows, those of free slots among them."""
        blocks = list(self._blocks)
        return ((number * self._rows_per_block, rows) for number, rows in enumerate(blocks))

    def slots(self, offsets: Numbers) -> Numbers:
        """The slot of each of ``offsets`` [n], FREE where its vector is not here."""
        held = self.offsets
        order = np.argsort(held, kind="stable")
        at = np.searchsorted(held, offsets, sorter=order).clip(max=max(0, len(held) - 1))
        if not len(held):
            return np.full(len(offsets), FREE, np.int64)
        found: Numbers = np.where(held[order[at]] == offsets, order[at], FREE)
        return found

    def squared_distances(self, xs: Rows) -> Rows:
        """Squared distances [n, slots] of ``xs`` [n, dim] to all slots, to about 1e-6 of the largest square: what is
        close is to be measured again. Of a free slot, any number."""
        squares, own = self.squares, np.vecdot(xs, xs)
        out = np.empty((len(xs), len(squares)), np.float32)
        for begin, rows in self.blocks():
            end = min(begin + len(rows), len(squares))
            out[:, begin:end] = own[:, None] + squares[begin:end] - 2.0 * (xs @ rows[: end - begin].T)
        return out

    def partial_distances(self, xs: Rows, values: int) -> Rows:
        """The same of the first ``values`` features alone: no more than the whole, and cheap."""
        own = np.einsum("ij,ij->i", xs[:, :values], xs[:, :values])
        out = np.empty((len(xs), len(self.squares)), np.float32)
        for begin, rows in self.blocks():
            part = rows[: max(0, out.shape[1] - begin), :values]
            squares = np.einsum("ij,ij->i", part, part)
            out[:, begin : begin + len(part)] = own[:, None] + squares - 2.0 * (xs[:, :values] @ part.T)
        return out

    def gather(self, slots: Numbers) -> Rows:
        """Copies of the vectors in these slots, float32 [n, dim]."""
        out = np.empty((len(slots), self.dim), np.float32)
        numbers, rows = np.divmod(slots, self._rows_per_block)
        for number in np.unique(numbers):
            chosen = numbers == number
            out[chosen] = self._blocks[number][rows[chosen]]
        return out

    def _grow(self) -> None:
        begin, more = len(self.offsets), self._rows_per_block
        self._blocks.append(np.zeros((more, self.dim), np.float32))
        self.offsets = np.append(self.offsets, np.full(more, FREE, np.int64))
        self.squares = np.append(self.squares, np.zeros(more, np.float32))
        self._free = [*range(begin + more - 1, begin - 1, -1), *self._free]
