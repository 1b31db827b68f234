"""Reading in another order: the same rows, whatever memory there is."""

from pathlib import Path

import numpy as np
import pytest

from prequel.shared.features.base import FeatureFileError, FeatureRows
from prequel.shared.features.opening import open_features
from prequel.shared.features.ordering import in_order
from prequel.shared.features.rows import piece_rows
from tests.contracts.features_contract import META, assert_same, some_rows, write

ROWS = some_rows(57)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "features.npz", ROWS)
    return tmp_path / "features.npz"


@pytest.mark.parametrize("memory_bytes", [1, 100, 300, 10**6])
@pytest.mark.parametrize("count", [1, 20, 57])
def test_rows_come_in_the_order_that_is_wanted(path: Path, memory_bytes: int, count: int) -> None:
    order = np.random.default_rng(3).permutation(57)[:count]
    reader = open_features(path)
    batches = list(in_order(reader, order, 5, scratch=path.parent, memory_bytes=memory_bytes))
    assert [len(batch.infos) for batch in batches[:-1]] == [5] * (len(batches) - 1)
    found = FeatureRows([info for b in batches for info in b.infos], np.concatenate([b.vectors for b in batches]))
    assert_same(found, FeatureRows([ROWS.infos[row] for row in order], ROWS.vectors[order]))
    reader.close()


def test_buckets_are_filled_from_many_pieces_of_the_file(tmp_path: Path) -> None:
    rows, order = some_rows(45, dim=100_000), np.random.default_rng(5).permutation(45)
    write(tmp_path / "long.npz", rows, META.model_copy(update={"dim": 100_000}))
    assert piece_rows(100_000) < 45 / 2
    reader = open_features(tmp_path / "long.npz")
    batches = list(in_order(reader, order, 4, scratch=tmp_path, memory_bytes=8 * 400_000))
    assert [info for batch in batches for info in batch.infos] == [rows.infos[row] for row in order]
    np.testing.assert_array_equal(np.concatenate([batch.vectors for batch in batches]), rows.vectors[order])
    reader.close()


def test_rows_in_the_files_own_order_are_only_read(path: Path) -> None:
    order = [0, 3, 4, 30, 56]
    reader = open_features(path)
    nowhere = path / "no folder"
    batches = list(in_order(reader, order, 2, scratch=nowhere, memory_bytes=1))
    assert [info for batch in batches for info in batch.infos] == [ROWS.infos[row] for row in order]
    reader.close()


def test_no_rows_are_wanted(path: Path) -> None:
    reader = open_features(path)
    assert list(in_order(reader, [], 2)) == []
    reader.close()


def test_no_room_for_the_scratch_copy_is_said_with_what_to_do(path: Path) -> None:
    reader = open_features(path)
    with pytest.raises(FeatureFileError, match=r"needs 0.0 GB for a copy in .*free some space"):
        list(in_order(reader, range(56, -1, -1), 2, scratch=path / "no folder", memory_bytes=1))
    reader.close()


def test_nothing_is_left_beside_the_file(path: Path) -> None:
    reader = open_features(path)
    for _ in in_order(reader, range(56, -1, -1), 2, scratch=path.parent, memory_bytes=1):
        assert [each.name for each in path.parent.iterdir()] == [path.name]
    reader.close()
