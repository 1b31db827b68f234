"""Ids, order and the choice of a source."""

import hashlib
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from prequel.services.producer.errors import SourceError, WrongUsage
from prequel.services.producer.sources.base import SourceImage, Survey
from prequel.services.producer.sources.digits import Digits
from prequel.services.producer.sources.folder import Folder, no_label
from prequel.services.producer.sources.image_files import id_by_path, is_image
from prequel.services.producer.sources.opening import open_source, survey_source
from prequel.shared.events.names import valid_id
from tests.producer.test_folder import fill

NAMES = ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg"]


def test_one_image_has_one_id_whatever_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = fill(tmp_path / "pets", ["cat/1.jpg"]) / "cat" / "1.jpg"
    (tmp_path / "link").symlink_to(tmp_path / "pets")
    (tmp_path / "moved" / "dog").mkdir(parents=True)
    (tmp_path / "moved" / "dog" / "other.png").write_bytes(picture.read_bytes())
    for name, path in (("plain", "cat/1.jpg"), ("dotted", "./cat/../cat/1.jpg"), ("absolute", str(picture))):
        (tmp_path / f"{name}.csv").write_text(f"{path},cat\n")
    monkeypatch.chdir(tmp_path)
    sources: list[tuple[str, str | None]] = [
        (path, None) for path in ("pets", "pets/cat", "./pets/../pets", "pets/cat/1.jpg", "link", "moved")
    ]
    sources += [("pets", f"csv:{name}.csv") for name in ("plain", "dotted", "absolute")]
    ids = set()
    for source in (open_source(*arguments) for arguments in sources):
        ids |= {source.load(entry).id for entry in source.images(Survey())}
    assert ids == {hashlib.sha256(b"cat/1.jpg").hexdigest()[:32]}


def test_old_ids_depend_on_name_and_bytes_only(tmp_path: Path) -> None:
    here, there = fill(tmp_path / "here", NAMES), fill(tmp_path / "there", NAMES)
    ids = [[source.load(entry).old_id for entry in source.images(Survey())] for source in map(folder, (here, there))]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4


def folder(root: Path) -> Folder:
    return Folder(root, no_label)


@pytest.mark.parametrize("name", ["猫.jpg", "--help.jpg", "- a.jpg", "猫" * 70 + "a.jpg", "-.jpg"])
def test_no_id_looks_like_an_option(name: str) -> None:
    assert re.match("[a-z]", id_by_path(name, b"data"))


@pytest.mark.parametrize("name", ["cat/1.jpg", "猫.png", "a b!.gif", "x" * 300 + ".jpg", ".jpg", "a.b:c_d-e.webp"])
def test_every_id_is_valid(name: str) -> None:
    assert valid_id(id_by_path(name, b"data"))


def test_other_names_and_other_bytes_are_other_ids() -> None:
    ids = {id_by_path(name, data) for name in ("a/1.jpg", "b/1.jpg", "a1.jpg") for data in (b"", b"x", b"/x")}
    assert len(ids) == 9


def test_a_name_is_the_same_in_every_unicode_form() -> None:
    assert id_by_path("Ka\u0308se.jpg", b"x") == id_by_path("K\u00e4se.jpg", b"x")


@pytest.mark.parametrize(
    ("name", "expected"), [("a.jpg", True), ("A.JPEG", True), ("a.webp", True), ("a.txt", False), ("._a.jpg", False)]
)
def test_images_by_name(name: str, expected: bool) -> None:
    assert is_image(name) is expected


def test_digits_are_the_real_ones() -> None:
    source = Digits()
    survey = Survey()
    entries = list(source.images(survey))
    real = load_digits()
    assert (survey.images, survey.labelled, survey.labels) == (1_797, 1_797, set("0123456789"))
    assert [entry.label for entry in entries] == [str(target) for target in real.target]
    assert len({source.load(entry).id for entry in entries}) == 1_797
    image = source.load(entries[1_000])
    assert image.id == "digits-1000"
    assert image.content_type == "image/png"
    pixels = np.asarray(Image.open(io.BytesIO(image.data)))
    assert pixels.shape == (32, 32)
    shrunk = pixels.reshape(8, 4, 8, 4).mean((1, 3)) * 16 / 255
    assert np.corrcoef(shrunk.ravel(), real.images[1_000].ravel())[0, 1] > 0.98


