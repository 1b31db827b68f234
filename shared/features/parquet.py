"""Feature files as Parquet: `id`, `name`, `label`, `split`, and `features` as lists of one length."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from prequel.shared.features import foreign
from prequel.shared.features.base import FeatureFileError, FeatureMeta, FeatureRows, RowInfo, Vectors
from prequel.shared.features.parquet_pages import Chunk, read_lists
from prequel.shared.features.rows import PIECE_BYTES, check_values, regroup, rows_at_once

META_KEY = b"prequel"
"""Of the schema's metadata: FeatureMeta as JSON."""

_BUFFER_BYTES = 2**20
"""Read ahead of each column. Without a buffer, a row group is read whole, however large another program made it."""

_MAX_CHUNK_BYTES = 4 * PIECE_BYTES
"""Vectors of a row group that are read at one time: we write PIECE_BYTES. Larger ones of other programs go through the
decoder, which needs no more memory than a batch."""

_PLAIN = {
    "compression": "none",
    "use_dictionary": False,
    "write_statistics": False,
    "write_page_checksum": True,
    # Far more than a row group has: so its vectors are one page, and are read as they lie in the file. Those of many
    # pages, as of 1 MiB, have to be put together first.
    "data_page_size": 2**30,
}

_WANTED = {"id": foreign.IDS, "name": foreign.NAMES, "label": foreign.LABELS, "split": foreign.SPLITS}


def write_parquet(path: Path, meta: FeatureMeta, infos: Sequence[RowInfo], pieces: Iterable[Vectors]) -> None:
    """Write a whole file, a row group for each piece. Vectors are not compressed: they hardly would be, and reading is
    then as fast as the disk. Raises OSError."""
    write_parquet_rows(path, meta, _with_infos(infos, pieces))


def write_parquet_rows(target: Any, meta: FeatureMeta, pieces: Iterable[FeatureRows]) -> None:
    """The same to a path, or to what pyarrow can write to, with the infos of each piece as it comes."""
    schema = _schema(meta)
    with pyarrow.parquet.ParquetWriter(target, schema, **_PLAIN) as writer:
        for infos, vectors in pieces:
            columns = [pyarrow.array(column, pyarrow.string()) for column in zip(*infos, strict=True)]
            values = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1))
            lists = pyarrow.FixedSizeListArray.from_arrays(values, type=schema.field("features").type)
            writer.write_batch(pyarrow.record_batch([*columns, lists], schema=schema))


def _with_infos(infos: Sequence[RowInfo], pieces: Iterable[Vectors]) -> Iterator[FeatureRows]:
    begin = 0
    for vectors in pieces:
        yield FeatureRows(list(infos[begin : begin + len(vectors)]), vectors)
        begin += len(vectors)


def _schema(meta: FeatureMeta) -> Any:
    text = pyarrow.string()
    value = pyarrow.field("element", pyarrow.float32(), nullable=False)
    return pyarrow.schema(
        [
            pyarrow.field("id", text, nullable=False),
            pyarrow.field("name", text, nullable=False),
            pyarrow.field("label", text),
            pyarrow.field("split", text),
            pyarrow.field("features", pyarrow.list_(value, meta.dim), nullable=False),
        ],
        metadata={META_KEY: meta.model_dump_json().encode()},
    )


