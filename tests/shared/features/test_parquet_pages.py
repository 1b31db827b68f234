"""Numbers that are read as they lie in a Parquet file are those that the decoder finds; what is of another form, or
damaged, is never taken for numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.shared.features.base import FeatureFileError, Vectors
from prequel.shared.features.parquet_pages import Chunk, read_lists
from tests.contracts.features_contract import META, read, some_rows, write

ROWS = some_rows(60, 50)
PLAIN: dict[str, Any] = {"compression": "none", "use_dictionary": False, "write_statistics": False}


def of_another_program(path: Path, **options: Any) -> None:
    lists = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(ROWS.vectors.reshape(-1)), 50)
    table = pyarrow.table({"label": ["cat", "dog"] * 30, "features": lists})
    pyarrow.parquet.write_table(table, path, **PLAIN | options)


def as_stored(path: Path) -> list[Vectors | None]:
    """What is read of each row group without the decoder."""
    metadata = pyarrow.parquet.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    with path.open("rb", buffering=0) as file:
        chunks = [(group.column(group.num_columns - 1), group.num_rows) for group in groups]
        return [
            read_lists(file, Chunk(column.data_page_offset, column.total_compressed_size, 50 * rows))
            for column, rows in chunks
        ]


def test_vectors_of_ours_are_read_as_they_lie_without_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    write(path, ROWS, META.model_copy(update={"dim": 50}))
    (found,) = as_stored(path)
    assert found is not None
    np.testing.assert_array_equal(found.reshape(-1, 50), ROWS.vectors)
    assert found.flags.aligned
    assert not found.flags.owndata


@pytest.mark.parametrize("options", [{}, {"data_page_size": 1_000, "write_batch_size": 7}, {"row_group_size": 23}])
def test_so_are_those_of_other_programs_in_pages_and_row_groups_of_any_size(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    of_another_program(tmp_path / "features.parquet", **options)
    found = as_stored(tmp_path / "features.parquet")
    assert all(values is not None for values in found)
    np.testing.assert_array_equal(np.concatenate(found).reshape(-1, 50), ROWS.vectors)  # type: ignore[arg-type]
    assert read(tmp_path / "features.parquet", 7, 5).vectors.tobytes() == ROWS.vectors[5:].tobytes()


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"data_page_version": "2.0"}, {"use_dictionary": True}])
def test_other_forms_are_left_to_the_decoder(tmp_path: Path, options: dict[str, Any]) -> None:
    of_another_program(tmp_path / "features.parquet", **options)
    if "use_dictionary" not in options:  # With one, the reader does not even try.
        assert as_stored(tmp_path / "features.parquet") == [None]
    assert read(tmp_path / "features.parquet", 7).vectors.tobytes() == ROWS.vectors.tobytes()


def test_a_row_without_features_is_named(tmp_path: Path) -> None:
    lists = [None if number == 7 else row.tolist() for number, row in enumerate(ROWS.vectors)]
    column = pyarrow.array(lists, pyarrow.list_(pyarrow.float32(), 50))
    pyarrow.parquet.write_table(pyarrow.table({"features": column}), tmp_path / "features.parquet", **PLAIN)
    with pytest.raises(FeatureFileError, match="row 8 has no features"):
        read(tmp_path / "features.parquet", 7)


@pytest.fixture(scope="module")
def chunk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Chunk]:
    """One with checksums, alone in a file."""
    path = tmp_path_factory.mktemp("chunk") / "features.parquet"
    of_another_program(path, write_page_checksum=True)
    column = pyarrow.parquet.read_metadata(path).row_group(0).column(1)
    begin, size = column.data_page_offset, column.total_compressed_size
    path.write_bytes(path.read_bytes()[begin : begin + size])
    return path, Chunk(0, size, 60 * 50)


@given(place=st.integers(0, 300) | st.integers(0, 12_000), byte=st.integers(1, 255))
def test_a_damaged_byte_is_never_read_as_numbers(chunk: tuple[Path, Chunk], place: int, byte: int) -> None:
    path, whole = chunk
    data = bytearray(path.read_bytes())
    data[place] ^= byte
    damaged = path.with_name("damaged")
    damaged.write_bytes(data)
    with damaged.open("rb", buffering=0) as file:
        try:
            found = read_lists(file, whole)
        except OSError:
            return
        # A header's own bytes have no checksum: what is not needed of them may be anything.
        assert found is None or found.tobytes() == ROWS.vectors.tobytes()


def test_bytes_that_are_missing_are_noticed(chunk: tuple[Path, Chunk]) -> None:
    path, whole = chunk
    with path.open("rb", buffering=0) as file, pytest.raises(OSError, match="cut off"):
        read_lists(file, whole._replace(size=whole.size + 1))
