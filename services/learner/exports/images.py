"""The export of images: their bytes as they were sent, in class folders, with a table of labels."""

import io
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple, cast

from prequel.services.learner.exports.archives import Archive
from prequel.services.learner.exports.current_stream import CurrentStream
from prequel.services.learner.exports.example_row import ExampleRow
from prequel.services.learner.exports.example_rows import example_rows
from prequel.services.learner.exports.file_names import file_name
from prequel.services.learner.exports.tables import label_row
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Image, Rejected
from prequel.shared.exports import IMAGE_COLUMNS
from prequel.shared.images.encryption import ImageCipher
from prequel.shared.log.base import IMAGES, Log, Position
from prequel.shared.tables.base import Column, Row
from prequel.shared.tables.csv_table import CsvTable

READ_IMAGES = 16
"""Images that are read together: of the largest, some hundred megabytes."""
SPOOL_BYTES = 8 * 2**20
"""Of a table that memory holds before it becomes a temporary file."""
LABELS_FILE, MISSING_FILE = "labels.csv", "missing.csv"
COLUMNS = tuple(map(Column, IMAGE_COLUMNS))
MISSING_COLUMNS = (*map(Column, ("id", "label", "image", "why_missing")),)

_GONE = "retention has removed the image (PREQUEL_RETENTION_IMAGES)"
_NONE = "the example came without an image"


class _Found(NamedTuple):
    """An example and its image; ``problem`` where there is none."""

    row: ExampleRow
    data: bytes = b""
    problem: str = ""


def export_images(current: CurrentStream, cipher: ImageCipher, archive: Archive) -> None:
    """Every image that is there, then `labels.csv`, and `missing.csv` where some are not."""
    with _Table(COLUMNS) as labels, _Table(MISSING_COLUMNS) as missing:
        for rows in example_rows(current):
            for found in _images(current.log, cipher, current.plan.stream, rows):
                if found.problem:
                    missing.append(_missing_row(found))
                else:
                    name = file_name(found.row.id, found.row.label, found.data)
                    archive.add(name, io.BytesIO(found.data), len(found.data), found.row.at)
                    labels.append(_file_row(name, found.row))
        labels.add_to(archive, LABELS_FILE)
        if missing.rows:
            missing.add_to(archive, MISSING_FILE)
    archive.finish()


def _images(log: Log, cipher: ImageCipher, stream: str, rows: Sequence[ExampleRow]) -> Iterator[_Found]:
    for begin in range(0, len(rows), READ_IMAGES):
        piece = rows[begin : begin + READ_IMAGES]
        images = _read(log, cipher, [row.image for row in piece if row.image])
        for row in piece:
            image = images.get(row.image) if row.image else None
            if isinstance(image, Image) and (image.id, image.stream) == (row.id, stream):
                yield _Found(row, image.data)
            else:
                yield _Found(row, problem=_problem(image) if row.image else _NONE)


def _problem(image: Image | Rejected | None) -> str:
    if image is None:
        return _GONE
    return image.detail if isinstance(image, Rejected) else _NONE


def _read(log: Log, cipher: ImageCipher, positions: Sequence[Position]) -> dict[Position, Image | Rejected]:
    offsets: dict[int, list[int]] = {}
    for position in positions:
        offsets.setdefault(position.partition, []).append(position.offset)
    found: dict[Position, Image | Rejected] = {}
    for partition, wanted in offsets.items():
        for offset, record in log.read(IMAGES, partition, sorted(set(wanted))).items():
            try:
                found[Position(partition, offset)] = decode_image(record)
            except Rejected as error:
                found[Position(partition, offset)] = error
    return dict(zip(found, cipher.decrypt(list(found.values())), strict=True))


def _file_row(name: str, row: ExampleRow) -> Row:
    return {"file": name} | ({"id": row.id, "image": row.image_text} if row.label is None else dict(label_row(row)))


def _missing_row(found: _Found) -> Row:
    row = found.row
    return {"id": row.id, "label": row.label, "image": row.image_text, "why_missing": found.problem}


class _Table:
    """A CSV file that is made beside the archive, and goes into it last."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._file = cast(IO[bytes], tempfile.SpooledTemporaryFile(SPOOL_BYTES))  # noqa: SIM115  # Closed by __exit__.
        self._csv = CsvTable(columns, self._file)
        self.rows = 0

    def __enter__(self) -> "_Table":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, row: Row) -> None:
        self._csv.append([row])
        self.rows += 1

    def add_to(self, archive: Archive, name: str) -> None:
        self._csv.finish()
        size = self._file.tell()
        self._file.seek(0)
        archive.add(name, self._file, size, 0.0)
