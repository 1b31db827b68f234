"""Tables of other programs: the tutorials' with and without a header, those of pandas, and what is no such table."""

from pathlib import Path

import numpy as np
import pytest

from prequel.shared.features.base import FeatureFileError
from prequel.shared.features.csv_table import SIDECAR
from prequel.shared.features.opening import is_feature_file, open_features
from tests.contracts.features_contract import META, assert_same, read, some_rows, write


def table(folder: Path, text: str) -> Path:
    (folder / "f.csv").write_bytes(text.encode())
    return folder / "f.csv"


@pytest.mark.parametrize(
    "text",
    [
        "class,feat_0,feat_1\ncat,1,2.5\ndog,-3e-2,0\n",
        "cat,1,2.5\ndog,-3e-2,0",
        '"class","feat_0","feat_1"\r\n"cat","1","2.5"\r\n"dog","-3e-2","0"\r\n',
        "feat_0,feat_1,label\n1,2.5,cat\n-3e-2,0,dog\n",
        ",0,1,target\n0,1,2.5,cat\n1,-3e-2,0,dog\n",
        "class;a;b\ncat;1;2.5\n\ndog; -3e-2;0\n",
        "\ufeffclass,a,b\ncat,1,2.5\ndog,-3e-2,0\n",
    ],
)
def test_tables_of_other_programs_are_read(tmp_path: Path, text: str) -> None:
    path = table(tmp_path, text)
    rows = read(path)
    assert is_feature_file(path)
    assert [(row.id, row.label, row.split) for row in rows.infos] == [("f:0", "cat", None), ("f:1", "dog", None)]
    np.testing.assert_array_equal(rows.vectors, np.array([[1, 2.5], [-0.03, 0]], np.float32))
    reader = open_features(path)
    assert (reader.meta.backbone, reader.meta.dim, reader.infos()) == ("f", 2, rows.infos)


def test_a_label_that_was_written_as_a_float_is_the_number(tmp_path: Path) -> None:
    rows = read(table(tmp_path, "1.0,5,6\n0.000000000000000000e+00,7,8\n,1,2\n1.5,1,2\n"))
    assert [row.label for row in rows.infos] == ["1", "0", None, "1.5"]


def test_a_first_row_of_a_class_called_y_is_no_header(tmp_path: Path) -> None:
    assert [row.label for row in read(table(tmp_path, "y,0.5,2\nn,1,2\n")).infos] == ["y", "n"]
    assert [row.label for row in read(table(tmp_path, "y,0,1\nn,1,2\n")).infos] == ["n"]


