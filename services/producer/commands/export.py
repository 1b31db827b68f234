"""The command `export`: what a stream has learned from, as a file, or as a folder of images."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.commands.export_features import CONVERTED, write_features
from prequel.services.producer.errors import ProducerError, Stopped, WrongUsage
from prequel.services.producer.exported_stream import ExportedStream
from prequel.services.producer.image_folder import unpack_images
from prequel.services.producer.report import INTERRUPTED, check_stream, print_lines
from prequel.shared.exports import FORMATS
from prequel.shared.units import format_bytes

LINES = ("csv", "ndjson")
"""Formats with one line a row."""
SUFFIXES = frozenset([*CONVERTED, *(format for formats in FORMATS.values() for format in formats)])
"""Names of files that say a format: one that does not go is refused, and not written in another under that name."""


class Wanted(NamedTuple):
    """What to export of which stream; ``format`` and ``out`` are None where they follow from the rest."""

    stream: str
    what: str
    format: str | None
    out: Path | None
    force: bool

    @property
    def target(self) -> Path:
        """The file, or the folder of images."""
        if self.out:
            return self.out
        return Path(f"{self.stream}-{self.what}" + ("" if self.is_folder else f".{self.converted or self.chosen}"))

    @property
    def is_folder(self) -> bool:
        """Whether images become files, and not one archive."""
        if self.what != "images" or self.format:
            return False
        return self.out is None or self.out.suffix.lstrip(".") not in FORMATS["images"]

    @property
    def suffix(self) -> str:
        """That of ``out``, as formats are called."""
        return self.out.suffix.lstrip(".").lower() if self.out else ""

    @property
    def converted(self) -> str:
        """What features are made to here; empty where they are written as they come."""
        wanted = self.format or self.suffix
        return wanted if self.what == "features" and wanted in CONVERTED else ""

    @property
    def chosen(self) -> str:
        """The format to ask the gateway for. Raises WrongUsage."""
        if self.is_folder:
            return "tar"
        if self.converted:
            return "parquet"
        allowed = FORMATS[self.what]
        chosen = self.format or (self.suffix if self.suffix in SUFFIXES else allowed[0])
        if chosen not in allowed:
            all = dict.fromkeys([*allowed, *(CONVERTED if self.what == "features" else ())])
            raise WrongUsage(f"format {chosen}: {self.what} can be exported as {' or '.join(all)}")
        return chosen


def export_stream(client: Client, wanted: Wanted, *, console: Console, stop: threading.Event) -> int:
    """Export, and say what came; the exit code: 130 after Ctrl-C. Raises ProducerError; then nothing is left behind,
    but images that were unpacked already."""
    try:
        exported = write_export(client, wanted, stop)
    except Stopped:
        print_lines(console, "interrupted: give the same command again to begin anew")
        return INTERRUPTED
    print_lines(console, *exported.lines, *exported.left_out)
    return 0


class Exported(NamedTuple):
    """What came, and what could not come because retention has removed it, in sentences."""

    lines: list[str]
    left_out: list[str]


def write_export(client: Client, wanted: Wanted, stop: threading.Event) -> Exported:
    """Export to the wanted file or folder. Blocks; raises ProducerError and Stopped, then as in ``export_stream``."""
    check_stream(wanted.stream)
    target, format = wanted.target, wanted.chosen
    _check_target(wanted)
    client.check()
    with disk_errors(target), client.export(wanted.stream, wanted.what, format) as export:
        lines = unpack_images(export, target, stop) if wanted.is_folder else [_write(export, wanted, stop)]
    return Exported(lines, left_out(export))


def _check_target(wanted: Wanted) -> None:
    target = wanted.target
    if wanted.is_folder:
        if target.exists() and not target.is_dir():
            raise WrongUsage(f"{target} is a file: images need a folder, or a file whose name ends in .zip or .tar")
        if target.is_dir() and any(target.iterdir()) and not wanted.force:
            raise WrongUsage(f"the folder {target} is not empty: name another, or add to it (force)")
    elif target.is_dir():
        raise WrongUsage(f"{target} is a folder: name a file, as in {target / f'{wanted.what}.{wanted.chosen}'}")
    elif not target.parent.is_dir():
        raise WrongUsage(f"the folder {target.parent} does not exist: create it, or name another")
    elif target.exists() and not wanted.force:
        raise WrongUsage(f"{target} exists: name another file, or replace it (force)")


def _write(export: ExportedStream, wanted: Wanted, stop: threading.Event) -> str:
    target, count = wanted.target, ""
    if wanted.converted:
        count = f"{write_features(target, lambda file: _download(export, file, stop)):,} "
    else:
        lines = _download(export, target, stop)
        if wanted.chosen in LINES:
            count = f"{lines - (wanted.chosen == 'csv'):,} "  # Without the header.
    return f"{wanted.stream}: {count}{wanted.what} in {target} ({format_bytes(target.stat().st_size)})"


def _download(export: ExportedStream, target: Path, stop: threading.Event) -> int:
    """Under another name until it is whole, so that nobody takes a part for all of it; the number of lines."""
    lines = 0
    with whole_file(target) as file:
        for piece in export.pieces(stop):
            file.write(piece)
            lines += piece.count(b"\n")
    return lines


@contextmanager
def whole_file(target: Path) -> Iterator[IO[bytes]]:
    """The file to write, which gets its name once it is whole."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Errors of the disk as ProducerError."""
    try:
        yield
    except OSError as error:
        raise ProducerError(
            f"{error.filename or target} cannot be written: {error.strerror or error}; the export is not whole, give "
            "the same command again once that is mended"
        ) from None


def left_out(export: ExportedStream) -> list[str]:
    """What of an export retention has removed from the log, as a sentence; none where nothing is missing."""
    if export.complete:
        return []
    return [
        f"retention has removed the beginning of the log: of the {export.examples:,} examples that the stream has had, "
        f"{export.labelled:,} with a label, only those after it are here (PREQUEL_RETENTION_EXAMPLES)"
    ]
