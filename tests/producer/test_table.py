"""CSV files of paths and labels."""

from pathlib import Path

import pytest

from services.producer.sources import Entry, SourceError, Survey
from services.producer.table import Table
from tests.producer.test_folder import fill


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return fill(tmp_path / "photos", ["a.jpg", "b.png", "sub/c.jpg", "with, comma.jpg"])


def listed(text: str | bytes, photos: Path, file: str = "labels.csv") -> tuple[list[Entry], Survey]:
    path = photos.parent / file
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    survey = Survey()
    return list(Table(path, photos).entries(survey)), survey


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg,cat\nsub/c.jpg,dog\n",
        "path,label\na.jpg,cat\nsub/c.jpg,dog\n",
        "Label,Filename\ncat,a.jpg\ndog,sub/c.jpg\n",
        "id,image,split,class\n1,a.jpg,train,cat\n2,sub/c.jpg,test,dog\n",
        "a.jpg;cat\r\nsub/c.jpg;dog\r\n",
        "path\tlabel\na.jpg\tcat\nsub/c.jpg\tdog",
        '\ufeffpath,label\n"a.jpg","cat"\n\n sub/c.jpg , dog \n',
    ],
)
def test_forms_of_one_table(text: str, photos: Path) -> None:
    assert listed(text, photos)[0] == [Entry("a.jpg", "cat"), Entry("sub/c.jpg", "dog")]


def test_order_is_that_of_the_file_and_empty_labels_are_none(photos: Path) -> None:
    entries, survey = listed('b.png,\n"with, comma.jpg",cat\na.jpg,dog\nnotes.txt,cat\n', photos)
    assert entries == [Entry("b.png", None), Entry("with, comma.jpg", "cat"), Entry("a.jpg", "dog")]
    assert (survey.images, survey.labelled, survey.ignored) == (3, 2, 1)


def test_paths_are_relative_to_the_folder_or_to_the_file_or_absolute(photos: Path) -> None:
    fill(photos.parent, ["beside.jpg"])
    path = photos.parent / "labels.csv"
    path.write_text(f"a.jpg,cat\nbeside.jpg,cat\n{photos / 'b.png'},cat\n")
    table = Table(path, photos)
    data = [table.load(entry).data for entry in table.entries(Survey())]
    assert data == [b"a.jpg", b"beside.jpg", b"b.png"]


def test_a_missing_image_is_an_os_error_when_it_is_its_turn(photos: Path) -> None:
    path = photos.parent / "labels.csv"
    path.write_text("a.jpg,cat\ngone.jpg,cat\n")
    table = Table(path, photos)
    _, gone = table.entries(Survey())
    with pytest.raises(OSError, match=r"gone\.jpg does not exist"):
        table.load(gone)


def test_a_path_that_is_too_long_is_an_image_that_cannot_be_read(photos: Path) -> None:
    long = "x" * 300 + ".jpg"
    entries, _ = listed(f"{long},cat\na.jpg,dog\n", photos)
    assert [entry.label for entry in entries] == ["cat", "dog"]
    with pytest.raises(OSError, match="File name too long"):
        Table(photos.parent / "labels.csv", photos).load(entries[0])
    with pytest.raises(SourceError, match="none of its first 1 paths exists below"):
        listed(f"{long},cat\n", photos)


def test_a_table_of_other_paths_is_refused_at_once(photos: Path) -> None:
    with pytest.raises(SourceError, match="none of its first 2 paths exists below"):
        listed("x.jpg,cat\ny.jpg,dog\n", photos)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a.jpg,cat\nb.png\n", "line 2 has 1 column; wanted path,label"),
        (b"path,label\na.jpg,cat\nb.png,line\x01feed\n", "line 3.*cannot be a label"),
        (b"a.jpg," + b"x" * 129, "line 1.*cannot be a label"),
        (b"a.jpg,caf\xe9\n", "not UTF-8"),
        (b"a.jpg,ca\x00t\n", "NUL|cannot be a label"),
        (b"", "none of its first 0 paths"),
        (b'a.jpg,"' + b"x" * 200_000, "field larger|cannot be a label"),
    ],
)
def test_what_is_no_such_table_is_named(text: bytes, message: str, photos: Path) -> None:
    with pytest.raises(SourceError, match=message):
        listed(text, photos)


def test_a_missing_table_is_named(photos: Path) -> None:
    with pytest.raises(SourceError, match=r"No such file.*csv:FILE"):
        list(Table(photos / "no.csv", photos).entries(Survey()))


def test_rows_are_read_as_they_are_needed(photos: Path) -> None:
    path = photos.parent / "labels.csv"
    path.write_text("a.jpg,cat\n" * 1_000 + "b.png\n")
    entries = Table(path, photos).entries(Survey())
    assert [next(entries).label for _ in range(1_000)] == ["cat"] * 1_000
    with pytest.raises(SourceError, match="line 1001"):
        next(entries)
