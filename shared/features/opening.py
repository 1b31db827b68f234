"""Opens feature files to read or to write them, by the extension of their names."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from prequel.shared.features.base import FeatureFileError, FeatureMeta, FeatureReader, FeatureWriter
from prequel.shared.features.csv_table import SIDECAR, CsvReader, is_feature_table, write_csv
from prequel.shared.features.npz import NpzReader
from prequel.shared.features.npz_writing import write_npz
from prequel.shared.features.parquet import ParquetReader, write_parquet
from prequel.shared.features.partial import FileFormat, PartialFile


class Format(NamedTuple):
    """How files of one extension are read and written."""

    open: Callable[[Path], FeatureReader]
    file: FileFormat


FORMATS = {
    ".parquet": Format(ParquetReader, FileFormat(write_parquet)),
    ".npz": Format(NpzReader, FileFormat(write_npz)),
    ".csv": Format(CsvReader, FileFormat(write_csv, SIDECAR)),
}
"""By the extension in lower case. A new format is a file beside npz.py and a row here."""

_HELP = f"name it {' or '.join(f'features{extension}' for extension in FORMATS)}"


def is_feature_file(path: Path) -> bool:
    """Whether a file is one of features by its name, and, for a CSV, by its first lines. Reads nothing else."""
    extension = path.suffix.lower()
    return extension in FORMATS and path.is_file() and (extension != ".csv" or is_feature_table(path))


def open_features(path: Path) -> FeatureReader:
    """A finished file. Raises FeatureFileError where there is none, or none that can be read."""
    format = _format(path)
    if not path.is_file():
        raise FeatureFileError(f"{path} is a folder" if path.exists() else f"{path} does not exist")
    return format.open(path)


def create_features(path: Path, meta: FeatureMeta, *, replace: bool = False) -> FeatureWriter:
    """A new file, or one that was begun with the same ``meta`` and is gone on with; to be closed.

    ``replace``: a finished file is replaced when the new one is, and one that was begun with another meta is begun
    again. Otherwise both raise FeatureFileError, as does a file that cannot be written.
    """
    format = _format(path)
    if path.exists() and not replace:
        raise FeatureFileError(f"{path} exists already: remove it, or write another file")
    writer = PartialFile(path, meta, format.file, replace=replace)
    writer.open()
    return writer


def check_extension(path: Path) -> None:
    """Raises FeatureFileError where a file of this name cannot be written."""
    _format(path)


def _format(path: Path) -> Format:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise FeatureFileError(f"{path} is no feature file by its name: {_HELP}") from None
