"""A feature file as a source: its rows are sent as features, and nothing is extracted."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from prequel.services.producer.client import BINARY
from prequel.services.producer.errors import SourceError, WrongUsage
from prequel.services.producer.sources.base import ImageTime, LoadedImage, SourceImage, Survey
from prequel.shared.backbone_specs import matches
from prequel.shared.features.base import FeatureFileError, FeatureReader, FeatureRows, RowInfo
from prequel.shared.features.opening import is_feature_file, open_features
from prequel.shared.features.ordering import in_order
from prequel.shared.features.row_order import SHUFFLED_BY_EXTRACT, in_blocks
from prequel.shared.status import StreamStatus
from prequel.shared.vectors import Vector, vector_bytes

READ_ROWS = 64
"""Rows that are read together: of 100,352 values each 26 MB; with fewer, short rows would be read one by one."""


class FeatureFile:
    """Rows are known by their number, so that they may have the same name. To be closed.

    ``name`` is what the user called it; without ``labelled`` the file's labels are left out.
    """

    def __init__(self, reader: FeatureReader, name: str, *, labelled: bool) -> None:
        self._reader, self._name, self._labelled = reader, name, labelled
        self._infos: list[RowInfo] | None = None
        self._current: tuple[int, Vector] | None = None
        """The row that was taken last from ``in_step``."""

    @property
    def backbone(self) -> str:
        """What made the features: the id of a backbone, or a word of their maker's."""
        return self._reader.meta.backbone

    @property
    def dim(self) -> int:
        """How many values a row has."""
        return self._reader.meta.dim

    def images(self, survey: Survey) -> Iterator[SourceImage]:
        """As Source has it. Raises SourceError where the file cannot be read."""
        survey.unit = "examples"
        for number, info in enumerate(self._rows()):
            row = SourceImage(info.name, info.label if self._labelled else None, number)
            survey.add(row)
            yield row

    def in_step(self, images: Iterable[SourceImage]) -> Iterator[SourceImage]:
        """The rows in this order; ``load`` has the vector of each until the next one is taken.

        Blocks on the disk; raises SourceError, which names the row, where one is damaged. A whole file in another order
        than its own takes 400 MB at most, or a scratch file of its size.
        """
        rows = list(images)
        numbers = [row.number for row in rows]
        for row, vector in zip(rows, self._vectors(numbers), strict=True):
            self._current = row.number, vector
            yield row

    def load(self, image: SourceImage) -> LoadedImage:
        """The row that ``in_step`` has just given."""
        assert self._current is not None
        assert self._current[0] == image.number
        info = self._rows()[image.number]
        return LoadedImage(info.id, image.name, image.label, vector_bytes(self._current[1]), BINARY)

    def time(self, image: SourceImage) -> ImageTime | None:
        return None

    @property
    def suits_learning(self) -> str:
        """Why its own order is good to learn in; empty where classes come one after the other."""
        order = self._reader.meta.order
        if order.startswith(SHUFFLED_BY_EXTRACT):
            seed = order.partition(":")[2]
            return f"as the file has it, which was shuffled{f' with seed {seed}' if seed else ''} when it was made"
        labels = [info.label for info in self._rows() if info.label is not None] if self._labelled else []
        return "" if in_blocks(labels) else "as the file has it"

    def close(self) -> None:
        self._reader.close()

    def check_stream(self, status: StreamStatus | None) -> None:
        """Raises SourceError where the stream learns from other features, or is to; None: there is no such stream."""
        if status is None:
            return
        fits = status.dim == self.dim and status.backbone == self.backbone
        if fits or (not status.dim and matches(status.backbone, self.backbone)):
            return
        known = f"{status.backbone} ({status.dim} values)" if status.dim else status.backbone
        raise SourceError(
            f"{self._name} has features of {self.backbone} ({self.dim} values), but stream {status.stream} learns from "
            f"{known}: send them to another stream, or extract features of that backbone"
        )

    def _rows(self) -> list[RowInfo]:
        if self._infos is None:
            try:
                self._infos = self._reader.infos()
            except FeatureFileError as error:
                raise SourceError(str(error)) from error
            if not self._infos:
                raise SourceError(f"{self._name} has no rows: there is nothing to send")
        return self._infos

    def _vectors(self, numbers: list[int]) -> Iterator[Vector]:
        try:
            for batch in in_order(self._reader, numbers, READ_ROWS):
                yield from _each(batch)
        except FeatureFileError as error:
            raise SourceError(f"{error}; what was sent before it stays, and is not sent again") from error


def _each(batch: FeatureRows) -> Iterator[Vector]:
    yield from batch.vectors


def open_feature_file(source: str, labels: str | None) -> FeatureFile | None:
    """The feature file that ``source`` names; None where it names no such file.

    Raises WrongUsage for a rule for labels other than `none`: the file has them; SourceError where it cannot be read.
    """
    path = Path(source).expanduser()
    try:
        if not is_feature_file(path):
            return None
        if labels not in (None, "none"):
            raise WrongUsage(f"--labels {labels}: the feature file has its labels; leave it out, or say --labels none")
        return FeatureFile(open_features(path), source, labelled=labels is None)
    except FeatureFileError as error:
        raise SourceError(str(error)) from error
