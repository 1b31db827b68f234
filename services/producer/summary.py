"""The result of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class ImageProblem(NamedTuple):
    """The name of an image in its source, and what is wrong with it."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of one run. Accuracies are the champion's over the whole stream, None without labels.

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
    champion: str | None
    accuracy: float | None
    window_accuracy: float | None
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
    def rate(self) -> float:
        """Images per second, from the first one sent to the last one learned."""
        return self.sent / self.seconds if self.seconds else 0.0
