"""Feature files as the tutorials' CSV, `class,feat_0,...,feat_N`; what else is known stands in a file beside it."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow
from pydantic import ValidationError

from prequel.shared.features import foreign
from prequel.shared.features.base import FeatureFileError, FeatureMeta, FeatureRows, RowInfo, Vectors
from prequel.shared.features.csv_columns import CsvColumns, find_columns
from prequel.shared.features.csv_text import cells, format_rows, header, parse_numbers
from prequel.shared.features.rows import check_values, regroup

SIDECAR = ".ndjson"
"""Behind the table's name: a line with FeatureMeta and the table's size in bytes, then one for each row."""

_LINES_BYTES = 2**20
"""Lines that are read at one time, never a part of one. With eight times as much, numbers leave the processor's cache
before they are parsed, which takes a fifth longer; with an eighth, the calls for each piece would show."""

_MARK = b"\xef\xbb\xbf"


def write_csv(path: Path, meta: FeatureMeta, infos: Sequence[RowInfo], pieces: Iterable[Vectors]) -> None:
    """Write a whole table and its sidecar. Raises OSError."""
    begin = 0
    with path.open("wb") as file:
        file.write(header(meta.dim))
        for vectors in pieces:
            file.write(format_rows([info.label for info in infos[begin : begin + len(vectors)]], vectors))
            begin += len(vectors)
        size = file.tell()
    with path.with_name(path.name + SIDECAR).open("w", encoding="utf-8") as sidecar:
        sidecar.write(json.dumps({"meta": meta.model_dump(mode="json"), "bytes": size}) + "\n")
        sidecar.writelines(json.dumps(info) + "\n" for info in infos)


class CsvReader:
    """A FeatureReader of a table with a label and numbers in each row, ours or another program's."""

    def __init__(self, path: Path) -> None:
        """Reads the first lines, and the sidecar if there is one. Raises FeatureFileError."""
        self._path = path
        self._columns = _read_columns(path)
        self._own = _read_sidecar(path)
        word = foreign.word_of(path)
        self.meta = self._own[0] if self._own else FeatureMeta(backbone=word, dim=self._columns.dim, source=path.name)
        if self.meta.dim != self._columns.dim:
            raise self._changed()
        self._plain = (self._columns.first, self._columns.last) == (1, 0)

    def infos(self) -> list[RowInfo]:
        """Of a table without a sidecar only after its text was read."""
        if self._own:
            return list(self._own[1])
        return [info for lines in self._lines(0) for info in self._split(*lines)[0]]

    def batches(self, size: int, begin: int = 0) -> Iterator[FeatureRows]:
        return regroup(self._pieces(begin), size)

    def close(self) -> None:
        """Nothing stays open between two calls."""

    def _pieces(self, begin: int) -> Iterator[FeatureRows]:
        for row, lines in self._lines(begin):
            infos, rests = self._split(row, lines)
            vectors = self._parse(row, rests)
            check_values(vectors, row, self._path)
            yield FeatureRows(infos, vectors)

    def _lines(self, begin: int) -> Iterator[tuple[int, list[bytes]]]:
        """Lines from row ``begin`` on, many at a time, with the number of the first one's row; no empty ones."""
        with self._errors(), self._path.open("rb", buffering=2**20) as file:
            row = -1 if self._columns.header else 0
            while lines := file.readlines(_LINES_BYTES):
                whole = [line.rstrip(b"\r\n") for line in lines if line.strip()]
                if row <= 0 and whole:
                    whole[0] = whole[0].removeprefix(_MARK)
                skipped = max(begin - row, 1 if row < 0 else 0)
                if skipped < len(whole):
                    yield row + skipped, whole[skipped:]
                row += len(whole)
        if self._own and row != len(self._own[1]):
            raise self._changed()

    def _split(self, row: int, lines: Sequence[bytes]) -> tuple[list[RowInfo], list[bytes]]:
        """What is known of each row, and the text of its features, of which the number is right."""
        if self._own and self._plain and (rests := self._after_label(lines)) is not None:
            return self._own[1][row : row + len(lines)], rests
        columns, separator = self._columns, self._columns.separator.encode()
        leading, rests, outside = columns.leading, list[bytes](), list[list[str]]()
        for number, line in enumerate(lines, row):
            match = leading.match(line)
            begin = match.end() if match else 0
            parts = line[begin:].rsplit(separator, columns.last)
            found = parts[0].count(separator) + 1
            if not match or len(parts) <= columns.last or found != columns.dim:
                width = line.count(separator) + 1 if not match else columns.first + found + len(parts) - 1
                raise FeatureFileError(
                    f"{self._path}: row {number + 1:,} has {width:,} columns, expected {columns.width:,}"
                )
            rests.append(parts[0])
            outside.append([] if self._own else self._cells(line[: max(begin - 1, 0)], parts[1:], number))
        if self._own:
            return self._own[1][row : row + len(lines)], rests
        return self._infos(row, outside), rests

    def _after_label(self, lines: Sequence[bytes]) -> list[bytes] | None:
        """The text behind the first cell of each line; None where one is in quotes, or has another number of them."""
        separator = self._columns.separator.encode()
        if any(line.startswith(b'"') or line.count(separator) != self._columns.dim for line in lines):
            return None
        return [line.partition(separator)[2] for line in lines]

    def _cells(self, before: bytes, behind: Sequence[bytes], row: int) -> list[str]:
        try:
            first = cells(before.decode(), self._columns.separator) if self._columns.first else []
            return [*(first or [""] * self._columns.first), *(cell.decode().strip('"') for cell in behind)]
        except UnicodeDecodeError:
            raise FeatureFileError(f"{self._path}: row {row + 1:,} is not UTF-8: save the table as UTF-8") from None
        except csv.Error as error:
            raise FeatureFileError(f"{self._path}: row {row + 1:,} is no line of a table: {error}") from None

    def _infos(self, row: int, outside: Sequence[Sequence[str]]) -> list[RowInfo]:
        places = self._columns.infos
        columns: foreign.Columns = {key: [each[place].strip() for each in outside] for key, place in places.items()}
        word = foreign.word_of(self._path)
        return foreign.row_infos(columns, len(outside), word=word, first_row=row, file=self._path)

    def _parse(self, row: int, rests: Sequence[bytes]) -> Vectors:
        separator = self._columns.separator.encode()
        try:
            return parse_numbers(rests, separator).reshape(-1, self._columns.dim)
        except pyarrow.ArrowInvalid:
            number, wrong = next(pair for pair in enumerate(rests, row) if not _parses(pair[1], separator))
            column, cell = next(pair for pair in enumerate(wrong.split(separator)) if not _parses(pair[1], separator))
            text = cell.decode(errors="replace").strip('" ')
            raise FeatureFileError(
                f"{self._path}: row {number + 1:,}, feature {column + 1:,} is {text[:50]!r}, not a number"
            ) from None

    def _changed(self) -> FeatureFileError:
        return FeatureFileError(
            f"{self._path} is not the table that {self._path.name}{SIDECAR} describes: make both again, or remove "
            f"{self._path.name}{SIDECAR} to read the table without it"
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FeatureFileError(f"{self._path} cannot be read: {error.strerror or error}") from error


def _parses(text: bytes, separator: bytes) -> bool:
    try:
        parse_numbers([text], separator)
    except pyarrow.ArrowInvalid:
        return False
    return True


def is_feature_table(path: Path) -> bool:
    """Whether the first lines of a CSV are those of a table of features."""
    return not table_problem(path)


def table_problem(path: Path) -> str:
    """Why a CSV is no table of features by its first lines; empty where it is one."""
    try:
        return "" if _read_columns(path).dim > 1 else f"{path} has only one column beside the labels"
    except FeatureFileError as error:
        return str(error)


def _read_columns(path: Path) -> CsvColumns:
    try:
        with path.open("rb", buffering=2**20) as file:
            lines = [line.strip() for line in islice((line for line in file if line.strip()), 2)]
        if not lines:
            raise FeatureFileError(f"{path} is empty")
        if any(b"\r" in line for line in lines):
            raise FeatureFileError(f"{path} ends its lines by CR alone, as old Macs did: save it with LF or CRLF")
        return find_columns([line.removeprefix(_MARK).decode() for line in lines], path)
    except FileNotFoundError:
        raise FeatureFileError(f"{path} does not exist") from None
    except UnicodeDecodeError:
        raise FeatureFileError(f"{path} is not UTF-8: save the table as UTF-8") from None
    except csv.Error as error:
        raise FeatureFileError(f"{path} is no table of lines: {error}") from None
    except OSError as error:
        raise FeatureFileError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_sidecar(path: Path) -> tuple[FeatureMeta, list[RowInfo]] | None:
    """What the sidecar says. Raises FeatureFileError where it is damaged, or not of this table."""
    sidecar = path.with_name(path.name + SIDECAR)
    if not sidecar.exists():
        return None
    try:
        with sidecar.open(encoding="utf-8") as file:
            meta, size = _head(file)
            # All lines at once: one by one they take longer than the table itself where rows are short.
            rows = [RowInfo(*row) for row in json.loads(f"[{','.join(file)}]")]
    except (OSError, ValueError, TypeError, KeyError, ValidationError) as error:
        raise FeatureFileError(f"{sidecar} cannot be read, it is damaged: make {path.name} again") from error
    if size != path.stat().st_size:
        raise FeatureFileError(
            f"{path} has been changed since {sidecar.name} was written with it: make both again, or remove "
            f"{sidecar.name} to read the table without it"
        )
    return meta, rows


def _head(file: IO[Any]) -> tuple[FeatureMeta, int]:
    head = json.loads(file.readline())
    return FeatureMeta.model_validate(head["meta"]), head["bytes"]
