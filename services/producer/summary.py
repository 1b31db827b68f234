"""The result of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from prequel.shared.status import StreamStatus


class ImageProblem(NamedTuple):
    """The name of an image in its source, and what is wrong with it."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of one run. ``status`` is that of the whole stream after it, None where there is none yet.

    ``predicted`` counts the images that have a prediction now; ``already_known`` of them had one before the run, and
    were not sent again. ``new`` counts those that the stream did not have.
    """

    stream: str
    sent: int
    predicted: int
    labelled: int
    new: int
    rejected: Sequence[ImageProblem]
    """Images that became dead letters, or that the gateway refused."""
    unreadable: Sequence[ImageProblem]
    unanswered: Sequence[str]
    """Names of images that were sent and got no prediction for a long time."""
    seconds: float
    status: StreamStatus | None
    interrupted: bool
    already_known: int = 0
    copies: int = 0
    """Images that are in the source more than once."""
    contradictions: Sequence[ImageProblem] = ()
    """Images that are in the source under two labels; the first one counts."""
    refused_labels: Sequence[ImageProblem] = ()
    """Labels that the stream did not accept."""
    changed_labels: Sequence[ImageProblem] = ()
    """Images to which an earlier run gave another label than they have now; ``correct`` corrects them."""
    corrected: int = 0
    newly_labelled: int = 0
    """Images that the stream had without a label, and that have one now."""
    labels_by_others: Sequence[ImageProblem] = ()
    """Images to which somebody gave another label than the source has; that label stays."""

    @property
    def accuracy(self) -> float | None:
        """The champion's over the whole stream, None without labels."""
        return self.status.models[self.status.champion].accuracy if self.status else None

    @property
    def window_accuracy(self) -> float | None:
        """The same over the newest labels."""
        return self.status.models[self.status.champion].window_accuracy if self.status else None

    @property
    def rate(self) -> float:
        """Images per second, from the first one sent to the last one learned."""
        return self.sent / self.seconds if self.seconds else 0.0
