"""One example of the window, read and changed in place."""

from typing import Any

from prequel.services.learner.fold.join.new_example import FirstLabel, FirstSeen
from prequel.services.learner.fold.join.window_chunk import Chunk
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.shared.log.base import Position


class WindowExample:
    """A row of a chunk. Cheap to make, and valid until the example leaves the window."""

    def __init__(self, chunk: Chunk, row: int) -> None:
        self._chunk, self._row = chunk, row
        self.row = row
        """Which one of its chunk it is."""
        self._predictions: list[ModelPrediction] | None = None

    @property
    def sequence(self) -> int:
        """How many examples of the stream came before it."""
        return self._chunk.start + self._row

    @property
    def position(self) -> Position:
        """Where its feature event stands in the log."""
        return Position(self._get("partition"), self._get("offset"))

    @property
    def time(self) -> float:
        """When its image came, in seconds since the epoch."""
        return float(self._get("time"))

    @property
    def label(self) -> int:
        """Its present class, UNLABELLED where it has none."""
        return int(self._get("label"))

    @property
    def score_index(self) -> int:
        """Its index in the prequential metrics, UNSCORED where it was not scored."""
        return int(self._get("score_index"))

    @property
    def learned_at(self) -> int:
        """How many examples had been scored when its present label was learned."""
        return int(self._get("learned_at"))

    @property
    def learned_after(self) -> int:
        """How many first labels the stream had learned before this example's."""
        return int(self._get("learned_after"))

    @property
    def predictions(self) -> list[ModelPrediction]:
        """What every model predicted before the label was known."""
        if self._predictions is None:  # A correction asks several times.
            self._predictions = self._chunk.predictions(self._row)
        return self._predictions

    @property
    def first(self) -> FirstSeen:
        """How it came first: what a duplicate is compared with."""
        return FirstSeen(self._get("first_label"), self._get("digest"))

    @property
    def unknown(self) -> bool:
        """Whether the champion abstained."""
        return bool(self._get("unknown"))

    @property
    def set_threshold(self) -> float:
        """The smallest probability in the champion's set of labels; NO_SET where it had none."""
        return float(self._get("set_threshold"))

    @property
    def why(self) -> int:
        """The number of the reason for which it was labelled, WHY_UNKNOWN where none is known."""
        return int(self._get("why"))

    @property
    def mixed(self) -> bool:
        """Whether labels came mixed, not class after class, when its label was scored."""
        return bool(self._get("mixed"))

    @property
    def label_by(self) -> int:
        """The number of who gave its present label, or took it back."""
        return int(self._get("label_by"))

    @property
    def label_time(self) -> float:
        """When that was, in seconds since the epoch."""
        return float(self._get("label_time"))

    @property
    def residue(self) -> bool:
        """Whether some model, which cannot unlearn, still has a label that the example had before."""
        return bool(self._get("residue"))

    def relabel(
        self, label: int, *, score_index: int, learned_at: int, residue: bool, label_by: int, label_time: float
    ) -> None:
        """Give it another label, or none (UNLABELLED); the next snapshot stores its chunk again."""
        columns, row = self._chunk.columns, self._row
        columns["label"][row], columns["score_index"][row] = label, score_index
        columns["learned_at"][row], columns["residue"][row] = learned_at, residue
        columns["label_by"][row], columns["label_time"][row] = label_by, label_time
        self._chunk.stored_part = None

    def note(self, label: FirstLabel) -> None:
        """Note its first label; the next snapshot stores its chunk again."""
        for column, value in zip(FirstLabel._fields, label, strict=True):
            self._chunk.columns[column][self._row] = value
        self._chunk.stored_part = None

    def _get(self, column: str) -> Any:
        return self._chunk.columns[column].item(self._row)
