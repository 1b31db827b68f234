"""What can be streamed: entries with labels, read one at a time (protocol, and the choice by name)."""

import hashlib
import os
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from prequel.shared.events.images import content_digest
from prequel.shared.events.names import LABEL_RULE, normal_label, valid_label

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
_SLUG = re.compile(r"[^A-Za-z0-9._:-]+")


class ProducerError(Exception):
    """What was asked cannot be done: the message says why, and what to do."""


class WrongUsage(ProducerError):
    """The command line says what no command can do, whatever there is: the message says what to write instead."""


class SourceError(ProducerError):
    """The source cannot be streamed as asked."""


class Entry(NamedTuple):
    """An image that is there to be read; ``name`` is its path within the source, with forward slashes."""

    name: str
    label: str | None


class Item(NamedTuple):
    """An image ready to be sent. ``id`` depends on its bytes only: one picture has one id, wherever it lies.

    ``old_id`` is what it was called when ids depended on paths too; empty where it was called the same.
    """

    id: str
    name: str
    label: str | None
    data: bytes
    content_type: str
    old_id: str = ""


@dataclass
class Survey:
    """What a source holds, by names only: how many images, labelled ones, files that are none, unreadable ones.

    ``folders`` counts, by name, those that were not looked into, being hidden or a system's own.
    """

    images: int = 0
    labelled: int = 0
    labels: set[str] = field(default_factory=set)
    ignored: int = 0
    unreadable: list[str] = field(default_factory=list)
    folders: Counter[str] = field(default_factory=Counter)

    def add(self, entry: Entry) -> None:
        self.images += 1
        if entry.label is not None:
            self.labelled += 1
            self.labels.add(entry.label)


class Source(Protocol):
    """A finite sequence of images in an order that is the same every time."""

    def entries(self, survey: Survey) -> Iterator[Entry]:
        """Yield every image's entry, reading names only, and count into ``survey`` what is seen and passed over.

        Raises SourceError where a label is not valid, naming the file.
        """
        ...

    def load(self, entry: Entry) -> Item:
        """Read one image's bytes. Raises OSError where that fails."""
        ...


def id_by_path(name: str, data: bytes) -> str:
    """The id that a picture had in streams from before ids were those of the bytes: the stem of its name, and 80 bits
    of a digest of its path within the source and its bytes. Such streams know it by this."""
    name = unicodedata.normalize("NFC", name)
    digest = hashlib.blake2b(os.fsencode(name) + b"\0", digest_size=10)
    digest.update(data)
    stem = _SLUG.sub("-", name.rpartition("/")[2].rpartition(".")[0])[:64].lstrip("-")
    return f"{stem or 'image'}-{digest.hexdigest()}"


def is_image(name: str) -> bool:
    """Whether a file is an image by its name; what its bytes are, the extractor decides."""
    return name.lower().endswith(tuple(CONTENT_TYPES)) and not name.startswith(".")


def read_item(path: Path, entry: Entry) -> Item:
    """Read an entry that is a file. Raises OSError, also for what is no regular file (a pipe would block)."""
    if not path.is_file():
        raise OSError(f"{path} is no regular file" if path.exists() else f"{path} does not exist")
    data = path.read_bytes()
    kind, old_id = CONTENT_TYPES[path.suffix.lower()], id_by_path(entry.name, data)
    return Item(content_digest(data), entry.name, entry.label, data, kind, old_id)


def checked_label(text: str, where: str) -> str:
    """The label in its one spelling, so that the same word is the same class on every system.

    Raises SourceError naming ``where`` it came from.
    """
    label = normal_label(text)
    if not valid_label(label) or any("\ud800" <= character <= "\udfff" for character in label):
        raise SourceError(
            f"{where}: {text[:150]!r} ({len(label)} characters) cannot be a label: take {LABEL_RULE}, valid Unicode; "
            "rename it, or stream with --labels none"
        )
    return label


def ordered(source: Source, survey: Survey, shuffle: int | None) -> Iterator[Entry]:
    """The entries in their own order, or in one that depends on the seed ``shuffle`` only (all names in memory)."""
    if shuffle is None:
        yield from source.entries(survey)
        return
    entries = list(source.entries(survey))
    random.Random(shuffle).shuffle(entries)
    yield from entries
