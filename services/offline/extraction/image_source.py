"""The images that a command works on: a source with its labels, its splits and its order, as `stream` has them."""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from prequel.services.producer.sources.base import Source, SourceImage, Survey
from prequel.services.producer.sources.folder import split_folders
from prequel.services.producer.sources.opening import open_source, survey_source
from prequel.services.producer.sources.order import SHUFFLE, check_order, choose_order, ordered


class ImageSource(NamedTuple):
    """``name`` is what the user called it; ``folder`` the absolute folder of the images' names, empty for `digits`.

    ``order`` is as FeatureMeta has it, ``order_line`` the same for people; ``splits`` are folders at the top.
    """

    name: str
    folder: str
    source: Source
    survey: Survey
    images: Iterable[SourceImage]
    order: str
    order_line: str
    splits: frozenset[str]

    def split_of(self, image: SourceImage) -> str | None:
        """The split that the image's folder is, if any."""
        top, separator, _ = image.name.partition("/")
        return top if separator and top in self.splits else None


def open_image_source(
    name: str, *, labels: str | None, order: str | None, shuffle: int | None, stop: threading.Event
) -> ImageSource:
    """Open a source by the rules of `stream`, and list its images.

    Blocks while it reads names. Raises ProducerError.
    """
    check_order(order, shuffle)
    source = open_source(name, labels)
    survey = survey_source(source, labels, name=name)
    chosen = choose_order(source, survey, order, shuffle)
    images, line = ordered(source, chosen, stop)
    folder = _folder(name)
    return ImageSource(
        name=name,
        folder=str(folder or ""),
        source=source,
        survey=survey,
        images=images,
        order=f"{SHUFFLE}:{chosen.seed}" if chosen.kind == SHUFFLE else chosen.kind,
        order_line=line,
        splits=split_folders(folder) if folder else frozenset(),
    )


def _folder(name: str) -> Path | None:
    path = Path(name).expanduser()
    if not path.exists():
        return None
    return (path if path.is_dir() else path.parent).resolve()
