"""Whether the newest labels were predicted worse than those before: then short memories are worth more work."""

import numpy as np
import numpy.typing as npt

_BLOCKS = 8.0
"""Blocks of labels that the newest one is compared with, more or less. With twice as many, a stream that has become
harder for good is surprising for twice as long; with half as many, chance looks like a change twice as often."""
_DEVIATIONS = 3.0
"""How many standard errors the newest block's mean loss must lie above that of those before. With 2 every twentieth
block is a false alarm, with 4 a change that doubles few errors is missed. Losses are skewed: 3 rings in 1 to 4 %."""
_MIN_LABELS = 32.0
"""Labels that a block must have that came mixed: else it says nothing."""


class Surprise:
    """Compares each block of log losses with the blocks before it, whose mean and square fade.

    >>> surprise, alarms = Surprise(), []
    >>> for loss in (0.1, 0.12, 0.1, 0.11, 1.0):
    ...     surprise.losses[:] = 100, 100 * loss, 100 * (loss**2 + 0.1)
    ...     alarms.append(surprise.end_block())
    >>> alarms
    [False, False, False, False, True]
    """

    def __init__(self) -> None:
        self.losses = np.zeros(3)
        """Of this block so far: how many labels, the sum of their log losses, and of their squares."""
        self._before = np.zeros(3)
        """Blocks so far, their mean loss and mean square."""

    def end_block(self) -> bool:
        """Whether the block was worse than those before; the next one begins."""
        count, total, squares = self.losses.tolist()
        self.losses[:] = 0.0
        if count < _MIN_LABELS:
            return False
        blocks, mean, square = self._before.tolist()
        error = np.sqrt(max(square - mean * mean, 0.0) / count)
        share = 1.0 / min(blocks + 1.0, _BLOCKS)
        self._before[:] = (
            blocks + 1.0,
            mean + share * (total / count - mean),
            square + share * (squares / count - square),
        )
        return blocks > 0.0 and total / count > mean + _DEVIATIONS * float(error)

    def array(self) -> npt.NDArray[np.float64]:
        """A copy of everything, [6]."""
        return np.concatenate([self.losses, self._before])

    def load(self, array: npt.NDArray[np.float64]) -> None:
        self.losses, self._before = array[:3].copy(), array[3:].copy()
