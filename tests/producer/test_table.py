"""CSV files of paths and labels."""

from collections.abc import Generator
from pathlib import Path

import pytest

from prequel.services.producer.errors import SourceError
from prequel.services.producer.sources.base import SourceImage, Survey
from prequel.services.producer.sources.opening import open_source
from prequel.services.producer.sources.table import Table
from prequel.services.producer.sources.table_text import read_rows
from tests.producer.test_folder import fill


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return fill(tmp_path / "photos", ["a.jpg", "b.png", "sub/c.jpg", "with, comma.jpg"])


def listed(text: str | bytes, photos: Path, file: str = "labels.csv") -> tuple[list[SourceImage], Survey]:
    path = photos.parent / file
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    survey = Survey()
    return list(Table(path, photos).images(survey)), survey


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
    assert listed(text, photos)[0] == [SourceImage("a.jpg", "cat"), SourceImage("sub/c.jpg", "dog")]


def test_order_is_that_of_the_file_and_empty_labels_are_none(photos: Path) -> None:
    entries, survey = listed('b.png,\n"with, comma.jpg",cat\na.jpg,dog\nnotes.txt,cat\n', photos)
    assert entries == [SourceImage("b.png", None), SourceImage("with, comma.jpg", "cat"), SourceImage("a.jpg", "dog")]
    assert (survey.images, survey.labelled, survey.ignored) == (3, 2, 1)


def test_paths_are_relative_to_the_folder_or_to_the_file_or_absolute(photos: Path) -> None:
    fill(photos.parent, ["beside.jpg"])
    path = photos.parent / "labels.csv"
    path.write_text(f"a.jpg,cat\nbeside.jpg,cat\n{photos / 'b.png'},cat\n")
    table = Table(path, photos)
    data = [table.load(entry).data for entry in table.images(Survey())]
    assert data == [b"a.jpg", b"beside.jpg", b"b.png"]


def test_a_missing_image_is_an_os_error_when_it_is_its_turn(photos: Path) -> None:
    path = photos.parent / "labels.csv"
    path.write_text("a.jpg,cat\ngone.jpg,cat\n")
    table = Table(path, photos)
    _, gone = table.images(Survey())
    with pytest.raises(OSError, match=r"gone\.jpg does not exist"):
        table.load(gone)


def test_a_path_that_is_too_long_is_an_image_that_cannot_be_read(photos: Path) -> None:
    long = "x" * 300 + ".jpg"
    entries, _ = listed(f"{long},cat\na.jpg,dog\n", photos)
    assert [entry.label for entry in entries] == ["cat", "dog"]
    with pytest.raises(OSError, match="File name too long"):
        Table(photos.parent / "labels.csv", photos).load(entries[0])
    with pytest.raises(SourceError, match="none of its first 1 paths exists in"):
        listed(f"{long},cat\n", photos)


def test_a_table_of_another_folder_is_refused_at_once(photos: Path) -> None:
    with pytest.raises(SourceError, match="none of its first 2 paths exists in"):
        listed("x.jpg,cat\ny.jpg,dog\n", photos)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a.jpg,cat\nb.png\n", "line 2 has 1 column, expected 2"),
        (b"path,label\na.jpg,cat\nb.png,line\x01feed\n", "line 3.*cannot be a label"),
        (b"a.jpg," + b"x" * 129, "line 1.*cannot be a label"),
        (b"a.jpg,caf\xe9\n", "not UTF-8"),
        (b"a.jpg,ca\x00t\n", "NUL|cannot be a label"),
        (b"", "is empty; expected columns path,label"),
        (b"path,label\n", "has no rows below its header"),
        (b"path,label\n,cat\n", "none of its first 1 paths exists in [^ ]*/photos or [^ ]*; .* The first is ''"),
        (b"path,label\nc.jpg,cat\n", "'c.jpg' does not exist, 'sub/c.jpg' does: is sub the folder to stream"),
        (b"path,label\nother/c.jpg,cat\n", "'other/c.jpg' does not exist, 'sub/c.jpg' does"),
        (b"a.jpg cat\nb.png dog\n", "has only one column"),
        (b'a.jpg,"cat\nb.png,dog\n', r'line 1: a quote \("\) that opens on this line is not closed'),
        ("path,label\na.jpg,cat\n".encode("utf-16-le"), "looks like UTF-16 without a byte order mark"),
        (b"path,label\nhttps://example.org/a.jpg,cat\n", "is a web address: download"),
        (
            b"path,label\nC:\\me\\photos\\sub\\c.jpg,cat\n",
            "'sub/c.jpg' does: remove what is before",
        ),
        (b'a.jpg,"' + b"x" * 200_000, "line 1: a value has more than 131,072 characters"),
    ],
)
def test_invalid_tables(text: bytes, message: str, photos: Path) -> None:
    with pytest.raises(SourceError, match=message):
        listed(text, photos)


def test_one_folder_is_named_once(photos: Path) -> None:
    (photos / "labels.csv").write_text("path,label\nnone.jpg,cat\n")
    with pytest.raises(SourceError, match=rf"exists in {photos}; expected"):
        list(Table(photos / "labels.csv", photos).images(Survey()))