class ParquetReader:
    """A FeatureReader of a Parquet file, ours or another program's with a column of lists of numbers."""

    def __init__(self, path: Path) -> None:
        """Reads the file's end. Raises FeatureFileError."""
        self._path = path
        with _errors(path):
            self._file = pyarrow.parquet.ParquetFile(
                path, pre_buffer=False, buffer_size=_BUFFER_BYTES, page_checksum_verification=True
            )
        self._schema = self._file.schema_arrow
        self._vectors = _vector_column(self._schema, path)
        self._columns = {key: foreign.find_column(self._others(), names) for key, names in _WANTED.items()}
        self._place = _place(self._file.metadata.schema, self._vectors)
        self._own = META_KEY in (self._schema.metadata or {})
        self.meta = self._read_meta()

    def infos(self) -> list[RowInfo]:
        rows = list[RowInfo]()
        with _errors(self._path):
            for batch in self._file.iter_batches(columns=list(filter(None, self._columns.values())), use_threads=False):
                rows += self._infos(batch, len(rows))
        return rows

    def batches(self, size: int, begin: int = 0) -> Iterator[FeatureRows]:
        return regroup(self._pieces(rows_at_once(size, self.meta.dim), begin), size)

    def close(self) -> None:
        self._file.close()

    def _pieces(self, size: int, begin: int) -> Iterator[FeatureRows]:
        metadata = self._file.metadata
        ends = list(accumulate(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)))
        groups = [number for number, end in enumerate(ends) if end > begin]
        row = ends[groups[0] - 1] if groups and groups[0] else 0
        columns = [self._vectors, *filter(None, self._columns.values())]
        with _errors(self._path) as errors:
            for batch in self._record_batches(size, groups, columns):
                skipped = min(max(begin - row, 0), batch.num_rows)
                row = errors.rows = row + batch.num_rows
                if skipped < batch.num_rows:
                    rest = batch.slice(skipped)
                    first = row - rest.num_rows
                    yield FeatureRows(self._infos(rest, first), self._matrix(rest.column(self._vectors), first))

    def _record_batches(self, size: int, groups: Sequence[int], columns: Sequence[str]) -> Iterator[Any]:
        """These row groups in pieces, of up to ``size`` rows where they have to be decoded."""
        with self._path.open("rb", buffering=0) as file:
            for number in groups:
                vectors = read_lists(file, chunk) if (chunk := self._plain_chunk(number)) else None
                if vectors is None:
                    yield from self._file.iter_batches(size, row_groups=[number], columns=columns, use_threads=False)
                else:
                    others = self._file.read_row_group(number, columns=columns[1:], use_threads=False)
                    lists = pyarrow.FixedSizeListArray.from_arrays(vectors, self.meta.dim)
                    yield from others.append_column(self._vectors, lists).to_batches()

    def _plain_chunk(self, number: int) -> Chunk | None:
        """Where the vectors of a row group lie, if they may lie there as they are in memory."""
        group = self._file.metadata.row_group(number)
        column = group.column(self._place)
        plain = column.compression == "UNCOMPRESSED" and column.physical_type == "FLOAT"
        fixed = pyarrow.types.is_fixed_size_list(self._schema.field(self._vectors).type)
        if not (plain and fixed) or column.has_dictionary_page or column.total_compressed_size > _MAX_CHUNK_BYTES:
            return None
        return Chunk(column.data_page_offset, column.total_compressed_size, group.num_rows * self.meta.dim)

    def _infos(self, batch: Any, first_row: int) -> list[RowInfo]:
        columns: foreign.Columns = {
            key: None if name is None else batch.column(name).to_pylist() for key, name in self._columns.items()
        }
        if self._own:
            return foreign.own_infos(columns)
        word = foreign.word_of(self._path)
        return foreign.row_infos(columns, batch.num_rows, word=word, first_row=first_row, file=self._path)

    def _matrix(self, column: Any, first_row: int) -> Vectors:
        """Raises FeatureFileError for a row of another length, or of what is no finite number."""
        if column.null_count:
            row = first_row + column.is_null().index(True).as_py()
            raise FeatureFileError(f"{self._path}: row {row + 1:,} has no features: remove it")
        if not pyarrow.types.is_fixed_size_list(column.type):
            lengths = column.value_lengths().to_numpy()
            if len(wrong := np.flatnonzero(lengths != self.meta.dim)):
                raise FeatureFileError(
                    f"{self._path}: row {first_row + wrong[0] + 1:,} has {lengths[wrong[0]]:,} features, the first has "
                    f"{self.meta.dim:,}: all rows need the same number"
                )
        values = column.flatten().to_numpy(zero_copy_only=False)  # Nulls become NaN.
        with np.errstate(over="ignore"):
            vectors: Vectors = values.astype(np.float32, copy=False).reshape(len(column), self.meta.dim)
        check_values(vectors, first_row, self._path)
        return vectors

    def _others(self) -> list[str]:
        return [field.name for field in self._schema if field.name != self._vectors]

    def _read_meta(self) -> FeatureMeta:
        if self._own:
            return self._own_meta()
        type = self._schema.field(self._vectors).type
        dim = type.list_size if pyarrow.types.is_fixed_size_list(type) else self._first_length()
        meta = FeatureMeta(backbone=foreign.word_of(self._path), dim=dim, source=self._path.name)
        return meta.model_copy(update={"labels": foreign.labels_of(self.infos() if self._columns["label"] else ())})

    def _own_meta(self) -> FeatureMeta:
        """The file's end has no checksum: of what is damaged there, this is what shows."""
        with _errors(self._path):
            meta = FeatureMeta.model_validate_json(self._schema.metadata[META_KEY])
        if None in self._columns.values():
            raise FeatureFileError(f"{self._path} is damaged: one of its columns is missing; make it again")
        return meta

    def _first_length(self) -> int:
        with _errors(self._path):
            batch = next(self._file.iter_batches(1, columns=[self._vectors]), None)
        first = batch.column(0)[0].as_py() if batch is not None and batch.num_rows else None
        if not first:
            raise FeatureFileError(f"{self._path}: its first row has no features: remove it, or make the file again")
        return len(first)


def _vector_column(schema: Any, path: Path) -> str:
    types = pyarrow.types
    lists = [
        field.name
        for field in schema
        if (types.is_list(field.type) or types.is_large_list(field.type) or types.is_fixed_size_list(field.type))
        and (types.is_floating(field.type.value_type) or types.is_integer(field.type.value_type))
    ]
    if name := foreign.find_column(lists, foreign.FEATURES) or (lists[0] if len(lists) == 1 else None):
        return name
    raise FeatureFileError(
        f"{path}: none of its columns ({', '.join(schema.names)[:300]}) holds lists of numbers under the name features"
    )


def _place(schema: Any, name: str) -> int:
    """The number of the column of numbers that the lists called ``name`` are stored in."""
    return next(place for place in range(len(schema)) if schema.column(place).path.startswith(f"{name}."))


class _errors:  # noqa: N801  # Used like a function.
    """Turns pyarrow's errors, and the disk's, into FeatureFileError that names the file.

    ``rows`` are those that were read without any.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.rows = path, 0

    def __enter__(self) -> "_errors":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise FeatureFileError(f"{self._path} does not exist") from None
        # A damaged name is no UTF-8, and a damaged description no JSON: both are ValueErrors, as some of pyarrow's are.
        if isinstance(error, (pyarrow.ArrowException, OSError, ValueError)):
            place = f" beyond row {self.rows:,}" if self.rows else ""
            raise FeatureFileError(
                f"{self._path} cannot be read as Parquet{place}, it is damaged or not whole: {str(error)[:300]}; make "
                "it again"
            ) from error
