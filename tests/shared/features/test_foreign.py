"""Parquet files and arrays of other programs: float16, integer labels, names of their own, and what is damaged."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from numpy.lib import format as npy

from prequel.shared.features.base import FeatureFileError
from prequel.shared.features.opening import open_features
from tests.contracts.features_contract import read

VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, np.int64, ">f4"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_numbers_are_read(tmp_path: Path, dtype: Any, save: Any, order: Any) -> None:
    path = tmp_path / "cats and dogs.npz"
    save(path, features=np.asarray(VECTORS, dtype, order=order), labels=np.array([1, 0, 1, 2], np.uint8))
    for begin in range(4):
        rows = read(path, 2, begin)
        np.testing.assert_array_equal(rows.vectors, VECTORS[begin:])
        assert [row.label for row in rows.infos] == ["1", "0", "1", "2"][begin:]
        assert rows.infos[0].id == f"cats-and-dogs:{begin}"
    reader = open_features(path)
    assert (reader.meta.backbone, reader.meta.labels) == ("cats-and-dogs", ("0", "1", "2"))
    reader.close()


def test_feature_maps_are_flattened(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", x=np.arange(24.0).reshape(2, 3, 2, 2))
    np.testing.assert_array_equal(read(tmp_path / "f.npz").vectors, np.arange(24, dtype=np.float32).reshape(2, 12))


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"a": VECTORS}, r"none of its arrays \(a\) is named features"),
        ({"features": np.arange(3)}, "must have a row of numbers for each example"),
        ({"features": np.array([["a"]])}, "must have a row of numbers"),
        ({"features": VECTORS, "labels": np.arange(3)}, r"labels has the shape \(3,\), but there are 4 rows"),
        ({"features": VECTORS, "labels": np.array([None] * 4)}, "labels cannot be read .*save it as plain numbers"),
        ({"features": np.full((4, 3), np.inf), "labels": np.arange(4)}, "row 1, value 1 is NaN, infinite or too large"),
        ({"features": VECTORS, "labels": np.array(["a", "b\n\nc", "c", "d"])}, "row 2 has the label"),
    ],
)
def test_arrays_that_are_no_features_are_refused(tmp_path: Path, arrays: dict[str, Any], why: str) -> None:
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(FeatureFileError, match=why):
        read(tmp_path / "f.npz")


def test_labels_that_are_bytes_are_texts(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", features=VECTORS[:2], labels=np.array(["é".encode(), b"b"]))
    assert [row.label for row in read(tmp_path / "f.npz").infos] == ["é", "b"]


def test_an_array_that_is_not_as_long_as_its_header_says_is_refused(tmp_path: Path) -> None:
    array = io.BytesIO()
    npy.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3)})
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("features.npy", array.getvalue() + VECTORS.tobytes())
    with pytest.raises(FeatureFileError, match=r"f\.npz is cut off or damaged: features of shape .* has 48 bytes"):
        read(tmp_path / "f.npz")


@pytest.mark.parametrize(
    ("meta", "why"),
    [
        ("{", "its meta is damaged"),
        ('{"backbone": "b", "dim": 2}', "is not what its meta says"),
        ('{"backbone": "b", "dim": 3}', "is not what its meta says"),
    ],
)
def test_a_file_of_ours_with_another_meta_or_without_a_column_is_refused(tmp_path: Path, meta: str, why: str) -> None:
    np.savez(tmp_path / "f.npz", features=VECTORS, labels=np.array(list("abcd")), meta=np.array(meta))
    with pytest.raises(FeatureFileError, match=why):
        read(tmp_path / "f.npz")


def parquet(folder: Path, **columns: Any) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "f.parquet")
    return folder / "f.parquet"


@pytest.mark.parametrize("name", ["embedding", "Features", "anything"])
@pytest.mark.parametrize(
    "type", [pyarrow.list_(pyarrow.float64()), pyarrow.list_(pyarrow.float16(), 3), pyarrow.large_list(pyarrow.int32())]
)
def test_lists_under_any_name_are_read(tmp_path: Path, name: str, type: Any) -> None:
    lists = [[type.value_type.to_pandas_dtype()(value) for value in row] for row in VECTORS]
    path = parquet(tmp_path, **{name: pyarrow.array(lists, type), "target": [1, 0, None, 1], "id": list("abcd")})
    rows = read(path, 3)
    np.testing.assert_array_equal(rows.vectors, VECTORS)
    assert [(row.id, row.label) for row in rows.infos] == [("a", "1"), ("b", "0"), ("c", None), ("d", "1")]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"a": [1, 2]}, r"none of its columns \(a\) holds lists of numbers"),
        ({"a": [[1.0]], "b": [[1.0]]}, "none of its columns"),
        ({"features": [[1.0, 2.0], [1.0]]}, "row 2 has 1 features, the first has 2"),
        ({"features": [[1.0], None]}, "row 2 has no features"),
        ({"features": [[], [1.0]]}, "its first row has no features"),
        ({"features": [[1.0], [None]]}, "row 2, value 1 is NaN, infinite or too large"),
    ],
)
def test_columns_that_are_no_features_are_refused(tmp_path: Path, columns: dict[str, Any], why: str) -> None:
    with pytest.raises(FeatureFileError, match=why):
        read(parquet(tmp_path, **columns))


def test_one_huge_row_group_is_read_in_pieces(tmp_path: Path) -> None:
    path = parquet(tmp_path, features=[[float(number)] * 8 for number in range(5_000)])
    sizes = [len(batch.infos) for batch in open_features(path).batches(100, 4_950)]
    assert sizes == [50]
    assert read(path, 7, 4_321).vectors[0, 0] == 4_321
