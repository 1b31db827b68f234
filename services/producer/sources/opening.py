"""Opens the source that the command line names, and counts what it has."""

from pathlib import Path

from prequel.services.producer.errors import SourceError, WrongUsage
from prequel.services.producer.sources.base import Source, Survey
from prequel.services.producer.sources.digits import Digits
from prequel.services.producer.sources.folder import (
    Folder,
    LabelRule,
    SingleImage,
    filename_label,
    folder_labels,
    no_label,
)
from prequel.services.producer.sources.image_files import CONTENT_TYPES, is_image
from prequel.services.producer.sources.table import Table
from prequel.shared.features.csv_table import table_problem

SOURCE_HELP = "give a folder of images, an image file, or the word digits"
LABELS_HELP = "folder, filename, csv:FILE, csv:FILE#COLUMN or none"
_TABLE_EXTENSIONS = frozenset((".csv", ".tsv"))
_PACKED_EXTENSIONS = frozenset((".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".7z", ".rar"))

_NO_LABEL_HELP = {
    "folder": "it expects folders named after classes, like cat/1.jpg; or stream with --labels none",
    "filename": "it expects files named like cat.123.jpg or 1_45.jpg; or stream with --labels none",
}
"""For rules by which no image has a label."""


def open_source(source: str, labels: str | None = None) -> Source:
    """The source that ``source`` (a folder, an image file, ``digits``) and ``labels`` name.

    Without ``labels``: the names of folders where images are in folders, else none. Raises SourceError, and WrongUsage
    where ``labels`` is not a rule.
    """
    if source == "digits" and not Path(source).exists():
        return _open_digits(labels)
    path = Path(source).expanduser()
    if not _exists(path):
        raise SourceError(f"{source} does not exist; {SOURCE_HELP}")
    if labels and labels.startswith("csv:"):
        file, column = _table_and_column(labels.removeprefix("csv:"))
        return Table(file, path if path.is_dir() else path.parent, column)
    if path.is_dir():
        return Folder(path, _label_rule(path, labels))
    if path.suffix.lower() in _TABLE_EXTENSIONS:
        raise SourceError(
            f"{_table_problem(path)}. If its rows name images, give their folder, and --labels csv:{source}"
        )
    if path.suffix.lower() in _PACKED_EXTENSIONS:
        raise SourceError(f"{source} is packed: unpack it, and give what was in it")
    if not is_image(path.name):
        raise SourceError(f"{source} is not an image by its name ({' '.join(CONTENT_TYPES)}); {SOURCE_HELP}")
    return SingleImage(path, _image_label(path, labels))


def survey_source(source: Source, labels: str | None, *, name: str) -> Survey:
    """Go over all names once; ``name`` is what the user called the source.

    Raises SourceError where there are no images, or no labels by the rule ``labels``.
    """
    survey = Survey()
    for _ in source.images(survey):
        pass
    if not survey.images and survey.unreadable:
        raise SourceError(
            f"{name} has no images that can be read; unreadable folders: {'; '.join(survey.unreadable[:5])}"
        )
    if not survey.images:
        raise SourceError(
            f"{name} contains no images ({' '.join(CONTENT_TYPES)}); other files in it: {survey.ignored}; {SOURCE_HELP}"
        )
    if labels not in (None, "none") and not survey.labelled:
        help = _NO_LABEL_HELP.get(labels, "all rows of the table have an empty label")
        raise SourceError(f"--labels {labels} finds no label: {help}")
    return survey


def _table_problem(path: Path) -> str:
    """Why a table is no source."""
    if problem := table_problem(path):
        return problem
    name = path.with_suffix(".csv").name
    return f"{path} has features already" + ("" if path.name == name else f", which are read once it is called {name}")


def _table_and_column(text: str) -> tuple[Path, str | None]:
    """File and column of ``FILE#COLUMN``; where a file has a # in its own name, it is that file."""
    whole_text = Path(text).expanduser()
    name, separator, column = text.rpartition("#")
    return (whole_text, None) if not separator or _exists(whole_text) else (Path(name).expanduser(), column)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; {SOURCE_HELP}") from None


def _open_digits(labels: str | None) -> Source:
    if labels not in (None, "none"):
        raise SourceError("digits have labels of their own: leave out --labels")
    return Digits(labelled=labels is None)


def _label_rule(path: Path, labels: str | None) -> LabelRule:
    rules: dict[str | None, LabelRule] = {
        None: folder_labels(path),
        "folder": folder_labels(path),
        "filename": filename_label,
        "none": no_label,
    }
    if labels not in rules:
        raise WrongUsage(f"--labels {labels} is unknown: use {LABELS_HELP}")
    return rules[labels]


def _image_label(path: Path, labels: str | None) -> str | None:
    if labels == "folder":
        return path.absolute().parent.name
    return _label_rule(path, labels)(path.name)
