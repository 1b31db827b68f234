"""A folder of images, or a single image, with labels from the names of folders or files."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from prequel.services.producer.sources.base import ImageTime, LoadedImage, SourceImage, Survey
from prequel.services.producer.sources.image_files import image_time, is_image, read_image
from prequel.services.producer.sources.labels import checked_label
from prequel.services.producer.sources.natural_order import natural_key
from prequel.services.producer.sources.system_folders import is_system_folder

HELD_OUT_SPLITS = ("test", "testing", "holdout", "evaluation", "eval", "val", "valid", "validation", "dev")
"""Splits that are usually not learned, the most usual first."""
SPLITS = frozenset(("train", "training", *HELD_OUT_SPLITS))
"""Names of folders, in lower case, that divide a data set and are no classes."""

_NUMBERED = re.compile(r"(.+?)[._ -]+\d+")

LabelRule = Callable[[str], str | None]
"""The label of an image, from its path in the folder, before it is checked; None: it has no label."""


class Folder:
    """All images below ``root``, by path in natural order: a folder's files before its folders."""

    def __init__(self, root: Path, label_rule: LabelRule) -> None:
        self._root, self._label_rule = root, label_rule

    def images(self, survey: Survey) -> Iterator[SourceImage]:
        """Links are followed, to every real folder once. Memory has the names of one folder at a time."""
        to_visit, visited = [""], set[tuple[int, int]]()
        while to_visit:
            folder = to_visit.pop()
            try:
                files, folders = self._visit(self._root / folder, visited, survey)
            except OSError as error:
                survey.unreadable.append(f"{folder or self._root}: {error.strerror}")
                continue
            if folder and not folders and not any(map(is_image, files)):
                survey.empty_folders.append(folder)
            yield from self._images(folder, files, survey)
            to_visit += [f"{folder}{name}/" for name in reversed(folders)]

    def load(self, image: SourceImage) -> LoadedImage:
        return read_image(self._root / image.name, image)

    def time(self, image: SourceImage) -> ImageTime:
        return image_time(self._root / image.name)

    def _visit(self, folder: Path, visited: set[tuple[int, int]], survey: Survey) -> tuple[list[str], list[str]]:
        status = folder.stat()
        identity = status.st_dev, status.st_ino  # the same for a folder and for every link to it
        if identity in visited:
            return [], []
        visited.add(identity)
        files, folders, skipped = _list_folder(folder)
        survey.skipped_folders.update(skipped)
        return files, folders

    def _images(self, folder: str, files: list[str], survey: Survey) -> Iterator[SourceImage]:
        for name in files:
            if is_image(name):
                yield self._image(folder + name, survey)
            else:
                survey.ignored += 1

    def _image(self, name: str, survey: Survey) -> SourceImage:
        label = self._label_rule(name)
        image = SourceImage(name, None if label is None else checked_label(label, name))
        survey.add(image)
        return image


class SingleImage:
    """One image file."""

    def __init__(self, path: Path, label: str | None) -> None:
        self._path, self._label = path, label

    def images(self, survey: Survey) -> Iterator[SourceImage]:
        label = None if self._label is None else checked_label(self._label, self._path.name)
        image = SourceImage(self._path.name, label)
        survey.add(image)
        yield image

    def load(self, image: SourceImage) -> LoadedImage:
        return read_image(self._path, image)

    def time(self, image: SourceImage) -> ImageTime:
        return image_time(self._path)


def folder_labels(root: Path) -> LabelRule:
    """A rule that labels an image with the name of its folder: `cat/1.jpg`, `train/cat/1.jpg`.

    Images beside the class folders have no label. Where all folders at the top are splits (train, test, val, ...),
    images directly in a split have none either; beside any other folder, `train` is a class like the others.
    """
    splits = split_folders(root)

    def label(name: str) -> str | None:
        parent = name.rpartition("/")[0]
        return None if not parent or parent in splits else parent.rpartition("/")[2]

    return label


def split_folders(root: Path) -> frozenset[str]:
    """The folders at the top if all of them are splits (train, test, val, ...), else none: then `train` is a class."""
    try:
        top_folders = _list_folder(root)[1]
    except OSError:
        return frozenset()
    splits = frozenset(name for name in top_folders if name.lower() in SPLITS)
    return splits if len(splits) == len(top_folders) else frozenset()


def filename_label(name: str) -> str | None:
    """The part of a file's name before the number at its end: `cat.123.jpg`, `1_45.jpg`, `great dane-7.png`."""
    match = _NUMBERED.fullmatch(name.rpartition("/")[2].rpartition(".")[0])
    return match[1] if match else None


def no_label(name: str) -> None:
    """A rule for images whose labels come later, or never."""


def _list_folder(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Names of files, of folders, and of skipped folders, each in natural order. Raises OSError."""
    files, folders, skipped = list[str](), list[str](), list[str]()
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                files.append(entry.name)
            else:
                (skipped if is_system_folder(entry.name) else folders).append(entry.name)
    return sorted(files, key=natural_key), sorted(folders, key=natural_key), sorted(skipped)
