"""One example on its way out: where it stands, its label, and who gave that."""

from dataclasses import dataclass

from prequel.shared.events.types import Label, Outcome, Prediction
from prequel.shared.log.base import Position

PRODUCER = "producer"
"""Who gave a label that came with its image, and why, as in the stream's history."""
CHANGING = ("learned", "corrected", "retracted")
"""What becomes of a label that changes an example."""


@dataclass(slots=True)
class ExampleRow:
    """``position`` is that of the features, ``image`` that of the image, None where the example came without one.
    Without a label the last four are empty."""

    id: str
    position: Position
    image: Position | None
    at: float
    label: str | None = None
    by: str = ""
    why: str = ""
    labelled_at: float = 0.0
    then: Prediction | None = None
    """What was predicted at the time, where it was asked for and is still in the log."""

    @property
    def image_text(self) -> str | None:
        """``image`` as tables have it."""
        return None if self.image is None else str(self.image)

    def take(self, outcome: Outcome, label: Label | None) -> None:
        """Have the label that ``outcome`` is of; ``label`` is the event, None where the log has it no more."""
        self.label = outcome.label
        given = outcome.label is not None
        self.by, self.why = (label.by, label.why) if label and given else ("", "")
        self.labelled_at = (label.time if label else outcome.time) if given else 0.0


def new_row(prediction: Prediction) -> ExampleRow:
    """The row of an example that was predicted just now, with the label that was known then."""
    row = ExampleRow(prediction.id, prediction.position, prediction.image, prediction.time)
    if prediction.truth is not None:
        row.label, row.by, row.why, row.labelled_at = prediction.truth, PRODUCER, PRODUCER, prediction.time
    return row
