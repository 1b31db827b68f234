"""A folder of images, or a single one, whose labels are folder names, file names, or absent."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from prequel.services.producer.sources.base import Entry, Item, Survey, checked_label, is_image, read_item
from prequel.services.producer.sources.system_folders import is_system_folder

SPLITS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation", "eval", "dev", "holdout"))
_NUMBERED = re.compile(r"(.+?)[._ -]+\d+")

Labels = Callable[[str], str | None]
"""The label that a path within the folder stands for, before it is checked."""


class Folder:
    """All images below ``root``, in the order of their paths: a folder's files before its folders."""

    def __init__(self, root: Path, labels: Labels) -> None:
        self._root, self._labels = root, labels

    def entries(self, survey: Survey) -> Iterator[Entry]:
        """Links are followed, every real folder once. Names are held for one folder at a time."""
        waiting, seen = [""], set[tuple[int, int]]()
        while waiting:
            folder = waiting.pop()
            try:
                files, folders = self._visit(self._root / folder, seen, survey)
            except OSError as error:
                survey.unreadable.append(f"{folder or self._root}: {error.strerror}")
                continue
            yield from self._images(folder, files, survey)
            waiting += [f"{folder}{name}/" for name in reversed(folders)]

    def load(self, entry: Entry) -> Item:
        return read_item(self._root / entry.name, entry)

    def _visit(self, folder: Path, seen: set[tuple[int, int]], survey: Survey) -> tuple[list[str], list[str]]:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return [], []
        seen.add((status.st_dev, status.st_ino))
        files, folders, passed = _listed(folder)
        survey.folders.update(passed)
        return files, folders

    def _images(self, folder: str, files: list[str], survey: Survey) -> Iterator[Entry]:
        for name in files:
            if is_image(name):
                yield self._entry(folder + name, survey)
            else:
                survey.ignored += 1

    def _entry(self, name: str, survey: Survey) -> Entry:
        label = self._labels(name)
        entry = Entry(name, None if label is None else checked_label(label, name))
        survey.add(entry)
        return entry


class SingleImage:
    """One image file."""

    def __init__(self, path: Path, label: str | None) -> None:
        self._path, self._label = path, label

    def entries(self, survey: Survey) -> Iterator[Entry]:
        label = None if self._label is None else checked_label(self._label, self._path.name)
        entry = Entry(self._path.name, label)
        survey.add(entry)
        yield entry

    def load(self, entry: Entry) -> Item:
        return read_item(self._path, entry)


def folder_labels(root: Path) -> Labels:
    """The name of the folder that an image lies in: `cat/1.jpg`, `train/cat/1.jpg`.

    Images beside the class folders have no label. Where all folders at the top are splits (train, test, val, ...), so
    have images directly in these; beside any other folder, `train` is a class like all.
    """
    try:
        top = _listed(root)[1]
    except OSError:
        top = []
    splits = {name for name in top if name.lower() in SPLITS}
    only_splits = len(splits) == len(top)

    def label(name: str) -> str | None:
        parent = name.rpartition("/")[0]
        return None if not parent or (only_splits and parent in splits) else parent.rpartition("/")[2]

    return label


def filename_label(name: str) -> str | None:
    """What stands before the number at the end of a file's name: `cat.123.jpg`, `1_45.jpg`, `great dane-7.png`."""
    found = _NUMBERED.fullmatch(name.rpartition("/")[2].rpartition(".")[0])
    return found[1] if found else None


def no_label(name: str) -> None:
    """For images whose labels come later, or never."""


def _listed(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Sorted names of files, of folders, and of the folders that are not looked into."""
    files, folders, passed = list[str](), list[str](), list[str]()
    with os.scandir(folder) as found:
        for entry in found:
            if not entry.is_dir():
                files.append(entry.name)
            else:
                (passed if is_system_folder(entry.name) else folders).append(entry.name)
    return sorted(files), sorted(folders), sorted(passed)
