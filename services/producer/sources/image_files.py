"""Image files: which files are images, their ids, and how they are read."""

import hashlib
import os
import re
import unicodedata
from pathlib import Path

from prequel.services.producer.sources.base import ImageTime, LoadedImage, SourceImage
from prequel.shared.events.images import content_digest

CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpe": "image/jpeg",
    ".jfif": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".hif": "image/heif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
"""By the file name's extension in lower case: what the extractor's decoder reads."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._:-]+")
"""Characters that an id may not have."""


def is_image(name: str) -> bool:
    """Whether a file is an image by its name; what its bytes are, the extractor decides."""
    return name.lower().endswith(tuple(CONTENT_TYPES)) and not name.startswith(".")


def looks_like_image(path: str) -> bool:
    """``is_image`` for a path as tables may have it: with backslashes, or with spaces around it."""
    return is_image(path.strip().replace("\\", "/").rpartition("/")[2])


def read_image(path: Path, image: SourceImage) -> LoadedImage:
    """Read an image that is a file. Raises OSError, also for what is not a regular file: reading a pipe would block."""
    if not path.is_file():
        raise OSError(f"{path} is not a regular file" if path.exists() else f"{path} does not exist")
    data = path.read_bytes()
    content_type, old_id = CONTENT_TYPES[path.suffix.lower()], id_by_path(image.name, data)
    return LoadedImage(image.id or content_digest(data), image.name, image.label, data, content_type, old_id)


def image_time(path: Path) -> ImageTime:
    """When the photograph in a file was taken, else when the file was changed last. Reads its begin only."""
    from prequel.shared.images.capture_time import capture_time  # imports all of Pillow, which few runs need

    if (taken := capture_time(path)) is not None:
        return ImageTime(taken, by_camera=True)
    try:
        return ImageTime(path.stat().st_mtime, by_camera=False)
    except OSError:
        return ImageTime(0.0, by_camera=False)


def id_by_path(name: str, data: bytes) -> str:
    """The id of an image in streams from before ids were digests of the bytes.

    It is the stem of the file's name, and 80 bits of a digest of its path in the source and its bytes.
    """
    name = unicodedata.normalize("NFC", name)
    digest = hashlib.blake2b(os.fsencode(name) + b"\0", digest_size=10)
    digest.update(data)
    stem = _UNSAFE.sub("-", name.rpartition("/")[2].rpartition(".")[0])[:64].lstrip("-")
    return f"{stem or 'image'}-{digest.hexdigest()}"
