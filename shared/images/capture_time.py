"""When a photograph was taken: the time that the camera wrote into the file (EXIF)."""

import os
import time
import warnings
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from prequel.shared.images.formats import detect_format
from prequel.shared.images.reading import open_file

_HEAD_BYTES = 256
"""What ``detect_format`` needs."""
_MAX_EXIF_BYTES = 2**20
"""EXIF has 64 KiB at most in a JPEG; a length of gigabytes in a damaged PNG must not take the memory."""
_PNG = b"\x89PNG\r\n\x1a\n"


def capture_time(path: Path) -> float | None:
    """DateTimeOriginal in seconds since the epoch; None where the file has none, or is no image that can be read.

    Cameras write local time, most of them without its zone: then it is taken as this machine's. Reads the header only.
    """
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of oddities in metadata, which change nothing here
            format = detect_format(file.read(_HEAD_BYTES))
            file.seek(0)
            if format is None:
                return None
            with open_file(file, format) as image:
                # Not getexif(): for EXIF behind the pixels of a PNG it would decode them all.
                exif = image.getexif() if format == "TIFF" else _parsed(image.info.get("exif") or _png_exif(file))
                return _original_time(exif.get_ifd(IFD.Exif))
    except Exception:  # Pillow's parsers may raise anything, and such a file still has a time of its own on the disk.
        return None


def _parsed(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(data)
    return exif


def _png_exif(file: IO[bytes]) -> bytes:
    """The chunk `eXIf`, which most programs write behind the pixels; empty where there is none, or it is no PNG."""
    file.seek(0)
    if file.read(len(_PNG)) != _PNG:
        return b""
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4])
        if head[4:] == b"eXIf":
            return file.read(min(length, _MAX_EXIF_BYTES))
        file.seek(length + 4, os.SEEK_CUR)  # and the checksum
    return b""


def _original_time(tags: dict[int, Any]) -> float | None:
    """From `2026:05:01 12:30:00`, fractions of a second (`25`) and a zone (`+02:00`); the last two are often missing.

    A camera whose clock was never set writes zeros, or spaces.
    """
    text = str(tags.get(Base.DateTimeOriginal, "")).strip("\0 ")
    try:
        moment = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    fraction = str(tags.get(Base.SubsecTimeOriginal, "")).strip("\0 ")
    seconds = float(f"0.{fraction}") if fraction.isdecimal() and fraction.isascii() else 0.0
    try:
        zone = datetime.strptime(str(tags.get(Base.OffsetTimeOriginal, "")).strip("\0 "), "%z").tzinfo
    except ValueError:
        return time.mktime(moment.timetuple()) + seconds
    return moment.replace(tzinfo=zone).timestamp() + seconds
