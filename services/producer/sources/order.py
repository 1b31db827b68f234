"""The order in which the images of a source are sent."""

import random
import threading
from collections.abc import Iterable
from typing import NamedTuple

from prequel.services.producer.errors import Stopped, WrongUsage
from prequel.services.producer.sources.base import Source, SourceImage, Survey
from prequel.services.producer.sources.feature_file import FeatureFile
from prequel.services.producer.sources.folder import Folder
from prequel.services.producer.sources.natural_order import natural_key
from prequel.services.producer.sources.table import Table

AS_IS, NAME, TIME, SHUFFLE = "as-is", "name", "time", "shuffle"
ORDERS = (AS_IS, NAME, TIME, SHUFFLE)
DEFAULT_SEED = 0


class Order(NamedTuple):
    """``kind`` is one of ORDERS, ``seed`` that of a shuffle; ``chosen``: the user asked for it."""

    kind: str
    seed: int = DEFAULT_SEED
    chosen: bool = True


class OrderedImages(NamedTuple):
    """The images to be sent, and a line for people that says in which order they are."""

    images: Iterable[SourceImage]
    line: str


def check_order(order: str | None, shuffle: int | None) -> None:
    """Raises WrongUsage where ``--order`` is unknown, or ``--shuffle`` contradicts it."""
    if order not in (None, *ORDERS):
        raise WrongUsage(f"--order {order} is unknown: use one of {', '.join(ORDERS)}")
    if shuffle is not None and order not in (None, SHUFFLE):
        raise WrongUsage(f"--shuffle {shuffle} and --order {order} contradict each other: give one of them")


def choose_order(source: Source, survey: Survey, order: str | None, shuffle: int | None) -> Order:
    """The order that the user asked for by ``--order`` and ``--shuffle``, else the one that suits the source.

    A folder whose labels are the names of folders or files lists class after class, and so do some feature files:
    learned like that, a model would only have to repeat the label before, and prequential accuracy would flatter. So it
    is shuffled, always in the same way. Everything else has an order that may mean something: frames, the rows of a
    table.
    """
    if shuffle is not None or order is not None:
        return Order(order or SHUFFLE, DEFAULT_SEED if shuffle is None else shuffle)
    if isinstance(source, FeatureFile):
        by_class = not source.suits_learning
    else:
        by_class = isinstance(source, Folder) and len(survey.labels) > 1
    return Order(SHUFFLE if by_class else AS_IS, chosen=False)


def ordered(source: Source, order: Order, stop: threading.Event) -> OrderedImages:
    """The images in that order: all names in memory, unless it is the source's own order.

    Blocks while it reads names, and for the order of time the begin of every file. Raises Stopped, WrongUsage.
    """
    if order.kind == AS_IS:
        return OrderedImages(source.images(Survey()), f"order: {_own_order(source)}")
    images = list(source.images(Survey()))
    if order.kind == SHUFFLE:
        random.Random(order.seed).shuffle(images)
        return OrderedImages(images, _shuffle_line(order))
    images.sort(key=lambda image: natural_key(image.name.rpartition("/")[2]))  # of one name, in the source's order
    if order.kind == NAME:
        return OrderedImages(images, "order: by the files' names, whatever their folders; 2 comes before 10")
    return _by_time(source, images, stop)


def _by_time(source: Source, images: list[SourceImage], stop: threading.Event) -> OrderedImages:
    """``images`` by time; those of one time stay in their order."""
    times = dict[SourceImage, float]()
    by_camera = 0
    for image in images:
        if stop.is_set():
            raise Stopped("stopped before the first image was sent")
        moment = source.time(image)
        if moment is None:
            raise WrongUsage("--order time: these images are no files and have no time; use --order as-is or shuffle")
        times[image], by_camera = moment.seconds, by_camera + moment.by_camera
    images.sort(key=times.__getitem__)
    return OrderedImages(images, _time_line(by_camera, len(images) - by_camera))


def _time_line(by_camera: int, by_file: int) -> str:
    return f"order: by time, {by_camera:,} by when a camera took them (EXIF), {by_file:,} by when the file was changed"


def _own_order(source: Source) -> str:
    if isinstance(source, FeatureFile):
        return source.suits_learning or "as the file has it, class after class"
    if isinstance(source, Folder):
        return "as the folders list them, by path; 2 comes before 10"
    return "as the table lists them" if isinstance(source, Table) else "as they come"


def _shuffle_line(order: Order) -> str:
    if order.chosen:
        return f"order: shuffled with seed {order.seed}"
    return f"order: shuffled with seed {order.seed}, so that classes come mixed (or choose --order as-is, name or time)"
