"""Unpacks exported images into class folders while they arrive."""

import io
import tarfile
import threading
from pathlib import Path

from prequel.services.producer.errors import GatewayError
from prequel.services.producer.exported_stream import ExportedStream
from prequel.shared.units import format_bytes

TABLES = ("labels.csv", "missing.csv")
"""What comes beside the images: `labels.csv` always, the other where some images are not stored any more."""


class _Arriving(io.RawIOBase):
    """The bytes of an export as a file that is read once."""

    def __init__(self, export: ExportedStream, stop: threading.Event) -> None:
        self._pieces, self._rest = export.pieces(stop), memoryview(b"")
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # A buffer, as RawIOBase has it.
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
            self.size += len(self._rest)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def unpack_images(export: ExportedStream, folder: Path, stop: threading.Event) -> list[str]:
    """Write the images and their tables below ``folder``; what came, in lines. Blocks.

    Raises GatewayError where the export breaks off, Stopped, OSError; the images that came before are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arriving, images, tables = _Arriving(export, stop), 0, list[str]()
    try:
        # The filter takes no path that leads out of the folder, and no link.
        with tarfile.open(fileobj=io.BufferedReader(arriving, 2**18), mode="r|") as archive:
            for member in archive:
                archive.extract(member, folder, filter="data")
                archive.members.clear()  # type: ignore[attr-defined]  # It would remember each, for nothing.
                images += member.name not in TABLES
                tables += [member.name] if member.name in TABLES else []
    except tarfile.TarError as error:
        raise GatewayError(
            f"what the gateway sends is no archive of images ({error}): use one version of both"
        ) from error
    return _lines(folder, images, tables, arriving.size)


def _lines(folder: Path, images: int, tables: list[str], size: int) -> list[str]:
    lines = [f"{images:,} images in {folder} ({format_bytes(size)}), their labels in {folder / 'labels.csv'}"]
    if "missing.csv" in tables:
        lines.append(f"some images are not there any more: {folder / 'missing.csv'} lists them, and why")
    read = f"prequel stream {folder} --labels csv:{folder / 'labels.csv'} --stream NAME"
    return [*lines, f"to stream them again: {read}"]
