"""Paths of images as tables have them: in quotes, with backslashes, without their extension, relative to a folder."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from prequel.services.producer.sources.image_files import CONTENT_TYPES, looks_like_image

_QUOTES = "'\u2018\u2019\u201c\u201d`"


def find_file(name: str, folders: Iterable[Path]) -> Path | None:
    """The file of this path, relative to the first of the folders in which there is one."""
    return next((path for folder in folders if name and is_file(path := folder / name)), None)


def readings(cell: str) -> Iterator[str]:
    """Other readings of a path: without quotes, with slashes for backslashes, with an extension."""
    plain = unquoted(cell.strip())
    for name in dict.fromkeys((plain, plain.replace("\\", "/"))):
        if looks_like_image(name):
            yield name
        elif name and "\n" not in name:
            yield from (name + suffix for extension in CONTENT_TYPES for suffix in (extension, extension.upper()))


def unquoted(text: str) -> str:
    """Without a pair of quotes, also of kinds that are not CSV's own."""
    paired = len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES
    return text[1:-1].strip() if paired else text


def is_file(path: Path) -> bool:
    """False too where an error hides it (name too long, no permission): reading the image raises that error later."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
