"""Where the features are of the backbone that a stream was switched to, for images first seen with another."""

from collections.abc import Collection, Mapping, Sequence

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.replay.plan import ReplayPlan
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Features, Rejected
from prequel.shared.log.base import Position, Record
from prequel.shared.vectors import Vector


class Substitutes:
    """The features of one backbone that were extracted later, by ``image_key``: some 200 bytes of memory an image.

    ``backbone`` is empty while the log has none of the stream's features. Only events at offsets below ``before`` are
    substituted, by features that stand there too: so it does not matter when the log is read. ``images`` are the only
    ones to take, by ``image_key``; None: all.
    """

    def __init__(
        self,
        backbone: str,
        offsets: Mapping[str, int],
        cache: FeatureCache,
        *,
        before: int,
        images: Collection[str] | None = None,
    ) -> None:
        self.backbone, self.before = backbone, before
        self._offsets, self._cache, self.images = offsets, cache, images
        self.missing = set[str]()
        """The images without features of the backbone that ``takes`` was asked about, where it takes some only."""

    def takes(self, event: Features) -> bool:
        """Whether an image is learned where these features stand: one of ``images``, where it has its first ones."""
        if self.images is None:
            return True
        if event.reextracted:
            return False
        key = image_key(event)
        if event.backbone != self.backbone and key not in self._offsets:
            self.missing.add(key)
        return key in self.images

    def fetch(self, partition: int, events: Sequence[object]) -> dict[str, tuple[Position, Vector]]:
        """Position and vector, float32 [dim], for those of the events that are another backbone's; by ``image_key``.

        Blocks; raises LogUnavailable.
        """
        keys = [image_key(event) for event in events if isinstance(event, Features) and event.backbone != self.backbone]
        positions = {key: Position(partition, self._offsets[key]) for key in keys if key in self._offsets}
        vectors = self._cache.fetch(positions.values())
        return {key: (at, vectors[at]) for key, at in positions.items() if at in vectors}


def image_key(event: Features) -> str:
    """One image: an id that was forgotten, and sent again, is another one."""
    return f"{event.image or event.position}/{event.id}"


def find_substitutes(plan: ReplayPlan, cache: FeatureCache, *, begin: int) -> Substitutes | None:
    """Read where they are; None for a stream that was never switched. Blocks; raises LogUnavailable."""
    if not plan.decisions.ever_switched or plan.classes is not None:
        return None
    backbone, before = plan.decisions.backbone, plan.decisions.newest_offset
    offsets: dict[str, dict[str, int]] = {}
    for records in cache.read_range(plan.partition, max(begin, plan.begun), before):
        for event in _features(records, plan.stream.encode()):
            if not event.reextracted:
                backbone = backbone or event.backbone
            else:
                # The first ones: when an image is extracted once more, the past stays as it was.
                offsets.setdefault(event.backbone, {}).setdefault(image_key(event), event.position.offset)
    return Substitutes(backbone, offsets.get(backbone, {}), cache, before=before)


def find_shared(
    plan: ReplayPlan, backbones: tuple[str, str], cache: FeatureCache, *, begin: int, end: int
) -> tuple[Substitutes, Substitutes]:
    """Those of two backbones, and of images only that have features of both. Blocks; raises LogUnavailable."""
    first: dict[str, str] = {}
    offsets: dict[str, dict[str, int]] = {backbone: {} for backbone in backbones}
    for records in cache.read_range(plan.partition, max(begin, plan.begun), end):
        for event in _features(records, plan.stream.encode()):
            if not event.reextracted:
                first.setdefault(image_key(event), event.backbone)
            elif event.backbone in offsets:
                offsets[event.backbone].setdefault(image_key(event), event.position.offset)
    images = {
        key for key, own in first.items() if all(backbone == own or key in offsets[backbone] for backbone in backbones)
    }
    one, other = (Substitutes(each, offsets[each], cache, before=end, images=images) for each in backbones)
    return one, other


def _features(records: Sequence[Record], key: bytes) -> list[Features]:
    found = []
    for record in records:
        if record.key == key:
            try:
                event = decode_example(record)
            except Rejected:
                continue
            if isinstance(event, Features):
                found.append(event)
    return found
