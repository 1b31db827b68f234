"""Some examples of a stream's window as columns, and where their features are in memory."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.join.new_example import UNLABELLED
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.vector_blocks import FREE, Rows, VectorBlocks

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class WindowRows(NamedTuple):
    """n examples, the oldest first; copies of what the window says, which stay as they are.

    ``sequences``, ``partitions``, ``offsets``, ``labels`` (classes, UNLABELLED) and ``slots`` (FREE where the features
    are not in memory), all int64 [n].
    """

    sequences: Numbers
    partitions: Numbers
    offsets: Numbers
    labels: Numbers
    slots: Numbers

    def chosen(self, which: Mask | Numbers) -> "WindowRows":
        """Those of a mask [n], or at these places."""
        return WindowRows(*(column[which] for column in self))


def window_rows(state: StreamState, blocks: VectorBlocks, *, labelled: bool) -> WindowRows:
    """The labelled examples of the window, or those without a label. Call it under the learner's lock."""
    oldest, following = state.window.bounds
    partitions, offsets = (state.window.column(name).astype(np.int64) for name in ("partition", "offset"))
    labels, sequences = state.window.column("label").astype(np.int64), np.arange(oldest, following)
    which = (labels != UNLABELLED) == labelled
    return WindowRows(sequences[which], partitions[which], offsets[which], labels[which], blocks.slots(offsets[which]))


def vectors(rows: WindowRows, blocks: VectorBlocks) -> tuple[Rows, Mask]:
    """Copies of the features of ``rows``, which had slots, float32 [n, dim]; and which of them are right.

    Without the learner's lock: a slot may have been taken by another example meanwhile.
    """
    xs = blocks.gather(rows.slots)
    return xs, blocks.offsets[rows.slots] == rows.offsets


def in_memory(rows: WindowRows) -> Mask:
    """Which of the rows have a slot."""
    held: Mask = rows.slots != FREE
    return held
