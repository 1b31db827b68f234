"""A bit that a disk has turned over in a feature file is noticed, whatever value it is in, and its row is named."""

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from prequel.shared.features.base import FeatureFileError
from prequel.shared.features.parquet import META_KEY
from tests.contracts.features_contract import META, read, some_rows, write

COUNT, DIM = 60, 64
META_64 = META.model_copy(update={"dim": DIM})


def flip(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def place_of(path: Path, values: bytes) -> int:
    place = path.read_bytes().find(values)
    assert place > 0
    return place


@pytest.mark.parametrize("row", [0, 31, COUNT - 1])
@pytest.mark.parametrize("bit", [0, 7])
def test_in_our_own_arrays_the_row_is_named_also_when_read_from_the_middle(tmp_path: Path, row: int, bit: int) -> None:
    path, rows = tmp_path / "features.npz", some_rows(COUNT, DIM)
    write(path, rows, META_64)
    flip(path, place_of(path, rows.vectors[row].tobytes()) + 4 * DIM - 3, bit)
    for begin in {0, row}:
        with pytest.raises(FeatureFileError, match=rf"features\.npz is damaged: row {row + 1} is not what was written"):
            read(path, 7, begin)
    if row + 1 < COUNT:
        read(path, 7, row + 1)


@pytest.mark.parametrize("row", [0, 31, COUNT - 1])
def test_in_our_own_parquet_it_is_noticed(tmp_path: Path, row: int) -> None:
    path, rows = tmp_path / "features.parquet", some_rows(COUNT, DIM)
    write(path, rows, META_64)
    flip(path, place_of(path, rows.vectors[row].tobytes()) + 5, 3)
    with pytest.raises(FeatureFileError, match=r"features\.parquet cannot be read as Parquet.*CRC checksum"):
        read(path, 7)


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_in_a_label_it_is_noticed(tmp_path: Path, suffix: str) -> None:
    path, rows = tmp_path / f"features.{suffix}", some_rows(COUNT, DIM)
    rows = rows._replace(infos=[info._replace(label="otter") for info in rows.infos])
    write(path, rows, META_64)
    text = "otter".encode("utf-32-le") if suffix == "npz" else b"otter"
    flip(path, place_of(path, text), 0)
    with pytest.raises(FeatureFileError, match=rf"features\.{suffix} cannot be read"):
        read(path, 7)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_in_the_arrays_of_another_program_the_file_is_named(tmp_path: Path, save: object) -> None:
    path, rows = tmp_path / "features.npz", some_rows(COUNT, DIM)
    save(path, features=rows.vectors, labels=np.arange(COUNT) % 2)  # type: ignore[operator]
    assert np.array_equal(read(path, 7).vectors, rows.vectors)
    flip(path, path.stat().st_size // 2, 3)
    with pytest.raises(FeatureFileError, match=r"features\.npz"):
        read(path, 7)


@pytest.mark.parametrize(
    ("suffix", "written", "damaged"),
    [
        ("npz", b"'shape': (", b"'shape':[("),  # NumPy parses it as Python, where this bracket is never closed.
        ("parquet", b"label", b"la\xe5el"),
        ("parquet", b"label", b"lacel"),  # Without the column, the rows would have no labels.
    ],
)
def test_in_the_description_it_is_noticed(tmp_path: Path, suffix: str, written: bytes, damaged: bytes) -> None:
    path = tmp_path / f"features.{suffix}"
    write(path, some_rows(COUNT, DIM), META_64)
    path.write_bytes(path.read_bytes().replace(written, damaged.ljust(len(written))))
    with pytest.raises(FeatureFileError, match="again"):
        read(path, 7)


def test_in_the_description_that_is_ours_it_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    write(path, some_rows(COUNT, DIM), META_64)
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(table.replace_schema_metadata({META_KEY: b'{"format!1'}), path)
    with pytest.raises(FeatureFileError, match=r"features\.parquet cannot be read as Parquet"):
        read(path, 7)