def test_digits_without_labels() -> None:
    survey = survey_source(open_source("digits", "none"), "none", name="digits")
    assert (survey.images, survey.labelled) == (1_797, 0)


def test_every_rule_for_labels(tmp_path: Path) -> None:
    root = fill(tmp_path / "photos", [*NAMES, "bird.7.jpg"])
    (tmp_path / "labels.csv").write_text("cat/1.jpg,tom\ndog/2.jpg,rex\n")
    found = {
        labels: [entry.label for entry in open_source(str(root), labels).images(Survey())]
        for labels in (None, "folder", "filename", "none", f"csv:{tmp_path / 'labels.csv'}")
    }
    assert list(found.values()) == [
        [None, "cat", "cat", "dog", "dog"],
        [None, "cat", "cat", "dog", "dog"],
        ["bird", None, None, None, None],
        [None] * 5,
        ["tom", "rex"],
    ]


def test_a_single_image(tmp_path: Path) -> None:
    path = fill(tmp_path / "cat", ["dog.1.jpg"]) / "dog.1.jpg"
    labels = [list(open_source(str(path), how).images(Survey())) for how in (None, "folder", "filename", "none")]
    assert labels == [[SourceImage("dog.1.jpg", label)] for label in (None, "cat", "dog", None)]
    assert open_source(str(path)).load(SourceImage("dog.1.jpg", None)).data == b"dog.1.jpg"


@pytest.mark.parametrize(
    ("source", "labels", "message"),
    [
        ("nowhere", None, "nowhere does not exist; give a folder"),
        ("nowhere", "csv:empty.csv", "nowhere does not exist; give a folder"),
        ("x" * 300, None, "x: File name too long; give a folder"),
        ("notes.txt", None, "not an image by its name"),
        ("empty", None, "empty contains no images"),
        (
            "empty.csv",
            None,
            "empty.csv has features already. If its rows name images.* --labels csv:empty.csv",
        ),
        ("features.csv.gz", None, "is packed: unpack it"),
        ("flat", "folder", "--labels folder finds no label.*cat/1.jpg"),
        ("flat", "filename", "--labels filename finds no label.*cat.123.jpg"),
        ("flat", "csv:empty.csv", "all rows of the table have an empty label"),
        ("flat", "folders", "--labels folders is unknown: use folder, filename, csv:FILE, csv:FILE#COLUMN or none"),
        ("digits", "folder", "labels of their own"),
    ],
)
def test_what_cannot_be_streamed(
    source: str, labels: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, ["notes.txt", "empty/notes.txt", "flat/a.jpg"])
    for name in ("empty.csv", "features.csv.gz"):
        (tmp_path / name).write_text("a.jpg,\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises((SourceError, WrongUsage), match=message):
        survey_source(open_source(source, labels), labels, name=source)


ROWS = "größe,feat_0,feat_1\ncat,1,2\ndog,3,4\n"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", ROWS.encode("latin-1"), "a.csv is not UTF-8: save the table as UTF-8"),
        ("a.csv", ROWS.encode("utf-16"), "a.csv is not UTF-8"),
        ("a.csv", ROWS.replace("\n", "\r").encode(), "ends its lines by CR alone"),
        ("a.csv", b"class,x\ncat,1\n", "has only one column beside the labels"),
        ("a.tsv", b"class\tx\ty\ncat\t1\t2\n", "has features already, which are read once it is called a.csv"),
    ],
)
def test_a_table_that_is_no_source_has_the_reason_first(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(
        SourceError, match=rf"{message}.*\. If its rows name images, give their folder, and --labels csv:"
    ):
        open_source(str(tmp_path / name))


def test_a_folder_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    root = fill(tmp_path / "photos", NAMES)
    source = open_source(str(root))
    shutil.rmtree(root)
    with pytest.raises(
        SourceError,
        match=f"unreadable folders: {root}: No such file or directory",
    ):
        survey_source(source, None, name=str(root))
