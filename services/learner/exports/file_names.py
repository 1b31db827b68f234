"""Names of exported images: a folder for each class, a file for each id, on any file system."""

import hashlib

from prequel.shared.images.formats import detect_format

EXTENSIONS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "BMP": ".bmp",
    "WEBP": ".webp",
    "AVIF": ".avif",
    "HEIF": ".heic",
    "TIFF": ".tif",
}
"""By format as ``detect_format`` names it: those that `stream` takes for an image's."""
UNKNOWN = ".bin"
"""Of data in no known format."""
UNSAFE = frozenset('%/\\:*?"<>|')
"""What some file system does not allow in a name, and the sign that stands for it."""
RESERVED = frozenset(("con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))))
"""Names that Windows keeps for devices, whatever their extension."""
MAX_BYTES = 200
"""Of a name without its ending: file systems allow 255, and a label may have 128 characters of four."""
FILES = (*EXTENSIONS.values(), UNKNOWN, ".csv")
"""Endings of the files beside the folders: a class `labels.csv` must not take the place of the table."""


def file_name(id: str, label: str | None, data: bytes) -> str:
    """The path of an image in an export: `cat/ID.jpg`, or `ID.jpg` where it has no label."""
    name = _fitting(_escaped(id), id) + EXTENSIONS.get(detect_format(data) or "", UNKNOWN)
    return name if label is None else f"{folder_name(label)}/{name}"


def folder_name(label: str) -> str:
    """The folder of a class: its label, unless that is no name of a folder everywhere.

    Two labels never share one, but where a file system takes `Cat` for `cat`.

    >>> folder_name("tabby cat"), folder_name("24/7"), folder_name(".hidden"), folder_name("nul"), folder_name("1.jpg")
    ('tabby cat', '24%2F7', '%2Ehidden', '%6Eul', '1%2Ejpg')
    """
    name = _escaped(label)
    stem, dot, ending = name.rpartition(".")
    return _fitting(f"{stem}%2E{ending}" if dot + ending.lower() in FILES else name, label)


def _fitting(name: str, text: str) -> str:
    """The name, or if it is too long its beginning, with a digest of the text that it stands for."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{name.encode()[: MAX_BYTES - 20].decode(errors='ignore')}%{digest}"


def _escaped(text: str) -> str:
    safe = "".join(_code(sign) if sign in UNSAFE else sign for sign in text)
    if safe.startswith((".", " ")) or safe.split(".")[0].lower() in RESERVED:
        safe = _code(safe[0]) + safe[1:]
    return safe[:-1] + _code(safe[-1]) if safe.endswith((".", " ")) else safe


def _code(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode())
