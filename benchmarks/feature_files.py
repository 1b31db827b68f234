"""Claim: feature files are read and written at a fixed share of the disk's own speed, whatever a row's length, and CSV
is parsed no slower than pyarrow parses it.

``python -m benchmarks.feature_files [--dim D] [--mib N] [--rounds N]``: random features, half of them zero as behind a
ReLU, in all formats and in turns. Ratios are to a bare read of the same bytes in pieces of 8 MiB, and for CSV to
pyarrow.csv on the same text, both in the same round; medians of the rounds. The files fit into the system's cache.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.csv
from rich.console import Console
from rich.table import Table

from prequel.shared.features.base import FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.opening import FORMATS, create_features, open_features
from prequel.shared.features.ordering import in_order
from prequel.shared.features.rows import PIECE_BYTES
from prequel.shared.runtime.garbage_collection import collect_less_often

BATCH = 32


def batches(dim: int, mib: int) -> Iterator[FeatureRows]:
    """Rows of about so many MiB in all."""
    random, count = np.random.default_rng(0), max(BATCH, mib * 2**20 // (4 * dim))
    for begin in range(0, count, BATCH):
        vectors = np.maximum(random.standard_normal((BATCH, dim), np.float32), 0)
        yield FeatureRows([RowInfo(str(n), f"{n}.jpg", "cat", None) for n in range(begin, begin + BATCH)], vectors)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def write(path: Path, dim: int, rows: list[FeatureRows]) -> None:
    writer = create_features(path, FeatureMeta(backbone="b", dim=dim), replace=True)
    for batch in rows:
        writer.append(batch)
    writer.finish(["cat"])


def read(path: Path) -> int:
    reader = open_features(path)
    count = sum(len(batch.infos) for batch in reader.batches(BATCH))
    reader.close()
    return count


def read_shuffled(path: Path) -> int:
    """In a random order, by a scratch copy: as where the vectors are too many for memory."""
    reader = open_features(path)
    order = np.random.default_rng(1).permutation(len(reader.infos()))
    count = sum(len(batch.infos) for batch in in_order(reader, order, BATCH, scratch=path.parent, memory_bytes=2**25))
    reader.close()
    return count


def bare_read(path: Path) -> None:
    buffer = bytearray(PIECE_BYTES)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def bare_write(path: Path, rows: list[FeatureRows]) -> None:
    with path.open("wb", buffering=0) as file:
        for batch in rows:
            file.write(batch.vectors.data)


def pyarrow_csv(path: Path, dim: int) -> None:
    """The same text as a table of ``dim`` float columns, 32 rows a block or a MiB."""
    block = max(2**20, 40 * 12 * dim)
    types = {f"feat_{number}": pyarrow.float32() for number in range(dim)}
    options = pyarrow.csv.ReadOptions(block_size=block)
    with pyarrow.csv.open_csv(
        path, read_options=options, convert_options=pyarrow.csv.ConvertOptions(column_types=types)
    ) as reader:
        for _ in reader:
            pass


def round_of(folder: Path, dim: int, rows: list[FeatureRows]) -> dict[str, float]:
    """MB of vectors a second (of text for CSV and pyarrow), by what was done."""
    size = sum(batch.vectors.nbytes for batch in rows) / 1e6
    rates = {"bare write": size / timed(lambda: bare_write(folder / "bare", rows))}
    rates["bare read"] = size / timed(lambda: bare_read(folder / "bare"))
    for suffix in FORMATS:
        path = folder / f"features{suffix}"
        rates[f"{suffix} write"] = size / timed(lambda path=path: write(path, dim, rows))  # type: ignore[misc]
        rates[f"{suffix} read"] = size / timed(lambda path=path: read(path))  # type: ignore[misc]
    for suffix in (".parquet", ".npz"):
        path = folder / f"features{suffix}"
        rates[f"{suffix} shuffled"] = size / timed(lambda path=path: read_shuffled(path))  # type: ignore[misc]
    rates["pyarrow.csv"] = size / timed(lambda: pyarrow_csv(folder / "features.csv", dim))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dim", type=int, default=100_352)
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    collect_less_often()  # As every command does.
    rows = list(batches(arguments.dim, arguments.mib))
    with tempfile.TemporaryDirectory() as folder:
        rounds = [round_of(Path(folder), arguments.dim, rows) for _ in range(arguments.rounds)]
    table = Table("what", "MB of vectors/s", "ratio", title=f"{arguments.dim:,} values a row, {arguments.mib} MiB")
    for name in rounds[0]:
        base = "pyarrow.csv" if "csv" in name and "write" not in name else f"bare {name.partition(' ')[2]}"
        base = base if base in rounds[0] else "bare read"
        ratio = statistics.median(each[name] / each[base] for each in rounds)
        table.add_row(name, f"{statistics.median(each[name] for each in rounds):,.1f}", f"{ratio:.3f} of {base}")
    Console().print(table)


if __name__ == "__main__":
    main()
