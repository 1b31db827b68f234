"""What can be streamed: a finite sequence of images, read one at a time (protocol and value types)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class SourceImage(NamedTuple):
    """An image that a source lists and has not read yet; ``name`` is its path in the source, with forward slashes.

    ``number`` is that of a row in its file; 0 where the name alone says which one it is. ``id`` is the one that the
    table of an export says it had; empty: that of its bytes.
    """

    name: str
    label: str | None
    number: int = 0
    id: str = ""


class LoadedImage(NamedTuple):
    """An image ready to be sent. ``id`` depends on its bytes only: one image has one id, wherever its file is; but in
    an export it has the one that it had.

    ``old_id`` is its id in streams from the time when ids depended on paths too; empty where that was the same.
    """

    id: str
    name: str
    label: str | None
    data: bytes
    content_type: str
    old_id: str = ""


class ImageTime(NamedTuple):
    """When an image was taken, in seconds since the epoch: as the camera wrote it into the file, else the file's own.

    The file's own, when it was changed last, survives most copying; 0 where the file cannot be read.
    """

    seconds: float
    by_camera: bool


@dataclass
class Survey:
    """Counts of a source, by names only: images, those with a label, other files (``ignored``), unreadable folders.

    ``skipped_folders`` counts, by name, hidden folders and those of operating systems. ``empty_folders`` have neither
    images nor folders. ``unit`` says what is counted as images.
    """

    images: int = 0
    labelled: int = 0
    labels: set[str] = field(default_factory=set)
    ignored: int = 0
    unreadable: list[str] = field(default_factory=list)
    skipped_folders: Counter[str] = field(default_factory=Counter)
    empty_folders: list[str] = field(default_factory=list)
    unit: str = "images"

    def add(self, image: SourceImage) -> None:
        self.images += 1
        if image.label is not None:
            self.labelled += 1
            self.labels.add(image.label)


class Source(Protocol):
    """A finite sequence of images, in the same order every time."""

    def images(self, survey: Survey) -> Iterator[SourceImage]:
        """Yield every image, reading names only, and count into ``survey`` what is found.

        Raises SourceError where a label is not valid, naming the file.
        """
        ...

    def load(self, image: SourceImage) -> LoadedImage:
        """Read one image's bytes. Raises OSError where that fails."""
        ...

    def time(self, image: SourceImage) -> ImageTime | None:
        """When an image was taken, from the begin of its file; None where it is no file."""
        ...
