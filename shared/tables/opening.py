"""Opens a table for writing, by the name of its format."""

from collections.abc import Sequence
from importlib.util import find_spec

from prequel.shared.errors import PrequelError
from prequel.shared.tables.base import Column, Sink, TableWriter

FORMATS = ("csv", "ndjson", "parquet")


class TableFormatMissing(PrequelError):
    """The package that a format needs is not installed; the text says what to do."""


def open_table(format: str, columns: Sequence[Column], sink: Sink) -> TableWriter:
    """A writer of one of FORMATS. Raises TableFormatMissing."""
    if format == "csv":
        from prequel.shared.tables.csv_table import CsvTable

        return CsvTable(columns, sink)
    if format == "ndjson":
        from prequel.shared.tables.ndjson import NdjsonTable

        return NdjsonTable(columns, sink)
    check_format(format)
    from prequel.shared.tables.parquet import ParquetTable

    return ParquetTable(columns, sink)


def check_format(format: str) -> None:
    """Raises TableFormatMissing where a format cannot be written here."""
    if format == "parquet" and not find_spec("pyarrow"):
        raise TableFormatMissing(PARQUET_MISSING)


PARQUET_MISSING = (
    "Parquet needs the package pyarrow, which is not installed where the export is made: "
    "pip install 'prequel-stream[offline]' there, or ask for csv or ndjson"
)
