"""Which source the words of the command line mean."""

from pathlib import Path

from prequel.services.producer.sources.base import CONTENT_TYPES, Source, SourceError, Survey, WrongUsage, is_image
from prequel.services.producer.sources.digits import Digits
from prequel.services.producer.sources.folder import (
    Folder,
    Labels,
    SingleImage,
    filename_label,
    folder_labels,
    no_label,
)
from prequel.services.producer.sources.table import Table

WANTED = "give a folder of images, an image file, or the word digits"
LABELS = "folder, filename, csv:FILE, csv:FILE#COLUMN or none"
_TABLES = frozenset((".csv", ".tsv"))


def open_source(source: str, labels: str | None = None) -> Source:
    """The source that ``source`` (a folder, an image file, ``digits``) and ``labels`` name.

    Without ``labels``: the folders' names where images lie in folders, else none. Raises SourceError, and
    WrongUsage for ``labels`` that there are not.
    """
    if source == "digits" and not Path(source).exists():
        return _digits(labels)
    path = Path(source).expanduser()
    if not _exists(path):
        raise SourceError(f"{source} does not exist; {WANTED}")
    if labels and labels.startswith("csv:"):
        file, column = _table(labels.removeprefix("csv:"))
        return Table(file, path if path.is_dir() else path.parent, column)
    if path.is_dir():
        return Folder(path, _folder_rule(path, labels))
    if path.suffix.lower() in _TABLES:
        raise SourceError(f"{source} is a table, no image: give the folder of its images, and --labels csv:{source}")
    if not is_image(path.name):
        raise SourceError(f"{source} is no image by its name ({' '.join(CONTENT_TYPES)}); {WANTED}")
    return SingleImage(path, _image_label(path, labels))


def survey(source: Source, labels: str | None) -> Survey:
    """Go over all names once. Raises SourceError where there is no image, or no label where some were asked for."""
    seen = Survey()
    for _ in source.entries(seen):
        pass
    if not seen.images and seen.unreadable:
        raise SourceError(f"no images there, but folders that cannot be read: {'; '.join(seen.unreadable[:5])}")
    if not seen.images:
        raise SourceError(f"no images there ({' '.join(CONTENT_TYPES)}), {seen.ignored} other files; {WANTED}")
    if labels not in (None, "none") and not seen.labelled:
        raise SourceError(f"--labels {labels} finds no label: {_EXPECTED.get(labels, 'all rows have an empty label')}")
    return seen


def _table(text: str) -> tuple[Path, str | None]:
    """File and column of ``FILE#COLUMN``; a file whose own name holds a # is that file."""
    whole = Path(text).expanduser()
    name, mark, column = text.rpartition("#")
    return (whole, None) if not mark or _exists(whole) else (Path(name).expanduser(), column)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; {WANTED}") from None


_EXPECTED = {
    "folder": "wanted folders named after classes, like cat/1.jpg; or stream with --labels none",
    "filename": "wanted files named like cat.123.jpg or 1_45.jpg; or stream with --labels none",
}


def _digits(labels: str | None) -> Source:
    if labels not in (None, "none"):
        raise SourceError("digits come with labels of their own: leave --labels away")
    return Digits(labelled=labels is None)


def _folder_rule(path: Path, labels: str | None) -> Labels:
    rules: dict[str | None, Labels] = {
        None: folder_labels(path),
        "folder": folder_labels(path),
        "filename": filename_label,
        "none": no_label,
    }
    if labels not in rules:
        raise WrongUsage(f"--labels {labels} is unknown: use {LABELS}")
    return rules[labels]


def _image_label(path: Path, labels: str | None) -> str | None:
    if labels == "folder":
        return path.absolute().parent.name
    return _folder_rule(path, labels)(path.name)
