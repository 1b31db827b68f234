"""Writes the report of an evaluation into a folder."""

from pathlib import Path

from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.offline.report.ordering import in_order
from prequel.services.offline.report.page import render
from prequel.services.offline.report.pictures import Pictures
from prequel.services.offline.report.tables import tables_of

PAGE = "report.html"


class ReportFailed(EvaluationError):
    """The report could not be written; the text names the file, and says what to do."""


def write_report(evaluation: Evaluation, directory: Path, pictures: Pictures) -> list[Path]:
    """Write the page and the tables, and return their paths, the page first.

    Equal evaluations and pictures give equal bytes. A file that is there already is replaced as a whole; others are
    left alone. Blocks; raises ReportFailed (a full disk, a folder that cannot be written).
    """
    ordered = in_order(evaluation)
    files = {PAGE: render(ordered, pictures), **tables_of(ordered)}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return [_write(directory / name, text) for name, text in files.items()]
    except OSError as error:
        raise ReportFailed(
            f"the report cannot be written into {directory}: {error.strerror or error}; "
            "make room, or name another folder"
        ) from error


def _write(path: Path, text: str) -> Path:
    """Whole or not at all: whoever has the old page open keeps that until the new one is there."""
    temporary = path.with_name(f"{path.name}.partial")
    try:
        # A file's name may have bytes that are no characters: they stay visible instead of ending the report.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        return temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
