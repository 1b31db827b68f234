"""Feature files as NumPy arrays: `features`, `ids`, `names`, `labels`, `splits`, `sums` and `meta` in one `.npz`."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy
from pydantic import ValidationError

from prequel.shared.features import foreign
from prequel.shared.features.base import FeatureFileError, FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.checksums import ArchiveSum, row_sums
from prequel.shared.features.rows import check_values, regroup, rows_at_once

META = "meta"
SUMS = "sums"
"""Those of row_sums, uint32 [n]."""
_WANTED = {"id": foreign.IDS, "name": foreign.NAMES, "label": foreign.LABELS, "split": foreign.SPLITS}

_FIXED_HEADER_BYTES = 30
"""Of a member of a zip file, before its name and its extra field; their lengths are its last two 16-bit numbers."""


class Header(NamedTuple):
    """Of an array in a file: its dtype, shape and order, where its values begin, and the bytes of it before them."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    begin: int
    length: int


class NpzReader:
    """A FeatureReader of a `.npz`, ours or another program's with an array `features` of a row for each example."""

    def __init__(self, path: Path) -> None:
        """Reads the file's directory and the header of its vectors. Raises FeatureFileError."""
        self._path = path
        with self._errors():
            self._archive = zipfile.ZipFile(path)
        names = [name.removesuffix(".npy") for name in self._archive.namelist()]
        self._columns = {key: foreign.find_column(names, wanted) for key, wanted in _WANTED.items()}
        self._vectors = self._vector_array(names)
        self._infos: list[RowInfo] | None = None
        with self._errors(), self._open(self._vectors) as file:
            self._header = _read_header(file)
        self._check_header()
        self._own = META in names
        self.meta = self._read_meta()
        self._sums = self._array(SUMS) if self._own and SUMS in names else None

    def infos(self) -> list[RowInfo]:
        if self._infos is None:
            count, word = self._header.shape[0], foreign.word_of(self._path)
            columns: foreign.Columns = {
                key: None if name is None else self._column(name, count) for key, name in self._columns.items()
            }
            self._infos = (
                foreign.own_infos(columns)
                if self._own
                else foreign.row_infos(columns, count, word=word, first_row=0, file=self._path)
            )
        return self._infos

    def batches(self, size: int, begin: int = 0) -> Iterator[FeatureRows]:
        return regroup(self._pieces(rows_at_once(size, self.meta.dim), begin), size)

    def close(self) -> None:
        self._archive.close()

    def _pieces(self, size: int, begin: int) -> Iterator[FeatureRows]:
        infos, row = self.infos(), begin
        for values in self._arrays(size, begin):
            self._check_sums(values, row)
            with np.errstate(over="ignore"):
                vectors = values.reshape(len(values), self.meta.dim).astype(np.float32, copy=False)
            check_values(vectors, row, self._path)
            yield FeatureRows(infos[row : row + len(vectors)], vectors)
            row += len(vectors)

    def _arrays(self, size: int, begin: int) -> Iterator[npt.NDArray[Any]]:
        """The rows from ``begin`` on as they are in the file."""
        header, count = self._header, self._header.shape[0]
        if header.fortran:  # Column by column: a row is all over the file, and the file is in memory as a whole.
            whole = self._array(self._vectors)
            yield from (whole[first : first + size] for first in range(begin, count, size))
            return
        stride = header.dtype.itemsize * self.meta.dim
        with self._errors(), self._open(self._vectors) as file:
            member = self._archive.getinfo(f"{self._vectors}.npy")
            archived = ArchiveSum(member, file.read(header.length)) if self._sums is None and not begin else None
            file.seek(header.begin + begin * stride)
            for first in range(begin, count, size):
                rows = min(size, count - first)
                data = self._read(file, rows * stride, first)
                if archived and archived.differs(data):
                    raise FeatureFileError(
                        f"{self._path} is damaged: one of its rows of {self._vectors} is not what was written; make "
                        "it again"
                    )
                yield data.view(header.dtype).reshape(rows, -1)

    def _check_sums(self, values: npt.NDArray[Any], row: int) -> None:
        """Raises FeatureFileError for the first of these rows, of which ``row`` is the first, that was changed."""
        if self._sums is None:
            return
        wrong = np.flatnonzero(row_sums(values) != self._sums[row : row + len(values)])
        if wrong.size:
            raise FeatureFileError(
                f"{self._path} is damaged: row {row + wrong[0] + 1:,} is not what was written; make it again"
            )

    def _read(self, file: IO[bytes], size: int, row: int) -> npt.NDArray[np.uint8]:
        data = np.empty(size, np.uint8)  # Not a bytearray, which is filled with zeros first.
        view, done = data.data, 0
        while done < size:
            if not (got := file.readinto(view[done:])):  # type: ignore[attr-defined]  # Both kinds of file have it.
                raise FeatureFileError(f"{self._path} is cut off at row {row + 1:,}: make it again")
            done += got
        return data

    def _open(self, name: str) -> IO[bytes]:
        """An array's bytes from its header on; not through the archive where they are stored as they are."""
        member = self._archive.getinfo(f"{name}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            return self._archive.open(member)
        file = self._path.open("rb", buffering=0)
        file.seek(member.header_offset)
        fixed = file.read(_FIXED_HEADER_BYTES)
        lengths = int.from_bytes(fixed[26:28], "little") + int.from_bytes(fixed[28:30], "little")
        file.seek(member.header_offset + _FIXED_HEADER_BYTES + lengths)
        return file

    def _vector_array(self, names: Sequence[str]) -> str:
        if name := foreign.find_column(names, foreign.FEATURES):
            return name
        raise FeatureFileError(
            f"{self._path}: none of its arrays ({', '.join(names)[:300]}) is named features: save the vectors as "
            "features, and their labels as labels"
        )

    def _check_header(self) -> None:
        dtype, shape = self._header.dtype, self._header.shape
        if dtype.kind not in "fiub" or len(shape) < 2 or not prod(shape[1:]):
            raise FeatureFileError(
                f"{self._path}: {self._vectors} is an array {dtype} of shape {shape}: it must have a row of numbers "
                "for each example"
            )
        stored = self._archive.getinfo(f"{self._vectors}.npy").file_size - self._header.length
        if stored != prod(shape) * dtype.itemsize:
            raise FeatureFileError(
                f"{self._path} is cut off or damaged: {self._vectors} of shape {shape} has {stored:,} bytes; "
                "make it again"
            )

    def _array(self, name: str) -> npt.NDArray[Any]:
        with self._errors(), self._archive.open(f"{name}.npy") as file:
            try:
                return npy.read_array(file, allow_pickle=False)
            except ValueError as error:
                raise FeatureFileError(
                    f"{self._path}: {name} cannot be read ({error}): save it as plain numbers or texts"
                ) from error

    def _column(self, name: str, count: int) -> list[object]:
        array = self._array(name)
        if array.size != count:
            raise FeatureFileError(
                f"{self._path}: {name} has the shape {array.shape}, but there are {count:,} rows of features"
            )
        return cast("list[object]", array.reshape(-1).tolist())

    def _read_meta(self) -> FeatureMeta:
        if self._own:
            return self._own_meta()
        meta = FeatureMeta(
            backbone=foreign.word_of(self._path), dim=prod(self._header.shape[1:]), source=self._path.name
        )
        return meta.model_copy(update={"labels": foreign.labels_of(self.infos())})

    def _own_meta(self) -> FeatureMeta:
        try:
            meta = FeatureMeta.model_validate_json(str(self._array(META)))
        except ValidationError as error:
            raise FeatureFileError(f"{self._path}: its {META} is damaged: make the file again") from error
        if meta.dim != prod(self._header.shape[1:]) or None in self._columns.values():
            raise FeatureFileError(f"{self._path} is not what its {META} says: make the file again")
        return meta

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turns errors of the disk and of the format into FeatureFileError."""
        try:
            yield
        except FileNotFoundError:
            raise FeatureFileError(f"{self._path} does not exist") from None
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError) as error:
            raise FeatureFileError(
                f"{self._path} cannot be read, it is damaged or not whole: {str(error)[:300]}; make it again"
            ) from error


def _read_header(file: IO[bytes]) -> Header:
    """Raises OSError where this is no array."""
    start = file.tell()
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, SyntaxError, TokenError) as error:  # NumPy parses the header as it would parse Python.
        raise OSError(str(error)) from error
    return Header(dtype, shape, fortran and len(shape) > 1, file.tell(), file.tell() - start)