def test_ids_names_and_splits_are_read_where_a_table_has_them(tmp_path: Path) -> None:
    rows = read(table(tmp_path, 'id,path,split,x0,x1,label\na1,"cat, big.jpg",train,1,2,cat\na2,b.jpg,,3,4,\n'))
    assert [tuple(row) for row in rows.infos] == [("a1", "cat, big.jpg", "cat", "train"), ("a2", "b.jpg", None, None)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "f.csv is empty"),
        ("path,label\na.jpg,cat\n", "no table of features: beside a label at the begin or the end"),
        ("class,a,b\ncat,1,x\n", "row 1, column 3 is 'x', not a number"),
        ("class,a,b\ncat,1,2\ncat,1,x y\n", "row 2, feature 2 is 'x y', not a number"),
        ("class,a,b\ncat,1,2\ncat,1\n", "row 2 has 2 columns, expected 3"),
        ("class,a,b\ncat,1,2\ncat,1,2,3\n", "row 2 has 4 columns, expected 3"),
        ("class,a,b\ncat,1,2\ncat\n", "row 2 has 1 columns, expected 3"),
        ("class,a,b\ncat,1,2\ncat,,3\n", "row 2, value 1 is NaN, infinite or too large"),
        ("class,a,b\ncat,1,2\ncat,nan,3\n", "row 2, value 1 is NaN, infinite or too large"),
        ("class,a,b\ncat,1,2\ncat,1\r2,3\n", r"row 2, feature 1 is '1.r2', not a number"),
        ("class,a,b\ncat,1,2\ncat,\u0663,3\n", "row 2, feature 1 is '\u0663', not a number"),
        ("cat,1,2\rdog,1,2", "f.csv ends its lines by CR alone"),
        (f"cat,1,2\n{'c' * 200_000},1,2\n", "row 2 is no line of a table"),
        ("class,a,b\ncat,1\n", "row 1 has 2 columns, its header 3"),
        ("a,class,b\n1,cat,2\n", "all columns must be features"),
    ],
)
def test_what_is_no_table_of_features_is_refused_with_its_row(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(FeatureFileError, match=why):
        read(table(tmp_path, text))


def test_a_table_of_images_and_labels_is_no_feature_file(tmp_path: Path) -> None:
    assert not is_feature_file(table(tmp_path, "path,label\na.jpg,cat\n"))
    assert not is_feature_file(table(tmp_path, ""))
    assert not is_feature_file(tmp_path / "missing.csv")


def test_ours_is_the_tutorials_table(tmp_path: Path) -> None:
    rows = some_rows(5)
    rows.vectors[0] = 0.5, -0.0, 1e-40
    write(tmp_path / "f.csv", rows)
    lines = (tmp_path / "f.csv").read_text().splitlines()
    assert lines[:2] == ["class,feat_0,feat_1,feat_2", '"Bär, groß",0.5,-0,1e-40']
    assert lines[5].startswith(",")


def test_without_its_sidecar_our_table_is_read_as_any_other(tmp_path: Path) -> None:
    rows = some_rows(5)
    write(tmp_path / "f.csv", rows)
    (tmp_path / f"f.csv{SIDECAR}").unlink()
    found = read(tmp_path / "f.csv")
    assert [row.label for row in found.infos] == [row.label for row in rows.infos]
    assert [row.id for row in found.infos] == [f"f:{number}" for number in range(5)]
    np.testing.assert_array_equal(found.vectors, rows.vectors)


@pytest.mark.parametrize("sidecar", ["", "{}\n", '{"meta": {}, "bytes": 1}\n', "[1]\n"])
def test_a_damaged_sidecar_is_said_so(tmp_path: Path, sidecar: str) -> None:
    write(tmp_path / "f.csv", some_rows(5))
    (tmp_path / f"f.csv{SIDECAR}").write_text(sidecar)
    with pytest.raises(FeatureFileError, match=r"f\.csv\.ndjson cannot be read"):
        open_features(tmp_path / "f.csv")


def test_a_table_that_was_changed_is_not_read_with_the_old_sidecar(tmp_path: Path) -> None:
    write(tmp_path / "f.csv", some_rows(5))
    with (tmp_path / "f.csv").open("a") as file:
        file.write("cat,1,2,3\n")
    with pytest.raises(FeatureFileError, match="has been changed since"):
        open_features(tmp_path / "f.csv")


def test_rows_as_long_as_those_of_the_tutorials_are_read_in_pieces(tmp_path: Path) -> None:
    rows = some_rows(9, dim=100_352)
    write(tmp_path / "f.csv", rows, META.model_copy(update={"dim": 100_352}))
    assert (tmp_path / "f.csv").stat().st_size > 2**23  # More than is read at one time.
    np.testing.assert_array_equal(read(tmp_path / "f.csv", size=2, begin=2).vectors, rows.vectors[2:])


def test_labels_without_quotes_come_back_and_a_row_that_lost_a_value_is_named(tmp_path: Path) -> None:
    path, rows = tmp_path / "features.csv", some_rows(20)
    rows = rows._replace(infos=[info._replace(label="cat" if n % 3 else None) for n, info in enumerate(rows.infos)])
    write(path, rows)
    assert_same(read(path, 7), rows)
    lines = path.read_bytes().splitlines()
    kept, _, lost = lines[5].rpartition(b",")
    lines[5] = kept + b" " * (len(lost) + 1)  # Of the same size: else the file beside it would not be this table's.
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(FeatureFileError, match="row 5 has 3 columns, expected 4"):
        read(path, 7)
