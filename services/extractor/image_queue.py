"""The images that were polled and are not finished, in the order they came, and the next batch of them."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import NamedTuple

from prequel.services.extractor.backbone_pool import BackboneUnavailable
from prequel.services.extractor.backbones.base import Choice
from prequel.services.extractor.decoding import Decoded
from prequel.services.extractor.loaded_backbone import LoadedBackbone
from prequel.shared.events.types import Image, Rejected
from prequel.shared.log.base import Record


class PendingImage(NamedTuple):
    """An image that was polled and is not finished.

    ``rejected`` is set where its event is invalid, or its stream's backbone cannot be loaded; otherwise ``image`` and
    ``choice`` are. ``decoded`` is set where it is being decoded already.
    """

    record: Record
    arrived: float
    image: Image | None = None
    choice: Choice | None = None
    decoded: "Future[Decoded] | None" = None
    rejected: Rejected | None = None


class Batch(NamedTuple):
    """Images for one backbone, None where all are rejected; ``waiting`` counts all that could be in a batch now.

    ``held_bytes`` are those of encoded images whose backbone is still being loaded.
    """

    images: list[PendingImage]
    backbone: LoadedBackbone | None
    waiting: int
    held_bytes: int


class ImageQueue:
    """Images of one stream stay in their order; those of others pass them while their backbone is being loaded."""

    def __init__(self) -> None:
        self._images: deque[PendingImage] = deque()
        self._ends: dict[int, int] = {}
        """Partition -> the offset after the last image that was polled."""

    def extend(self, images: Iterable[PendingImage]) -> None:
        """Append images in the order of the log."""
        for pending in images:
            self._images.append(pending)
            self._ends[pending.record.partition] = pending.record.offset + 1

    def choices(self) -> Iterable[Choice]:
        """The backbones that images wait for, that of the oldest image first, each once."""
        return dict.fromkeys(pending.choice for pending in self._images if pending.choice is not None)

    def next_batch(self, get: Callable[[Choice], LoadedBackbone | None], size: int) -> Batch:
        """At most ``size`` images for the backbone of the oldest one that can be extracted; ``get`` is the pool's.

        The rejected ones between them come with them.
        """
        find = _Backbones(get)
        images, chosen, waiting, held = list[PendingImage](), None, 0, 0
        passed = set[str]()
        """Streams of which an image stays: later ones stay behind it."""
        for pending in self._images:
            stream, backbone = pending.image.stream if pending.image else "", find(pending)
            if backbone is None:
                held += len(pending.record.value)
                passed.add(stream)
                continue
            waiting += 1
            if len(images) == size or stream in passed:
                continue
            if isinstance(backbone, Rejected):
                images.append(pending._replace(rejected=backbone))
            elif chosen in (None, backbone):
                chosen = backbone
                images.append(pending)
            else:
                passed.add(stream)
        return Batch(images, chosen, waiting, held)

    def finish(self, images: Iterable[PendingImage]) -> dict[int, int]:
        """Remove images; of their partitions, the offsets before which everything is finished."""
        done = {(pending.record.partition, pending.record.offset) for pending in images}
        self._images = deque(
            pending for pending in self._images if (pending.record.partition, pending.record.offset) not in done
        )
        firsts = dict[int, int]()
        for pending in self._images:
            firsts.setdefault(pending.record.partition, pending.record.offset)
        return {partition: firsts.get(partition, self._ends[partition]) for partition, _ in done}

    def discard(self, partition: int) -> None:
        """Forget the images of a partition, and cancel what has not begun to be decoded of them."""
        for pending in self._images:
            if pending.record.partition == partition and pending.decoded is not None:
                pending.decoded.cancel()
        self._images = deque(pending for pending in self._images if pending.record.partition != partition)
        self._ends.pop(partition, None)


class _Backbones:
    """What an image's backbone is: loaded; None, being loaded; or the reason why there is none. Asked once for each."""

    def __init__(self, get: Callable[[Choice], LoadedBackbone | None]) -> None:
        self._get = get
        self._found: dict[Choice, LoadedBackbone | BackboneUnavailable | None] = {}

    def __call__(self, pending: PendingImage) -> LoadedBackbone | Rejected | None:
        if pending.choice is None:
            return pending.rejected
        found = self._find(pending.choice)
        if isinstance(found, BackboneUnavailable):
            stream = pending.image.stream if pending.image else ""
            return unavailable(stream, found)
        return found

    def _find(self, choice: Choice) -> LoadedBackbone | BackboneUnavailable | None:
        if choice not in self._found:
            try:
                self._found[choice] = self._get(choice)
            except BackboneUnavailable as error:
                self._found[choice] = BackboneUnavailable(f"{choice.spec}, which cannot be loaded here: {error}")
        return self._found[choice]


def unavailable(stream: str, backbone: BackboneUnavailable) -> Rejected:
    """Why an image of the stream becomes a dead letter: its backbone cannot be loaded here."""
    return Rejected("backbone-unavailable", f"stream {stream} learns from {backbone}")
