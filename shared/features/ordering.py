"""Reads a feature file in another order than its own, with bounded memory."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from prequel.shared.features.base import FeatureFileError, FeatureReader, FeatureRows, Vectors
from prequel.shared.features.rows import piece_rows, regroup

MEMORY_BYTES = 192 * 2**20
"""Vectors that are put in order at one time; twice as many are in memory while the next ones are read. With half of
it, the scratch copy would be in pieces half as long; with four times as much, `evaluate` would need over a gigabyte."""

Numbers = npt.NDArray[np.int64]


def in_order(
    reader: FeatureReader,
    order: Sequence[int] | Numbers,
    size: int,
    *,
    scratch: Path | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Iterator[FeatureRows]:
    """The rows whose numbers ``order`` lists, each at most once, in that order, ``size`` at a time.

    Rows in the file's own order are only read. Others are read once into memory if they fit, else copied into a
    nameless file in the folder ``scratch`` (None: the system's for temporary files), as large as their vectors. Blocks
    on the disk. Raises FeatureFileError, also where the scratch copy has no room.
    """
    wanted = np.asarray(order, np.int64)
    if len(wanted) == 0:
        return
    if np.all(np.diff(wanted) > 0):
        yield from regroup(_sorted(reader, wanted, size), size)
        return
    infos, dim = reader.infos(), reader.meta.dim
    rows = max(1, memory_bytes // (4 * dim * size)) * size
    buckets = _in_memory(reader, wanted) if len(wanted) <= rows else _by_scratch(reader, wanted, rows, scratch)
    done = 0
    for vectors in buckets:
        for begin in range(0, len(vectors), size):
            part = vectors[begin : begin + size]
            yield FeatureRows([infos[number] for number in wanted[done : done + len(part)]], part)
            done += len(part)


def _sorted(reader: FeatureReader, wanted: Numbers, size: int) -> Iterator[FeatureRows]:
    """Rows in the file's own order, perhaps not all of them."""
    row, last = int(wanted[0]), int(wanted[-1])
    for batch in reader.batches(size, row):
        inside = wanted[np.searchsorted(wanted, row) : np.searchsorted(wanted, row + len(batch.infos))] - row
        if len(inside) == len(batch.infos):
            yield batch
        elif len(inside):
            yield FeatureRows([batch.infos[place] for place in inside], batch.vectors[inside])
        row += len(batch.infos)
        if row > last:
            return


def _in_memory(reader: FeatureReader, wanted: Numbers) -> Iterator[Vectors]:
    vectors = np.empty((len(wanted), reader.meta.dim), np.float32)
    for places, rows in _placed(reader, wanted):
        vectors[places] = rows
    yield vectors


def _by_scratch(reader: FeatureReader, wanted: Numbers, rows: int, scratch: Path | None) -> Iterator[Vectors]:
    """``rows`` vectors at a time: each bucket of the scratch file holds those of one time, as they came.

    So the disk reads and writes long pieces only, however short the vectors are.
    """
    dim = reader.meta.dim
    sources = list[list[Numbers]]([] for _ in range(0, len(wanted), rows))
    try:
        with tempfile.TemporaryFile(dir=scratch, prefix=".prequel-order-", buffering=0) as file:
            filled = [0] * len(sources)
            for places, vectors in _placed(reader, wanted):
                for bucket in np.unique(places // rows):
                    inside = places // rows == bucket
                    _write_at(file, (int(bucket) * rows + filled[bucket]) * 4 * dim, vectors[inside])
                    filled[bucket] += int(inside.sum())
                    sources[bucket].append(places[inside] - bucket * rows)
            for bucket, parts in enumerate(sources):
                yield _read_bucket(file, bucket * rows * 4 * dim, np.concatenate(parts), dim)
    except OSError as error:
        raise FeatureFileError(
            f"another order than the file's own needs {len(wanted) * 4 * dim / 1e9:.1f} GB for a copy in "
            f"{scratch or tempfile.gettempdir()}: {error.strerror or error}; free some space, or read as-is"
        ) from error


def _placed(reader: FeatureReader, wanted: Numbers) -> Iterator[tuple[Numbers, Vectors]]:
    """Each piece of the file: the places in ``wanted`` of its rows, and these rows' vectors."""
    by_row = np.argsort(wanted, kind="stable")
    numbers, row = wanted[by_row], int(wanted[by_row[0]])
    for batch in reader.batches(piece_rows(reader.meta.dim), row):
        low, high = np.searchsorted(numbers, (row, row + len(batch.infos)))
        if low < high:
            yield by_row[low:high], batch.vectors[numbers[low:high] - row]
        row += len(batch.infos)
        if high == len(numbers):
            return


def _write_at(file: IO[bytes], offset: int, vectors: Vectors) -> None:
    file.seek(offset)
    data = np.ascontiguousarray(vectors).data.cast("B")
    while len(data):
        data = data[file.write(data) :]


def _read_bucket(file: IO[bytes], offset: int, places: Numbers, dim: int) -> Vectors:
    """The vectors of one bucket, each at its place, read in pieces: no second copy of all of them in memory."""
    vectors, rows = np.empty((len(places), dim), np.float32), piece_rows(dim)
    file.seek(offset)
    for begin in range(0, len(places), rows):
        part = places[begin : begin + rows]
        vectors[part] = np.fromfile(file, np.float32, len(part) * dim).reshape(-1, dim)
    return vectors
