"""The command `export`: what a stream has learned from, as a file, or as a folder of images."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from rich.console import Console

from prequel.services.producer.client import Client, ExportedStream
from prequel.services.producer.errors import ProducerError, Stopped, WrongUsage
from prequel.services.producer.image_folder import unpack_images
from prequel.services.producer.report import INTERRUPTED, check_stream, print_lines
from prequel.shared.exports import FORMATS
from prequel.shared.units import format_bytes

LINES = ("csv", "ndjson")
"""Formats with one line a row."""


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
        return Path(f"{self.stream}-{self.what}" + ("" if self.is_folder else f".{self.chosen}"))

    @property
    def is_folder(self) -> bool:
        """Whether images become files, and not one archive."""
        if self.what != "images" or self.format:
            return False
        return self.out is None or self.out.suffix.lstrip(".") not in FORMATS["images"]

    @property
    def chosen(self) -> str:
        """The format to ask the gateway for. Raises WrongUsage."""
        if self.is_folder:
            return "tar"
        allowed = FORMATS[self.what]
        suffix = self.out.suffix.lstrip(".").lower() if self.out else ""
        chosen = self.format or (suffix if suffix in allowed else allowed[0])
        if chosen not in allowed:
            raise WrongUsage(f"--format {chosen}: {self.what} can be exported as {' or '.join(allowed)}")
        return chosen


def export_stream(client: Client, wanted: Wanted, *, console: Console, stop: threading.Event) -> int:
    """Export, and say what came; the exit code: 130 after Ctrl-C. Raises ProducerError; then nothing is left behind,
    but images that were unpacked already."""
    check_stream(wanted.stream)
    target, format = wanted.target, wanted.chosen
    _check_target(wanted)
    client.check()
    try:
        with disk_errors(target), client.export(wanted.stream, wanted.what, format) as export:
            lines = unpack_images(export, target, stop) if wanted.is_folder else [_download(export, wanted, stop)]
    except Stopped:
        print_lines(console, "interrupted: give the same command again to begin anew")
        return INTERRUPTED
    print_lines(console, *lines, *_left_out(export))
    return 0


def _check_target(wanted: Wanted) -> None:
    target = wanted.target
    if wanted.is_folder:
        if target.exists() and not target.is_dir():
            raise WrongUsage(f"{target} is a file: images need a folder, or a file whose name ends in .zip or .tar")
        if target.is_dir() and any(target.iterdir()) and not wanted.force:
            raise WrongUsage(f"the folder {target} is not empty: name another, or add to it with --force")
    elif target.is_dir():
        raise WrongUsage(f"{target} is a folder: name a file, as in --out {target / f'{wanted.what}.{wanted.chosen}'}")
    elif target.exists() and not wanted.force:
        raise WrongUsage(f"{target} exists: name another file, or replace it with --force")


def _download(export: ExportedStream, wanted: Wanted, stop: threading.Event) -> str:
    """Under another name until it is whole, so that nobody takes a part for all of it."""
    target, rows, size = wanted.target, -1, 0
    with whole_file(target) as file:
        for piece in export.pieces(stop):
            file.write(piece)
            size += len(piece)
            rows += piece.count(b"\n")
    if wanted.chosen == "ndjson":
        rows += 1  # Without a header.
    count = f"{rows:,} " if wanted.chosen in LINES else ""
    return f"{wanted.stream}: {count}{wanted.what} in {target} ({format_bytes(size)})"


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


def _left_out(export: ExportedStream) -> list[str]:
    if export.complete:
        return []
    return [
        f"retention has removed the beginning of the log: of the {export.examples:,} examples that the stream has had, "
        f"{export.labelled:,} with a label, only those after it are here (PREQUEL_RETENTION_EXAMPLES)"
    ]
