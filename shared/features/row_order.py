"""Whether the rows of a feature file may be learned in their own order, or come class after class."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

SHUFFLED_BY_EXTRACT = "shuffle"
"""What FeatureMeta.order begins with where `extract` has shuffled the rows."""

BLOCKS_SHARE = 0.5
"""Labels come in blocks where they change less often than this share of how often they would, were they shuffled. With
0.9 a stream of photographs in bursts would count as blocks; with 0.1, classes that come twice each would not."""


def in_blocks(labels: Sequence[str]) -> bool:
    """Whether labels come class after class, much longer than chance would have it.

    >>> in_blocks(["cat"] * 50 + ["dog"] * 50), in_blocks(["cat", "dog", "dog", "cat"] * 25)
    (True, False)
    """
    count = len(labels)
    changes = sum(one != other for one, other in pairwise(labels))
    repeated = sum(n * (n - 1) for n in Counter(labels).values()) / max(1, count * (count - 1))
    return changes < BLOCKS_SHARE * (1 - repeated) * (count - 1)
