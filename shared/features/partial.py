"""A feature file that is being written: a folder `FILE.partial` beside it, which survives a crash and is gone on."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError

from prequel.shared.features.base import FeatureFileError, FeatureMeta, FeatureRows, RowInfo, Vectors
from prequel.shared.features.rows import check_values, piece_rows
from prequel.shared.runtime.file_lock import FileLock

META, ROWS, VECTORS, LOCK, WHOLE = "meta.json", "rows.ndjson", "vectors.f32", "lock", "whole"
"""Files of the folder: FeatureMeta; a line for each row; their vectors, little-endian float32, one after the other; a
lock of the process that writes; the file as it will be."""

_LITTLE_ENDIAN = np.dtype("<f4")


class FileFormat(NamedTuple):
    """How a whole file is written at a path. ``sidecar``: what is appended to the path of a second file, if any.

    ``write`` raises OSError.
    """

    write: Callable[[Path, FeatureMeta, Sequence[RowInfo], Iterable[Vectors]], None]
    sidecar: str = ""


class PartialFile:
    """A FeatureWriter. Rows are appended to plain files, whatever the format, and only ``finish`` makes it.

    A row counts if both its vector and its line are there: what a crash cut off is removed when the folder is opened.
    """

    def __init__(self, path: Path, meta: FeatureMeta, format: FileFormat, *, replace: bool = False) -> None:
        self._path, self._meta, self._format, self._replace = path, meta, format, replace
        self._folder = partial_folder(path)
        self._rows: list[RowInfo] = []
        self._open_files = ExitStack()

    def open(self) -> None:
        """Begin the folder, or go on with what it has. Raises FeatureFileError where it was begun with another meta.

        With ``replace`` it is then begun again.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._open_files.enter_context(FileLock(self._folder / LOCK).exclusive()):
                raise FeatureFileError(f"{self._path} is being written by another process: wait for it, or end it")
            self._check_meta()
            self._row_file = self._open_files.enter_context((self._folder / ROWS).open("ab+", buffering=0))
            self._vector_file = self._open_files.enter_context((self._folder / VECTORS).open("ab+", buffering=0))
            self._recover()
        except OSError as error:
            self.close()
            place = f" ({error.filename})" if error.filename else ""
            problem = f"{self._path} cannot be written: {error.strerror or error}{place}"
            raise FeatureFileError(f"{problem}. Make room there, or give another file") from error
        except FeatureFileError:
            self.close()
            raise

    @property
    def written(self) -> Sequence[RowInfo]:
        return self._rows

    def append(self, rows: FeatureRows) -> None:
        """As FeatureWriter has it: the system has the bytes on return, so a crash of this process loses none."""
        vectors = np.ascontiguousarray(rows.vectors, _LITTLE_ENDIAN)
        if vectors.shape != (len(rows.infos), self._meta.dim):
            raise FeatureFileError(f"{self._path}: rows of {self._meta.dim:,} values expected, not {vectors.shape}")
        check_values(vectors, len(self._rows), self._path)
        lines = b"".join(json.dumps(info).encode() + b"\n" for info in rows.infos)
        try:
            _write(self._vector_file.fileno(), vectors.data.cast("B"))
            _write(self._row_file.fileno(), memoryview(lines))
        except OSError as error:
            self._recover()
            raise self._no_room(error) from error
        self._rows += rows.infos
        self._row_bytes += len(lines)

    def finish(self, labels: Sequence[str]) -> None:
        """As FeatureWriter has it. The file appears under its name when it is whole and on the disk, not before."""
        if not self._folder.exists():
            return
        meta = self._meta.model_copy(update={"labels": tuple(sorted(set(labels)))})
        try:
            # 1. The whole file, beside the rows: until step 2 the folder has all that is needed to make it again.
            self._format.write(self._folder / WHOLE, meta, self._rows, self._pieces())
            # 2. A sidecar is in place first: a reader that finds the file finds its sidecar too.
            if self._format.sidecar:
                self._move(self._format.sidecar)
            self._move("")
        except OSError as error:
            raise self._no_room(error) from error
        # 3. Only now the rows may go. A crash before this leaves a folder that the next --force goes on with.
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        self._open_files.close()

    def _check_meta(self) -> None:
        file = self._folder / META
        if not file.exists():
            _write_durably(file, self._meta.model_dump_json().encode())
            return
        try:
            found = FeatureMeta.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise FeatureFileError(f"{file} is damaged: remove the folder {self._folder}, and begin again") from error
        other = [name for name, value in self._meta if name != "labels" and value != getattr(found, name)]
        if other and self._replace:
            for name in (ROWS, VECTORS):
                (self._folder / name).unlink(missing_ok=True)
            _write_durably(file, self._meta.model_dump_json().encode())
        elif other:
            begun = ", ".join(f"{name} {getattr(found, name)!r}, now {getattr(self._meta, name)!r}" for name in other)
            raise FeatureFileError(
                f"{self._folder} was begun with other options: {begun}. Give the same as then, remove the folder, or "
                "write another file"
            )

    def _recover(self) -> None:
        """Cut off a last row that is not whole; ``written`` is then what is in the folder."""
        stride = 4 * self._meta.dim
        vectors = os.fstat(self._vector_file.fileno()).st_size // stride
        self._row_file.seek(0)
        whole = self._row_file.read().split(b"\n")[:-1][:vectors]
        self._rows = [RowInfo(*json.loads(line)) for line in whole]
        self._row_bytes = sum(len(line) + 1 for line in whole)
        os.ftruncate(self._vector_file.fileno(), len(whole) * stride)
        os.ftruncate(self._row_file.fileno(), self._row_bytes)

    def _pieces(self) -> Iterator[Vectors]:
        values = piece_rows(self._meta.dim) * self._meta.dim
        with (self._folder / VECTORS).open("rb", buffering=0) as file:
            while len(vectors := np.fromfile(file, _LITTLE_ENDIAN, values)):
                yield vectors.astype(np.float32, copy=False).reshape(-1, self._meta.dim)

    def _move(self, suffix: str) -> None:
        whole, target = self._folder / (WHOLE + suffix), self._path.with_name(self._path.name + suffix)
        with whole.open("rb") as file:
            os.fsync(file.fileno())
        whole.replace(target)
        _sync_folder(target.parent)

    def _no_room(self, error: OSError) -> FeatureFileError:
        for whole in self._folder.glob(f"{WHOLE}*"):  # Its room may be what the next try needs.
            with suppress(OSError):
                whole.unlink()
        return FeatureFileError(
            f"{self._path} cannot be written: {error.strerror or error}. {len(self._rows):,} rows are kept in "
            f"{self._folder}; the file needs as much again to be made of them. Free some space, and give the same "
            "command again"
        )


def partial_folder(path: Path) -> Path:
    """The folder of a file that is being written."""
    return path.with_name(f"{path.name}.partial")


def _write(descriptor: int, data: memoryview) -> None:
    while len(data):
        data = data[os.write(descriptor, data) :]


def _write_durably(file: Path, data: bytes) -> None:
    """Whole or not at all: a crash leaves no file that is cut off."""
    temporary = file.with_suffix(".new")
    with temporary.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
    temporary.replace(file)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