def test_a_missing_table_is_named(photos: Path) -> None:
    with pytest.raises(SourceError, match=r"No such file.*csv:FILE"):
        list(Table(photos / "no.csv", photos).images(Survey()))


def test_rows_are_read_lazily(photos: Path) -> None:
    path = photos.parent / "labels.csv"
    path.write_text("a.jpg,cat\n" * 1_000 + "b.png\n")
    entries = Table(path, photos).images(Survey())
    assert [next(entries).label for _ in range(1_000)] == ["cat"] * 1_000
    with pytest.raises(SourceError, match="line 1001"):
        next(entries)


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg|cat\nsub/c.jpg|dog\n",
        "a.jpg,cat\nsub\\c.jpg,dog\n",
        "'a.jpg','cat'\n'sub/c.jpg','dog'\n",
        'a.jpg, "cat"\nsub/c.jpg, "dog"\n',
        "image,species\na,cat\nsub/c,dog\n",
        "id,breed\na,cat\nsub/c,dog\n",
        "photo,animal\na.jpg,cat\nsub/c.jpg,dog\n",
        "animal,photo\ncat,a.jpg\ndog,sub/c.jpg\n",
        "cat,a.jpg\ndog,sub/c.jpg\n",
        "image,split,species\na.jpg,train,cat\nsub/c.jpg,test,dog\n",
        "file_name,height,width,species\na.jpg,10,20,cat\nsub/c.jpg,10,30,dog\n",
        "filename,cat,dog\na.jpg,1,0\nsub/c.jpg,0,1\n",
        "filename,split,cat,dog\na.jpg,x,1.0,0.0\nsub/c.jpg,y,0.0,1.0\n",
        ",image,label\n0,a.jpg,cat\n1,sub/c.jpg,dog\n",
        "\ufeffpath;label\na.jpg;cat\nsub/c.jpg;dog\n".encode("utf-16"),
    ],
)
def test_tables_of_many_programs(text: str | bytes, photos: Path) -> None:
    entries = listed(text, photos)[0]
    assert [entry.label for entry in entries] == ["cat", "dog"]
    table = Table(photos.parent / "labels.csv", photos)
    assert [table.load(entry).data for entry in entries] == [b"a.jpg", b"sub/c.jpg"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("filename,cat,dog\na.jpg,0.9,0.1\nb.png,0.2,0.8\n", r"cat \(0\.9, 0\.2\); dog \(0\.1, 0\.8\)"),
        ("filename,cat,dog\na.jpg,1,1\nb.png,0,1\n", r"cat \(1, 0\); dog \(1\)"),
        ("image,split,animal\na.jpg,train,cat\nb.png,test,dog\n", r"split \(train, test\); animal \(cat, dog\)"),
        ("file_name,height,width\na.jpg,1,2\nb.png,3,4\n", r"height \(1, 3\); width \(2, 4\)"),
        ("filename,split\na.jpg,train\nb.png,test\n", r"split \(train, test\)"),
        ("image,label,class\na.jpg,1,cat\nb.png,2,dog\n", r"label \(1, 2\); class \(cat, dog\)"),
        ("a.jpg,train,cat\nb.png,test,dog\n", r"#2 \(train, test\); #3 \(cat, dog\)"),
    ],
)
def test_an_ambiguous_label_column_is_an_error(text: str, shown: str, photos: Path) -> None:
    with pytest.raises(
        SourceError, match=f"does not say which column is the label.*{shown}.*--labels csv:.*labels.csv#"
    ):
        listed(text, photos)


@pytest.mark.parametrize("column", ["animal", "Animal", "3"])
def test_the_label_column_may_be_named(column: str, photos: Path) -> None:
    path = photos.parent / "labels.csv"
    path.write_text("image,split,animal\na.jpg,train,cat\nb.png,test,dog\n")
    source = open_source(str(photos), f"csv:{path}#{column}")
    assert [entry.label for entry in source.images(Survey())] == ["cat", "dog"]
    with pytest.raises(SourceError, match="has no column 'species'; its columns are image, split, animal"):
        list(open_source(str(photos), f"csv:{path}#species").images(Survey()))


def test_a_first_image_that_is_missing_is_no_header(photos: Path) -> None:
    assert [entry.name for entry in listed("gone.jpg,cat\na.jpg,dog\n", photos)[0]] == ["gone.jpg", "a.jpg"]


def test_several_classes_of_one_image_further_down_are_named(photos: Path) -> None:
    text = "filename,cat,dog\n" + "a.jpg,1,0\n" * 150 + "b.png,1,1\n"
    with pytest.raises(SourceError, match=r"line 152 has 1 in several columns \(cat, dog\)"):
        listed(text, photos)


def test_a_reader_that_stops_early_may_close_the_file_first(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("a,cat\nb,dog\n")
    with (tmp_path / "labels.csv").open("rb") as raw:
        rows = read_rows(raw, "labels.csv")
        assert next(rows) == (1, ["a", "cat"])
    assert isinstance(rows, Generator)
    rows.close()
