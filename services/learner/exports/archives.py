"""Archives that are written without looking back: zip and tar."""

import io
import tarfile
import time
import zipfile
from typing import IO, Protocol

from prequel.shared.tables.base import Sink

EARLIEST, LATEST = 315_532_800.0, 4_354_819_198.0
"""Seconds since the epoch between which zip can hold a time: 1980 to 2107."""
MODE = 0o644


class Archive(Protocol):
    """An archive that is being written to a sink; files are added whole."""

    def add(self, name: str, data: IO[bytes], size: int, at: float) -> None:
        """Add a file of ``size`` bytes; ``at`` is when it came, in seconds since the epoch. Blocks as the sink does."""
        ...

    def finish(self) -> None:
        """Write what ends the archive."""
        ...


class _OneWay(io.RawIOBase):
    """A sink as a file that cannot be sought: what zipfile and tarfile then do without."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]  # A buffer, as RawIOBase has it.
        self._sink.write(piece)
        return len(piece)


class ZipArchive:
    """Images are stored as they are: they are compressed already. Memory holds its list of files, 500 bytes each."""

    def __init__(self, sink: Sink) -> None:
        self._zip = zipfile.ZipFile(_OneWay(sink), "w", zipfile.ZIP_STORED)

    def add(self, name: str, data: IO[bytes], size: int, at: float) -> None:
        info = zipfile.ZipInfo(name, time.gmtime(min(max(at, EARLIEST), LATEST))[:6])
        info.external_attr, info.file_size = MODE << 16, size
        with self._zip.open(info, "w") as file:
            while piece := data.read(2**20):
                file.write(piece)

    def finish(self) -> None:
        self._zip.close()


class TarArchive:
    """What can be unpacked while it arrives."""

    def __init__(self, sink: Sink) -> None:
        self._tar = tarfile.open(fileobj=_OneWay(sink), mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, name: str, data: IO[bytes], size: int, at: float) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, int(at), MODE
        self._tar.addfile(info, data)
        self._tar.members.clear()  # type: ignore[attr-defined]  # It would remember each, for nothing.

    def finish(self) -> None:
        self._tar.close()


def open_archive(format: str, sink: Sink) -> Archive:
    """For `zip` or `tar`."""
    return ZipArchive(sink) if format == "zip" else TarArchive(sink)
