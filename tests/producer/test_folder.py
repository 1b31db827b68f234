"""Folders of images: what is found, in which order, under which labels."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from prequel.services.producer.errors import SourceError
from prequel.services.producer.report import summary_lines
from prequel.services.producer.sources.base import SourceImage, Survey
from prequel.services.producer.sources.folder import Folder, filename_label, folder_labels, no_label
from tests.producer.test_commands import SUMMARY


def fill(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
    return root


def listed(root: Path) -> tuple[list[SourceImage], Survey]:
    survey = Survey()
    return list(Folder(root, folder_labels(root)).images(survey)), survey


def labels(root: Path) -> dict[str, str | None]:
    return {entry.name: entry.label for entry in listed(root)[0]}


def test_class_folders(tmp_path: Path) -> None:
    fill(tmp_path, ["dog/2.jpg", "cat/1.jpg", "cat/0.PNG"])
    assert listed(tmp_path)[0] == [
        SourceImage("cat/0.PNG", "cat"),
        SourceImage("cat/1.jpg", "cat"),
        SourceImage("dog/2.jpg", "dog"),
    ]


def test_class_folders_in_splits(tmp_path: Path) -> None:
    fill(tmp_path, ["train/cat/1.jpg", "test/cat/1.jpg", "test/dog/1.jpg"])
    assert labels(tmp_path) == {"test/cat/1.jpg": "cat", "test/dog/1.jpg": "dog", "train/cat/1.jpg": "cat"}


def test_the_innermost_folder_is_the_class(tmp_path: Path) -> None:
    fill(tmp_path, ["PetImages/Cat/a/1.jpg", "PetImages/Cat/2.jpg"])
    assert labels(tmp_path) == {"PetImages/Cat/2.jpg": "Cat", "PetImages/Cat/a/1.jpg": "a"}


def test_images_beside_the_class_folders_have_no_label(tmp_path: Path) -> None:
    fill(tmp_path, ["1.jpg", "cat/2.jpg"])
    assert labels(tmp_path) == {"1.jpg": None, "cat/2.jpg": "cat"}


def test_splits_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path, ["train/1.jpg", "Test/2.jpg", "val/cat/3.jpg"])
    assert labels(tmp_path) == {"train/1.jpg": None, "Test/2.jpg": None, "val/cat/3.jpg": "cat"}


def test_the_splits_of_food_5k_are_splits(tmp_path: Path) -> None:
    """A published recipe is learned from two of them and held out by the third."""
    fill(tmp_path, ["training/food/1.jpg", "validation/food/2.jpg", "evaluation/non_food/3.jpg", "evaluation/4.jpg"])
    assert labels(tmp_path) == {
        "evaluation/4.jpg": None,
        "evaluation/non_food/3.jpg": "non_food",
        "training/food/1.jpg": "food",
        "validation/food/2.jpg": "food",
    }


def test_a_train_among_vehicles_is_a_class(tmp_path: Path) -> None:
    fill(tmp_path, ["train/1.jpg", "bus/1.jpg"])
    assert labels(tmp_path) == {"bus/1.jpg": "bus", "train/1.jpg": "train"}


def test_a_train_within_a_split_is_a_class(tmp_path: Path) -> None:
    fill(tmp_path, ["train/train/1.jpg", "train/bus/1.jpg"])
    assert labels(tmp_path) == {"train/bus/1.jpg": "bus", "train/train/1.jpg": "train"}


def test_files_that_are_not_images_are_counted(tmp_path: Path) -> None:
    fill(tmp_path, ["cat/1.jpg", "cat/notes.txt", "cat/.hidden.jpg", "cat/Thumbs.db", "README", ".git/2.jpg"])
    entries, survey = listed(tmp_path)
    assert [entry.name for entry in entries] == ["cat/1.jpg"]
    assert (survey.images, survey.labelled, survey.labels, survey.ignored) == (1, 1, {"cat"}, 4)


def test_nothing_in_a_hidden_folder_is_sent_or_counted(tmp_path: Path) -> None:
    fill(tmp_path, ["cat/1.jpg", "cat/.cache/2.jpg", ".git/3.jpg", ".git/config"])
    entries, survey = listed(tmp_path)
    assert ([entry.name for entry in entries], survey.ignored) == (["cat/1.jpg"], 0)


@pytest.mark.parametrize(
    "name",
    [
        "@eaDir",
        ".thumbnails",
        "#recycle",
        "__MACOSX",
        ".AppleDouble",
        "lost+found",
        "$RECYCLE.BIN",
        ".@__thumb",
        ".git",
    ],
)
def test_folders_of_systems_are_skipped_and_counted(tmp_path: Path, name: str) -> None:
    fill(tmp_path, ["cat/1.jpg", f"cat/{name}/1.jpg", f"{name}/2.jpg"])
    entries, survey = listed(tmp_path)
    assert ([entry.name for entry in entries], survey.ignored) == (["cat/1.jpg"], 0)
    assert survey.skipped_folders == {name: 2}
    assert any(name in line for line in summary_lines(SUMMARY, survey, "correct"))


def test_a_folder_of_a_system_among_splits_is_not_one_of_them(tmp_path: Path) -> None:
    fill(tmp_path, ["train/1.jpg", "test/2.jpg", "@eaDir/1.jpg"])
    assert labels(tmp_path) == {"test/2.jpg": None, "train/1.jpg": None}


def test_unicode_class_names(tmp_path: Path) -> None:
    fill(tmp_path, ["Käse/1.jpg", "猫/2.jpg", "🐶/3.jpg"])
    assert set(labels(tmp_path).values()) == {"Käse", "猫", "🐶"}


def test_decomposed_and_composed_names_are_one_class(tmp_path: Path) -> None:
    fill(tmp_path, ["a/Ka\u0308se/1.jpg", "b/K\u00e4se/2.jpg"])
    assert set(labels(tmp_path).values()) == {"K\u00e4se"}


@pytest.mark.parametrize("name", ["x" * 129, "line\nbreak", "tab\there", os.fsdecode(b"latin-\xe9")])
def test_a_folder_that_cannot_be_a_label_is_named(tmp_path: Path, name: str) -> None:
    fill(tmp_path, [f"{name}/1.jpg"])
    with pytest.raises(SourceError, match="cannot be a label") as caught:
        listed(tmp_path)
    assert "1.jpg" in str(caught.value)
    assert "--labels none" in str(caught.value)


def test_link_loops_end(tmp_path: Path) -> None:
    fill(tmp_path, ["cat/1.jpg", "dog/2.jpg"])
    (tmp_path / "cat" / "up").symlink_to(tmp_path)
    (tmp_path / "dog" / "self").symlink_to(tmp_path / "dog")
    assert labels(tmp_path) == {"cat/1.jpg": "cat", "dog/2.jpg": "dog"}


def test_links_are_followed_and_every_folder_is_read_once(tmp_path: Path) -> None:
    raw = fill(tmp_path / "raw", ["1.jpg"])
    chosen = fill(tmp_path / "chosen", ["dog/2.jpg"])
    (chosen / "cat").symlink_to(raw)
    (chosen / "cat2").symlink_to(raw)
    assert labels(chosen) == {"cat/1.jpg": "cat", "dog/2.jpg": "dog"}


def test_a_broken_link_is_ignored(tmp_path: Path) -> None:
    fill(tmp_path, ["cat/1.jpg"])
    (tmp_path / "cat" / "gone").symlink_to(tmp_path / "nowhere")
    entries, survey = listed(tmp_path)
    assert [entry.name for entry in entries] == ["cat/1.jpg"]
    assert survey.ignored == 1


def test_a_folder_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.jpg", "b/2.jpg", "c/3.jpg"])
    survey = Survey()
    entries = Folder(tmp_path, no_label).images(survey)
    assert next(entries).name == "a/1.jpg"
    shutil.rmtree(tmp_path / "b")
    assert [entry.name for entry in entries] == ["c/3.jpg"]
    assert survey.unreadable == ["b/: No such file or directory"]


def test_names_that_are_not_utf8_can_be_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    fill(tmp_path, [name])
    source = Folder(tmp_path, no_label)
    (entry,) = source.images(Survey())
    item = source.load(entry)
    assert item.old_id.startswith("caf-")
    assert item.data


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    source = Folder(tmp_path, no_label)
    (entry,) = source.images(Survey())
    with pytest.raises(OSError, match="not a regular file"):
        source.load(entry)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="does not exist"):
        Folder(tmp_path, no_label).load(SourceImage("cat/1.jpg", "cat"))


def test_names_are_read_lazily(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.jpg", "b/2.jpg"])
    entries = Folder(tmp_path, folder_labels(tmp_path)).images(Survey())
    assert next(entries).name == "a/1.jpg"
    fill(tmp_path, ["b/3.jpg"])
    assert [entry.name for entry in entries] == ["b/2.jpg", "b/3.jpg"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cat.123.jpg", "cat"),
        ("1_45.jpg", "1"),
        ("deep/folder/dog.0.jpeg", "dog"),
        ("american_bulldog_12.jpg", "american_bulldog"),
        ("great dane-7.png", "great dane"),
        ("猫_1.webp", "猫"),
        ("photo.jpg", None),
        ("123.jpg", None),
        ("_1.jpg", None),
        ("cat12.jpg", None),
    ],
)
def test_labels_from_file_names(name: str, label: str | None) -> None:
    assert filename_label(name) == label
