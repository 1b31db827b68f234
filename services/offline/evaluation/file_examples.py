"""Examples of a feature file."""

from collections.abc import Generator, Sequence
from pathlib import Path

from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.offline.evaluation.examples import Origin
from prequel.services.producer.sources.image_files import image_time
from prequel.shared.backbone_specs import matches
from prequel.shared.features.base import FeatureReader, FeatureRows, RowInfo
from prequel.shared.features.ordering import in_order
from prequel.shared.features.rows import piece_rows

MAX_BATCH = 512
"""Rows of a batch, however short they are: as many as a learner folds at once. With more, progress would stutter."""


class FileExamples:
    """The rows of a feature file, without copies: of rows of one id the first counts. Closing the reader is
    the caller's.

    ``source`` is what the user called the file, ``backbone`` the beginning of an id that it must be of, or empty.
    Raises EvaluationError, FeatureFileError.
    """

    def __init__(self, reader: FeatureReader, source: str, backbone: str) -> None:
        meta = reader.meta
        if not matches(backbone, meta.backbone):
            raise EvaluationError(
                f"{source} has features of {meta.backbone}, not of {backbone}: leave out --backbone, or extract the "
                "images again"
            )
        self._reader = reader
        self._infos, self._rows, self._notes = without_copies(reader.infos())
        self.origin = Origin(source, meta.folder, meta.backbone, meta.order)
        self.repeatable = True

    def infos(self) -> Sequence[RowInfo]:
        return self._infos

    def rows(self, order: Sequence[int]) -> Generator[FeatureRows, None, None]:
        size = min(MAX_BATCH, piece_rows(self._reader.meta.dim))
        yield from in_order(self._reader, [self._rows[number] for number in order], size)

    def times(self) -> Sequence[float]:
        folder = self.origin.folder
        if not folder:
            raise EvaluationError(
                f"--order by-time: {self.origin.source} does not say where its images are, so their times are not "
                "known; use another order"
            )
        times = [image_time(Path(folder) / info.name).seconds for info in self._infos]
        if missing := times.count(0.0):
            name = self._infos[times.index(0.0)].name
            raise EvaluationError(
                f"--order by-time: {missing:,} images are not in {folder} any more, for example {name}; use "
                "another order"
            )
        return times

    def notes(self) -> list[str]:
        return self._notes


def without_copies(infos: Sequence[RowInfo]) -> tuple[list[RowInfo], Sequence[int], list[str]]:
    """The rows whose id is new, their numbers in the file, and a note on the others."""
    first = dict[str, int]()
    for row, info in enumerate(infos):
        first.setdefault(info.id, row)
    copies = len(infos) - len(first)
    if not copies:
        return list(infos), range(len(infos)), []
    rows = list(first.values())
    contradictions = _contradictions(infos, first)
    labels = f", {contradictions:,} of them under another label" if contradictions else ""
    note = f"{copies:,} examples are copies of others (the same id), and counted once{labels}"
    return [infos[row] for row in rows], rows, [note]


def _contradictions(infos: Sequence[RowInfo], first: dict[str, int]) -> int:
    return sum(info.label != infos[first[info.id]].label for info in infos)
