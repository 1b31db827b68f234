"""An example as it comes into the window, and what the window notes of its first label."""

from typing import NamedTuple

from prequel.shared.log.base import Position

UNLABELLED = UNSCORED = -1
"""In the columns ``label`` and ``score_index``: the example has none."""
WHY_UNKNOWN = 0
"""In the column ``why``: how the example was chosen to be labelled is not known."""
NO_SET = float("nan")
"""In the column ``set_threshold``: no set was predicted beside the champion's label."""
NO_CLASS = -2
"""In ``FirstSeen.label``: the example's own label is no class (it was rejected, or an earlier label event won)."""


class FirstSeen(NamedTuple):
    """How an example came first: its own label (a class, UNLABELLED or NO_CLASS), and 64 bits of its image's SHA-256.

    ``digest`` is 0 where the image's digest is not known.
    """

    label: int
    digest: int


class NewExample(NamedTuple):
    """An example that was predicted; see WindowExample for what the fields say."""

    id: str
    sequence: int
    position: Position
    time: float
    first: FirstSeen
    unknown: bool
    set_threshold: float


class FirstLabel(NamedTuple):
    """An example's first label, or none; see WindowExample for what the fields say."""

    label: int = UNLABELLED
    score_index: int = UNSCORED
    learned_at: int = 0
    learned_after: int = 0
    why: int = WHY_UNKNOWN
    mixed: bool = False
    label_by: int = 0
    label_time: float = 0.0


NO_LABEL = FirstLabel()
